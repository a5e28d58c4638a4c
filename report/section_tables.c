/* section_tables.c: every strategy at both sizes: time, interval, ratio, verdict; and what n
 * changed.
 *
 * Two tables per n. The first is for the eye: strategies down, backends across. The second is the
 * record: a line per row with its interval, its ratio to the sequential loop and the verdict. A row
 * that failed stands in its place and names the limit. */
#include "report.h"

#include <math.h>
#include <string.h>

static void add_overview(const struct report *report, double n, struct text *out)
{
    text_add(out,
             "| strategy | processes | threads | control | Python |\n|---|---:|---:|---:|---:|\n");
    for (size_t s = 0; s < STRATEGIES; s++) {
        text_add(out, "| %s |", strategy_name(report_strategies[s]));
        for (size_t b = 0; b < BACKENDS; b++) {
            const struct row *row = report_row(report, report_backends[b], report_strategies[s], n);
            text_add(out, " ");
            if (row)
                add_time_or_failure(out, row);
            text_add(out, " |");
        }
        text_add(out, "\n");
    }
}

static void add_record(const struct row *row, struct text *out)
{
    text_add(out, "| %s | %s | ", strategy_name(row_field(row, COLUMN_strategy)),
             backend_name(row_field(row, COLUMN_backend)));
    add_time_or_failure(out, row);
    text_add(out, " | %s | %s | %s | %s | %s | %zu |\n",
             row->time.known ? label_times(row->time.lo, row->time.hi).text : "",
             isfinite(row_per_item(row)) ? label_time(row_per_item(row)).text : "",
             isfinite(row->vs_seq.ratio) ? label_number(row->vs_seq.ratio).text : "",
             isfinite(row->vs_seq.lo) ? label_interval(row->vs_seq.lo, row->vs_seq.hi).text : "",
             row->vs_seq.standing == STANDS_NOT_MEASURED ? "" : standing_name(row->vs_seq.standing),
             row->used);
}

static void add_records(const struct report *report, double n, struct text *out)
{
    const struct row *seq = report_row(report, "seq", "sequential", n);

    text_add(out,
             "| strategy | backend | time | 95 %% interval | per number | ratio to sequential | "
             "95 %% interval | verdict | rounds |\n"
             "|---|---|---:|---|---:|---:|---|---|---:|\n");
    if (seq)
        add_record(seq, out);
    for (size_t s = 0; s < STRATEGIES; s++)
        for (size_t b = 0; b < BACKENDS; b++) {
            const struct row *row = report_row(report, report_backends[b], report_strategies[s], n);
            if (row)
                add_record(row, out);
        }
}

/* The rows of the same n that the main table leaves out: other forms, memories, phases. */
static void add_others(const struct report *report, double n, struct text *out)
{
    text_add(out, "| what | time | 95 %% interval | ratio to sequential | verdict |\n"
                  "|---|---:|---|---:|---|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        double its_n = row_number(row, COLUMN_n);
        if (!row_is(row, COLUMN_family, "strategies") || !(its_n >= n && its_n <= n))
            continue;
        text_add(out, "| ");
        row_describe(out, row);
        if (row_is(row, COLUMN_phase, "warm"))
            text_add(out, ", warm");
        text_add(out, " | ");
        add_time_or_failure(out, row);
        text_add(out, " | %s | %s | %s |\n",
                 row->time.known ? label_times(row->time.lo, row->time.hi).text : "",
                 isfinite(row->vs_seq.ratio) ? label_number(row->vs_seq.ratio).text : "",
                 row->vs_seq.standing == STANDS_NOT_MEASURED ? ""
                                                             : standing_name(row->vs_seq.standing));
    }
}

/* ---- what changed between the two n ------------------------------------------------------------
 */

static void add_change(const struct report *report, const char *backend, const char *strategy,
                       struct text *out)
{
    const struct row *small = report_row(report, backend, strategy, report->small);
    const struct row *large = report_row(report, backend, strategy, report->large);

    if (!small || !large)
        return;
    double a = row_per_item(small), b = row_per_item(large);
    text_add(out, "| %s | %s | %s | %s | ",
             strcmp(backend, "seq") == 0 ? "sequential" : strategy_name(strategy),
             backend_name(backend), isfinite(a) ? label_time(a).text : outcome_name(small->outcome),
             isfinite(b) ? label_time(b).text : outcome_name(large->outcome));
    if (!isfinite(a) || !isfinite(b))
        text_add(out, "no comparison: one did not finish |\n");
    else if (large->outcome == OUTCOME_EXTRAPOLATED || small->outcome == OUTCOME_EXTRAPOLATED)
        text_add(out, "%s extrapolated |\n",
                 large->outcome == small->outcome ? "both are" : "one of them is");
    else if (b > 1.1 * a)
        text_add(out, "a number costs %s times as much at the larger n |\n",
                 label_number(b / a).text);
    else if (b < a / 1.1)
        text_add(out, "a number costs %s of what it did |\n", label_number(b / a).text);
    else
        text_add(out, "nothing beyond 10 %% |\n");
}

static void fill_changes(struct report *report)
{
    struct text out = {0};

    text_add(&out,
             "| strategy | backend | per number, n = %s | per number, n = %s | what changed |\n"
             "|---|---|---:|---:|---|\n",
             label_count(report->small).text, label_count(report->large).text);
    add_change(report, "seq", "sequential", &out);
    for (size_t s = 0; s < STRATEGIES; s++)
        for (size_t b = 0; b < BACKENDS; b++)
            add_change(report, report_backends[b], report_strategies[s], &out);
    if (!isfinite(report->small)) {
        text_free(&out);
        text_add(&out, "Only one n was measured in this run.");
    }
    places_take(&report->places, "changes", &out);
}

static void fill_size(struct report *report, const char *place, double n)
{
    struct text out = {0};

    if (isfinite(n)) {
        text_add(&out, "### n = %s\n\n", label_count(n).text);
        add_overview(report, n, &out);
        text_add(&out, "\n");
        add_records(report, n, &out);
        text_add(&out,
                 "\n<details><summary>All rows for n = %s: other forms, memories and "
                 "phases</summary>\n\n",
                 label_count(n).text);
        add_others(report, n, &out);
        text_add(&out, "\n</details>\n");
    }
    places_take(&report->places, place, &out);
}

static const char *fill_tables(struct report *report)
{
    if (!isfinite(report->large))
        return "Family strategies was not measured in this run.";
    fill_size(report, "table_small", report->small);
    fill_size(report, "table_large", report->large);
    fill_changes(report);
    return NULL;
}

const struct section section_tables = {"tables", fill_tables, {NULL}};
