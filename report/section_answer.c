/* section_answer.c: the answer in ten lines, and the one figure.
 *
 * The figure has a row per strategy and one axis: nanoseconds per number at the larger n, in
 * logarithms, because the strategies differ by six orders of magnitude. proc and omp are dots
 * joined by a line: the length of the line is the subject of the study. What failed is a cross in
 * its place. */
#include "report.h"

#include <math.h>
#include <string.h>

/* ---- the figure --------------------------------------------------------------------------------
 */

static double height_of(size_t strategy)
{
    return (double)(STRATEGIES - strategy);
}

/* A failed row stands where its last progress was, or at the right edge when there was none. */
static double place_of_failure(const struct row *row, double edge)
{
    double elapsed = row_median(row, COLUMN_elapsed_ns), run = row_median(row, COLUMN_n_run);
    return elapsed > 0 && run > 0 ? elapsed / run : edge;
}

/* At the larger n; a strategy that was only tried at the smaller one is shown with that. */
static const struct row *row_of(const struct report *report, const char *backend,
                                const char *strategy)
{
    const struct row *row = report_row(report, backend, strategy, report->large);
    return row ? row : report_row(report, backend, strategy, report->small);
}

enum mark { MARK_OK, MARK_ESTIMATE, MARK_FAILED };

static bool is_marked(const struct row *row, enum mark mark)
{
    if (!row_has_time(row))
        return mark == MARK_FAILED;
    return (row->outcome == OUTCOME_OK) == (mark == MARK_OK) && mark != MARK_FAILED;
}

/* One block: x, y of each row of that backend with that mark. Returns how many. */
static size_t add_points(const struct report *report, struct plot *plot, const char *backend,
                         enum mark mark, double edge)
{
    size_t count = 0;

    for (size_t s = 0; s < STRATEGIES; s++) {
        const struct row *row = row_of(report, backend, report_strategies[s]);
        if (!row || !is_marked(row, mark))
            continue;
        double x = mark == MARK_FAILED ? place_of_failure(row, edge) : row_per_item(row);
        text_add(&plot->data, "%.6g\t%.6g\n", x, height_of(s));
        count++;
    }
    if (count == 0)
        text_add(&plot->data, "NaN\tNaN\n");
    plot_end_block(plot);
    return count;
}

/* The lines between proc and omp. */
static void add_joins(const struct report *report, struct plot *plot)
{
    text_add(&plot->data, "NaN\tNaN\tNaN\n");
    for (size_t s = 0; s < STRATEGIES; s++) {
        const struct row *proc = row_of(report, "proc", report_strategies[s]);
        const struct row *omp = row_of(report, "omp", report_strategies[s]);
        if (proc && omp && row_has_time(proc) && row_has_time(omp))
            text_add(&plot->data, "%.6g\t%.6g\t%.6g\n", row_per_item(proc), height_of(s),
                     row_per_item(omp) - row_per_item(proc));
    }
    plot_end_block(plot);
}

static double right_edge(const struct report *report)
{
    double most = 1e3;

    for (size_t b = 0; b < BACKENDS; b++)
        for (size_t s = 0; s < STRATEGIES; s++) {
            const struct row *row = row_of(report, report_backends[b], report_strategies[s]);
            if (row && isfinite(row_per_item(row)))
                most = fmax(most, row_per_item(row));
        }
    return pow(10, ceil(log10(most) + 0.3));
}

/* Ticks on the floor of the figure; a label that would touch its left neighbour goes a line lower.
 */
static void add_limits(const struct report *report, struct plot *plot)
{
    static const char *const limits[][2] = {
        {"bare_for", "parallel for"}, {"bare_tasks", "task"},         {"bare_task", "task+wait"},
        {"bare_spin", "spin trip"},   {"bare_sem", "semaphore trip"}, {"thread_create", "thread"},
        {"fork_wait", "fork"}};
    double last[3] = {-9, -9, -9};

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        double price = limit_price(report, limits[i][0], NULL);
        size_t level = 0;
        if (!(price > 0))
            continue;
        while (level < 2 && fabs(log10(price) - last[level]) < 1.0)
            level++;
        last[level] = log10(price);
        text_add(&plot->script,
                 "set arrow from %.6g,0.02 to %.6g,%.2f nohead linecolor '" COLOUR_LIMIT
                 "' linewidth 1.5\n"
                 "set label \"%s\" at %.6g,%.2f center font ',10' textcolor '#555555'\n",
                 price, price, 0.34, limits[i][1], price, -0.28 - 0.34 * (double)level);
    }
}

static void add_row_names(struct plot *plot)
{
    text_add(&plot->script, "set ytics (\"bare limits\" 0.15");
    for (size_t s = 0; s < STRATEGIES; s++)
        text_add(&plot->script, ", \"%s\" %.0f", strategy_name(report_strategies[s]), height_of(s));
    text_add(&plot->script, ")\n");
}

static void draw_answer(struct report *report)
{
    static const struct {
        const char *backend, *label;
        int dot;
    } marks[] = {
        {"proc", "processes", 7}, {"omp", "threads (OpenMP)", 7}, {"python", "Python pool", 6}};
    struct text title = {0};
    const struct row *seq = report_row(report, "seq", "sequential", report->large);
    double edge = right_edge(report);

    text_add(&title, "What one number costs, by strategy (n = %s)",
             label_count(report->large).text);
    struct plot *plot = plot_begin(&report->plots, "answer", 900, 560, title.bytes);
    text_free(&title);
    add_joins(report, plot);
    add_row_names(plot);
    plot_time_axis(plot, "x");
    text_add(&plot->script,
             "set xlabel 'time per number (logarithmic): further left is faster'\n"
             "set xrange [0.3:%g]\nset yrange [-1.3:%d.7]\n"
             "set key outside right center\nset rmargin 26\nset lmargin 18\n",
             edge, STRATEGIES);
    add_limits(report, plot);
    if (seq && row_has_time(seq))
        text_add(&plot->script,
                 "set arrow from %.6g,0.5 to %.6g,%d.5 nohead linecolor '" COLOUR_SEQ
                 "' linewidth 1.5 dashtype 2\n"
                 "set label \"sequential loop\" at %.6g,%d.45 left offset 0.5,0 font ',11'\n",
                 row_per_item(seq), row_per_item(seq), STRATEGIES, row_per_item(seq), STRATEGIES);
    text_add(&plot->script, "plot 'answer.dat' index 0 using 1:2:3:(0) with vectors nohead "
                            "linecolor '#aaaaaa' linewidth 2 notitle");
    for (size_t m = 0; m < sizeof marks / sizeof *marks; m++)
        for (enum mark mark = MARK_OK; mark <= MARK_FAILED; mark++) {
            static const char *const shapes[] = {NULL, "8", "2"};
            size_t count = add_points(report, plot, marks[m].backend, mark, edge / 2);
            text_add(&plot->script,
                     ", \\\n 'answer.dat' index %zu with points pointsize %s linewidth 2 linecolor "
                     "'%s' pointtype ",
                     1 + 3 * m + (size_t)mark, m == 0 ? "1.7" : "1.1",
                     backend_colour(marks[m].backend));
            if (mark == MARK_OK)
                text_add(&plot->script, "%d ", marks[m].dot);
            else
                text_add(&plot->script, "%s ", shapes[mark]);
            if (mark == MARK_OK && count > 0)
                text_add(&plot->script, "title '%s'", marks[m].label);
            else
                text_add(&plot->script, "notitle");
        }
    text_add(
        &plot->script,
        ", \\\n NaN with points pointtype 8 linewidth 2 linecolor '#555555' title 'once, or "
        "extrapolated', \\\n NaN with points pointtype 2 linewidth 2 linecolor '#555555' title "
        "'did not finish'");
    text_add(&plot->script, "\n");
}

/* ---- the ten lines -----------------------------------------------------------------------------
 */

static const char *const all_others[] = {"map_async",       "executor_map", "apply_async",
                                         "executor_submit", "apply",        NULL};

static const struct claim claims[] = {
    {.name = "map_proc_seq",
     .one = {.backend = "proc", .strategy = "map"},
     .other = {.backend = "seq", .strategy = "sequential"},
     .says = {[STANDS_FASTER] =
                  "A map with processes beats the sequential loop: it takes {{ratio}} of "
                  "its time.",
              [STANDS_SLOWER] = "A map with processes does not pay for plain squares: it takes "
                                "{{ratio}} times as long as the sequential loop.",
              [STANDS_EQUIVALENT] =
                  "A map with processes and the sequential loop take the same time "
                  "within the margin."}},
    {.name = "map_omp_seq",
     .one = {.backend = "omp", .strategy = "map"},
     .other = {.backend = "seq", .strategy = "sequential"},
     .says = {[STANDS_FASTER] =
                  "A map with threads beats the sequential loop: it takes {{ratio}} of its "
                  "time.",
              [STANDS_SLOWER] =
                  "A map with threads does not pay for plain squares: it takes {{ratio}} "
                  "times as long as the sequential loop.",
              [STANDS_EQUIVALENT] = "A map with threads and the sequential loop take the same time "
                                    "within the margin."}},
    {.name = "map_proc_omp",
     .one = {.backend = "proc", .strategy = "map"},
     .other = {.backend = "omp", .strategy = "map"},
     .says = {[STANDS_FASTER] =
                  "Once the pool is warm, map is faster with processes than with threads: "
                  "{{ratio}} of the time.",
              [STANDS_SLOWER] =
                  "Once the pool is warm, map takes {{ratio}} times as long with processes "
                  "as with threads.",
              [STANDS_EQUIVALENT] =
                  "Once the pool is warm and the arrays lie in shared memory, map costs "
                  "the same with processes as with threads."}},
    {.name = "first_proc_omp",
     .one = {.backend = "proc", .strategy = "map", .phase = "first"},
     .other = {.backend = "omp", .strategy = "map", .phase = "first"},
     .says = {[STANDS_FASTER] =
                  "The first map after opening the pool takes {{ratio}} of the threads' "
                  "time with processes.",
              [STANDS_SLOWER] =
                  "The first map after opening the pool takes {{ratio}} times as long with "
                  "processes as with threads: fresh processes must map every page.",
              [STANDS_EQUIVALENT] = "Even the first map after opening the pool costs the same with "
                                    "processes as with threads."}},
    {.name = "apply_proc_omp",
     .one = {.backend = "proc", .strategy = "apply"},
     .other = {.backend = "omp", .strategy = "apply"},
     .says = {[STANDS_FASTER] =
                  "One call at a time (apply) is faster with processes: {{ratio}} of the "
                  "threads' time.",
              [STANDS_SLOWER] =
                  "One call at a time (apply) takes {{ratio}} times as long with processes "
                  "as with threads, where the caller mostly runs the task itself.",
              [STANDS_EQUIVALENT] = "One call at a time (apply) costs the same on both sides."}},
    {.name = "map_best_proc",
     .one = {.backend = "proc", .strategy = "map"},
     .other = {.backend = "proc"},
     .rivals = all_others,
     .says = {[STANDS_FASTER] =
                  "Of the ways to use a pool of processes, map is the fastest; the next, "
                  "{{other}}, takes {{inverse}} times as long.",
              [STANDS_SLOWER] = "Of the ways to use a pool of processes, map is not the fastest: "
                                "{{other}} beats it.",
              [STANDS_EQUIVALENT] =
                  "Of the ways to use a pool of processes, map is among the fastest, "
                  "together with {{other}}."}},
};

static const struct claim stream = {
    .name = "async_proc_omp",
    .one = {.backend = "proc", .strategy = "apply_async"},
    .other = {.backend = "omp", .strategy = "apply_async"},
    .says = {[STANDS_FASTER] = "A stream of {{n}} small calls (apply_async) is faster with "
                               "processes: {{ratio}} of the threads' time.",
             [STANDS_SLOWER] = "A stream of {{n}} small calls (apply_async) takes {{ratio}} times "
                               "as long with processes as with threads.",
             [STANDS_EQUIVALENT] = "A stream of {{n}} small calls (apply_async) costs the same on "
                                   "both sides."}};

/* The two sizes may end differently: threads are dear while their queue is short. */
static void claim_streams(struct report *report)
{
    struct claim small = stream;
    small.name = "async_small";
    report_claim(report, &small, NULL, report->small);
    report_claim(report, &stream, NULL, report->large);
}

static const char *fill_answer(struct report *report)
{
    if (!isfinite(report->large))
        return "Nothing of family strategies was measured in this run, so there is no answer yet.";
    draw_answer(report);
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        report_claim(report, &claims[i], NULL, report->large);
    claim_streams(report);
    return NULL;
}

const struct section section_answer = {"answer", fill_answer, {NULL}};
