/* report.h: what the sections share while a report is made. */
#ifndef TWIN_REPORT_REPORT_H
#define TWIN_REPORT_REPORT_H

#include "claim.h"
#include "places.h"
#include "plot.h"
#include "rows.h"

struct report {
    const char *dir;    /* of samples.csv; gets summary.csv, REPORT.md and plots/ */
    const char *source; /* of the repository */
    struct table table;
    struct rows rows;
    struct text environment; /* environment.txt as it is; empty when there is none */
    double large, small;     /* the two sizes of the study; small is NaN when there is one */
    struct places places;
    struct plots plots;
};

/* One chapter. fill() draws its figures and sets the places of text/<name>.md. It returns NULL, or
 * one line saying why there is nothing to show; the chapter is then its heading and that line. */
struct section {
    const char *name;
    const char *(*fill)(struct report *report);
    const char *exports[5]; /* places that other chapters use too: "not measured" until filled */
};

extern const struct section section_answer, section_two_ways, section_tables, section_why,
    section_sync, section_chunks, section_spawn, section_pays, section_factors, section_connpool,
    section_peers, section_growth, section_targets, section_course, section_appendix;

/* Makes everything from dir/samples.csv. Returns an exit status: 0; 1 a file could not be written;
 * 2 the samples or the prose are not what they should be. error gets one line, notes what to know.
 */
int report_make(const char *dir, const char *source, struct text *error, struct text *notes);

/* The main row of a strategy in family strategies, or python's in family peers; NULL if none. */
const struct row *report_row(const struct report *report, const char *backend, const char *strategy,
                             double n);
bool report_has_family(const struct report *report, const char *family);

/* Adds "7.61 ms" or what went wrong. */
void add_time_or_failure(struct text *out, const struct row *row);
void add_limit(struct text *out, const struct row *row);
void add_words(struct text *out, const char *words); /* our_ceiling -> our ceiling */

/* Adds the sentence, and below it what it rests on. */
void add_finding(struct text *out, const struct finding *finding);
/* Decides a claim and sets {{claim:name}} or, with a backend, {{claim:name:backend}}. */
enum standing report_claim(struct report *report, const struct claim *claim, const char *backend,
                           double n);

/* ns for one operation of a bare limit; NaN when it was not measured. variant NULL: the main one.
 */
double limit_price(const struct report *report, const char *limit, const char *variant);

/* How a ratio stands to the most that it may be: "met" when its whole interval is within, "not met"
 * when all of it is beyond, otherwise "unresolved", or "not measured". */
const char *report_held(const struct comparison *result, double most);

/* CPUs that were usable, as environment.txt says; otherwise the most workers that were used. */
double report_cpus(const struct report *report);

/* Sets the tics of a logarithmic axis of nanoseconds: 1 ns, 10 ns, 100 ns, 1 us, ... */
void plot_time_axis(struct plot *plot, const char *axis);

#define BACKENDS 4
extern const char *const report_backends[BACKENDS]; /* proc omp control python */
#define STRATEGIES 8
extern const char *const report_strategies[STRATEGIES]; /* all but sequential, in reading order */
const char *backend_colour(const char *backend);

#endif
