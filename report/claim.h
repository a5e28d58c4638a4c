/* claim.h: conclusions that are computed.
 *
 * A claim names the rows it needs, says how they are compared, and brings a sentence for each way
 * in which that can end. The generator picks the sentence; nobody writes a conclusion by hand. Each
 * finding carries its basis: the rows, the ratio, its interval, the rounds and the margin. */
#ifndef TWIN_REPORT_CLAIM_H
#define TWIN_REPORT_CLAIM_H

#include "rows.h"

/* A sentence may hold {{one}}, {{other}} (names of the rows), {{n}} (of one), {{ratio}} (time of one /
 * time of other), {{inverse}}, {{one_value}}, {{other_value}} and, in a contest, {{best}}. A NULL
 * sentence gets the common one. */
struct claim {
    const char *name;
    struct pick one, other;              /* n 0 in other: that of one */
    const char *const *rivals;           /* not NULL: a contest of one against these strategies */
    double (*value)(const struct row *); /* not NULL: compare this count instead of the time */
    double value_margin;                 /* for counts: differences below it are none */
    const char *says[STANDINGS];
};

/* What became of a sentence that someone believed. */
enum truth { TRUTH_HOLDS, TRUTH_FAILS, TRUTH_UNDECIDED, TRUTH_NOT_MEASURED };

struct finding {
    enum standing standing;
    double ratio;
    struct text sentence, basis;
};

/* Decides the claim. backend, if not NULL, takes the place of a NULL backend in its picks. */
void claim_decide(const struct rows *rows, const struct claim *claim, const char *backend, double n,
                  struct finding *finding);
void finding_free(struct finding *finding);

/* "one is faster than other" holds, fails (slower or equivalent), or is open. */
enum truth truth_of_faster(enum standing standing);
const char *truth_name(enum truth truth);

/* Adds "processes, map, n = 10^7". */
void row_describe(struct text *out, const struct row *row);
/* Returns what stands beside the word in the table of count names, or the word. */
const char *name_in(const char *const (*names)[2], size_t count, const char *word);
const char *backend_name(const char *backend);   /* proc -> processes */
const char *strategy_name(const char *strategy); /* apply_async -> apply_async */

#endif
