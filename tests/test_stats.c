/* test_stats.c: the statistics on data whose answers are known in advance.
 *
 * Coverages are checked against the binomial by hand (n = 6: 1 - 2/64; n = 11, k = 2: 1 - 24/2048),
 * and once against the world: intervals of random samples must cover the true median. */
#include "stats.h"

#include <criterion/criterion.h>
#include <math.h>

#define NEAR(a, b) cr_assert(fabs((a) - (b)) < 1e-9, "%.12g is not %.12g", (double)(a), (double)(b))

Test(stats, median_of_odd_even_and_none)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2};

    NEAR(stats_median(odd, 3), 3);
    NEAR(stats_median(even, 4), 2.5);
    cr_assert(isnan(stats_median(odd, 0)));
}

Test(stats, fair_coins_are_exact)
{
    NEAR(stats_fair_cdf(6, 0), 1.0 / 64);
    NEAR(stats_fair_cdf(11, 1), 12.0 / 2048);
    NEAR(stats_fair_cdf(4, 4), 1);
}

Test(stats, no_interval_from_fewer_than_six)
{
    double values[] = {1, 2, 3, 4, 5, 6};

    cr_assert_not(stats_median_interval(values, 3).known);
    cr_assert_not(stats_median_interval(values, 5).known);
    struct stats_interval six = stats_median_interval(values, 6);
    cr_assert(six.known);
    NEAR(six.lo, 1);
    NEAR(six.hi, 6);
    NEAR(six.coverage, 1 - 2.0 / 64);
}

Test(stats, eleven_rounds_take_the_second_and_tenth)
{
    double values[] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    struct stats_interval got = stats_median_interval(values, 11);

    NEAR(got.median, 6);
    NEAR(got.lo, 2);
    NEAR(got.hi, 10);
    NEAR(got.coverage, 1 - 24.0 / 2048);
}

Test(stats, an_outlier_moves_nothing)
{
    double values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1e12};
    struct stats_interval got = stats_median_interval(values, 11);

    NEAR(got.median, 6);
    NEAR(got.hi, 10);
}

Test(stats, intervals_cover_the_true_median)
{
    uint64_t seed = 12345;
    int covered = 0, trials = 2000;

    cr_log_info("seed %llu", (unsigned long long)seed);
    for (int t = 0; t < trials; t++) {
        double values[11];
        for (int i = 0; i < 11; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            double uniform = ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
            values[i] = -log(uniform); /* skewed: its median is ln 2 */
        }
        struct stats_interval got = stats_median_interval(values, 11);
        covered += got.lo <= log(2) && log(2) <= got.hi;
    }
    cr_assert(covered > 0.97 * trials, "%d of %d", covered, trials); /* exact: 98.8 % */
}

Test(stats, ratios_are_taken_within_rounds)
{
    /* The machine slows down tenfold; the ratio inside each round stays 2. */
    double base[] = {1, 2, 3, 4, 5, 6, 7, 10}, times[8], scratch[8];

    for (int i = 0; i < 8; i++)
        times[i] = 2 * base[i];
    struct stats_interval got = stats_log_ratio(times, base, 8, scratch);
    NEAR(got.median, log(2));
    NEAR(got.lo, log(2));
    NEAR(got.hi, log(2));
}

static enum stats_verdict judge(double lo, double hi)
{
    struct stats_interval ratio = {.lo = lo, .hi = hi, .known = true};
    return stats_judge(&ratio, log(1.03));
}

Test(stats, verdicts)
{
    struct stats_interval unknown = {.lo = -1, .hi = -1, .known = false};

    cr_assert_eq(judge(-0.5, -0.04), STATS_FASTER);
    cr_assert_eq(judge(-0.5, -0.01), STATS_UNRESOLVED);
    cr_assert_eq(judge(-0.02, 0.02), STATS_EQUIVALENT);
    cr_assert_eq(judge(-0.04, 0.02), STATS_UNRESOLVED);
    cr_assert_eq(judge(0.04, 0.5), STATS_SLOWER);
    cr_assert_eq(stats_judge(&unknown, 0.03), STATS_TOO_FEW);
    cr_assert_str_eq(stats_verdict_name(STATS_TOO_FEW), "too few rounds");
}

Test(stats, the_control_widens_the_margin_and_never_narrows_it)
{
    struct stats_interval wide = {.lo = -0.08, .hi = 0.02, .known = true};
    struct stats_interval narrow = {.lo = -0.001, .hi = 0.001, .known = true};
    struct stats_interval unknown = {.lo = -9, .hi = 9, .known = false};

    NEAR(stats_margin(&wide), 0.08);
    NEAR(stats_margin(&narrow), log(1.03));
    NEAR(stats_margin(&unknown), log(1.03));
    NEAR(stats_margin(NULL), log(1.03));
}

Test(stats, crossing_is_interpolated_in_logarithms)
{
    double w[] = {1, 100, 10000}, y[] = {0.01, 0.1, 10};
    struct stats_crossing got = stats_cross(w, y, 3, 1);

    cr_assert_eq(got.kind, STATS_CROSSES_AT);
    NEAR(got.w, 1000);
}

Test(stats, the_largest_crossing_counts)
{
    double w[] = {1, 10, 100, 1000}, y[] = {2, 2, 0.5, 2};
    struct stats_crossing got = stats_cross(w, y, 4, 1);

    cr_assert_eq(got.kind, STATS_CROSSES_AT);
    NEAR(got.w, pow(10, 2.5));
}

Test(stats, crossings_are_censored_honestly)
{
    double w[] = {1, 10}, above[] = {1.5, 1.9}, under[] = {1.5, 0.9};

    cr_assert_eq(stats_cross(w, above, 2, 1).kind, STATS_CROSSES_BELOW);
    NEAR(stats_cross(w, above, 2, 1).w, 1);
    cr_assert_eq(stats_cross(w, under, 2, 1).kind, STATS_CROSSES_NEVER);
    cr_assert_eq(stats_cross(w, under, 0, 1).kind, STATS_CROSSES_NEVER);
}

Test(stats, resampling_brackets_the_crossing_and_repeats_itself)
{
    double w[] = {1, 100, 10000}, scratch[7];
    double a[7], b[7], c[7];
    const double *values[] = {a, b, c};
    size_t counts[] = {7, 7, 7};
    struct stats_crossing lo, hi, lo2, hi2;

    for (int i = 0; i < 7; i++) {
        double noise = 0.01 * (i - 3);
        a[i] = -log(0.01) + noise;
        b[i] = -log(0.1) + noise;
        c[i] = -log(10) + noise;
    }
    stats_cross_resampled(w, values, counts, 3, 1, 7, scratch, &lo, &hi);
    stats_cross_resampled(w, values, counts, 3, 1, 7, scratch, &lo2, &hi2);
    cr_assert_eq(lo.kind, STATS_CROSSES_AT);
    cr_assert(lo.w < 1000 && 1000 < hi.w);
    cr_assert(lo.w > 800 && hi.w < 1250);
    NEAR(lo.w, lo2.w);
    NEAR(hi.w, hi2.w);
}

Test(stats, a_line_is_found_again)
{
    double x[] = {100, 200, 400}, y[] = {13, 23, 43}, bent[] = {13, 23, 63};
    struct stats_line line = stats_fit(x, y, 3);

    NEAR(line.a, 3);
    NEAR(line.b, 0.1);
    NEAR(line.residual, 0);
    cr_assert(stats_fit(x, bent, 3).residual > 0.05);
    cr_assert(isnan(stats_fit(x, y, 1).b));
}
