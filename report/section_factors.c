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

/* ---- one call, several times --------------------------------------------------------------------
 */

enum { MOST_FAMILIES = 8 };

static bool is_usual_apply(const struct report *report, const struct row *row)
{
    double workers = row_number(row, COLUMN_workers);

    return row_is(row, COLUMN_strategy, "apply") && row_is(row, COLUMN_backend, "proc") &&
           row_is(row, COLUMN_phase, "warm") && row_is(row, COLUMN_wait, "adaptive") &&
           row_is(row, COLUMN_variant, "") && row_is(row, COLUMN_work_ns, "0") &&
           !(workers < report->rows.workers || workers > report->rows.workers) && row_has_time(row);
}

/* Wakes of a worker for each call; the time is that of n_run calls, or of a prefix of them. */
static double wakes_of(const struct row *row)
{
    return row_median(row, COLUMN_wakes) / row_median(row, COLUMN_n_run);
}

static void fill_apply(struct report *report)
{
    const struct row *found[MOST_FAMILIES];
    struct text out = {0};
    size_t count = 0;
    bool in_order = true;

    for (size_t i = 0; i < report->rows.count && count < MOST_FAMILIES; i++) {
        const struct row *row = &report->rows.row[i];
        size_t at = count;
        if (!is_usual_apply(report, row))
            continue;
        for (; at > 0 && row_per_item(found[at - 1]) > row_per_item(row); at--)
            found[at] = found[at - 1];
        found[at] = row;
        count++;
    }
    if (count < 2) {
        places_set(&report->places, "factors_apply", "This run measured it in one chapter only.");
        return;
    }
    text_add(&out, "| measured for | calls | each | workers woken for 1000 calls |\n"
                   "|---|---:|---:|---:|\n");
    for (size_t i = 0; i < count; i++) {
        text_add(&out, "| %s | %s | %s | %s |\n", row_field(found[i], COLUMN_family),
                 label_count(row_median(found[i], COLUMN_n_run)).text,
                 label_time(row_per_item(found[i])).text,
                 label_number(1000 * wakes_of(found[i])).text);
        in_order = in_order && (i == 0 || wakes_of(found[i]) > wakes_of(found[i - 1]));
    }
    text_add(&out, in_order
                       ? "\nThe more often a worker had to be woken, the dearer the call.\n"
                       : "\nHow often a worker had to be woken does not explain it all here.\n");
    places_take(&report->places, "factors_apply", &out);
}

/* ---- the chapter --------------------------------------------------------------------------------
 */

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
            text_add(&out, row->outcome == OUTCOME_EXTRAPOLATED ? "about %s (extrapolated)" : "%s",
                     label_time(row_per_item(row)).text);
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
    fill_apply(report);
    return count > 0 ? NULL : "Family factors was not measured in this run.";
}

const struct section section_factors = {"factors", fill_factors, {NULL}};
