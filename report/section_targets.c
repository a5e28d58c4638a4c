/* section_targets.c: what this library set out to reach, and whether it did.
 *
 * A target is the most that a time may be of another one's, both taken in the same rounds; or the
 * most that a figure may be by itself. It is met when the whole interval lies within, not met when
 * all of it lies beyond; otherwise these data do not tell. Counts that must be 0 need no interval:
 * one is too many. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- targets that are ratios --------------------------------------------------------------------
 */

enum size { LARGE, SMALL, ANY };

struct target {
    const char *what, *than;
    double most;   /* of time of one / time of other */
    bool speed_up; /* shown the other way round: at least 1 / most */
    struct pick one, other;
    enum size size;
};

#define STRATEGY(...)                                                                              \
    {                                                                                              \
        .family = "strategies", __VA_ARGS__                                                        \
    }
#define TARGET(...)                                                                                \
    {                                                                                              \
        .family = "targets", __VA_ARGS__                                                           \
    }

static const struct target targets[] = {
    {"proc map, kernel, warm", "a bare parallel for", 1.05, false,
     STRATEGY(.backend = "proc", .strategy = "map", .form = "kernel", .memory = "in_place"),
     STRATEGY(.backend = "bare", .strategy = "bare_for"), LARGE},
    {"proc map, kernel, warm", "the sequential loop", 1 / 1.8, true,
     STRATEGY(.backend = "proc", .strategy = "map", .form = "kernel", .memory = "in_place"),
     STRATEGY(.backend = "seq", .strategy = "sequential", .form = "kernel"), LARGE},
    {"omp map, on ordinary memory as the bare loop", "a bare parallel for", 1.03, false,
     STRATEGY(.backend = "omp", .strategy = "map", .form = "kernel", .memory = "private"),
     STRATEGY(.backend = "bare", .strategy = "bare_for"), LARGE},
    {"omp map, in place", "a bare parallel for", 1.03, false,
     STRATEGY(.backend = "omp", .strategy = "map", .form = "kernel", .memory = "in_place"),
     STRATEGY(.backend = "bare", .strategy = "bare_for"), LARGE},
    {"first proc map after open, touched arrays", "a warm one", 1.6, false,
     STRATEGY(.backend = "proc", .strategy = "map", .form = "kernel", .memory = "in_place",
              .phase = "first", .variant = ""),
     STRATEGY(.backend = "proc", .strategy = "map", .form = "kernel", .memory = "in_place"), LARGE},
    {"first proc map after open, results never touched", "bare parallel for's first", 1.2, false,
     STRATEGY(.backend = "proc", .strategy = "map", .form = "kernel", .memory = "in_place",
              .phase = "first", .variant = "untouched"),
     STRATEGY(.backend = "bare", .strategy = "bare_for", .phase = "first"), LARGE},
    {"proc apply, spin, one worker, two CPUs", "a bare slot's round trip", 1.5, false,
     TARGET(.backend = "proc", .strategy = "apply", .wait = "spin", .variant = "spread"),
     TARGET(.backend = "bare", .strategy = "bare_slot", .variant = "two_cpus"), ANY},
    {"proc apply, adaptive, warm, one worker, two CPUs", "a bare slot's round trip", 2, false,
     TARGET(.backend = "proc", .strategy = "apply", .wait = "adaptive", .variant = "spread"),
     TARGET(.backend = "bare", .strategy = "bare_slot", .variant = "two_cpus"), ANY},
    {"proc apply, adaptive, after 20 ms idle", "a bare sem_t's round trip after 20 ms idle", 1.2,
     false, TARGET(.backend = "proc", .strategy = "apply", .variant = "idle_20ms"),
     TARGET(.backend = "bare", .strategy = "bare_sem", .variant = "idle_20ms"), ANY},
    {"proc apply, block, both on one CPU", "a bare sem_t's round trip there", 1.1, false,
     TARGET(.backend = "proc", .strategy = "apply", .wait = "block", .variant = "packed"),
     TARGET(.backend = "bare", .strategy = "bare_sem", .variant = "same_cpu"), ANY},
    {"proc apply, block, on two CPUs", "a bare sem_t's round trip there", 1.1, false,
     TARGET(.backend = "proc", .strategy = "apply", .wait = "block", .variant = "spread"),
     TARGET(.backend = "bare", .strategy = "bare_sem", .variant = "two_cpus"), ANY},
    {"proc apply_async, one worker", "libgomp's bare task", 1, false,
     TARGET(.backend = "proc", .strategy = "apply_async", .workers = 1),
     TARGET(.backend = "bare", .strategy = "bare_tasks"), ANY},
    {"proc apply_async, two workers", "libgomp's bare task", 1, false,
     TARGET(.backend = "proc", .strategy = "apply_async", .workers = 2),
     TARGET(.backend = "bare", .strategy = "bare_tasks"), ANY},
    {"omp apply in a scope", "bare task + taskwait", 1.2, false,
     TARGET(.backend = "omp", .strategy = "apply", .variant = "scope"),
     TARGET(.backend = "bare", .strategy = "bare_task"), ANY},
    {"omp apply_async in a scope", "bare task", 1.2, false,
     TARGET(.backend = "omp", .strategy = "apply_async"),
     TARGET(.backend = "bare", .strategy = "bare_tasks"), ANY},
    {"proc executor submit + result", "apply_async", 2, false,
     STRATEGY(.backend = "proc", .strategy = "executor_submit", .variant = ""),
     STRATEGY(.backend = "proc", .strategy = "apply_async", .variant = ""), SMALL},
    {"proc executor map", "map", 1.1, false,
     STRATEGY(.backend = "proc", .strategy = "executor_map", .form = "kernel"),
     STRATEGY(.backend = "proc", .strategy = "map", .form = "kernel", .memory = "in_place"), LARGE},
    {"pool open + close, two workers", "bare fork + wait of two", 2.3, false,
     TARGET(.backend = "proc", .strategy = "open_close"),
     TARGET(.backend = "bare", .strategy = "fork_wait", .variant = "two"), ANY},
    {"64 workers, map",
     "the throughput of two",
     2,
     true,
     {.family = "growth", .backend = "proc", .strategy = "map", .workers = 64},
     {.family = "growth", .backend = "proc", .strategy = "map", .workers = 2},
     ANY},
    {"64 workers, apply_async",
     "the throughput of two",
     2,
     true,
     {.family = "growth", .backend = "proc", .strategy = "apply_async", .workers = 64},
     {.family = "growth", .backend = "proc", .strategy = "apply_async", .workers = 2},
     ANY},
};

struct tally {
    size_t met, missed, open, absent;
};

static const char *count_held(struct tally *tally, const char *held)
{
    tally->met += strcmp(held, "met") == 0;
    tally->missed += strcmp(held, "not met") == 0;
    tally->open += strcmp(held, "unresolved") == 0;
    tally->absent += strcmp(held, "not measured") == 0;
    return held;
}

static void add_ratio(const struct report *report, const struct target *target, struct tally *tally,
                      struct text *out)
{
    struct pick one = target->one, other = target->other;

    if (target->size != ANY)
        one.n = other.n = target->size == LARGE ? report->large : report->small;
    const struct row *row = row_find(&report->rows, one);
    if (target->size == ANY && row && strcmp(target->one.family, "growth") == 0)
        other.n = row_number(row, COLUMN_n);
    struct comparison result = rows_compare(&report->rows, row, row_find(&report->rows, other));
    bool up = target->speed_up;
    text_add(out, "| %s | %s %s x %s | ", target->what, up ? "at least" : "at most",
             label_number(up ? 1 / target->most : target->most).text, target->than);
    text_add(out, "%s | ", label_ratio(up ? 1 / result.ratio : result.ratio).text);
    if (isfinite(result.lo))
        text_add(out, "%s",
                 up ? label_interval(1 / result.hi, 1 / result.lo).text
                    : label_interval(result.lo, result.hi).text);
    text_add(out, " | ");
    if (result.rounds > 0)
        text_add(out, "%zu", result.rounds);
    text_add(out, " | %s |\n", count_held(tally, report_held(&result, target->most)));
}

/* ---- targets that are figures -------------------------------------------------------------------
 */

struct figure {
    const char *what;
    struct pick pick;
    const char *metric; /* NULL: the time of one */
    double most;
    bool time, worst; /* worst: the largest of all samples counts, and needs no interval */
};

#define CONNPOOL(...)                                                                              \
    {                                                                                              \
        .family = "connpool", .backend = "proc", .strategy = "recovering", __VA_ARGS__             \
    }

static const struct figure figures[] = {
    {"proc apply_async, one worker, each",
     TARGET(.backend = "proc", .strategy = "apply_async", .workers = 1), NULL, 40, true, false},
    {"proc apply_async, two workers, each",
     TARGET(.backend = "proc", .strategy = "apply_async", .workers = 2), NULL, 40, true, false},
    {"context switches of an idle pool, supervisor included",
     TARGET(.backend = "proc", .strategy = "idle"), "idle_switches", 0, false, true},
    {"from a worker's death to its failed future, median",
     TARGET(.backend = "proc", .strategy = "death"), "failed_p50_ns", 1e6, true, true},
    {"the same, longest", TARGET(.backend = "proc", .strategy = "death"), "failed_max_ns", 5e6,
     true, true},
    {"until all workers were met at work again, median",
     TARGET(.backend = "proc", .strategy = "death"), "whole_p50_ns", 1e6, true, true},
    {"the same, longest", TARGET(.backend = "proc", .strategy = "death"), "whole_max_ns", 5e6, true,
     true},
    {"connpool acquire + release, recovering, uncontended, against bare sem_wait + sem_post",
     CONNPOOL(.variant = "price_sim"), "recovering_vs_sem_ratio", 2, false, false},
    {"the same, contended", CONNPOOL(.variant = "price_sim"), "recovering_vs_sem_contended_ratio",
     1.6, false, false},
    {"connpool: permits lost to SIGKILL at random points", CONNPOOL(.variant = "soak_sim"),
     "permits_lost", 0, false, true},
    {"connpool: double hand-outs then", CONNPOOL(.variant = "soak_sim"), "double_handouts", 0,
     false, true},
};

static double value_of(const struct figure *figure, const struct sample *sample)
{
    if (figure->metric)
        return sample_metric(sample, figure->metric);
    return sample_number(sample, COLUMN_elapsed_ns) / sample_number(sample, COLUMN_n_run);
}

/* What must not happen at all counts whatever else the machine did; a time that was taken while
 * other programs used the CPU shows something, but decides nothing. */
static bool decides(const struct figure *figure, const struct sample *sample)
{
    return (figure->worst && !(figure->most > 0)) || !(sample_number(sample, COLUMN_disturbed) > 0);
}

static size_t collect(const struct figure *figure, const struct row *row, bool all, double *values)
{
    size_t count = 0;

    for (size_t i = 0; i < row->count; i++) {
        double value = value_of(figure, row->samples[i]);
        if (isfinite(value) && (all || decides(figure, row->samples[i])))
            values[count++] = value;
    }
    return count;
}

/* The figure with its interval; of a worst one, the largest is all three. Disturbed samples give a
 * figure when there are no others, and no interval. */
static struct comparison measure(const struct figure *figure, const struct row *row)
{
    struct comparison result = {.ratio = NAN, .lo = NAN, .hi = NAN};

    if (!row)
        return result;
    double *values = must_alloc(row->count, sizeof *values);
    size_t clean = collect(figure, row, false, values);
    result.rounds = clean > 0 ? clean : collect(figure, row, true, values);
    struct stats_interval interval = stats_median_interval(values, result.rounds);
    if (result.rounds > 0)
        result.ratio = figure->worst ? values[result.rounds - 1] : interval.median;
    if (clean > 0 && figure->worst)
        result.lo = result.hi = result.ratio;
    else if (clean > 0 && interval.known) {
        result.lo = interval.lo;
        result.hi = interval.hi;
    }
    free(values);
    return result;
}

static void add_value(struct text *out, const struct figure *figure, double value)
{
    text_add(out, "%s",
             figure->time       ? label_time(value).text
             : figure->most > 0 ? label_number(value).text
                                : label_count(value).text);
}

static void add_figure(const struct report *report, const struct figure *figure,
                       struct tally *tally, struct text *out)
{
    const struct row *row = row_find(&report->rows, figure->pick);
    struct comparison result = measure(figure, row);

    text_add(out, "| %s | %s", figure->what, figure->most > 0 ? "at most " : "");
    if (figure->most > 0)
        add_value(out, figure, figure->most);
    else
        text_add(out, "none");
    text_add(out, " | ");
    add_value(out, figure, result.ratio);
    if (row && row_is(row, COLUMN_strategy, "idle"))
        text_add(out, " in %s s", label_count(row_number(row, COLUMN_n)).text);
    text_add(out, " | ");
    if (isfinite(result.lo) && !figure->worst)
        text_add(out, "%s",
                 figure->time ? label_times(result.lo, result.hi).text
                              : label_interval(result.lo, result.hi).text);
    text_add(out, " | ");
    if (result.rounds > 0)
        text_add(out, "%zu", result.rounds);
    text_add(out, " | %s |\n", count_held(tally, report_held(&result, figure->most)));
}

static struct label bare_death(const struct row *row, const char *metric)
{
    const struct figure figure = {.metric = metric, .worst = true};
    return label_time(measure(&figure, row).ratio);
}

/* What the machine itself takes for what the pool does about a death. */
static void fill_bare_death(struct report *report)
{
    const struct pick bare = TARGET(.backend = "bare", .strategy = "death");
    const struct row *row = row_find(&report->rows, bare);

    if (row)
        places_set(
            &report->places, "targets_bare_death",
            "What the machine itself takes: as many processes without a pool, one of them killed "
            "in "
            "the same way and then, for nobody stands by, forked anew by their parent. It was "
            "waited "
            "for %s after the kill (median; longest %s), and all had met %s after it (longest %s).",
            bare_death(row, "failed_p50_ns").text, bare_death(row, "failed_max_ns").text,
            bare_death(row, "whole_p50_ns").text, bare_death(row, "whole_max_ns").text);
    else
        places_set(&report->places, "targets_bare_death",
                   "What the machine itself takes for a death was not measured in this run.");
}

/* What the machine itself takes for the pages, of items and results, that the workers of a first map use
 * for the first time. */
static void fill_first_pages(struct report *report)
{
    const struct pick first =
        STRATEGY(.backend = "proc", .strategy = "map", .form = "kernel", .memory = "in_place",
                 .phase = "first", .variant = "", .n = report->large);
    const struct row *map = row_find(&report->rows, first);
    const struct row *bare =
        row_find(&report->rows, (struct pick){.family = "limits", .strategy = "page_fault"});
    double page_ns = limit_price(report, "page_fault", NULL);

    if (!map || !row_has_time(map) || !bare || !isfinite(page_ns)) {
        places_set(&report->places, "targets_first_pages",
                   "What the machine itself takes for a page was not measured in this run.");
        return;
    }
    double bytes_of_page = row_number(bare, COLUMN_n) / row_median(bare, COLUMN_n_run);
    double pages = 2 * sizeof(int64_t) * row_number(map, COLUMN_n) / bytes_of_page;
    double workers = row_number(map, COLUMN_workers), price_ns = pages * page_ns / workers;
    bool explains = price_ns >= 0.5 * map->time.median; /* most of it, at least */
    places_set(&report->places, "targets_first_pages",
               "The workers of a first map use %s pages, of items and results, for the first time. "
               "For each a bare child paid %s: shared by %s workers that would be %s. The first "
               "map took %s%s.",
               label_count(round(pages)).text, label_time(page_ns).text, label_count(workers).text,
               label_time(price_ns).text, label_time(map->time.median).text,
               explains ? ", so pages are what it pays for" : "");
}

static const char *fill_targets(struct report *report)
{
    struct text out = {0};
    struct tally tally = {0};

    text_add(&out, "| what | target | measured | 95 %% interval | rounds | |\n"
                   "|---|---|---:|---|---:|---|\n");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        add_ratio(report, &targets[i], &tally, &out);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        add_figure(report, &figures[i], &tally, &out);
    if (tally.met + tally.missed + tally.open == 0) {
        text_free(&out);
        return "Nothing that a target was set for was measured in this run.";
    }
    places_take(&report->places, "targets_table", &out);
    fill_bare_death(report);
    fill_first_pages(report);
    places_set(
        &report->places, "targets_line",
        "Of %zu targets %zu are met, %zu are not, %zu are unresolved, %zu were not measured.",
        tally.met + tally.missed + tally.open + tally.absent, tally.met, tally.missed, tally.open,
        tally.absent);
    return NULL;
}

const struct section section_targets = {"targets", fill_targets, {NULL}};
