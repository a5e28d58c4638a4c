/* section_factors.c: what else changes the times: how to wait, how long nothing happened, which
 * CPUs.
 *
 * One factor is varied at a time; each row is compared, round by round, with the row of the same
 * strategy, backend and n in which nothing was varied. */
#include "report.h"

#include <math.h>
#include <string.h>

static bool is_factor(const struct row *row)
{
    return row_is(row, COLUMN_family, "factors") && !row_is(row, COLUMN_backend, "seq") &&
           (row_is(row, COLUMN_phase, "warm") || row_is(row, COLUMN_phase, ""));
}

static const struct row *usual(const struct report *report, const struct row *row)
{
    struct pick pick = {.family = "factors",
                        .backend = row_field(row, COLUMN_backend),
                        .strategy = row_field(row, COLUMN_strategy),
                        .n = row_number(row, COLUMN_n)};
    return row_find(&report->rows, pick);
}

static const char *variant_name(const char *variant)
{
    static const char *const names[][2] = {{"idle_0ms", "no pause before each"},
                                           {"idle_1ms", "1 ms idle before each"},
                                           {"idle_20ms", "20 ms idle before each"},
                                           {"packed", "all on one CPU"},
                                           {"spread", "a CPU each"}};
    return name_in(names, sizeof names / sizeof *names, variant);
}

static void add_what(const struct report *report, const struct row *row, const struct row *main,
                     struct text *out)
{
    double workers = row_number(row, COLUMN_workers);

    if (row == main) {
        const char *wait = row_field(row, COLUMN_wait);
        text_add(out, "as usual: %s%s%s workers", wait, wait[0] ? ", " : "",
                 label_count(report->rows.workers).text);
        return;
    }
    if (!row_is(row, COLUMN_variant, ""))
        text_add(out, "%s ", variant_name(row_field(row, COLUMN_variant)));
    if (!row_is(row, COLUMN_wait, row_field(main, COLUMN_wait)))
        text_add(out, "wait: %s ", row_field(row, COLUMN_wait));
    if (workers < report->rows.workers || workers > report->rows.workers)
        text_add(out, "%s worker%s", label_count(workers).text, workers > 1 ? "s" : "");
}

static const char *fill_factors(struct report *report)
{
    struct text out = {0};
    size_t count = 0;

    text_add(&out,
             "| strategy | backend | what was varied | per number | against the usual | 95 %% "
             "interval | margin | verdict |\n|---|---|---|---:|---:|---|---:|---|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        const struct row *main = is_factor(row) ? usual(report, row) : NULL;
        if (!main)
            continue;
        struct comparison result = rows_compare(&report->rows, row, main);
        text_add(&out, "| %s | %s | ", strategy_name(row_field(row, COLUMN_strategy)),
                 backend_name(row_field(row, COLUMN_backend)));
        add_what(report, row, main, &out);
        text_add(&out, " | ");
        if (row_has_time(row))
            text_add(&out, "%s", label_time(row_per_item(row)).text);
        else
            add_limit(&out, row);
        if (row == main)
            text_add(&out, " | 1 | | | |\n");
        else
            text_add(&out, " | %s | %s | %s | %s |\n", label_number(result.ratio).text,
                     isfinite(result.lo) ? label_interval(result.lo, result.hi).text : "",
                     isfinite(result.lo) ? label_percent(result.margin).text : "",
                     standing_name(result.standing));
        count++;
    }
    places_take(&report->places, "factors_table", &out);
    return count > 0 ? NULL : "Family factors was not measured in this run.";
}

const struct section section_factors = {"factors", fill_factors, {NULL}};
