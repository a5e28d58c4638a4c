/* report.c: the order of events.
 *
 * Read and check all samples; gather rows; let each section compute; fill the prose; and only when
 * all of it stands in memory, write: figures first, then summary.csv and REPORT.md. Bad input
 * therefore never touches a file. A section without data becomes one line; the report is written
 * all the same. */
#include "report.h"

#include "summary.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const struct section *const sections[] = {
    &section_answer, &section_two_ways, &section_tables,  &section_why,     &section_sync,
    &section_chunks, &section_spawn,    &section_pays,    &section_factors, &section_connpool,
    &section_peers,  &section_growth,   &section_targets, &section_course,  &section_appendix};
enum { SECTIONS = sizeof sections / sizeof *sections };

static bool is_pool_row(const struct row *row)
{
    return row_is(row, COLUMN_family, "strategies") && !row_is(row, COLUMN_backend, "bare");
}

/* The two largest n of the strategies: 10^7 and 10^6, unless the run was limited. */
static void find_sizes(struct report *report)
{
    report->large = report->small = NAN;
    for (size_t i = 0; i < report->rows.count; i++) {
        double n = row_number(&report->rows.row[i], COLUMN_n);
        if (is_pool_row(&report->rows.row[i]) && n > 0)
            report->large = fmax(report->large, n);
    }
    for (size_t i = 0; i < report->rows.count; i++) {
        double n = row_number(&report->rows.row[i], COLUMN_n);
        if (is_pool_row(&report->rows.row[i]) && n > 0 && n < report->large)
            report->small = fmax(report->small, n);
    }
}

static void set_row_places(struct report *report, const char *strategy, const char *backend,
                           const char *size, double n)
{
    const struct row *row = isfinite(n) ? report_row(report, backend, strategy, n) : NULL;
    struct text name = {0}, value = {0};
    const char *none = "(not measured)";

    text_add(&name, "%s_%s_%stime", strategy, backend, size);
    if (row)
        add_time_or_failure(&value, row);
    places_set(&report->places, name.bytes, "%s", row ? value.bytes : none);
    text_free(&name);
    text_add(&name, "%s_%s_%sratio", strategy, backend, size);
    bool ratio = row && isfinite(row->vs_seq.ratio);
    places_set(&report->places, name.bytes, "%s",
               ratio ? label_number(row->vs_seq.ratio).text : none);
    text_free(&name);
    text_add(&name, "%s_%s_%sper_item", strategy, backend, size);
    bool timed = row && isfinite(row_per_item(row));
    places_set(&report->places, name.bytes, "%s",
               timed ? label_time(row_per_item(row)).text : none);
    text_free(&name);
    text_free(&value);
}

static void set_common_places(struct report *report)
{
    const struct row *seq = report_row(report, "seq", "sequential", report->large);

    places_set(&report->places, "n_large", "%s",
               isfinite(report->large) ? label_count(report->large).text : "(not measured)");
    places_set(&report->places, "n_small", "%s",
               isfinite(report->small) ? label_count(report->small).text : "(not measured)");
    places_set(&report->places, "seq_time", "%s",
               seq ? label_time(seq->time.median).text : "(not measured)");
    places_set(&report->places, "seq_per_item", "%s",
               seq ? label_time(row_per_item(seq)).text : "(not measured)");
    places_set(&report->places, "level", "%s", label_percent(STATS_LEVEL).text);
    places_set(&report->places, "least_margin", "%s", label_percent(STATS_LEAST_MARGIN).text);
    places_set(&report->places, "cpus", "%s", label_count(report_cpus(report)).text);
    for (size_t s = 0; s < STRATEGIES; s++)
        for (size_t b = 0; b < BACKENDS; b++) {
            set_row_places(report, report_strategies[s], report_backends[b], "", report->large);
            set_row_places(report, report_strategies[s], report_backends[b], "small_",
                           report->small);
        }
    for (size_t i = 0; i < SECTIONS; i++)
        for (const char *const *name = sections[i]->exports; *name; name++)
            places_set(&report->places, *name, "Not measured in this run.");
}

/* Adds the section's prose, filled; or its heading and why there is no more. */
static int add_section(struct report *report, const struct section *section, const char *missing,
                       struct text *out, struct text *error)
{
    struct text path = {0}, prose = {0};

    text_add(&path, "%s/report/text/%s.md", report->source, section->name);
    int status = text_read_file(&prose, path.bytes);
    if (status != 0) {
        text_add(error, "%s: %s; accepted: --source with the directory of the repository",
                 path.bytes, strerror(-status));
        status = -EINVAL;
    } else if (missing) {
        text_add_bytes(out, text_string(&prose), strcspn(text_string(&prose), "\n"));
        text_add(out, "\n\n%s\n", missing);
    } else {
        status = places_fill(&report->places, text_string(&prose), path.bytes, out, error);
    }
    text_add(out, "\n");
    text_free(&path);
    text_free(&prose);
    return status;
}

static int add_sections(struct report *report, struct text *out, struct text *error)
{
    const char *missing[SECTIONS];
    int status = 0;

    for (size_t i = 0; i < SECTIONS; i++)
        missing[i] = sections[i]->fill(report);
    for (size_t i = 0; status == 0 && i < SECTIONS; i++)
        status = add_section(report, sections[i], missing[i], out, error);
    return status;
}

static int write_one(const struct report *report, const char *name, const struct text *content,
                     struct text *error)
{
    struct text path = {0};

    text_add(&path, "%s/%s", report->dir, name);
    int status = text_write_file(content, path.bytes);
    if (status != 0)
        text_add(error, "%s: %s", path.bytes, strerror(-status));
    text_free(&path);
    return status;
}

static int write_all(struct report *report, const struct text *page, struct text *error,
                     struct text *notes)
{
    struct text summary = {0};
    bool drawn[MOST_PLOTS] = {false};
    size_t missing = 0;
    int status = plots_draw(&report->plots, report->dir, drawn);

    if (status != 0) {
        text_add(error, "%s/plots: %s", report->dir, strerror(-status));
        return status;
    }
    for (size_t i = 0; i < report->plots.count; i++)
        missing += !drawn[i];
    if (missing > 0)
        text_add(notes,
                 "%zu of %zu figures are missing: gnuplot is not installed or refused them; "
                 "redraw them later with  cd plots && gnuplot *.gp",
                 missing, report->plots.count);
    struct text final = {0};
    text_add_bytes(&final, text_string(page), page->length);
    if (missing > 0)
        text_add(&final, "\n> Note: %s.\n", notes->bytes);
    summary_write(&summary, &report->rows);
    status = write_one(report, "summary.csv", &summary, error);
    if (status == 0)
        status = write_one(report, "REPORT.md", &final, error);
    text_free(&final);
    text_free(&summary);
    return status;
}

static int read_input(struct report *report, struct text *error)
{
    struct text path = {0};

    text_add(&path, "%s/samples.csv", report->dir);
    int status = table_read(&report->table, path.bytes, error);
    text_free(&path);
    if (status != 0)
        return status;
    text_add(&path, "%s/environment.txt", report->dir);
    if (text_read_file(&report->environment, path.bytes) != 0)
        text_free(&report->environment); /* the appendix says that there is none */
    text_free(&path);
    return 0;
}

int report_make(const char *dir, const char *source, struct text *error, struct text *notes)
{
    struct report report = {.dir = dir, .source = source};
    struct text page = {0};
    int exit_status = 2;

    if (read_input(&report, error) == 0) {
        rows_gather(&report.rows, &report.table);
        find_sizes(&report);
        set_common_places(&report);
        if (add_sections(&report, &page, error) == 0)
            exit_status = write_all(&report, &page, error, notes) == 0 ? 0 : 1;
    }
    text_free(&page);
    plots_free(&report.plots);
    places_free(&report.places);
    rows_free(&report.rows);
    table_close(&report.table);
    text_free(&report.environment);
    return exit_status;
}
