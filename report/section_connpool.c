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
    double workers = row_metric(row, "workers");
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
             "operations | had to wait | median wait | 99 %% of waits below | longest wait | "
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
        add_count_metric(&out, row_metric(row, "connections"));
        add_count_metric(&out, row_metric_max(row, "most_holders"));
        add_count_metric(&out, row_number(row, COLUMN_n));
        add_count_metric(&out, row_metric(row, "waited"));
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
    double most = row_metric_max(row, "most_holders"), bound = row_metric(row, "connections");
    double waited = row_metric(row, "waited");

    text_add(out, "With %s as workers, %s of them asked for %s connections. ",
             backend_name(row_field(row, COLUMN_backend)), label_count(workers_of(row)).text,
             label_count(bound).text);
    if (isfinite(most) && isfinite(bound))
        text_add(out, "At most %s held one at the same time: the bound was %s. ",
                 label_count(most).text, most <= bound ? "kept" : "broken");
    if (isfinite(waited))
        text_add(out, "%s of %s operations had to wait. ", label_count(waited).text,
                 label_count(row_number(row, COLUMN_n)).text);
    if (isfinite(row_metric(row, "wait_p50_ns")))
        text_add(out, "The median wait was %s, the longest %s. ",
                 label_time(row_metric(row, "wait_p50_ns")).text,
                 label_time(row_metric_max(row, "wait_max_ns")).text);
    text_add(out, "Nobody got an error: whoever came too many waited for a release. ");
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
                "A ConnectionPool with a semaphore: %s processes shared %s connections, and at "
                "most %s were in use at once.",
                label_count(workers_of(row)).text, label_count(row_metric(row, "connections")).text,
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
        add_count_metric(&out, row_metric_sum(row, "kills"));
        add_count_metric(&out, row_metric_sum(row, "permits_lost"));
        add_count_metric(&out, row_metric_sum(row, "recovered"));
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

static void fill_price(struct report *report)
{
    struct text out = {0};
    size_t count = 0;

    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!is_experiment(row, "price") || !isfinite(row_per_item(row)))
            continue;
        text_add(&out, "%s%s with %s %s",
                 count ? ", " : "Acquire and release, with nobody else there: ",
                 row_field(row, COLUMN_strategy), backend_name(row_field(row, COLUMN_backend)),
                 label_time(row_per_item(row)).text);
        count++;
    }
    double semop = limit_price(report, "bare_semop", NULL);
    if (count > 0 && isfinite(semop))
        text_add(&out, "; a bare `sem_wait` and `sem_post` %s", label_time(semop).text);
    text_add(&out, count ? "." : "The price of acquire and release was not measured in this run.");
    places_take(&report->places, "connpool_price", &out);
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
    return NULL;
}

const struct section section_connpool = {"connpool", fill_connpool, {"connpool_line", NULL}};
