/* compare.c: which row is meant, and how it stands to another.
 *
 * Two rows are compared inside rounds: arms of one round ran one after the other on the same
 * machine in the same minute, so that most of what disturbs a time cancels in the ratio. The margin
 * is 3 %, or what the sequential arm shows against itself in the same family when that is more.
 * Times that were measured once, extrapolated, or in different rounds give a ratio but never a
 * verdict. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_EQUIVALENT log1p(0.10) /* what is called the same differs by that much at most */

const char *standing_name(enum standing standing)
{
    switch (standing) {
    case STANDS_FASTER:
        return "faster";
    case STANDS_SLOWER:
        return "slower";
    case STANDS_EQUIVALENT:
        return "equivalent";
    case STANDS_UNRESOLVED:
        return "unresolved";
    case STANDS_TOO_FEW:
        return "too few rounds";
    case STANDS_NO_VERDICT:
        return "no verdict";
    case STANDS_FAILED:
        return "failed";
    case STANDS_NOT_MEASURED:
    case STANDINGS:
        break;
    }
    return "not measured";
}

static bool is_whole_array(const char *strategy)
{
    return strcmp(strategy, "sequential") == 0 || strcmp(strategy, "map") == 0 ||
           strcmp(strategy, "map_async") == 0 || strcmp(strategy, "executor_map") == 0;
}

/* -1: must not be taken; otherwise how well the row's value serves, given the wish (or NULL). */
static int score(const struct row *row, enum column column, const char *wish, const char *best,
                 const char *second)
{
    const char *value = row_field(row, column);

    if (wish)
        return strcmp(value, wish) == 0 ? 0 : -1;
    if (strcmp(value, best) == 0)
        return 3;
    return second && strcmp(value, second) == 0 ? 2 : 1;
}

static int score_row(const struct row *row, const struct pick *pick)
{
    const char *form = is_whole_array(row_field(row, COLUMN_strategy)) ? "kernel" : "task";
    const struct {
        enum column column;
        const char *wish, *best, *second;
    } rules[] = {
        {COLUMN_variant, pick->variant, "", NULL},
        {COLUMN_phase, pick->phase, "warm", "first"},
        {COLUMN_memory, pick->memory, "in_place", "private"},
        {COLUMN_form, pick->form, form, NULL},
        {COLUMN_wait, pick->wait, "adaptive", ""},
        {COLUMN_chunk, pick->chunk, "auto", ""},
        {COLUMN_work_ns, pick->work_ns, "0", ""},
    };
    int total = 0; /* seven rules in base 4: the first counts most */

    if (!pick->variant && row_is(row, COLUMN_variant, "aa"))
        return -1;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        int points = score(row, rules[i].column, rules[i].wish, rules[i].best, rules[i].second);
        if (points < 0)
            return -1;
        total = total * 4 + points;
    }
    return total;
}

const struct row *row_find(const struct rows *rows, struct pick pick)
{
    const struct row *best = NULL;
    int most = -1;

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->row[i];
        double n = row_number(row, COLUMN_n);
        if ((pick.family && !row_is(row, COLUMN_family, pick.family)) ||
            (pick.backend && !row_is(row, COLUMN_backend, pick.backend)) ||
            (pick.strategy && !row_is(row, COLUMN_strategy, pick.strategy)) ||
            (pick.n > 0 && !(n >= pick.n && n <= pick.n)))
            continue;
        double workers = row_number(row, COLUMN_workers);
        bool usual = workers >= rows->workers && workers <= rows->workers;
        if (pick.workers > 0 && !(workers >= pick.workers && workers <= pick.workers))
            continue;
        int points = score_row(row, &pick);
        points = points < 0 ? points : 2 * points + usual;
        if (points > most) {
            most = points;
            best = row;
        }
    }
    return best;
}

const struct row *row_base(const struct rows *rows, const struct row *row)
{
    struct pick pick = {.family = row_field(row, COLUMN_family),
                        .backend = "seq",
                        .n = row_number(row, COLUMN_n),
                        .work_ns = row_field(row, COLUMN_work_ns)};
    return row_find(rows, pick);
}

const struct row *row_control(const struct rows *rows, const struct row *base)
{
    struct pick pick = {.family = row_field(base, COLUMN_family),
                        .backend = "seq",
                        .variant = "aa",
                        .n = row_number(base, COLUMN_n),
                        .work_ns = row_field(base, COLUMN_work_ns)};
    return row_find(rows, pick);
}

static bool is_usable(const struct sample *sample)
{
    return strcmp(sample->field[COLUMN_outcome], "ok") == 0 &&
           !(sample_number(sample, COLUMN_disturbed) > 0) &&
           sample_number(sample, COLUMN_elapsed_ns) > 0;
}

static bool is_same_round(const struct sample *a, const struct sample *b)
{
    return strcmp(a->field[COLUMN_round], b->field[COLUMN_round]) == 0 &&
           strcmp(a->field[COLUMN_repeat], b->field[COLUMN_repeat]) == 0;
}

static double per_item(const struct sample *sample)
{
    double n = sample_number(sample, COLUMN_n_run);

    if (!(n > 0))
        n = sample_number(sample, COLUMN_n);
    return sample_number(sample, COLUMN_elapsed_ns) / (n > 0 ? n : 1);
}

size_t rows_log_ratios(const struct row *one, const struct row *other, double *values)
{
    size_t count = 0;

    for (size_t i = 0; i < one->count; i++) {
        if (!is_usable(one->samples[i]))
            continue;
        for (size_t j = 0; j < other->count; j++) {
            if (!is_usable(other->samples[j]) || !is_same_round(one->samples[i], other->samples[j]))
                continue;
            values[count++] = log(per_item(one->samples[i]) / per_item(other->samples[j]));
            break;
        }
    }
    return count;
}

/* The margin of the family and size that row belongs to. */
static double margin_for(const struct rows *rows, const struct row *row)
{
    const struct row *base = row_base(rows, row);
    const struct row *again = base ? row_control(rows, base) : NULL;

    if (!again)
        return stats_margin(NULL);
    double *values = must_alloc(again->count, sizeof *values);
    struct stats_interval same =
        stats_median_interval(values, rows_log_ratios(again, base, values));
    free(values);
    return stats_margin(&same);
}

static struct comparison unpaired(struct comparison result, const struct row *one,
                                  const struct row *other)
{
    if (!row_has_time(one) || !row_has_time(other)) {
        result.standing = STANDS_FAILED;
        return result;
    }
    double n = row_number(one, COLUMN_n), m = row_number(other, COLUMN_n);
    result.ratio = n > 0 && m > 0 ? row_per_item(one) / row_per_item(other)
                                  : one->time.median / other->time.median;
    result.standing = STANDS_NO_VERDICT;
    return result;
}

struct comparison rows_compare(const struct rows *rows, const struct row *one,
                               const struct row *other)
{
    struct comparison result = {STANDS_NOT_MEASURED, NAN, NAN, NAN, NAN, 0};

    if (!one || !other || one->outcome == OUTCOME_SKIPPED || other->outcome == OUTCOME_SKIPPED)
        return result;
    double margin = margin_for(rows, one);
    result.margin = expm1(margin);
    if (one->outcome != OUTCOME_OK || other->outcome != OUTCOME_OK ||
        !row_is(one, COLUMN_family, row_field(other, COLUMN_family)))
        return unpaired(result, one, other);
    double *values = must_alloc(one->count, sizeof *values);
    result.rounds = rows_log_ratios(one, other, values);
    struct stats_interval ratio = stats_median_interval(values, result.rounds);
    free(values);
    if (result.rounds == 0)
        return unpaired(result, one, other);
    result.ratio = exp(ratio.median);
    if (ratio.known) {
        result.lo = exp(ratio.lo);
        result.hi = exp(ratio.hi);
    }
    result.standing = (enum standing)stats_judge(&ratio, margin);
    /* noise may hide a difference; it does not show that there is none */
    if (result.standing == STANDS_EQUIVALENT && margin > MOST_EQUIVALENT &&
        stats_judge(&ratio, MOST_EQUIVALENT) != STATS_EQUIVALENT)
        result.standing = STANDS_UNRESOLVED;
    return result;
}
