/* section_connpool.c: a pool of connections, with processes and with threads, and the course's two
 * questions.
 *
 * Four experiments, by the first word of variant: workload (more workers than connections: who
 * waited, how long, was the bound kept), lesson (what the semaphore does and what it does not:
 * violations counted), crash (a holder is killed: is the permit lost?), price (acquire + release
 * with nobody waiting). Counts of violations are summed over all samples, since one is too many;
 * the rest are medians. */
#include "report.h"

#include <math.h>
#include <string.h>

static bool is_experiment(const struct row *row, const char *experiment)
{
    return row_is(row, COLUMN_family, "connpool") && !row_is(row, COLUMN_backend, "bare") &&
           strncmp(row_field(row, COLUMN_variant), experiment, strlen(experiment)) == 0;
}

static const char *driver_of(const struct row *row)
{
    const char *bar = strchr(row_field(row, COLUMN_variant), '_');
    return bar ? bar + 1 : "";
}

static void add_time_metric(struct text *out, const struct row *row, const char *name)
{
    double value = row_metric(row, name);
    text_add(out, " %s |", isfinite(value) ? label_time(value).text : "");
}

static void add_count_metric(struct text *out, double value)
{
    text_add(out, " %s |", isfinite(value) ? label_count(value).text : "");
}

static double workers_of(const struct row *row)
{
    double workers = row_median(row, COLUMN_distinct_workers);
    return isfinite(workers) ? workers : row_number(row, COLUMN_workers);
}

/* ---- workload ----------------------------------------------------------------------------------
 */

static size_t fill_workload(struct report *report)
{
    struct text out = {0};
    size_t count = 0;

    text_add(&out,
             "| admission | driver | workers are | workers | connections | most in use at once | "
             "operations | had to wait | half had it within | 99 %% within | longest wait, median "
             "of the rounds | "
             "per operation |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!is_experiment(row, "workload"))
            continue;
        count++;
        text_add(&out, "| %s | %s | %s |", row_field(row, COLUMN_strategy), driver_of(row),
                 backend_name(row_field(row, COLUMN_backend)));
        if (!row_has_time(row)) {
            text_add(&out, " ");
            add_limit(&out, row);
            text_add(&out, " | | | | | | | | |\n");
            continue;
        }
        add_count_metric(&out, workers_of(row));
        add_count_metric(&out, row_metric(row, "holders_bound"));
        add_count_metric(&out, row_metric_max(row, "most_holders"));
        add_count_metric(&out, row_median(row, COLUMN_n_run));
        add_count_metric(&out, row_metric(row, "waited_count"));
        add_time_metric(&out, row, "wait_p50_ns");
        add_time_metric(&out, row, "wait_p99_ns");
        add_time_metric(&out, row, "wait_max_ns");
        text_add(&out, " %s |\n", label_time(row_per_item(row)).text);
    }
    if (count == 0) {
        text_free(&out);
        text_add(&out, "The workload was not measured in this run.");
    }
    places_take(&report->places, "connpool_workload", &out);
    return count;
}

static const struct row *workload_row(const struct report *report, const char *backend)
{
    const struct row *found = NULL;

    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (is_experiment(row, "workload") && row_is(row, COLUMN_backend, backend) &&
            row_is(row, COLUMN_strategy, "recovering") && row_has_time(row) &&
            (!found || strcmp(driver_of(row), "sim") == 0))
            found = row;
    }
    return found;
}

static void add_first_answer(const struct row *row, struct text *out)
{
    double most = row_metric_max(row, "most_holders"), bound = row_metric(row, "holders_bound");
    double waited = row_metric(row, "waited_count");

    text_add(out,
             "With %s as workers, %s of them asked the pool that recovers for %s connections. ",
             backend_name(row_field(row, COLUMN_backend)), label_count(workers_of(row)).text,
             label_count(bound).text);
    if (isfinite(most) && isfinite(bound))
        text_add(out, "At most %s held one at the same time: the bound was %s. ",
                 label_count(most).text, most <= bound ? "kept" : "broken");
    if (isfinite(waited))
        text_add(out, "%s of %s operations had to wait. ", label_count(waited).text,
                 label_count(row_median(row, COLUMN_n_run)).text);
    if (isfinite(row_metric(row, "wait_p50_ns")))
        text_add(out, "Half of all had theirs within %s; the longest wait of all rounds was %s. ",
                 label_time(row_metric(row, "wait_p50_ns")).text,
                 label_time(row_metric_max(row, "wait_max_ns")).text);
    double gave_up = row_metric_sum(row, "timed_out_count");
    if (gave_up < 1)
        text_add(out, "Nobody was turned away: who found none free waited for a release.\n");
    else if (isfinite(gave_up))
        text_add(out, "%s gave up waiting.\n", label_count(gave_up).text);
}

static void fill_first_answer(struct report *report)
{
    static const char *const backends[] = {"proc", "omp"};
    struct text out = {0};

    for (size_t b = 0; b < 2; b++) {
        const struct row *row = workload_row(report, backends[b]);
        if (row && b == 0 && isfinite(row_metric_max(row, "most_holders")))
            places_set(
                &report->places, "connpool_line",
                "A ConnectionPool: %s processes shared %s connections, and at most %s were in use "
                "at once.",
                label_count(workers_of(row)).text,
                label_count(row_metric(row, "holders_bound")).text,
                label_count(row_metric_max(row, "most_holders")).text);
        if (row)
            add_first_answer(row, &out);
    }
    if (out.length == 0)
        text_add(&out, "Not measured in this run.");
    places_take(&report->places, "connpool_q1", &out);
}

/* ---- lesson ------------------------------------------------------------------------------------
 */

static const char *const cells[][3] = {{"semaphore_plain", "semaphore", "plain"},
                                       {"semaphore_atomic", "semaphore", "atomic"},
                                       {"none_plain", "none", "plain"},
                                       {"none_atomic", "none", "atomic"}};

struct tally {
    double bound, doubles, samples;
};

static struct tally tally_of(const struct report *report, const char *cell, const char *backend)
{
    struct tally tally = {NAN, NAN, 0};

    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!is_experiment(row, "lesson") || !row_is(row, COLUMN_strategy, cell) ||
            (backend && !row_is(row, COLUMN_backend, backend)))
            continue;
        double bound = row_metric_sum(row, "bound_violations");
        double doubles = row_metric_sum(row, "double_handouts");
        if (isfinite(bound))
            tally.bound = bound + (isfinite(tally.bound) ? tally.bound : 0);
        if (isfinite(doubles))
            tally.doubles = doubles + (isfinite(tally.doubles) ? tally.doubles : 0);
        tally.samples += (double)row->count;
    }
    return tally;
}

static size_t fill_lesson(struct report *report)
{
    static const char *const backends[] = {"proc", "omp"};
    struct text out = {0};
    size_t count = 0;

    text_add(
        &out,
        "| semaphore | slot is picked | workers are | too many at once | one slot given to two |\n"
        "|---|---|---|---:|---:|\n");
    for (size_t c = 0; c < 4; c++)
        for (size_t b = 0; b < 2; b++) {
            struct tally tally = tally_of(report, cells[c][0], backends[b]);
            if (!(tally.samples > 0))
                continue;
            count++;
            text_add(&out, "| %s | %s | %s |", cells[c][1], cells[c][2], backend_name(backends[b]));
            add_count_metric(&out, tally.bound);
            add_count_metric(&out, tally.doubles);
            text_add(&out, "\n");
        }
    if (count == 0) {
        text_free(&out);
        text_add(&out, "The lesson was not measured in this run.");
    }
    places_take(&report->places, "connpool_lesson", &out);
    return count;
}

/* What the four cells say about the semaphore, and about the atomic pick. */
static void fill_second_answer(struct report *report)
{
    struct tally with_plain = tally_of(report, "semaphore_plain", NULL);
    struct tally with_atomic = tally_of(report, "semaphore_atomic", NULL);
    struct tally none_plain = tally_of(report, "none_plain", NULL);
    struct tally none_atomic = tally_of(report, "none_atomic", NULL);
    double bound_with = with_plain.bound + with_atomic.bound;
    double bound_without = none_plain.bound + none_atomic.bound;
    struct text out = {0};

    if (!isfinite(bound_with) || !isfinite(bound_without) || !isfinite(with_plain.doubles) ||
        !isfinite(with_atomic.doubles)) {
        places_set(&report->places, "connpool_q2", "Not measured in this run.");
        return;
    }
    if (bound_with < 1 && bound_without > 0)
        text_add(&out,
                 "The semaphore bounds the number: with it there were never too many at once, "
                 "without it %s times. ",
                 label_count(bound_without).text);
    else if (bound_with < 1)
        text_add(
            &out,
            "The bound was kept with the semaphore, but without it as well, so these data do not "
            "show what it does for the bound. ");
    else
        text_add(&out, "The bound was broken %s times although there was a semaphore. ",
                 label_count(bound_with).text);
    if (with_plain.doubles > 0 && with_atomic.doubles < 1)
        text_add(
            &out,
            "It does not prevent races by itself: several workers are let in at once, and with a "
            "plain pick of the slot %s times two of them got the same one; with an atomic pick "
            "never.",
            label_count(with_plain.doubles).text);
    else if (with_plain.doubles < 1 && with_atomic.doubles < 1)
        text_add(&out,
                 "No slot was given to two workers in this run, not even with the plain pick: that "
                 "race is rare, and not seeing it is no proof that it is not there.");
    else
        text_add(&out, "Even with an atomic pick a slot was given to two workers %s times.",
                 label_count(with_atomic.doubles).text);
    places_take(&report->places, "connpool_q2", &out);
}

/* ---- crash and price ---------------------------------------------------------------------------
 */

static void fill_crash(struct report *report)
{
    struct text out = {0};
    size_t count = 0;

    text_add(
        &out,
        "| admission | experiment | holders killed | permits lost for ever | slots recovered | "
        "two got one slot | median time until the slot was back | longest |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!is_experiment(row, "crash") && !is_experiment(row, "soak"))
            continue;
        count++;
        text_add(&out, "| %s | %s |", row_field(row, COLUMN_strategy),
                 is_experiment(row, "soak") ? "killed at random points" : "killed while holding");
        add_count_metric(&out, row_metric_sum(row, "killed_count"));
        add_count_metric(&out, row_metric_sum(row, "permits_lost"));
        add_count_metric(&out, row_metric_sum(row, "recovered_count"));
        add_count_metric(&out, row_metric_sum(row, "double_handouts"));
        add_time_metric(&out, row, "recovery_ns");
        double longest = row_metric_max(row, "recovery_max_ns");
        text_add(&out, " %s |\n", isfinite(longest) ? label_time(longest).text : "");
    }
    if (count == 0) {
        text_free(&out);
        text_add(&out, "Crashes were not measured in this run.");
    }
    places_take(&report->places, "connpool_crash", &out);
}

/* Acquire + release beside the bare semaphore pair, measured in turns in one process. */
static void fill_price(struct report *report)
{
    static const char *const ways[][5] = {{"nobody else there", "sem_pair_ns", "bare_pair_ns",
                                           "recovering_pair_ns", "recovering_vs_sem_ratio"},
                                          {"one always waiting", "sem_contended_pair_ns",
                                           "bare_contended_pair_ns", "recovering_contended_pair_ns",
                                           "recovering_vs_sem_contended_ratio"}};
    const char *last = "";
    struct text out = {0};

    text_add(
        &out,
        "| acquire + release | workers are | bare `sem_wait` + `sem_post` | bare | recovering | "
        "recovering / semaphore |\n|---|---|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        for (size_t w = 0; w < 2; w++) {
            if (!is_experiment(row, "price") || !isfinite(row_metric(row, ways[w][3])) ||
                !row_is(row, COLUMN_strategy, "recovering"))
                continue;
            last = ways[w][0];
            text_add(&out, "| %s | %s |", last, backend_name(row_field(row, COLUMN_backend)));
            for (size_t m = 1; m < 4; m++)
                add_time_metric(&out, row, ways[w][m]);
            text_add(&out, " %s |\n", label_number(row_metric(row, ways[w][4])).text);
        }
    }
    if (!last[0]) {
        text_free(&out);
        text_add(&out, "The price of acquire and release was not measured in this run.");
    }
    places_take(&report->places, "connpool_price", &out);
}

/* ---- figure ------------------------------------------------------------------------------------
 */

static const char *const quantiles[][2] = {{"wait_p50_ns", "half of the waits are shorter"},
                                           {"wait_p95_ns", "95 % are shorter"},
                                           {"wait_p99_ns", "99 % are shorter"},
                                           {"wait_max_ns", "the longest"}};

static void draw_waits(struct report *report)
{
    struct text ticks = {0};
    int y = 0;
    struct plot *plot = plot_begin(&report->plots, "waits", 1060, 360,
                                   "How long does a worker wait for a connection?");

    for (size_t i = report->rows.count; i-- > 0;) {
        const struct row *row = &report->rows.row[i];
        if (!is_experiment(row, "workload") || !isfinite(row_metric(row, "wait_max_ns")))
            continue;
        y++;
        text_add(&ticks, "%s\"%s, %s, %s\" %d", y > 1 ? ", " : "", driver_of(row),
                 row_field(row, COLUMN_strategy), backend_name(row_field(row, COLUMN_backend)), y);
        for (size_t q = 0; q < 4; q++) /* a wait of 0 stands at the left edge */
            text_add(&plot->data, "%.6g\t", fmax(10, row_metric(row, quantiles[q][0])));
        text_add(&plot->data, "%d\n", y);
    }
    if (y == 0) {
        report->plots.count--;
        text_free(&plot->script);
        return;
    }
    plot_time_axis(plot, "x");
    text_add(&plot->script,
             "set ytics (%s)\nset yrange [0.4:%d.6]\nset xlabel 'time from asking to having "
             "(logarithmic)'\nset lmargin 30\nset key outside right center\nset rmargin 32\n"
             "plot 'waits.dat' using 1:5:($4-$1):(0) with vectors nohead linecolor '#aaaaaa' "
             "linewidth 2 notitle",
             text_string(&ticks), y);
    for (size_t q = 0; q < 4; q++) {
        static const char *const colours[] = {"#0072B2", "#56B4E9", "#E69F00", "#D55E00"};
        static const int shapes[] = {7, 5, 9, 13};
        text_add(
            &plot->script,
            ", \\\n '' using %zu:5 with points pointtype %d pointsize 1.1 linecolor '%s' title '",
            q + 1, shapes[q], colours[q]);
        text_add(&plot->script, "%s'", quantiles[q][1]);
    }
    text_add(&plot->script, "\n");
    text_free(&ticks);
}

static const char *fill_connpool(struct report *report)
{
    if (!report_has_family(report, "connpool"))
        return "Family connpool was not measured in this run.";
    fill_workload(report);
    fill_first_answer(report);
    fill_lesson(report);
    fill_second_answer(report);
    fill_crash(report);
    fill_price(report);
    draw_waits(report);
    return NULL;
}

const struct section section_connpool = {"connpool", fill_connpool, {"connpool_line", NULL}};
