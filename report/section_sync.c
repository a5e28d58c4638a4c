/* section_sync.c: synchronous against asynchronous: when does the caller get its time back?
 *
 * Three times tell it: until the call (or the last submission) returned, until the last result was
 * there, and what the caller got done in between. The last is measured by rows of variant overlap,
 * in which the caller works on something of its own while the pool runs. */
#include "report.h"

#include <math.h>
#include <string.h>

static const char *const strategies[] = {"map",   "map_async",   "executor_map",
                                         "apply", "apply_async", "executor_submit"};
enum { COUNT = sizeof strategies / sizeof *strategies };
static const char *const backends[] = {"proc", "omp"};

static const struct row *overlap_row(const struct report *report, const char *backend,
                                     const char *strategy)
{
    struct pick pick = {
        .backend = backend, .strategy = strategy, .variant = "overlap", .n = report->large};
    const struct row *row = row_find(&report->rows, pick);

    if (!row) {
        pick.n = 0;
        row = row_find(&report->rows, pick);
    }
    return row;
}

static double share_in_call(const struct row *row)
{
    double returned = row_median(row, COLUMN_return_ns), whole = row_median(row, COLUMN_elapsed_ns);
    return fmin(1, returned / whole);
}

static void add_line(const struct report *report, const char *backend, const char *strategy,
                     struct text *out)
{
    const struct row *row = report_row(report, backend, strategy, report->large);
    const struct row *overlap = overlap_row(report, backend, strategy);

    if (!row || !row_has_time(row))
        return;
    double first = row_metric(row, "first_result_ns");
    text_add(out, "| %s | %s | %s | %s | %s | ", strategy_name(strategy), backend_name(backend),
             label_time(row_median(row, COLUMN_return_ns)).text,
             isfinite(first) ? label_time(first).text : "",
             label_time(row_median(row, COLUMN_elapsed_ns)).text);
    double share = share_in_call(row);
    text_add(out, "%s | ", label_percent(1 - share).text);
    double busy = overlap ? row_metric(overlap, "overlap") : NAN;
    if (isfinite(busy))
        text_add(out, "%s of the time |\n", label_percent(busy).text);
    else
        text_add(out, " |\n");
}

static void fill_table(struct report *report)
{
    struct text out = {0};

    text_add(&out,
             "| strategy | backend | until the call returned | until the first result | until the "
             "last result | free for the caller | own work that the caller did |\n"
             "|---|---|---:|---:|---:|---:|---:|\n");
    for (size_t s = 0; s < COUNT; s++)
        for (size_t b = 0; b < 2; b++)
            add_line(report, backends[b], strategies[s], &out);
    places_take(&report->places, "sync_table", &out);
}

static void draw(struct report *report)
{
    struct text ticks = {0};
    int y = 0;
    struct plot *plot =
        plot_begin(&report->plots, "sync", 900, 460, "How long does a call keep its caller?");

    for (size_t s = COUNT; s-- > 0;)
        for (size_t b = 2; b-- > 0;) {
            const struct row *row = report_row(report, backends[b], strategies[s], report->large);
            double share = row && row_has_time(row) ? share_in_call(row) : NAN;
            if (!isfinite(share))
                continue;
            y++;
            text_add(&ticks, "%s\"%s, %s\" %d", y > 1 ? ", " : "", strategy_name(strategies[s]),
                     backend_name(backends[b]), y);
            text_add(&plot->data, "0\t%.3f\t%d\t%zu\n", 100 * share, y, b);
            text_add(&plot->data, "%.3f\t100\t%d\t2\n", 100 * share, y);
        }
    text_add(
        &plot->script,
        "set ytics (%s)\nset yrange [0.3:%d.7]\nset xrange [0:100]\n"
        "set xlabel 'share of the time until the last result, %%'\nset lmargin 26\n"
        "set key outside right center\nset rmargin 28\n"
        "plot 'sync.dat' using ($4==0?$1:1/0):3:1:2:($3-0.32):($3+0.32) with boxxyerror "
        "fillstyle solid 0.85 noborder linecolor '" COLOUR_PROC "' title 'in the call, processes', "
        "\\\n '' using ($4==1?$1:1/0):3:1:2:($3-0.32):($3+0.32) with boxxyerror fillstyle solid "
        "0.85 noborder linecolor '" COLOUR_OMP "' title 'in the call, threads', \\\n"
        " '' using ($4==2?$1:1/0):3:1:2:($3-0.32):($3+0.32) with boxxyerror fillstyle solid 1 "
        "noborder linecolor '#d8d8d8' title 'free for other work'\n",
        text_string(&ticks), y);
    text_free(&ticks);
}

static const struct claim map_async_claim = {
    .name = "map_async_map",
    .one = {.strategy = "map_async"},
    .other = {.strategy = "map"},
    .says = {[STANDS_FASTER] = "{{one}} takes {{ratio}} of the time of {{other}}.",
             [STANDS_SLOWER] =
                 "{{one}} takes {{ratio}} times as long as {{other}}: being asynchronous has "
                 "a price.",
             [STANDS_EQUIVALENT] =
                 "{{one}} costs the same as {{other}}: being asynchronous is free here."}};
static const struct claim apply_async_claim = {
    .name = "apply_async_apply",
    .one = {.strategy = "apply_async"},
    .other = {.strategy = "apply"},
    .says = {[STANDS_FASTER] =
                 "{{one}} takes {{ratio}} of the time of {{other}}: calls that need not be "
                 "awaited one by one can be handed over in batches.",
             [STANDS_SLOWER] = "{{one}} takes {{ratio}} times as long as {{other}}.",
             [STANDS_EQUIVALENT] = "{{one}} costs the same as {{other}}."}};

static const char *fill_sync(struct report *report)
{
    if (!isfinite(report->large))
        return "Family strategies was not measured in this run.";
    fill_table(report);
    draw(report);
    for (size_t b = 0; b < 2; b++) {
        report_claim(report, &map_async_claim, backends[b], report->large);
        report_claim(report, &apply_async_claim, backends[b], report->large);
    }
    return NULL;
}

const struct section section_sync = {"sync", fill_sync, {NULL}};
