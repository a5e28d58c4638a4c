/* stats.c: medians, sign-test intervals, verdicts, break-even crossings.
 *
 * Why the sign test: the interval between the k-th smallest and the k-th largest of n values covers
 * the true median with probability 1 - 2 P(Bin(n, 1/2) < k), whatever the distribution. Nothing is
 * estimated, and nothing is assumed that timings break.
 *
 * Why a verdict needs a margin: with enough rounds any two programs differ. A difference counts
 * when it exceeds 3 % and what the same program shows against itself in the same rounds.
 *
 * Source: Hoefler and Belli, "Scientific Benchmarking of Parallel Computing Systems" (SC15), rules
 * 5 to 7; Slaughter et al., "Task Bench" (SC20), for METG; the sign test as in Conover, "Practical
 * Nonparametric Statistics", 3.5. */
#include "stats.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median_of_sorted(const double *values, size_t count)
{
    if (count == 0)
        return NAN;
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double stats_median(double *values, size_t count)
{
    if (count > 0)
        qsort(values, count, sizeof *values, ascending);
    return median_of_sorted(values, count);
}

double stats_fair_cdf(size_t n, size_t k)
{
    double sum = 0, all = (double)n;

    for (size_t i = 0; i <= k && i <= n; i++) {
        double successes = (double)i;
        sum += exp(lgamma(all + 1) - lgamma(successes + 1) - lgamma(all - successes + 1) -
                   all * log(2));
    }
    return sum < 1 ? sum : 1;
}

/* The largest k >= 1 whose interval [k-th, (n+1-k)-th] still covers at the level; 0: there is none.
 */
static size_t order_statistic(size_t count, double *coverage)
{
    size_t best = 0;

    for (size_t k = 1; 2 * k <= count; k++) {
        double covers = 1 - 2 * stats_fair_cdf(count, k - 1);
        if (covers < STATS_LEVEL)
            break;
        best = k;
        *coverage = covers;
    }
    return best;
}

struct stats_interval stats_median_interval(double *values, size_t count)
{
    struct stats_interval result = {.median = stats_median(values, count), .count = count};
    size_t k = order_statistic(count, &result.coverage);

    result.lo = result.hi = NAN;
    if (k > 0) {
        result.lo = values[k - 1];
        result.hi = values[count - k];
        result.known = true;
    }
    return result;
}

struct stats_interval stats_log_ratio(const double *times, const double *base, size_t count,
                                      double *scratch)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = log(times[i] / base[i]);
    return stats_median_interval(scratch, count);
}

double stats_margin(const struct stats_interval *same_twice)
{
    double margin = log1p(STATS_LEAST_MARGIN);

    if (same_twice && same_twice->known)
        margin = fmax(margin, fmax(fabs(same_twice->lo), fabs(same_twice->hi)));
    return margin;
}

enum stats_verdict stats_judge(const struct stats_interval *log_ratio, double margin)
{
    if (!log_ratio->known)
        return STATS_TOO_FEW;
    if (log_ratio->hi < -margin)
        return STATS_FASTER;
    if (log_ratio->lo > margin)
        return STATS_SLOWER;
    if (log_ratio->lo >= -margin && log_ratio->hi <= margin)
        return STATS_EQUIVALENT;
    return STATS_UNRESOLVED;
}

const char *stats_verdict_name(enum stats_verdict verdict)
{
    switch (verdict) {
    case STATS_FASTER:
        return "faster";
    case STATS_SLOWER:
        return "slower";
    case STATS_EQUIVALENT:
        return "equivalent";
    case STATS_UNRESOLVED:
        return "unresolved";
    case STATS_TOO_FEW:
        break;
    }
    return "too few rounds";
}

struct stats_crossing stats_cross(const double *w, const double *y, size_t count, double level)
{
    struct stats_crossing never = {STATS_CROSSES_NEVER, NAN};
    struct stats_crossing below = {STATS_CROSSES_BELOW, NAN};

    if (count == 0 || !(y[count - 1] >= level))
        return never;
    for (size_t i = count - 1; i-- > 0;) {
        if (y[i] >= level)
            continue;
        double part = (log(level) - log(y[i])) / (log(y[i + 1]) - log(y[i]));
        double at = log(w[i]) + part * (log(w[i + 1]) - log(w[i]));
        return (struct stats_crossing){STATS_CROSSES_AT, exp(at)};
    }
    below.w = w[0];
    return below;
}

/* splitmix64: small, well mixed, the same everywhere. Source: Steele, Lea, Flood, OOPSLA 2014. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double resampled_median(const double *values, size_t count, uint64_t *state, double *scratch)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = values[next_random(state) % count];
    return stats_median(scratch, count);
}

/* BELOW first, then by w, NEVER last. */
static int by_crossing(const void *left, const void *right)
{
    const struct stats_crossing *a = left, *b = right;
    double x = a->kind == STATS_CROSSES_BELOW   ? 0
               : a->kind == STATS_CROSSES_NEVER ? HUGE_VAL
                                                : a->w;
    double y = b->kind == STATS_CROSSES_BELOW   ? 0
               : b->kind == STATS_CROSSES_NEVER ? HUGE_VAL
                                                : b->w;
    return (x > y) - (x < y);
}

void stats_cross_resampled(const double *w, const double *const *values, const size_t *counts,
                           size_t points, double level, uint64_t seed, double *scratch,
                           struct stats_crossing *lo, struct stats_crossing *hi)
{
    static struct stats_crossing found[STATS_RESAMPLES];
    double speedup[STATS_MOST_POINTS];
    uint64_t state = seed;

    if (points > STATS_MOST_POINTS)
        points = STATS_MOST_POINTS;
    for (size_t round = 0; round < STATS_RESAMPLES; round++) {
        for (size_t i = 0; i < points; i++)
            speedup[i] = exp(-resampled_median(values[i], counts[i], &state, scratch));
        found[round] = stats_cross(w, speedup, points, level);
    }
    qsort(found, STATS_RESAMPLES, sizeof *found, by_crossing);
    *lo = found[(size_t)(0.025 * (STATS_RESAMPLES + 1)) - 1];
    *hi = found[(size_t)(0.975 * (STATS_RESAMPLES + 1)) - 1];
}

struct stats_line stats_fit(const double *x, const double *y, size_t count)
{
    struct stats_line line = {NAN, NAN, NAN};
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;

    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / (double)count;
        mean_y += y[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    if (count < 2 || !(xx > 0))
        return line;
    line.b = xy / xx;
    line.a = mean_y - line.b * mean_x;
    line.residual = 0;
    for (size_t i = 0; i < count; i++)
        line.residual = fmax(line.residual, fabs(y[i] - line.a - line.b * x[i]) / fabs(y[i]));
    return line;
}
