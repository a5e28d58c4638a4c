/* section_growth.c: does a task cost the same when there are more of them, or more workers?
 *
 * Each step is compared with the one before, within rounds: a pool that scales costs at most
 * STEP_MOST times as much per task at each step. More workers than CPUs cannot be faster; they must
 * keep half of the throughput of two. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MOST 1.5
#define MANY_MOST 2.0 /* time of 64 workers / time of 2: half of the throughput */
enum { FEW = 2, MANY = 64, MOST_STEPS = 16 };

static const char *const strategies[] = {"map", "apply_async"};
static const char *const backends[] = {"proc", "omp"};

struct steps {
    const struct row *row[MOST_STEPS];
    size_t count;
};

/* The sizes that a strategy has with several numbers of workers are those of the other table. */
static bool varies_workers(const struct report *report, const struct row *row)
{
    struct pick pick = {.family = "growth",
                        .strategy = row_field(row, COLUMN_strategy),
                        .n = row_number(row, COLUMN_n),
                        .workers = MANY};
    return row_find(&report->rows, pick) != NULL;
}

static int by_step(const void *left, const void *right)
{
    const struct row *const *a = left, *const *b = right;
    double n = row_number(*a, COLUMN_n) - row_number(*b, COLUMN_n);
    double w = row_number(*a, COLUMN_workers) - row_number(*b, COLUMN_workers);
    return n < 0 ? -1 : n > 0 ? 1 : (w > 0) - (w < 0);
}

static struct steps steps_of(const struct report *report, const char *strategy, const char *backend,
                             bool workers)
{
    struct steps steps = {.count = 0};

    for (size_t i = 0; i < report->rows.count && steps.count < MOST_STEPS; i++) {
        const struct row *row = &report->rows.row[i];
        if (row_is(row, COLUMN_family, "growth") && row_is(row, COLUMN_strategy, strategy) &&
            row_is(row, COLUMN_backend, backend) &&
            (row_is(row, COLUMN_phase, "warm") || row_is(row, COLUMN_phase, "")) &&
            varies_workers(report, row) == workers)
            steps.row[steps.count++] = row;
    }
    if (steps.count > 0)
        qsort(steps.row, steps.count, sizeof *steps.row, by_step);
    return steps;
}

static const struct row *with_workers(const struct steps *steps, double workers)
{
    for (size_t i = 0; i < steps->count; i++)
        if (fabs(row_number(steps->row[i], COLUMN_workers) - workers) < 0.5)
            return steps->row[i];
    return NULL;
}

static void add_ratio(struct text *out, const struct comparison *result, double most)
{
    if (!isfinite(result->ratio)) {
        text_add(out, " | | |");
        return;
    }
    text_add(out, " %s | %s | %s |", label_ratio(result->ratio).text,
             isfinite(result->lo) ? label_interval(result->lo, result->hi).text : "",
             report_held(result, most));
}

struct tally {
    size_t met, missed, open;
};

static void count_held(struct tally *tally, const struct comparison *result, double most)
{
    const char *held = report_held(result, most);
    tally->met += strcmp(held, "met") == 0;
    tally->missed += strcmp(held, "not met") == 0;
    tally->open += strcmp(held, "unresolved") == 0;
}

static void add_steps(const struct report *report, const struct steps *steps, bool workers,
                      struct tally *tally, struct text *out)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct row *row = steps->row[i];
        struct comparison before =
            rows_compare(&report->rows, row, i > 0 ? steps->row[i - 1] : NULL);
        text_add(out, "| %s | %s | %s | ", strategy_name(row_field(row, COLUMN_strategy)),
                 backend_name(row_field(row, COLUMN_backend)),
                 label_count(row_number(row, workers ? COLUMN_workers : COLUMN_n)).text);
        if (row_has_time(row))
            text_add(out, "%s", label_time(row_per_item(row)).text);
        else
            add_limit(out, row);
        text_add(out, " |");
        add_ratio(out, &before, STEP_MOST);
        text_add(out, "\n");
        count_held(tally, &before, STEP_MOST);
    }
}

static void fill_table(struct report *report, bool workers)
{
    struct text out = {0};
    struct tally tally = {0};

    text_add(
        &out,
        "| strategy | backend | %s | one task costs | against the step before | 95 %% interval "
        "| at most %.1f |\n|---|---|---:|---:|---:|---|---|\n",
        workers ? "workers" : "n", STEP_MOST);
    for (size_t s = 0; s < 2; s++)
        for (size_t b = 0; b < 2; b++) {
            struct steps steps = steps_of(report, strategies[s], backends[b], workers);
            add_steps(report, &steps, workers, &tally, &out);
        }
    places_take(&report->places, workers ? "growth_workers_table" : "growth_table", &out);
    places_set(&report->places, workers ? "growth_workers_line" : "growth_line",
               "Of %zu steps %zu cost at most %.1f times the step before, %zu cost more, %zu open.",
               tally.met + tally.missed + tally.open, tally.met, STEP_MOST, tally.missed,
               tally.open);
}

static void fill_many(struct report *report)
{
    struct text out = {0};

    for (size_t s = 0; s < 2; s++)
        for (size_t b = 0; b < 2; b++) {
            struct steps steps = steps_of(report, strategies[s], backends[b], true);
            struct comparison result =
                rows_compare(&report->rows, with_workers(&steps, MANY), with_workers(&steps, FEW));
            if (!isfinite(result.ratio))
                continue;
            text_add(&out, "- %s with %s: %d workers have %s of the throughput of %d",
                     strategy_name(strategies[s]), backend_name(backends[b]), MANY,
                     label_percent(round(1000 / result.ratio) / 1000).text, FEW);
            if (isfinite(result.lo))
                text_add(&out, ", between %s and %s",
                         label_percent(round(1000 / result.hi) / 1000).text,
                         label_percent(round(1000 / result.lo) / 1000).text);
            text_add(&out, "; at least 50 %% was wanted: %s.\n", report_held(&result, MANY_MOST));
        }
    if (out.length == 0)
        text_add(&out, "- Not measured in this run.\n");
    places_take(&report->places, "growth_many", &out);
}

static void draw(struct report *report, bool workers)
{
    const char *name = workers ? "growth_workers" : "growth";
    struct plot *plot = plot_begin(&report->plots, name, 900, 460,
                                   workers ? "What does a task cost as there are more workers?"
                                           : "What does a task cost as there are more of them?");
    size_t curves = 0;

    text_add(&plot->script,
             "set logscale x\nset xrange [%s]\nset xtics (%s)\nset key outside right top\nset "
             "rmargin 28\n"
             "set xlabel '%s (logarithmic)'\nset ylabel 'time per task (logarithmic)'\n"
             "set grid ytics linetype 1 linecolor '#e4e4e4'\n",
             workers ? "0.9:75" : "7:*",
             workers ? "1, 2, 4, 8, 16, 32, 64"
                     : "'10' 10, '100' 100, '1000' 1e3, '10^4' 1e4, '10^5' 1e5, '10^6' 1e6, "
                       "'10^7' 1e7, '10^8' 1e8",
             workers ? "workers" : "tasks, or numbers of the map");
    plot_time_axis(plot, "y");
    text_add(&plot->script, "plot ");
    for (size_t s = 0; s < 2; s++)
        for (size_t b = 0; b < 2; b++) {
            struct steps steps = steps_of(report, strategies[s], backends[b], workers);
            size_t points = 0;
            for (size_t i = 0; i < steps.count; i++) {
                if (!row_has_time(steps.row[i]))
                    continue;
                text_add(&plot->data, "%.6g\t%.6g\n",
                         row_number(steps.row[i], workers ? COLUMN_workers : COLUMN_n),
                         row_per_item(steps.row[i]));
                points++;
            }
            if (points == 0)
                continue;
            plot_end_block(plot);
            text_add(&plot->script,
                     "%s'%s.dat' index %zu using 1:2 with linespoints linewidth 2 dashtype %zu "
                     "pointtype %zu linecolor '%s' title '%s, %s'",
                     curves ? ", \\\n " : "", name, curves, s + 1, 7 - 2 * s,
                     backend_colour(backends[b]), strategy_name(strategies[s]),
                     backend_name(backends[b]));
            curves++;
        }
    text_add(&plot->script, "\n");
    if (curves == 0) {
        text_free(&plot->script);
        text_free(&plot->data);
        report->plots.count--;
    }
}

static const char *fill_growth(struct report *report)
{
    if (!report_has_family(report, "growth"))
        return "Family growth was not measured in this run.";
    for (int workers = 0; workers < 2; workers++) {
        draw(report, workers);
        fill_table(report, workers);
    }
    fill_many(report);
    return NULL;
}

const struct section section_growth = {"growth", fill_growth, {NULL}};
