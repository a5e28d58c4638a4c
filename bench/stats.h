/* stats.h: the statistics of the study, on plain arrays of doubles.
 *
 * Times are skewed and have heavy tails, so nothing here assumes a distribution: medians, their
 * intervals from order statistics, and ratios taken inside one round, where both sides met the same
 * machine. Logarithms are natural; a "ln ratio" of 0 means equal, below 0 faster.
 * Functions that say "sorts" reorder the caller's array. None allocates. */
#ifndef TWIN_BENCH_STATS_H
#define TWIN_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_LEVEL        0.95 /* of every interval */
#define STATS_LEAST_MARGIN 0.03 /* differences below 3 % are never called faster or slower */

/* A median with its interval. known is false when there are too few values (fewer than 6 for 95 %).
 */
struct stats_interval {
    double median, lo, hi;
    double coverage; /* exact, from the binomial: at least STATS_LEVEL when known */
    size_t count;
    bool known;
};

enum stats_verdict {
    STATS_FASTER,     /* the whole interval lies below -margin */
    STATS_SLOWER,     /* ... above +margin */
    STATS_EQUIVALENT, /* ... within the margin */
    STATS_UNRESOLVED, /* none of these: more rounds could tell */
    STATS_TOO_FEW     /* no interval */
};

/* Where a curve crosses a level. */
enum stats_crossing_kind {
    STATS_CROSSES_AT,    /* at w */
    STATS_CROSSES_BELOW, /* the curve is at or above the level everywhere: below the smallest w */
    STATS_CROSSES_NEVER  /* the curve is under the level at the largest w, or there are no points */
};
struct stats_crossing {
    enum stats_crossing_kind kind;
    double w;
};

/* y = a + b x by least squares. residual: the largest |y - fit| / y of the points used. */
struct stats_line {
    double a, b, residual;
};

/* Returns the median. Sorts. count 0 gives NaN. */
double stats_median(double *values, size_t count);

/* Returns P(X <= k) of a binomial with n fair coins: the exact coverage of order statistics. */
double stats_fair_cdf(size_t n, size_t k);

/* Returns the median and the narrowest symmetric order-statistic interval whose exact coverage is
 * at least STATS_LEVEL: the sign test turned round. Sorts. */
struct stats_interval stats_median_interval(double *values, size_t count);

/* Returns the same of ln(times[i] / base[i]), round by round; scratch holds count doubles. */
struct stats_interval stats_log_ratio(const double *times, const double *base, size_t count,
                                      double *scratch);

/* Returns the margin in ln units: ln(1.03), or more when the same arm measured twice (the A/A
 * control, as a ln ratio) differs by more. NULL or an unknown interval leaves ln(1.03). */
double stats_margin(const struct stats_interval *same_twice);

enum stats_verdict stats_judge(const struct stats_interval *log_ratio, double margin);
const char *stats_verdict_name(enum stats_verdict verdict);

/* Returns the largest crossing of y(w) through level, scanning from large w, interpolated in
 * logarithms. w ascends; w and y are > 0. */
struct stats_crossing stats_cross(const double *w, const double *y, size_t count, double level);

/* Resamples rounds: for each point i, values[i] are counts[i] ln ratios T/T_seq, so that the
 * speed-up is exp(-median). Returns in lo and hi the 2.5 and 97.5 percentiles of the crossing of
 * speed-up through level; BELOW counts as the smallest value, NEVER as the largest. scratch holds
 * the largest count. Deterministic for a seed. */
#define STATS_RESAMPLES   999
#define STATS_MOST_POINTS 32
void stats_cross_resampled(const double *w, const double *const *values, const size_t *counts,
                           size_t points, double level, uint64_t seed, double *scratch,
                           struct stats_crossing *lo, struct stats_crossing *hi);

/* Fits a line through count >= 2 points; with fewer, or all x equal, b is NaN. */
struct stats_line stats_fit(const double *x, const double *y, size_t count);

#endif
