/* section_appendix.c: environment, method, limits of the method, how to reproduce, and a
 * dictionary. */
#include "report.h"

#include <math.h>
#include <string.h>

static void fill_counts(struct report *report)
{
    size_t disturbed = 0, failed = 0;
    struct text out = {0};

    for (size_t i = 0; i < report->rows.count; i++) {
        disturbed += report->rows.row[i].disturbed;
        failed += !row_has_time(&report->rows.row[i]);
    }
    text_add(&out,
             "%zu lines of samples.csv (a sample has up to three: cold, first, warm) in %zu rows; "
             "%zu lines were disturbed by other load (kept, not used for verdicts), %zu rows did "
             "not finish or have no time.",
             report->table.count, report->rows.count, disturbed, failed);
    places_take(&report->places, "counts", &out);
}

/* What the sequential arm shows against itself: the noise that a verdict must exceed. */
static void fill_margins(struct report *report)
{
    struct text out = {0};
    size_t count = 0;

    text_add(
        &out,
        "| family | n | work per task | same arm twice | margin |\n|---|---:|---:|---|---:|\n");
    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (!row_is(row, COLUMN_variant, "aa") || !row_is(row, COLUMN_phase, "warm"))
            continue;
        const struct row *base = row_base(&report->rows, row);
        struct comparison result = rows_compare(&report->rows, row, base);
        text_add(&out, "| %s | %s | %s | %s %s | %s |\n", row_field(row, COLUMN_family),
                 label_count(row_number(row, COLUMN_n)).text,
                 label_time(row_number(row, COLUMN_work_ns)).text, label_number(result.ratio).text,
                 isfinite(result.lo) ? label_interval(result.lo, result.hi).text : "",
                 label_percent(result.margin).text);
        count++;
    }
    if (count == 0) {
        text_free(&out);
        text_add(
            &out,
            "The sequential arm was not measured twice in this run: the margin is %s everywhere.",
            label_percent(STATS_LEAST_MARGIN).text);
    }
    places_take(&report->places, "margins", &out);
}

/* The command line of this run, as environment.txt has it. */
static void fill_command(struct report *report)
{
    const char *line = report->environment.length > 0 ? report->environment.bytes : "";

    while (*line && strncmp(line, "command: ", strlen("command: ")) != 0) {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    line = *line ? line + strlen("command: ") : "bench/run_all.sh";
    places_set(&report->places, "command", "%.*s", (int)strcspn(line, "\n"), line);
}

static const char *fill_appendix(struct report *report)
{
    struct text out = {0};

    if (report->environment.length > 0)
        text_add(&out, "```\n%s%s```", report->environment.bytes,
                 report->environment.bytes[report->environment.length - 1] == '\n' ? "" : "\n");
    else
        text_add(&out, "There is no environment.txt beside the samples: the machine is unknown.");
    places_take(&report->places, "environment", &out);
    fill_command(report);
    fill_counts(report);
    fill_margins(report);
    return NULL;
}

const struct section section_appendix = {"appendix", fill_appendix, {NULL}};
