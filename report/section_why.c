/* section_why.c: anatomy: why a row costs what it costs.
 *
 * Counts (forks, wakes, claims, copied bytes, page faults, tasks) were taken in the run itself;
 * what one of each costs was measured in the same run, by programs that contain nothing else. Count
 * times price, added up, is a prediction. What it does not explain is shown, not hidden: a model
 * that always fits is not one. Prices: see part_of_* below; each is named in the table of prices.
 */
#include "report.h"

#include <math.h>
#include <string.h>

enum part { PART_SQUARES, PART_START, PART_WAKE, PART_HAND, PART_COPY, PART_FAULT, PARTS };

static const char *const part_names[PARTS] = {"squares",      "starting workers", "waking",
                                              "handing over", "copying",          "page faults"};
static const char *const part_colours[PARTS] = {"#000000", "#CC79A7", "#E69F00",
                                                "#56B4E9", "#009E73", "#F0E442"};

struct anatomy {
    const struct row *row;
    double part[PARTS], predicted, measured; /* ns, for n items */
};

static double known(double value)
{
    return isfinite(value) ? value : 0;
}

static double price(const struct report *report, const char *limit)
{
    return known(limit_price(report, limit, NULL));
}

static bool is_strategy(const struct row *row, const char *strategy)
{
    return row_is(row, COLUMN_strategy, strategy);
}

static bool is_omp(const struct row *row)
{
    return row_is(row, COLUMN_backend, "omp");
}

/* How many of its workers can compute at once. */
static double parallel(const struct report *report, const struct row *row)
{
    double cpus = report_cpus(report), workers = row_number(row, COLUMN_workers);

    if (is_strategy(row, "apply"))
        return 1; /* one call at a time */
    return fmax(1, isfinite(cpus) ? fmin(cpus, workers) : workers);
}

static double part_of_start(const struct report *report, const struct row *row, double scale)
{
    double forks = known(row_median(row, COLUMN_forks)) * scale;

    if (strncmp(row_field(row, COLUMN_strategy), "spawn", 5) == 0)
        return row_number(row, COLUMN_n) *
               price(report, is_omp(row) ? "thread_create" : "fork_wait");
    return forks * price(report, "fork_wait");
}

/* A semaphore round trip is two wakes. Where the caller waits for what he wakes, a wake costs its latency,
 * across CPUs; where calls are pipelined others work meanwhile, and it costs its system calls alone. */
static double part_of_wakes(const struct report *report, const struct row *row, double scale)
{
    bool pipelined = is_strategy(row, "apply_async") || is_strategy(row, "executor_submit");
    double wakes =
        known(row_median(row, COLUMN_wakes)) + known(row_median(row, COLUMN_caller_parks));
    double trip = limit_price(report, "bare_sem", pipelined ? "same_cpu" : "two_cpus");
    if (!isfinite(trip))
        trip = price(report, "bare_sem");
    return wakes * scale * trip / 2;
}

/* omp: libgomp's own price of a task or a region; a call outside of a scope, as these are, pays both. Otherwise a call that is awaited is handed over
 * by a spin round trip unless somebody slept, and a claim costs half a sem_wait + sem_post: one
 * atomic. */
static double part_of_hand(const struct report *report, const struct row *row, double scale)
{
    double tasks = known(row_median(row, COLUMN_tasks)) * scale;
    double claims = known(row_median(row, COLUMN_claims)) * scale;
    double wakes = known(row_median(row, COLUMN_wakes)) * scale;

    if (is_omp(row)) {
        if (is_strategy(row, "apply"))
            return tasks * (price(report, "bare_task") + price(report, "bare_region"));
        if (tasks > 0)
            return tasks * price(report, "bare_tasks");
        return is_strategy(row, "map") ? price(report, "bare_region") : 0;
    }
    double spun = is_strategy(row, "apply") ? fmax(0, tasks - wakes) : 0;
    return spun * price(report, "bare_spin") + claims * price(report, "bare_semop") / 2;
}

static double part_of_faults(const struct report *report, const struct row *row, double scale)
{
    double page = limit_price(report, "page_fault", NULL);

    if (!isfinite(page))
        page = price(report, "first_touch");
    return known(row_median(row, COLUMN_minor_faults)) * scale * page / parallel(report, row);
}

static bool dissect(const struct report *report, const struct row *row, struct anatomy *anatomy)
{
    double n = row_number(row, COLUMN_n), run = row_median(row, COLUMN_n_run);
    double scale = run > 0 ? n / run : 1;
    const struct row *seq = row_base(&report->rows, row);

    *anatomy = (struct anatomy){.row = row, .measured = row->time.median};
    if (!row_has_time(row) || !seq || !row_has_time(seq))
        return false;
    anatomy->part[PART_SQUARES] = seq->time.median / parallel(report, row);
    anatomy->part[PART_START] = part_of_start(report, row, scale);
    anatomy->part[PART_WAKE] = part_of_wakes(report, row, scale);
    anatomy->part[PART_HAND] = part_of_hand(report, row, scale);
    anatomy->part[PART_COPY] =
        known(row_median(row, COLUMN_staged_bytes)) * scale * price(report, "memcpy");
    anatomy->part[PART_FAULT] = part_of_faults(report, row, scale);
    for (int p = 0; p < PARTS; p++)
        anatomy->predicted += anatomy->part[p];
    return true;
}

static size_t dissect_all(const struct report *report, struct anatomy *all)
{
    size_t count = 0;

    for (size_t s = 0; s < STRATEGIES; s++)
        for (size_t b = 0; b < 3; b++) { /* proc, omp, control */
            const struct row *row =
                report_row(report, report_backends[b], report_strategies[s], report->large);
            if (row && dissect(report, row, &all[count]))
                count++;
        }
    return count;
}

/* ---- tables and figure -------------------------------------------------------------------------
 */

static void fill_anatomy(struct report *report, const struct anatomy *all, size_t count)
{
    struct text out = {0};

    text_add(&out, "| strategy | backend |");
    for (int p = 0; p < PARTS; p++)
        text_add(&out, " %s |", part_names[p]);
    text_add(&out, " predicted | measured | unexplained |\n|---|---|");
    for (int p = 0; p < PARTS + 3; p++)
        text_add(&out, "---:|");
    text_add(&out, "\n");
    for (size_t i = 0; i < count; i++) {
        const struct anatomy *one = &all[i];
        text_add(&out, "| %s | %s |", strategy_name(row_field(one->row, COLUMN_strategy)),
                 backend_name(row_field(one->row, COLUMN_backend)));
        for (int p = 0; p < PARTS; p++)
            text_add(&out, " %s |", one->part[p] > 0 ? label_time(one->part[p]).text : "");
        text_add(&out, " %s | %s | %s |\n", label_time(one->predicted).text,
                 label_time(one->measured).text,
                 label_percent((one->measured - one->predicted) / one->measured).text);
    }
    places_take(&report->places, "anatomy", &out);
}

static void draw_anatomy(struct report *report, const struct anatomy *all, size_t count)
{
    struct text title = {0};

    text_add(&title, "How much of each time do counts x prices explain? (n = %s)",
             label_count(report->large).text);
    struct plot *plot =
        plot_begin(&report->plots, "anatomy", 900, 170 + 26 * (int)count, title.bytes);
    text_free(&title);
    text_add(&plot->script, "set ytics (");
    for (size_t i = 0; i < count; i++)
        text_add(&plot->script, "%s\"%s, %s\" %zu", i ? ", " : "",
                 strategy_name(row_field(all[i].row, COLUMN_strategy)),
                 backend_name(row_field(all[i].row, COLUMN_backend)), count - i);
    text_add(&plot->script, ")\n");
    for (size_t i = 0; i < count; i++)
        if (all[i].predicted > 1.6 * all[i].measured)
            text_add(&plot->script, "set label '%s predicted' at 158,%zu right front font ',10'\n",
                     label_percent(all[i].predicted / all[i].measured).text, count - i);
    text_add(&plot->script,
             "set xlabel 'share of the measured time, %%'\nset xrange [0:160]\n"
             "set yrange [0.3:%zu.7]\nset key outside right top\nset lmargin 26\nset rmargin 20\n"
             "set arrow from 100,0.3 to 100,%zu.7 nohead front linecolor '#000000' dashtype 2\n"
             "set label 'measured' at 100,%zu.55 offset 0.4,0 font ',10'\nplot ",
             count, count, count);
    for (int p = 0; p < PARTS; p++) {
        for (size_t i = 0; i < count; i++) {
            double from = 0; /* of the bar so far */
            for (int q = 0; q < p; q++)
                from += all[i].part[q];
            text_add(&plot->data, "%.4f\t%zu\t%.4f\n", 100 * from / all[i].measured, count - i,
                     100 * (from + all[i].part[p]) / all[i].measured);
        }
        plot_end_block(plot);
        text_add(&plot->script,
                 "%s'anatomy.dat' index %d using 1:2:1:3:($2-0.32):($2+0.32) with boxxyerror "
                 "fillstyle solid 0.85 noborder linecolor '%s' title '%s'",
                 p ? ", \\\n " : "", p, part_colours[p], part_names[p]);
    }
    text_add(&plot->script, "\n");
}

static void fill_prices(struct report *report)
{
    static const char *const limits[][2] = {
        {"fork_wait", "fork, `_exit`, wait"},
        {"thread_create", "create a thread, join it"},
        {"bare_sem", "semaphore round trip (two wakes)"},
        {"bare_spin", "round trip, both spinning"},
        {"bare_semop", "`sem_wait` + `sem_post`, nobody else there"},
        {"bare_region", "empty OpenMP region"},
        {"bare_task", "OpenMP `task` + `taskwait`"},
        {"bare_tasks", "OpenMP `task`, deferred"},
        {"bare_for", "one item of a bare `parallel for`"}};
    static const enum column where[] = {COLUMN_variant, COLUMN_phase};
    struct text out = {0};

    text_add(&out, "| operation | each | where |\n|---|---:|---|\n");
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
        for (size_t i = 0; i < report->rows.count; i++) {
            const struct row *row = &report->rows.row[i];
            if (!row_is(row, COLUMN_family, "limits") || !is_strategy(row, limits[l][0]) ||
                !isfinite(row_per_item(row)))
                continue;
            text_add(&out, "| %s | %s |", limits[l][1], label_time(row_per_item(row)).text);
            for (size_t c = 0; c < sizeof where / sizeof *where; c++)
                text_add(&out, "%s%s", row_field(row, where[c])[0] ? " " : "",
                         row_field(row, where[c]));
            if (is_strategy(row, "bare_for"))
                text_add(&out, ", n = %s", label_count(row_number(row, COLUMN_n)).text);
            text_add(&out, " |\n");
        }
    double copy = limit_price(report, "memcpy", NULL);
    if (isfinite(copy))
        text_add(&out, "| copy 1 MiB | %s | |\n", label_time(copy * 1048576).text);
    double fault = limit_price(report, "page_fault", NULL);
    if (isfinite(fault))
        text_add(&out, "| map a present shared page | %s | |\n", label_time(fault).text);
    double touch = limit_price(report, "first_touch", NULL);
    if (isfinite(touch))
        text_add(&out, "| touch a new shared page | %s | |\n", label_time(touch).text);
    places_take(&report->places, "prices", &out);
}

/* ---- control -----------------------------------------------------------------------------------
 */

static void add_difference(const struct report *report, const struct row *one,
                           const struct row *other, struct text *out)
{
    if (!one || !other || !row_has_time(one) || !row_has_time(other)) {
        text_add(out, " | ");
        return;
    }
    struct comparison result = rows_compare(&report->rows, one, other);
    double difference = row_per_item(one) - row_per_item(other);
    text_add(out, " %s%s (%s x, %s) |", difference > 0 ? "+" : "", label_time(difference).text,
             label_number(result.ratio).text, standing_name(result.standing));
}

static void fill_control(struct report *report)
{
    /* at the smaller size, where each strategy ran in full on all three */
    double n = isfinite(report->small) ? report->small : report->large;
    struct text out = {0};

    text_add(
        &out,
        "| strategy, n = %s | processes - control: what being a process costs | control - threads: "
        "our protocol against libgomp's |\n|---|---:|---:|\n",
        label_count(n).text);
    for (size_t s = 0; s < STRATEGIES; s++) {
        const struct row *row[3];
        for (size_t b = 0; b < 3; b++)
            row[b] = report_row(report, report_backends[b], report_strategies[s], n);
        if (!row[2])
            continue;
        text_add(&out, "| %s |", strategy_name(report_strategies[s]));
        add_difference(report, row[0], row[2], &out);
        add_difference(report, row[2], row[1], &out);
        text_add(&out, "\n");
    }
    places_take(&report->places, "control", &out);
}

static const char *fill_why(struct report *report)
{
    struct anatomy all[3 * STRATEGIES];
    size_t count = isfinite(report->large) ? dissect_all(report, all) : 0;

    if (!report_has_family(report, "limits") || count == 0)
        return "Family limits, or the sequential loop, was not measured in this run, so there are "
               "no prices "
               "to explain times with.";
    fill_anatomy(report, all, count);
    draw_anatomy(report, all, count);
    fill_prices(report);
    fill_control(report);
    return NULL;
}

const struct section section_why = {"why", fill_why, {NULL}};
