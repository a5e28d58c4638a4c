/* rows.h: samples gathered into rows (one measured thing each), and rows compared with each other.
 *
 * A row is all samples that agree in every column that says what was measured: family, backend,
 * strategy, n, workers, chunk, form, memory, wait, work_ns, variant, phase. */
#ifndef TWIN_REPORT_ROWS_H
#define TWIN_REPORT_ROWS_H

#include "csv.h"
#include "stats.h"

#include <stdbool.h>

/* From good to bad; a row has the worst of its samples. */
enum outcome {
    OUTCOME_OK,
    OUTCOME_SINGLE,       /* ran whole, once: no interval, no verdict */
    OUTCOME_EXTRAPOLATED, /* prefixes were measured, the time for n is a line's */
    OUTCOME_SKIPPED,
    OUTCOME_UNSUPPORTED,
    OUTCOME_PARTIAL_LIMIT,
    OUTCOME_TIMEOUT,
    OUTCOME_OOM_KILLED,
    OUTCOME_FAILED,
    OUTCOME_WRONG_RESULT
};

/* How one row stands to another. The first five are the verdicts of stats.h, in their order. */
enum standing {
    STANDS_FASTER,
    STANDS_SLOWER,
    STANDS_EQUIVALENT,
    STANDS_UNRESOLVED,
    STANDS_TOO_FEW,
    STANDS_NO_VERDICT, /* a ratio of single, extrapolated or never-paired times: shown, not judged
                        */
    STANDS_FAILED,     /* one of the two did not finish */
    STANDS_NOT_MEASURED,
    STANDINGS
};

struct comparison {
    enum standing standing;
    double ratio, lo, hi; /* time of one / time of the other; lo and hi NaN without interval */
    double margin;        /* as a ratio - 1: 0.03 */
    size_t rounds;        /* in which both were measured, undisturbed */
};

struct row {
    const struct sample **samples; /* count of them, by round */
    size_t count, used, disturbed;
    enum outcome outcome;
    struct stats_interval time; /* ns for n items; of clean samples, unless there are none */
    bool only_disturbed;
    struct stats_line prefix; /* when extrapolated */
    size_t prefixes;
    const char *limit, *detail; /* of the sample that gave the row its outcome */
    struct comparison vs_seq;
};

struct rows {
    struct row *row;
    size_t count;
    const struct sample **order; /* all samples, sorted; the rows point into it */
    double workers;              /* that most rows of the strategies used */
};

void rows_gather(struct rows *rows, const struct table *table);
void rows_free(struct rows *rows);

const char *row_field(const struct row *row, enum column column);
double row_number(const struct row *row, enum column column);
bool row_is(const struct row *row, enum column column, const char *value);
bool row_has_time(const struct row *row);
double row_per_item(const struct row *row); /* ns; NaN when it has no time */

/* Median over the samples that carry a value; NaN when none does. */
double row_median(const struct row *row, enum column column);
double row_metric(const struct row *row, const char *name);
double row_metric_sum(const struct row *row, const char *name);
double row_metric_max(const struct row *row, const char *name);

/* What to look for. NULL and 0 mean "the main one": in_place before private before staged, kernel
 * for whole-array strategies and task for single calls, adaptive, automatic chunk, the usual number
 * of workers, no variant, warm. */
struct pick {
    const char *family, *backend, *strategy;
    double n;
    const char *chunk, *form, *memory, *wait, *variant, *phase, *work_ns;
    double workers;
};

/* Returns the best row, or NULL: what is given must match, what is not given is preferred. */
const struct row *row_find(const struct rows *rows, struct pick pick);

/* The sequential row of the same family, n and work: one base for all that is compared with it. */
const struct row *row_base(const struct rows *rows, const struct row *row);
/* The same arm once more, for the margin; NULL if it was not measured. */
const struct row *row_control(const struct rows *rows, const struct row *base);

/* Compares per item, within rounds when both have rounds, with the margin of their family. */
struct comparison rows_compare(const struct rows *rows, const struct row *one,
                               const struct row *other);
/* Collects ln(one/other) of each common clean round into values (room for one->count). */
size_t rows_log_ratios(const struct row *one, const struct row *other, double *values);

const char *outcome_name(enum outcome outcome);
const char *standing_name(enum standing standing);

#endif
