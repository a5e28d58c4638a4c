/* csv.c: a reader for one format only.
 *
 * samples.csv has no quotes, so a line is split at its commas. Everything is checked before
 * anything is believed: the header must be that of bench/samples.h, each line must have as many
 * fields, a number must be one, an outcome must be a known one. The first fault ends the reading,
 * with the line's number, what was found and what is accepted: a report made from half a file would
 * lie. */
#include "csv.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[COLUMN_COUNT] = {
#define COLUMN_NAME(name) #name,
    SAMPLE_COLUMNS(COLUMN_NAME)
#undef COLUMN_NAME
};

static const enum column text_columns[] = {
    COLUMN_family, COLUMN_backend, COLUMN_strategy, COLUMN_chunk, COLUMN_form,
    COLUMN_memory, COLUMN_wait,    COLUMN_variant,  COLUMN_phase, COLUMN_outcome,
    COLUMN_limit,  COLUMN_detail,  COLUMN_metrics};

static const char *const outcomes[] = {
    "ok",     "single",       "extrapolated", "partial_limit", "timeout", "oom_killed",
    "failed", "wrong_result", "unsupported",  "skipped",       NULL};
static const char *const backends[] = {"seq",  "proc",  "omp", "control", "python", "bare",
                                       "glib", "libuv", "tbb", "mpich",   NULL};
static const char *const phases[] = {"", "cold", "first", "warm", NULL};

const char *column_name(enum column column)
{
    return names[column];
}

static bool is_text(enum column column)
{
    for (size_t i = 0; i < sizeof text_columns / sizeof *text_columns; i++)
        if (text_columns[i] == column)
            return true;
    return false;
}

double sample_number(const struct sample *sample, enum column column)
{
    return sample->field[column][0] ? strtod(sample->field[column], NULL) : NAN;
}

double sample_metric(const struct sample *sample, const char *name)
{
    size_t length = strlen(name);
    const char *at = sample->field[COLUMN_metrics];

    while (*at) {
        if (strncmp(at, name, length) == 0 && at[length] == '=') {
            char *end;
            double value = strtod(at + length + 1, &end);
            return end > at + length + 1 && isfinite(value) ? value : NAN;
        }
        at += strcspn(at, ";");
        at += *at == ';';
    }
    return NAN;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static void add_list(struct text *error, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        text_add(error, "%s%s", i ? " " : "", list[i][0] ? list[i] : "(empty)");
}

static int check_word(const struct sample *sample, enum column column, const char *const *list,
                      size_t line, struct text *error)
{
    if (is_one_of(sample->field[column], list))
        return 0;
    text_add(error, "line %zu: %s is '%.40s'; accepted: ", line, names[column],
             sample->field[column]);
    add_list(error, list);
    return -EINVAL;
}

static int check_sample(const struct sample *sample, size_t line, struct text *error)
{
    for (enum column c = 0; c < COLUMN_COUNT; c++) {
        char *end;
        const char *field = sample->field[c];
        if (is_text(c) || !field[0])
            continue;
        double value = strtod(field, &end);
        if (*end || !isfinite(value) || value < 0) {
            text_add(error, "line %zu: %s is '%.40s'; accepted: a number from 0, or nothing", line,
                     names[c], field);
            return -EINVAL;
        }
    }
    if (!sample->field[COLUMN_family][0] || !sample->field[COLUMN_strategy][0]) {
        text_add(error, "line %zu: family or strategy is empty; accepted: a name in each", line);
        return -EINVAL;
    }
    if (check_word(sample, COLUMN_outcome, outcomes, line, error) ||
        check_word(sample, COLUMN_backend, backends, line, error))
        return -EINVAL;
    return check_word(sample, COLUMN_phase, phases, line, error);
}

/* Splits a terminated line at its commas. Returns how many fields it has. */
static size_t split(char *line, struct sample *sample)
{
    size_t count = 0;

    for (char *at = line;;) {
        char *comma = strchr(at, ',');
        if (count < COLUMN_COUNT)
            sample->field[count] = at;
        count++;
        if (!comma)
            return count;
        *comma = '\0';
        at = comma + 1;
    }
}

static int check_header(const char *line, struct text *error)
{
    struct text expected = {0};

    for (enum column c = 0; c < COLUMN_COUNT; c++)
        text_add(&expected, "%s%s", c ? "," : "", names[c]);
    int status = strcmp(line, expected.bytes) == 0 ? 0 : -EINVAL;
    if (status != 0)
        text_add(error,
                 "line 1: the header is not that of a samples.csv of this version; found "
                 "'%.60s%s'; accepted: the %d columns of bench/samples.h, 'round,position,...'",
                 line, strlen(line) > 60 ? "..." : "", COLUMN_COUNT);
    text_free(&expected);
    return status;
}

static size_t count_lines(const struct text *bytes)
{
    size_t lines = 0;

    for (size_t i = 0; i < bytes->length; i++)
        lines += bytes->bytes[i] == '\n';
    return lines;
}

static int read_line(struct table *table, char *line, size_t number, struct text *error)
{
    struct sample *sample = &table->samples[table->count];
    size_t fields;

    if (number == 1)
        return check_header(line, error);
    fields = split(line, sample);
    if (fields != COLUMN_COUNT) {
        text_add(error, "line %zu: %zu fields; accepted: %d, as in the header", number, fields,
                 COLUMN_COUNT);
        return -EINVAL;
    }
    table->count++;
    return check_sample(sample, number, error);
}

int table_read(struct table *table, const char *path, struct text *error)
{
    size_t number = 0;
    int status = text_read_file(&table->bytes, path);

    if (status != 0) {
        text_add(error, "%s: %s; accepted: a samples.csv that bench/run_all.sh wrote", path,
                 strerror(-status));
        return status;
    }
    text_add(error, "%s: ", path);
    if (table->bytes.length == 0 || memchr(table->bytes.bytes, '\0', table->bytes.length)) {
        text_add(error, table->bytes.length ? "a zero byte" : "the file is empty");
        text_add(error, "; accepted: a samples.csv that bench/run_all.sh wrote");
        return -EINVAL;
    }
    table->samples = must_alloc(count_lines(&table->bytes) + 1, sizeof *table->samples);
    for (char *at = table->bytes.bytes; *at;) {
        char *end = strchr(at, '\n');
        number++;
        if (!end) {
            text_add(error, "line %zu: cut off, no line end; accepted: whole lines (delete it)",
                     number);
            return -EINVAL;
        }
        *end = '\0';
        status = read_line(table, at, number, error);
        if (status != 0)
            return status;
        at = end + 1;
    }
    text_free(error);
    return 0;
}

void table_close(struct table *table)
{
    free(table->samples);
    text_free(&table->bytes);
    *table = (struct table){0};
}
