/* section_spawn.c: a process, or a thread, per number: the strategy of the textbook.
 *
 * Bounded, it is slow and works. Unbounded, it runs into a limit; which one, and after how many, is
 * the result. The run stood under a ceiling that leaves the machine alone; when that ceiling bound,
 * the report says so and draws no conclusion about the machine. */
#include "report.h"

#include <math.h>
#include <string.h>

static bool is_spawn(const struct row *row)
{
    return strncmp(row_field(row, COLUMN_strategy), "spawn", 5) == 0 &&
           (row_is(row, COLUMN_phase, "warm") || row_is(row, COLUMN_phase, "") ||
            !row_has_time(row));
}

static void add_sight(struct text *out, const struct row *row)
{
    double alive = row_metric_max(row, "most_alive"), kib = row_metric(row, "kib_per_worker");
    double cleanup = row_metric(row, "cleanup_ns");

    if (isfinite(alive))
        text_add(out, "at most %s alive", label_count(alive).text);
    if (isfinite(kib))
        text_add(out, "%s%s each", isfinite(alive) ? ", " : "", label_bytes(1024 * kib).text);
    if (isfinite(cleanup))
        text_add(out, "%s%s to clean up", isfinite(alive) || isfinite(kib) ? ", " : "",
                 label_time(cleanup).text);
}

static void add_fit(struct text *out, const struct row *row)
{
    if (isfinite(row->prefix.residual))
        text_add(out, " from %zu prefixes: %s + n x %s, residual %s", row->prefixes,
                 label_time(row->prefix.a).text, label_time(row->prefix.b).text,
                 label_percent(row->prefix.residual).text);
    else if (row->prefixes == 1)
        text_add(out, " from one prefix: n x %s", label_time(row->prefix.b).text);
    else
        text_add(out, " from the longest of %zu prefixes: n x %s (no sensible line)", row->prefixes,
                 label_time(row->prefix.b).text);
}

/* The longest prefix, when there are several. */
static double started_of(const struct row *row)
{
    double most = NAN;

    for (size_t i = 0; i < row->count; i++)
        most = fmax(most, sample_number(row->samples[i], COLUMN_n_run));
    return most;
}

static void fill_table(struct report *report)
{
    struct text out = {0};

    text_add(&out, "| strategy | backend | n | started | time | per number | outcome and limit | "
                   "what was seen |\n|---|---|---:|---:|---:|---:|---|---|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!is_spawn(row))
            continue;
        text_add(&out, "| %s | %s | %s | %s | %s | %s | ",
                 strategy_name(row_field(row, COLUMN_strategy)),
                 backend_name(row_field(row, COLUMN_backend)),
                 label_count(row_number(row, COLUMN_n)).text, label_count(started_of(row)).text,
                 row_has_time(row) ? label_time(row->time.median).text : "",
                 isfinite(row_per_item(row)) ? label_time(row_per_item(row)).text : "");
        add_limit(&out, row);
        if (row->outcome == OUTCOME_EXTRAPOLATED)
            add_fit(&out, row);
        text_add(&out, " | ");
        add_sight(&out, row);
        text_add(&out, " |\n");
    }
    places_take(&report->places, "spawn_table", &out);
}

static const struct row *unbounded(const struct report *report, const char *backend)
{
    struct pick pick = {.backend = backend, .strategy = "spawn_unbounded", .n = report->large};
    const struct row *row = row_find(&report->rows, pick);

    pick.n = 0;
    return row ? row : row_find(&report->rows, pick);
}

static void add_end(struct text *out, const struct row *row, const char *backend, const char *what)
{
    if (!row) {
        text_add(out, "Unbounded, with %s: not measured in this run. ", backend_name(backend));
        return;
    }
    double started = row_median(row, COLUMN_n_run);
    double alive = row_metric(row, "most_alive");
    text_add(out, "Unbounded, a %s per number ", what);
    if (row_has_time(row))
        text_add(out, "came through all %s numbers", label_count(row_number(row, COLUMN_n)).text);
    else if (isfinite(started))
        text_add(out, "got as far as %s of %s numbers", label_count(started).text,
                 label_count(row_number(row, COLUMN_n)).text);
    else
        text_add(out, "did not come through");
    if (isfinite(alive))
        text_add(out, ", at most %s alive at once", label_count(alive).text);
    if (row->limit[0])
        text_add(out, "; what bound it: ");
    add_words(out, row->limit);
    text_add(out, ". ");
}

static void fill_line(struct report *report)
{
    struct text out = {0};
    const struct row *proc = report_row(report, "proc", "spawn_bounded", report->large);
    const struct row *seq = report_row(report, "seq", "sequential", report->large);

    if (proc && seq && isfinite(row_per_item(proc)) && isfinite(row_per_item(seq)))
        text_add(&out,
                 proc->outcome == OUTCOME_EXTRAPOLATED
                     ? "A process per number costs about %s a number (extrapolated), %s times the "
                       "square itself. "
                     : "A process per number costs %s a number, %s times the square itself. ",
                 label_time(row_per_item(proc)).text,
                 label_number(row_per_item(proc) / row_per_item(seq)).text);
    struct text ends = {0};
    add_end(&ends, unbounded(report, "proc"), "proc", "process");
    add_end(&ends, unbounded(report, "omp"), "omp", "thread");
    text_add(&out, "%s", ends.bytes);
    out.bytes[out.length - 1] = '\0'; /* the last blank */
    out.length--;
    places_take(&report->places, "spawn_line", &out);
    places_take(&report->places, "spawn_ends", &ends);
}

static const struct claim claims[] = {
    {.name = "spawn_proc_omp",
     .one = {.backend = "proc", .strategy = "spawn_bounded"},
     .other = {.backend = "omp", .strategy = "spawn_bounded"},
     .says = {[STANDS_FASTER] =
                  "A process per number is faster than a thread per number: {{ratio}} of its "
                  "time.",
              [STANDS_SLOWER] =
                  "A process per number takes {{ratio}} times as long as a thread per "
                  "number.",
              [STANDS_EQUIVALENT] = "A process and a thread per number cost the same."}},
    {.name = "spawn_map",
     .one = {.backend = "proc", .strategy = "spawn_bounded"},
     .other = {.backend = "proc", .strategy = "map"},
     .says = {[STANDS_SLOWER] =
                  "A process per number takes {{ratio}} times as long as a map over a pool "
                  "of processes: that is what a pool is for."}},
};

static const char *fill_spawn(struct report *report)
{
    size_t spawns = 0;

    for (size_t i = 0; i < report->rows.count; i++)
        spawns += is_spawn(&report->rows.row[i]);
    if (spawns == 0)
        return "No spawn strategy was measured in this run.";
    fill_table(report);
    fill_line(report);
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        report_claim(report, &claims[i], NULL, report->large);
    return NULL;
}

const struct section section_spawn = {"spawn", fill_spawn, {"spawn_line", NULL}};
