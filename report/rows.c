/* rows.c: from samples to rows.
 *
 * Samples arrive in the random order in which they were measured. They are sorted by what they
 * measured, in the order in which a reader wants to see it, and cut where that changes. The order
 * is total, so the same data give the same report whatever the seed of the run.
 *
 * Nothing is dropped: a row counts its disturbed samples, which are used only when there are no
 * others, and then say so. A row in which one sample failed is a failed row. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const outcome_names[] = {
    "ok",      "single",     "extrapolated", "skipped",     "unsupported", "partial_limit",
    "timeout", "oom_killed", "failed",       "wrong_result"};

static const enum column key_columns[] = {
    COLUMN_family, COLUMN_work_ns, COLUMN_n,       COLUMN_strategy, COLUMN_backend, COLUMN_variant,
    COLUMN_memory, COLUMN_form,    COLUMN_workers, COLUMN_wait,     COLUMN_chunk,   COLUMN_phase};

static const char *const family_order[] = {"strategies", "chunks",   "grain", "factors",
                                           "limits",     "connpool", "peers", "growth",
                                           "targets",    "crash",    NULL};
static const char *const strategy_order[] = {
    "sequential",      "map",          "map_async",     "apply",           "apply_async",
    "executor_submit", "executor_map", "spawn_bounded", "spawn_unbounded", NULL};
static const char *const backend_order[] = {"seq",  "proc",  "omp", "control", "python", "bare",
                                            "glib", "libuv", "tbb", "mpich",   NULL};
static const char *const phase_order[] = {"cold", "first", "warm", NULL};

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

static enum outcome outcome_of(const struct sample *sample)
{
    enum outcome outcome = OUTCOME_OK;

    while (strcmp(outcome_names[outcome], sample->field[COLUMN_outcome]) != 0)
        outcome++; /* csv.c let no other word in */
    return outcome;
}

static size_t rank(const char *word, const char *const *list)
{
    size_t i = 0;

    while (list[i] && strcmp(list[i], word) != 0)
        i++;
    return i;
}

static const char *const *order_of(enum column column)
{
    switch (column) {
    case COLUMN_family:
        return family_order;
    case COLUMN_strategy:
        return strategy_order;
    case COLUMN_backend:
        return backend_order;
    case COLUMN_phase:
        return phase_order;
    default:
        return NULL;
    }
}

/* By rank where there is an order, by value where both are numbers, by bytes otherwise. */
static int compare_field(const struct sample *a, const struct sample *b, enum column column)
{
    const char *const *list = order_of(column);
    const char *x = a->field[column], *y = b->field[column];

    if (strcmp(x, y) == 0)
        return 0;
    if (list) {
        size_t i = rank(x, list), j = rank(y, list);
        if (i != j)
            return i < j ? -1 : 1;
    }
    char *end_x, *end_y;
    double p = strtod(x, &end_x), q = strtod(y, &end_y);
    if (*x && *y && !*end_x && !*end_y && (p < q || p > q))
        return p < q ? -1 : 1;
    return strcmp(x, y);
}

static int compare_keys(const struct sample *a, const struct sample *b)
{
    for (size_t i = 0; i < sizeof key_columns / sizeof *key_columns; i++) {
        int order = compare_field(a, b, key_columns[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

static int compare_samples(const void *left, const void *right)
{
    static const enum column within[] = {COLUMN_round, COLUMN_repeat, COLUMN_n_run,
                                         COLUMN_position};
    const struct sample *a = *(const struct sample *const *)left;
    const struct sample *b = *(const struct sample *const *)right;
    int order = compare_keys(a, b);

    for (size_t i = 0; order == 0 && i < sizeof within / sizeof *within; i++)
        order = compare_field(a, b, within[i]);
    return order ? order : a < b ? -1 : a > b;
}

static bool is_clean(const struct sample *sample)
{
    return !(sample_number(sample, COLUMN_disturbed) > 0);
}

static double items_run(const struct sample *sample)
{
    double run = sample_number(sample, COLUMN_n_run);
    return run > 0 ? run : sample_number(sample, COLUMN_n);
}

/* The time for all n items; a sample that ran fewer counts by the item. */
static double whole_time(const struct sample *sample)
{
    double n = sample_number(sample, COLUMN_n), run = items_run(sample);
    double elapsed = sample_number(sample, COLUMN_elapsed_ns);
    return elapsed > 0 ? (n > 0 && run > 0 ? elapsed * (n / run) : elapsed) : NAN;
}

static bool has_sample_time(const struct sample *sample)
{
    return outcome_of(sample) <= OUTCOME_SINGLE && whole_time(sample) > 0;
}

/* The median time of the samples that ran so many items. */
static double prefix_time(const struct row *row, double items, double *scratch)
{
    size_t count = 0;

    for (size_t i = 0; i < row->count; i++) {
        double run = items_run(row->samples[i]);
        double elapsed = sample_number(row->samples[i], COLUMN_elapsed_ns);
        if (run >= items && run <= items && elapsed > 0)
            scratch[count++] = elapsed;
    }
    return stats_median(scratch, count);
}

static double predicted(const struct row *row)
{
    return row->prefix.a + row->prefix.b * row_number(row, COLUMN_n);
}

/* The longest prefix, taken in proportion. residual is NaN: there is nothing to check it by. */
static struct stats_line in_proportion(const double *x, const double *y, size_t count)
{
    size_t longest = 0;

    for (size_t i = 1; i < count; i++)
        longest = x[i] > x[longest] ? i : longest;
    return (struct stats_line){0, y[longest] / x[longest], NAN};
}

/* A line through one point per length of prefix, the median time of each. One length has no line,
 * and noise can tilt a line so far that it predicts nonsense: then the longest prefix counts alone.
 */
static void fit_prefixes(struct row *row)
{
    double *x = must_alloc(row->count, sizeof *x), *y = must_alloc(row->count, sizeof *y);
    double *scratch = must_alloc(row->count, sizeof *scratch);

    for (size_t i = 0; i < row->count; i++) {
        double items = items_run(row->samples[i]);
        size_t seen = 0;
        while (seen < row->prefixes && (x[seen] < items || x[seen] > items))
            seen++;
        double time = prefix_time(row, items, scratch);
        if (seen < row->prefixes || !(items > 0) || !(time > 0))
            continue;
        x[row->prefixes] = items;
        y[row->prefixes++] = time;
    }
    row->prefix = stats_fit(x, y, row->prefixes);
    if (row->prefixes > 0 && !(row->prefix.b > 0 && predicted(row) > 0))
        row->prefix = in_proportion(x, y, row->prefixes);
    row->time.median = row->prefixes > 0 ? predicted(row) : NAN;
    row->used = row->count;
    free(x);
    free(y);
    free(scratch);
}

static void time_row(struct row *row)
{
    double *values = must_alloc(row->count, sizeof *values);
    size_t clean = 0, count = 0;

    for (size_t i = 0; i < row->count; i++)
        clean += has_sample_time(row->samples[i]) && is_clean(row->samples[i]);
    row->only_disturbed = clean == 0;
    for (size_t i = 0; i < row->count; i++)
        if (has_sample_time(row->samples[i]) && (clean == 0 || is_clean(row->samples[i])))
            values[count++] = whole_time(row->samples[i]);
    row->only_disturbed &= count > 0;
    row->used = count;
    row->time = stats_median_interval(values, count);
    free(values);
}

static bool has_outcome(const struct row *row, enum outcome outcome)
{
    for (size_t i = 0; i < row->count; i++)
        if (outcome_of(row->samples[i]) == outcome)
            return true;
    return false;
}

/* A row that was measured in rounds and, in another group, once more or in part, was measured. */
static enum outcome settle(const struct row *row, enum outcome worst)
{
    if (worst > OUTCOME_EXTRAPOLATED)
        return worst;
    if (has_outcome(row, OUTCOME_OK))
        return OUTCOME_OK;
    return has_outcome(row, OUTCOME_SINGLE) ? OUTCOME_SINGLE : worst;
}

static void finish_row(struct row *row)
{
    const struct sample *worst = row->samples[0];

    for (size_t i = 0; i < row->count; i++) {
        row->disturbed += !is_clean(row->samples[i]);
        if (outcome_of(row->samples[i]) > outcome_of(worst))
            worst = row->samples[i];
    }
    row->outcome = settle(row, outcome_of(worst));
    row->limit = worst->field[COLUMN_limit];
    row->detail = worst->field[COLUMN_detail];
    if (row->outcome == OUTCOME_EXTRAPOLATED)
        fit_prefixes(row);
    else
        time_row(row);
    if (row->outcome != OUTCOME_OK)
        row->time.known = false;
}

/* The number of workers that most samples used: the others vary it as a factor. */
static double usual_workers(const struct table *table)
{
    double usual = NAN;
    size_t most = 0;

    for (size_t i = 0; i < table->count; i++) {
        double workers = sample_number(&table->samples[i], COLUMN_workers);
        size_t votes = 0;
        if (!(workers > 0) || (workers >= usual && workers <= usual))
            continue;
        for (size_t j = 0; j < table->count; j++)
            votes += strcmp(table->samples[j].field[COLUMN_workers],
                            table->samples[i].field[COLUMN_workers]) == 0;
        if (votes > most) {
            most = votes;
            usual = workers;
        }
    }
    return usual;
}

void rows_gather(struct rows *rows, const struct table *table)
{
    rows->order = must_alloc(table->count, sizeof *rows->order);
    rows->row = must_alloc(table->count, sizeof *rows->row);
    rows->workers = usual_workers(table);
    for (size_t i = 0; i < table->count; i++)
        rows->order[i] = &table->samples[i];
    if (table->count > 0)
        qsort(rows->order, table->count, sizeof *rows->order, compare_samples);
    for (size_t i = 0; i < table->count; i++) {
        if (i == 0 || compare_keys(rows->order[i - 1], rows->order[i]) != 0)
            rows->row[rows->count++].samples = rows->order + i;
        rows->row[rows->count - 1].count++;
    }
    for (size_t i = 0; i < rows->count; i++)
        finish_row(&rows->row[i]);
    for (size_t i = 0; i < rows->count; i++)
        rows->row[i].vs_seq = rows_compare(rows, &rows->row[i], row_base(rows, &rows->row[i]));
}

void rows_free(struct rows *rows)
{
    free(rows->row);
    free(rows->order);
    *rows = (struct rows){0};
}

const char *row_field(const struct row *row, enum column column)
{
    return row->samples[0]->field[column];
}

double row_number(const struct row *row, enum column column)
{
    return sample_number(row->samples[0], column);
}

bool row_is(const struct row *row, enum column column, const char *value)
{
    return strcmp(row_field(row, column), value) == 0;
}

bool row_has_time(const struct row *row)
{
    return row->outcome <= OUTCOME_EXTRAPOLATED && row->time.median > 0;
}

double row_per_item(const struct row *row)
{
    double n = row_number(row, COLUMN_n);
    return row_has_time(row) && n > 0 ? row->time.median / n : NAN;
}

/* Calls value() on each sample, the disturbed ones only when the row has no others. */
static size_t collect(const struct row *row, double *values, enum column column, const char *metric)
{
    size_t count = 0;

    for (size_t i = 0; i < row->count; i++) {
        const struct sample *sample = row->samples[i];
        double value = metric ? sample_metric(sample, metric) : sample_number(sample, column);
        if (isfinite(value) && (is_clean(sample) || row->disturbed == row->count))
            values[count++] = value;
    }
    return count;
}

double row_median(const struct row *row, enum column column)
{
    double *values = must_alloc(row->count, sizeof *values);
    double median = stats_median(values, collect(row, values, column, NULL));
    free(values);
    return median;
}

double row_metric(const struct row *row, const char *name)
{
    double *values = must_alloc(row->count, sizeof *values);
    double median = stats_median(values, collect(row, values, COLUMN_metrics, name));
    free(values);
    return median;
}

double row_metric_sum(const struct row *row, const char *name)
{
    double sum = NAN;

    for (size_t i = 0; i < row->count; i++) {
        double value = sample_metric(row->samples[i], name);
        if (isfinite(value))
            sum = isfinite(sum) ? sum + value : value;
    }
    return sum;
}

double row_metric_max(const struct row *row, const char *name)
{
    double most = NAN;

    for (size_t i = 0; i < row->count; i++)
        most = fmax(most, sample_metric(row->samples[i], name)); /* fmax ignores NaN */
    return most;
}
