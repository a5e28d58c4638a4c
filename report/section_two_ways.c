/* section_two_ways.c: each strategy's two twins, side by side with their result, and who ran what
 * when.
 *
 * The code is cut from the sources that were built, between marks, so the report cannot show code
 * that is not there any more. The timeline is drawn from timeline.csv: a few tasks per strategy.
 */
#include "report.h"

#include "cut.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the code ----------------------------------------------------------------------------------
 */

static const struct {
    const char *file, *strategy, *says;
} pairs[] = {
    {"map", "map", "One function over a whole array; the caller waits."},
    {"apply", "apply", "One call; the caller waits for its result, then makes the next."},
    {"async", "apply_async", "Calls are submitted one after the other; nobody waits in between."},
    {"executor", "executor_submit", "Workers start on demand; each call gives a future."},
    {"spawn", "spawn_bounded", "A fresh worker for every number, a few alive at a time."},
};

static void add_passage(const struct report *report, const char *name, const char *backend,
                        struct text *out)
{
    struct text path = {0}, code = {0};

    text_add(&path, "strategies/%s_%s.c", name, backend);
    if (cut_passage(&code, report->source, path.bytes, name) == 0)
        text_add(out, "`%s`\n\n```c\n%s```\n\n", path.bytes, text_string(&code));
    else
        text_add(out, "`%s` has no passage marked for the report.\n\n", path.bytes);
    text_free(&path);
    text_free(&code);
}

static void add_result(const struct report *report, const char *strategy, struct text *out)
{
    static const char *const backends[] = {"proc", "omp"};

    text_add(out, "Result for %s numbers: ", label_count(report->large).text);
    for (size_t b = 0; b < 2; b++) {
        const struct row *row = report_row(report, backends[b], strategy, report->large);
        text_add(out, "%s%s ", b ? "; " : "", backend_name(backends[b]));
        if (row)
            add_time_or_failure(out, row);
        else
            text_add(out, "not measured");
        if (row && isfinite(row->vs_seq.ratio))
            text_add(out, " (%s times the sequential time)", label_number(row->vs_seq.ratio).text);
    }
    text_add(out, ".\n\n");
}

static void fill_code(struct report *report)
{
    struct text out = {0};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        text_add(&out, "### %s\n\n%s ", pairs[i].file, pairs[i].says);
        add_result(report, pairs[i].strategy, &out);
        add_passage(report, pairs[i].file, "proc", &out);
        add_passage(report, pairs[i].file, "omp", &out);
    }
    places_take(&report->places, "two_ways_code", &out);
}

/* ---- the timeline ------------------------------------------------------------------------------
 */

struct span {
    const char *backend, *strategy, *task, *worker;
    double start_ns, end_ns;
    int lane;
};

enum { FIELDS = 6, MOST_SPANS = 1000, MOST_LANES = 64 };

static bool read_span(char *line, struct span *span)
{
    char *field[FIELDS], *rest = line, *end_start, *end_end;
    size_t count = 0;

    while (count < FIELDS && (field[count] = strsep(&rest, ",")) != NULL)
        count++;
    if (count < FIELDS || rest)
        return false;
    *span = (struct span){
        .backend = field[0], .strategy = field[1], .task = field[2], .worker = field[3]};
    span->start_ns = strtod(field[4], &end_start);
    span->end_ns = strtod(field[5], &end_end);
    return end_start > field[4] && end_end > field[5] && span->end_ns >= span->start_ns;
}

/* Returns how many lines of timeline.csv are spans; the header and what is malformed are not. */
static size_t read_spans(const struct report *report, struct text *bytes, struct span *spans)
{
    struct text path = {0};
    size_t count = 0;

    text_add(&path, "%s/timeline.csv", report->dir);
    int status = text_read_file(bytes, path.bytes);
    text_free(&path);
    if (status != 0)
        return 0;
    for (char *line, *rest = bytes->bytes; (line = strsep(&rest, "\n")) != NULL;)
        if (count < MOST_SPANS && read_span(line, &spans[count]))
            count++;
    return count;
}

static bool is_same_panel(const struct span *a, const struct span *b)
{
    return strcmp(a->backend, b->backend) == 0 && strcmp(a->strategy, b->strategy) == 0;
}

/* Gives each (backend, strategy, worker) a lane, in order of appearance. Times become relative to
 * the first start of their panel. Returns the number of lanes. */
static int lay_out(struct span *spans, size_t count)
{
    int lanes = 0;

    for (size_t i = 0; i < count; i++) {
        spans[i].lane = -1;
        for (size_t j = 0; j < i && spans[i].lane < 0; j++)
            if (is_same_panel(&spans[i], &spans[j]) &&
                strcmp(spans[i].worker, spans[j].worker) == 0)
                spans[i].lane = spans[j].lane;
        if (spans[i].lane < 0)
            spans[i].lane = lanes++;
    }
    return lanes;
}

static double start_of_panel(const struct span *spans, size_t count, const struct span *one)
{
    double first = one->start_ns;

    for (size_t i = 0; i < count; i++)
        if (is_same_panel(&spans[i], one))
            first = fmin(first, spans[i].start_ns);
    return first;
}

static size_t place_of(const char *strategy)
{
    static const char *const order[] = {"map", "map_async", "executor_map", "apply"};
    size_t place = 0;

    while (place < sizeof order / sizeof *order && strcmp(order[place], strategy) != 0)
        place++;
    return place;
}

static int by_panel(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    size_t p = place_of(a->strategy), q = place_of(b->strategy);
    int order = p != q ? (p > q) - (p < q) : strcmp(a->strategy, b->strategy);

    if (order == 0)
        order = -strcmp(a->backend, b->backend); /* proc above omp */
    if (order == 0)
        order = strcmp(a->worker, b->worker);
    if (order == 0)
        order = (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
    return order;
}

/* Lanes go down from the top, with a gap between strategies. */
static double height_of(const struct span *spans, size_t at)
{
    double gaps = 0;

    for (size_t i = 1; i <= at; i++)
        gaps += strcmp(spans[i].strategy, spans[i - 1].strategy) != 0;
    return -spans[at].lane - 0.6 * gaps;
}

static void add_lane_names(struct plot *plot, const struct span *spans, size_t count)
{
    int lane = -1, number = 0;

    text_add(&plot->script, "set ytics (");
    for (size_t i = 0; i < count; i++) {
        if (spans[i].lane <= lane)
            continue;
        number = i > 0 && is_same_panel(&spans[i], &spans[i - 1]) ? number + 1 : 1;
        lane = spans[i].lane;
        text_add(&plot->script, "%s\"%s, %s %d\" %.1f", lane ? ", " : "", spans[i].strategy,
                 strcmp(spans[i].backend, "omp") == 0 ? "thread" : "process", number,
                 height_of(spans, i));
    }
    text_add(&plot->script, ")\n");
}

static void draw_timeline(struct report *report, struct span *spans, size_t count)
{
    qsort(spans, count, sizeof *spans, by_panel);
    int lanes = lay_out(spans, count);
    double longest_ns = 0;
    struct plot *plot = plot_begin(&report->plots, "timeline", 900, 150 + 30 * lanes,
                                   "Who ran which task, and when");

    for (size_t i = 0; i < count; i++) {
        double zero = start_of_panel(spans, count, &spans[i]);
        longest_ns = fmax(longest_ns, spans[i].end_ns - zero);
        text_add(&plot->data, "%.6f\t%.6f\t%.1f\t%s\t%d\n", (spans[i].start_ns - zero) / 1e6,
                 (spans[i].end_ns - zero) / 1e6, height_of(spans, i), spans[i].task,
                 strcmp(spans[i].backend, "omp") == 0);
    }
    add_lane_names(plot, spans, count);
    text_add(&plot->script,
             "set xlabel 'milliseconds since the first task of that strategy began'\n"
             "set yrange [%.1f:0.7]\nset xrange [0:*]\nunset key\nset lmargin 26\nset rmargin 4\n"
             "plot 'timeline.dat' using (($5==0)?$1:1/0):3:1:2:($3-0.36):($3+0.36) "
             "with boxxyerror linecolor '" COLOUR_PROC "' fillstyle solid 0.35 border, \\\n"
             " '' using (($5==1)?$1:1/0):3:1:2:($3-0.36):($3+0.36) "
             "with boxxyerror linecolor '" COLOUR_OMP "' fillstyle solid 0.35 border, \\\n"
             " '' using ($2-$1>%.6f?($1+$2)/2:1/0):3:4 with labels font ',9' textcolor '#000000'\n",
             height_of(spans, count - 1) - 0.7, 0.018 * longest_ns / 1e6);
}

static void fill_timeline(struct report *report)
{
    struct text bytes = {0};
    struct span *spans = must_alloc(MOST_SPANS, sizeof *spans);
    size_t count = read_spans(report, &bytes, spans);

    if (count > 0) {
        draw_timeline(report, spans, count);
        places_set(&report->places, "timeline",
                   "![which worker ran which task](plots/timeline.svg)\n\n"
                   "A box is a task, its number inside where there is room; a row is a worker. "
                   "Gaps are waiting: for work, or "
                   "for the caller to take a result.");
    } else {
        places_set(&report->places, "timeline",
                   "No timeline was recorded in this run (timeline.csv is missing).");
    }
    free(spans);
    text_free(&bytes);
}

static const char *fill_two_ways(struct report *report)
{
    fill_code(report);
    fill_timeline(report);
    return NULL;
}

const struct section section_two_ways = {"two_ways", fill_two_ways, {NULL}};
