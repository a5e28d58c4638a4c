/* section_chunks.c: how many numbers should be handed out at once?
 *
 * A curve per strategy and backend: chunk across, time per number up, both logarithmic. "auto" and
 * CPython's rule appear at the chunk that they chose. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const strategies[] = {"map", "map_async", "executor_map"};
static const char *const backends[] = {"proc", "omp", "control"};

static double chunk_of(const struct row *row)
{
    char *end;
    double chunk = strtod(row_field(row, COLUMN_chunk), &end);

    if (end == row_field(row, COLUMN_chunk) || *end)
        chunk = row_median(row, COLUMN_chosen_chunk);
    return chunk > 0 ? chunk : NAN;
}

static bool is_chunk_row(const struct row *row)
{
    return row_is(row, COLUMN_family, "chunks") && row_field(row, COLUMN_chunk)[0] &&
           !row_is(row, COLUMN_backend, "seq") &&
           (row_is(row, COLUMN_phase, "warm") || row_is(row, COLUMN_phase, ""));
}

static int by_chunk(const void *left, const void *right)
{
    double a = chunk_of(*(const struct row *const *)left);
    double b = chunk_of(*(const struct row *const *)right);
    return (a > b) - (a < b);
}

/* One curve; rows with a name instead of a number (auto, cpython) are points of it too. */
static size_t add_curve(const struct report *report, struct plot *plot, const char *strategy,
                        const char *backend)
{
    const struct row **points = must_alloc(report->rows.count, sizeof(const struct row *));
    size_t count = 0;

    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (is_chunk_row(row) && row_is(row, COLUMN_strategy, strategy) &&
            row_is(row, COLUMN_backend, backend) && isfinite(chunk_of(row)) &&
            isfinite(row_per_item(row)))
            points[count++] = row;
    }
    if (count > 0)
        qsort(points, count, sizeof *points, by_chunk);
    for (size_t i = 0; i < count; i++)
        text_add(&plot->data, "%.6g\t%.6g\t%s\n", chunk_of(points[i]), row_per_item(points[i]),
                 strchr("0123456789", row_field(points[i], COLUMN_chunk)[0])
                     ? ""
                     : row_field(points[i], COLUMN_chunk));
    if (count > 0)
        plot_end_block(plot);
    free(points);
    return count;
}

static void draw(struct report *report)
{
    struct plot *plot = plot_begin(&report->plots, "chunks", 900, 480,
                                   "How many numbers should a worker take at once?");
    size_t curves = 0;

    text_add(
        &plot->script,
        "set logscale x\nset xtics ('1' 1, '10' 10, '100' 100, '1000' 1e3, '10 000' 1e4, '10^5' "
        "1e5, '10^6' 1e6, '10^7' 1e7)\nset key outside right top\nset rmargin 28\nset xlabel "
        "'chunk: numbers handed out "
        "at once (logarithmic)'\nset ylabel 'time per number (logarithmic)'\n"
        "set grid ytics linetype 1 linecolor '#e4e4e4'\n");
    plot_time_axis(plot, "y");
    text_add(&plot->script, "plot ");
    for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++)
        for (size_t b = 0; b < sizeof backends / sizeof *backends; b++) {
            if (add_curve(report, plot, strategies[s], backends[b]) == 0)
                continue;
            text_add(&plot->script,
                     "%s'chunks.dat' index %zu using 1:2 with linespoints linewidth 2 dashtype %zu "
                     "pointtype %zu linecolor '%s' title '%s, %s'",
                     curves ? ", \\\n " : "", curves, s + 1, 7 - s, backend_colour(backends[b]),
                     strategy_name(strategies[s]), backend_name(backends[b]));
            curves++;
        }
    if (curves == 0)
        report->plots.count--; /* nothing to draw; the section says so */
    else
        text_add(&plot->script, "\n");
}

static void fill_table(struct report *report)
{
    struct text out = {0};

    text_add(&out, "| strategy | backend | n | chunk | in numbers | time per number | ratio to "
                   "sequential | verdict |\n|---|---|---:|---|---:|---:|---:|---|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!is_chunk_row(row))
            continue;
        text_add(&out, "| %s | %s | %s | %s | %s | ",
                 strategy_name(row_field(row, COLUMN_strategy)),
                 backend_name(row_field(row, COLUMN_backend)),
                 label_count(row_number(row, COLUMN_n)).text, row_field(row, COLUMN_chunk),
                 label_count(chunk_of(row)).text);
        if (row_has_time(row))
            text_add(&out, "%s", label_time(row_per_item(row)).text);
        else
            add_limit(&out, row);
        text_add(&out, " | %s | %s |\n", label_number(row->vs_seq.ratio).text,
                 row->vs_seq.standing == STANDS_NOT_MEASURED ? ""
                                                             : standing_name(row->vs_seq.standing));
    }
    places_take(&report->places, "chunk_table", &out);
}

static const struct claim one_claim = {
    .name = "chunk_one",
    .one = {.family = "chunks", .strategy = "map", .chunk = "1"},
    .other = {.family = "chunks", .strategy = "map", .chunk = "auto"},
    .says = {[STANDS_SLOWER] = "{{one}} takes {{ratio}} times as long as the "
                               "automatic chunk.",
             [STANDS_FASTER] = "{{one}} is faster than the automatic chunk: "
                               "{{ratio}} of its time.",
             [STANDS_EQUIVALENT] = "{{one}} and the automatic chunk cost the same."}};
static const struct claim python_claim = {
    .name = "chunk_cpython",
    .one = {.family = "chunks", .strategy = "map", .chunk = "auto"},
    .other = {.family = "chunks", .strategy = "map", .chunk = "cpython"},
    .says = {[STANDS_SLOWER] = "{{one}} takes {{ratio}} times as long as CPython's rule "
                               "(n / 4 workers).",
             [STANDS_FASTER] = "{{one}} takes {{ratio}} of the time of CPython's rule "
                               "(n / 4 workers).",
             [STANDS_EQUIVALENT] = "{{one}} and CPython's rule (n / 4 workers) cost "
                                   "the same."}};

static const char *fill_chunks(struct report *report)
{
    if (!report_has_family(report, "chunks"))
        return "Family chunks was not measured in this run.";
    draw(report);
    fill_table(report);
    for (size_t b = 0; b < 2; b++) {
        report_claim(report, &one_claim, backends[b], 0);
        report_claim(report, &python_claim, backends[b], 0);
    }
    return NULL;
}

const struct section section_chunks = {"chunks", fill_chunks, {NULL}};
