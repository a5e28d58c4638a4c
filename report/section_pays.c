/* section_pays.c: from how much work per task on does a pool pay?
 *
 * Speed-up S = sequential time / pool time against w, the sequential time of one task measured in
 * the same rounds. Break-even is the largest crossing of S = 1 seen from large w, interpolated in
 * logarithms, with an interval from resampled rounds; where the curve does not cross inside what
 * was measured, that is said instead of a number. METG(E), the minimum effective task granularity,
 * is w / E where the efficiency S / p reaches E. Source: Slaughter et al., "Task Bench", SC20. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const strategies[] = {"map", "apply_async", "executor_submit", "executor_map"};
static const char *const backends[] = {"proc", "omp"};
enum { CURVES = 8 };

struct curve {
    const char *strategy, *backend;
    size_t points;
    double w[STATS_MOST_POINTS], speedup[STATS_MOST_POINTS], lo[STATS_MOST_POINTS],
        hi[STATS_MOST_POINTS];
    double *ratios[STATS_MOST_POINTS]; /* ln(T / T_seq) by round */
    size_t rounds[STATS_MOST_POINTS];
    double workers;
};

static bool is_point(const struct row *row, const char *strategy, const char *backend)
{
    return row_is(row, COLUMN_family, "grain") && row_is(row, COLUMN_strategy, strategy) &&
           row_is(row, COLUMN_backend, backend) && row_is(row, COLUMN_variant, "") &&
           (row_is(row, COLUMN_phase, "warm") || row_is(row, COLUMN_phase, ""));
}

static void add_point(const struct report *report, struct curve *curve, const struct row *row)
{
    const struct row *seq = row_base(&report->rows, row);
    size_t at = curve->points;

    if (!seq || at == STATS_MOST_POINTS)
        return;
    double *values = must_alloc(row->count, sizeof *values);
    size_t rounds = rows_log_ratios(row, seq, values);
    if (rounds == 0) {
        free(values);
        return;
    }
    struct stats_interval ratio = stats_median_interval(values, rounds);
    curve->w[at] = row_per_item(seq);
    curve->speedup[at] = exp(-ratio.median);
    curve->lo[at] = ratio.known ? exp(-ratio.hi) : NAN;
    curve->hi[at] = ratio.known ? exp(-ratio.lo) : NAN;
    curve->ratios[at] = values;
    curve->rounds[at] = rounds;
    curve->workers = row_number(row, COLUMN_workers);
    curve->points++;
}

static void free_curves(struct curve *curves, size_t count)
{
    for (size_t c = 0; c < count; c++)
        for (size_t p = 0; p < curves[c].points; p++)
            free(curves[c].ratios[p]);
}

/* Points come in order of work_ns, because rows do. */
static size_t read_curves(const struct report *report, struct curve *curves)
{
    size_t count = 0;

    for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++)
        for (size_t b = 0; b < 2; b++) {
            struct curve *curve = &curves[count];
            *curve = (struct curve){.strategy = strategies[s], .backend = backends[b]};
            for (size_t i = 0; i < report->rows.count; i++)
                if (is_point(&report->rows.row[i], strategies[s], backends[b]))
                    add_point(report, curve, &report->rows.row[i]);
            if (curve->points >= 2) /* one point crosses nothing */
                count++;
            else
                free_curves(curve, 1);
        }
    return count;
}

/* ---- break-even and METG -----------------------------------------------------------------------
 */

static void add_crossing(struct text *out, const struct stats_crossing *crossing,
                         const struct curve *curve, double divide)
{
    switch (crossing->kind) {
    case STATS_CROSSES_AT:
        text_add(out, "%s", label_time(crossing->w / divide).text);
        break;
    case STATS_CROSSES_BELOW:
        text_add(out, "below %s", label_time(curve->w[0] / divide).text);
        break;
    case STATS_CROSSES_NEVER:
        text_add(out, "not up to %s", label_time(curve->w[curve->points - 1] / divide).text);
        break;
    }
}

static void add_interval(struct text *out, const struct curve *curve)
{
    struct stats_crossing lo, hi;
    size_t most = 0;

    for (size_t p = 0; p < curve->points; p++) {
        if (curve->rounds[p] < 6)
            return; /* no interval from so few rounds */
        most = curve->rounds[p] > most ? curve->rounds[p] : most;
    }
    double *scratch = must_alloc(most, sizeof *scratch);
    stats_cross_resampled(curve->w, (const double *const *)curve->ratios, curve->rounds,
                          curve->points, 1, 27, scratch, &lo, &hi);
    free(scratch);
    text_add(out, "from ");
    add_crossing(out, &lo, curve, 1);
    text_add(out, " to ");
    add_crossing(out, &hi, curve, 1);
}

static double parallel(const struct report *report, const struct curve *curve)
{
    double cpus = report_cpus(report);
    return fmax(1, isfinite(cpus) ? fmin(cpus, curve->workers) : curve->workers);
}

static void fill_table(struct report *report, const struct curve *curves, size_t count)
{
    static const double efficiencies[] = {0.75, 0.9};
    struct text out = {0};

    text_add(
        &out,
        "| strategy | backend | pays from a task of | 95 %% interval | METG(75 %%) | METG(90 %%) "
        "| largest speed-up seen |\n|---|---|---:|---|---:|---:|---:|\n");
    for (size_t c = 0; c < count; c++) {
        const struct curve *curve = &curves[c];
        double most = 0;
        struct stats_crossing even = stats_cross(curve->w, curve->speedup, curve->points, 1);
        text_add(&out, "| %s | %s | ", strategy_name(curve->strategy),
                 backend_name(curve->backend));
        add_crossing(&out, &even, curve, 1);
        text_add(&out, " | ");
        add_interval(&out, curve);
        for (size_t e = 0; e < 2; e++) {
            struct stats_crossing metg = stats_cross(curve->w, curve->speedup, curve->points,
                                                     efficiencies[e] * parallel(report, curve));
            text_add(&out, " | ");
            add_crossing(&out, &metg, curve, efficiencies[e]);
        }
        for (size_t p = 0; p < curve->points; p++)
            most = fmax(most, curve->speedup[p]);
        text_add(&out, " | %s |\n", label_number(most).text);
    }
    places_take(&report->places, "pays_table", &out);
}

static void fill_line(struct report *report, const struct curve *curves, size_t count)
{
    struct text out = {0};

    for (size_t c = 0; c < count; c++) {
        const struct curve *curve = &curves[c];
        if (strcmp(curve->strategy, "apply_async") != 0)
            continue;
        struct stats_crossing even = stats_cross(curve->w, curve->speedup, curve->points, 1);
        text_add(&out, "%s%s ",
                 out.length ? ", "
                            : "A stream of single calls pays from a task of this length on: ",
                 backend_name(curve->backend));
        add_crossing(&out, &even, curve, 1);
    }
    if (out.length > 0) {
        text_add(&out, ".");
        places_take(&report->places, "pays_line", &out);
    }
}

/* ---- figure ------------------------------------------------------------------------------------
 */

static void draw(struct report *report, const struct curve *curves, size_t count)
{
    struct plot *plot =
        plot_begin(&report->plots, "pays", 900, 480, "From how long a task on does a pool pay?");
    double cpus = report_cpus(report);

    plot_time_axis(plot, "x");
    text_add(&plot->script,
             "set logscale y\nset xlabel 'sequential time of one task (logarithmic)'\n"
             "set ylabel 'speed-up over the sequential loop'\n"
             "set ytics (0.001, 0.01, 0.1, 0.5, 1, 2, 4, 8, 16, 32, 64)\n"
             "set grid ytics linetype 1 linecolor '#e4e4e4'\nset key bottom right\n"
             "set arrow from graph 0,first 1 to graph 1,first 1 nohead linecolor '#000000' "
             "dashtype 2\nset label 'as fast as the loop' at graph 0.01,first 1 offset 0,0.6 "
             "font ',11'\n");
    if (isfinite(cpus) && cpus > 1)
        text_add(&plot->script,
                 "set arrow from graph 0,first %g to graph 1,first %g nohead linecolor '#888888' "
                 "dashtype 3\nset label 'all %g CPUs busy' at graph 0.01,first %g offset 0,0.6 "
                 "font ',11'\nset yrange [*:%g]\n",
                 cpus, cpus, cpus, cpus, 2 * cpus);
    text_add(&plot->script, "plot ");
    for (size_t c = 0; c < count; c++) {
        const struct curve *curve = &curves[c];
        for (size_t p = 0; p < curve->points; p++)
            text_add(&plot->data, "%.6g\t%.6g\n", curve->w[p], curve->speedup[p]);
        plot_end_block(plot);
        size_t s = 0;
        while (strcmp(strategies[s], curve->strategy) != 0)
            s++;
        text_add(&plot->script,
                 "%s'pays.dat' index %zu using 1:2 with linespoints linewidth 2 dashtype %zu "
                 "pointtype %zu linecolor '%s' title '%s, %s'",
                 c ? ", \\\n " : "", c, s + 1, 4 + s, backend_colour(curve->backend),
                 strategy_name(curve->strategy), backend_name(curve->backend));
    }
    text_add(&plot->script, "\n");
}

static void fill_sizes(struct report *report)
{
    struct text out = {0};
    double last = -1;

    for (size_t i = 0; i < report->rows.count; i++) {
        double work = row_number(&report->rows.row[i], COLUMN_work_ns);
        if (!row_is(&report->rows.row[i], COLUMN_family, "grain") || !(work > last))
            continue;
        text_add(&out, "%s%s", out.length ? ", " : "",
                 work > 0 ? label_time(work).text : "nothing");
        last = work;
    }
    places_take(&report->places, "work_sizes", &out);
}

static const char *fill_pays(struct report *report)
{
    struct curve *curves = must_alloc(CURVES, sizeof *curves);
    size_t count = read_curves(report, curves);

    if (count > 0) {
        draw(report, curves, count);
        fill_sizes(report);
        fill_table(report, curves, count);
        fill_line(report, curves, count);
    }
    free_curves(curves, count);
    free(curves);
    return count > 0 ? NULL : "Family grain was not measured at two lengths of task in this run.";
}

const struct section section_pays = {"pays", fill_pays, {"pays_line", NULL}};
