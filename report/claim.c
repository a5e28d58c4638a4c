/* claim.c: the rule engine behind every conclusion of the report.
 *
 * Three kinds of comparison: a pair of times; a contest of one strategy against several, which it
 * wins only if each of them is slower; and a pair of counts (wakes, processes), which have no
 * interval and are judged by a stated margin alone. The order in which a contest's outcomes take
 * precedence is the honest one: a rival that is faster settles it, then what is open, then ties. */
#include "claim.h"

#include "places.h"

#include <math.h>
#include <string.h>

static const char *const common[STANDINGS] = {
    [STANDS_FASTER] = "{{one}} takes {{ratio}} of the time of {{other}}.",
    [STANDS_SLOWER] = "{{one}} takes {{ratio}} times as long as {{other}}.",
    [STANDS_EQUIVALENT] = "{{one}} and {{other}} take the same time within the margin.",
    [STANDS_UNRESOLVED] = "Between {{one}} and {{other}} these data do not decide: the first took "
                          "{{ratio}} times as long.",
    [STANDS_TOO_FEW] =
        "{{one}} took {{ratio}} times the time of {{other}}, but too few rounds were "
        "measured for a verdict.",
    [STANDS_NO_VERDICT] =
        "{{one}} took about {{ratio}} times the time of {{other}}; measured once, "
        "extrapolated, or never undisturbed in one round: no verdict.",
    [STANDS_FAILED] = "{{one}} against {{other}}: one of the two did not finish, so no ratio.",
    [STANDS_NOT_MEASURED] = "Not measured in this run.",
};

const char *name_in(const char *const (*names)[2], size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i][0], word) == 0)
            return names[i][1];
    return word;
}

const char *backend_name(const char *backend)
{
    static const char *const names[][2] = {
        {"seq", "sequential"}, {"proc", "processes"},  {"omp", "threads"}, {"control", "control"},
        {"python", "Python"},  {"bare", "bare limit"}, {"glib", "GLib"},   {"libuv", "libuv"},
        {"tbb", "oneTBB"},     {"mpich", "MPICH"}};
    return name_in(names, sizeof names / sizeof *names, backend);
}

const char *strategy_name(const char *strategy)
{
    static const char *const names[][2] = {{"spawn_bounded", "spawn, bounded"},
                                           {"spawn_unbounded", "spawn, unbounded"},
                                           {"executor_submit", "executor submit"},
                                           {"executor_map", "executor map"}};
    return name_in(names, sizeof names / sizeof *names, strategy);
}

static void add_name(struct text *out, const struct row *row)
{
    const char *backend = row_field(row, COLUMN_backend);

    if (strcmp(backend, "seq") == 0) {
        text_add(out, "the sequential loop");
        return;
    }
    text_add(out, "%s with %s", strategy_name(row_field(row, COLUMN_strategy)),
             backend_name(backend));
}

/* What tells two rows apart that have the same name: "(chunk 1)", "(first call)". */
static void add_difference(struct text *out, const struct row *row, const struct row *from)
{
    static const enum column columns[] = {COLUMN_form, COLUMN_memory, COLUMN_wait, COLUMN_variant};

    if (!row_is(row, COLUMN_phase, "warm") && row_field(row, COLUMN_phase)[0])
        text_add(out, " (%s call)", row_field(row, COLUMN_phase));
    if (!row_is(row, COLUMN_backend, row_field(from, COLUMN_backend)) ||
        !row_is(row, COLUMN_strategy, row_field(from, COLUMN_strategy)))
        return;
    if (!row_is(row, COLUMN_chunk, row_field(from, COLUMN_chunk)))
        text_add(out, " (chunk %s)", row_field(row, COLUMN_chunk));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (!row_is(row, columns[i], row_field(from, columns[i])) && row_field(row, columns[i])[0])
            text_add(out, " (%s)", row_field(row, columns[i]));
}

/* Only what is not the usual, so that a basis stays readable. */
static void add_unusual(struct text *out, const struct row *row)
{
    static const enum column columns[] = {COLUMN_form, COLUMN_memory, COLUMN_chunk, COLUMN_variant,
                                          COLUMN_phase};

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const char *value = row_field(row, columns[i]);
        if (!value[0] || strcmp(value, "warm") == 0 || strcmp(value, "auto") == 0)
            continue;
        text_add(out, ", %s%s", columns[i] == COLUMN_chunk ? "chunk " : "", value);
    }
    double work = row_number(row, COLUMN_work_ns);
    if (work > 0)
        text_add(out, ", %s of work", label_time(work).text);
}

void row_describe(struct text *out, const struct row *row)
{
    add_name(out, row);
    text_add(out, ", n = %s", label_count(row_number(row, COLUMN_n)).text);
    add_unusual(out, row);
}

static void say(const struct claim *claim, const struct comparison *result, const struct row *one,
                const struct row *other, double one_value, double other_value,
                struct finding *finding)
{
    struct places places = {0};
    struct text name = {0}, error = {0};
    const char *sentence =
        claim->says[result->standing] ? claim->says[result->standing] : common[result->standing];

    if (one)
        add_name(&name, one);
    if (one && other)
        add_difference(&name, one, other);
    places_take(&places, "one", &name);
    if (other)
        add_name(&name, other);
    if (one && other)
        add_difference(&name, other, one);
    places_take(&places, "other", &name);
    if (one)
        places_set(&places, "n", "%s", label_count(row_number(one, COLUMN_n)).text);
    places_set(&places, "ratio", "%s", label_ratio(result->ratio).text);
    places_set(&places, "inverse", "%s", label_ratio(1 / result->ratio).text);
    places_set(&places, "one_value", "%s", label_count(one_value).text);
    places_set(&places, "other_value", "%s", label_count(other_value).text);
    if (places_fill(&places, sentence, claim->name, &finding->sentence, &error) != 0)
        text_add(&finding->sentence, "(%s)", error.bytes);
    if (finding->sentence.length > 0 && finding->sentence.bytes[0] >= 'a' &&
        finding->sentence.bytes[0] <= 'z' && sentence[0] == '{' &&
        strncmp(finding->sentence.bytes, "the ", 4) == 0)
        finding->sentence.bytes[0] = 'T';
    finding->standing = result->standing;
    finding->ratio = result->ratio;
    text_free(&error);
    places_free(&places);
}

static void add_basis(struct text *out, const struct comparison *result, const struct row *one,
                      const struct row *other)
{
    if (!one || !other) {
        text_add(out, "no such rows");
        return;
    }
    if (out->length == 0)
        row_describe(out, one);
    else
        text_add(out, ";"); /* the same one, against the next rival */
    text_add(out, " / ");
    row_describe(out, other);
    if (isfinite(result->ratio))
        text_add(out, " = %s", label_ratio(result->ratio).text);
    if (isfinite(result->lo))
        text_add(out, " %s", label_interval(result->lo, result->hi).text);
    if (result->rounds > 0)
        text_add(out, ", %zu rounds", result->rounds);
    if (isfinite(result->margin) && result->standing < STANDS_NO_VERDICT)
        text_add(out, ", margin %s", label_percent(result->margin).text);
    text_add(out, ": %s", standing_name(result->standing));
}

static struct comparison compare_counts(const struct claim *claim, const struct row *one,
                                        const struct row *other)
{
    struct comparison result = {STANDS_NOT_MEASURED, NAN, NAN, NAN, claim->value_margin, 0};
    double a = one ? claim->value(one) : NAN, b = other ? claim->value(other) : NAN;

    if (!isfinite(a) || !isfinite(b))
        return result;
    result.ratio = a / b;
    if (!isfinite(result.ratio))
        result.ratio = NAN;
    if (fabs(a - b) <= claim->value_margin * fmax(fabs(a), fabs(b)))
        result.standing = STANDS_EQUIVALENT;
    else
        result.standing = a < b ? STANDS_FASTER : STANDS_SLOWER;
    return result;
}

static struct pick complete(struct pick pick, const char *backend, double n)
{
    if (!pick.backend)
        pick.backend = backend;
    if (!pick.family)
        pick.family = pick.backend && strcmp(pick.backend, "python") == 0 ? "peers" : "strategies";
    if (!(pick.n > 0))
        pick.n = n;
    return pick;
}

static void decide_pair(const struct rows *rows, const struct claim *claim, const char *backend,
                        double n, struct finding *finding)
{
    const struct row *one = row_find(rows, complete(claim->one, backend, n));
    double same_n = one ? row_number(one, COLUMN_n) : n;
    const struct row *other = row_find(rows, complete(claim->other, backend, same_n));
    struct comparison result =
        claim->value ? compare_counts(claim, one, other) : rows_compare(rows, one, other);

    say(claim, &result, one, other, one && claim->value ? claim->value(one) : NAN,
        other && claim->value ? claim->value(other) : NAN, finding);
    add_basis(&finding->basis, &result, one, other);
}

/* Which of two outcomes decides a contest. */
static int weight(enum standing standing)
{
    static const int weights[STANDINGS] = {
        [STANDS_SLOWER] = 7,     [STANDS_TOO_FEW] = 6,     [STANDS_UNRESOLVED] = 5,
        [STANDS_EQUIVALENT] = 4, [STANDS_FASTER] = 3,      [STANDS_NO_VERDICT] = 2,
        [STANDS_FAILED] = 1,     [STANDS_NOT_MEASURED] = 0};
    return weights[standing];
}

static void decide_contest(const struct rows *rows, const struct claim *claim, const char *backend,
                           double n, struct finding *finding)
{
    const struct row *one = row_find(rows, complete(claim->one, backend, n));
    const struct row *strongest = NULL;
    struct comparison decisive = {STANDS_NOT_MEASURED, NAN, NAN, NAN, NAN, 0};

    for (size_t i = 0; one && claim->rivals[i]; i++) {
        struct pick pick = complete(claim->other, backend, row_number(one, COLUMN_n));
        pick.strategy = claim->rivals[i];
        const struct row *rival = row_find(rows, pick);
        struct comparison result = rows_compare(rows, one, rival);
        if (!rival)
            continue;
        add_basis(&finding->basis, &result, one, rival);
        int gain = weight(result.standing) - weight(decisive.standing);
        if (gain > 0 || (gain == 0 && result.ratio > decisive.ratio)) {
            decisive = result;
            strongest = rival;
        }
    }
    say(claim, &decisive, one, strongest, NAN, NAN, finding);
    if (finding->basis.length == 0)
        text_add(&finding->basis, "no such rows");
}

void claim_decide(const struct rows *rows, const struct claim *claim, const char *backend, double n,
                  struct finding *finding)
{
    *finding = (struct finding){0};
    if (claim->rivals)
        decide_contest(rows, claim, backend, n, finding);
    else
        decide_pair(rows, claim, backend, n, finding);
}

void finding_free(struct finding *finding)
{
    text_free(&finding->sentence);
    text_free(&finding->basis);
}

enum truth truth_of_faster(enum standing standing)
{
    switch (standing) {
    case STANDS_FASTER:
        return TRUTH_HOLDS;
    case STANDS_SLOWER:
    case STANDS_EQUIVALENT:
        return TRUTH_FAILS;
    case STANDS_NOT_MEASURED:
        return TRUTH_NOT_MEASURED;
    default:
        return TRUTH_UNDECIDED;
    }
}

const char *truth_name(enum truth truth)
{
    static const char *const names[] = {"holds", "does not hold", "undecided", "not measured"};
    return names[truth];
}
