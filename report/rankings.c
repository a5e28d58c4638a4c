/* rankings.c: is what the course says so?
 *
 * Each ranking is one or more claims, decided at both sizes. Where the sizes disagree, the ranking
 * is undecided and both sentences are shown; where only one could be judged, that one counts. */
#include "course.h"

#include <math.h>
#include <string.h>

static const char *const pools[] = {"map",         "map_async", "executor_map",
                                    "apply_async", "apply",     NULL};
static const char *const rivals_of_executor[] = {"map", "map_async", "apply_async", "apply", NULL};

static const struct claim sequential_best = {
    .name = "C2",
    .one = {.backend = "seq", .strategy = "sequential"},
    .rivals = pools,
    .says = {[STANDS_FASTER] =
                 "The sequential loop beats every pool strategy; the closest is {{other}}, "
                 "which takes {{inverse}} times as long.",
             [STANDS_SLOWER] =
                 "{{other}} beats the sequential loop, which takes {{ratio}} times as long.",
             [STANDS_EQUIVALENT] = "No pool strategy is faster, but {{other}} is as fast as the "
                                   "sequential loop."}};
static const struct claim map_apply = {
    .name = "C3", .one = {.strategy = "map"}, .other = {.strategy = "apply"}};
static const struct claim map_map_async = {
    .name = "C4", .one = {.strategy = "map"}, .other = {.strategy = "map_async"}};
static const struct claim async_apply = {
    .name = "C5", .one = {.strategy = "apply_async"}, .other = {.strategy = "apply"}};
static const struct claim executor_best = {
    .name = "C7",
    .one = {.strategy = "executor_map"},
    .rivals = rivals_of_executor,
    .says = {[STANDS_FASTER] =
                 "{{one}} beats map, map_async, apply and apply_async; the closest is "
                 "{{other}}, which takes {{inverse}} times as long.",
             [STANDS_SLOWER] = "{{one}} is beaten by {{other}}: it takes {{ratio}} times as long.",
             [STANDS_EQUIVALENT] = "{{one}} is among the fastest, but no faster than {{other}}."}};
static const struct claim chunk_map = {
    .name = "C8",
    .one = {.family = "chunks", .strategy = "map", .chunk = "auto"},
    .other = {.family = "chunks", .strategy = "map", .chunk = "1"},
    .says = {[STANDS_FASTER] = "{{one}} takes {{ratio}} of the time of {{other}}.",
             [STANDS_SLOWER] = "{{one}} takes {{ratio}} times as long as {{other}}.",
             [STANDS_EQUIVALENT] = "{{one}} and {{other}} take the same time."}};
static const struct claim chunk_executor = {
    .name = "C8",
    .one = {.family = "chunks", .strategy = "executor_map", .chunk = "auto"},
    .other = {.family = "chunks", .strategy = "executor_map", .chunk = "1"},
    .says = {[STANDS_FASTER] = "{{one}} takes {{ratio}} of the time of {{other}}.",
             [STANDS_SLOWER] = "{{one}} takes {{ratio}} times as long as {{other}}.",
             [STANDS_EQUIVALENT] = "{{one}} and {{other}} take the same time."}};

static bool is_judged(enum truth truth)
{
    return truth == TRUTH_HOLDS || truth == TRUTH_FAILS;
}

/* Adds one decision to what was decided before. */
static void combine(struct verdict *verdict, enum truth truth)
{
    if (truth == TRUTH_NOT_MEASURED || verdict->truth == truth)
        return;
    if (verdict->truth == TRUTH_NOT_MEASURED || (is_judged(truth) && !is_judged(verdict->truth)))
        verdict->truth = truth;
    else if (is_judged(truth))
        verdict->truth = TRUTH_UNDECIDED;
}

static void decide(const struct report *report, const struct claim *claim, const char *backend,
                   double n, struct verdict *verdict)
{
    struct finding finding;

    claim_decide(&report->rows, claim, backend, n, &finding);
    enum truth truth = truth_of_faster(finding.standing);
    if (truth != TRUTH_NOT_MEASURED) {
        text_add(&verdict->why, "%s", verdict->why.length ? " " : "");
        if (n > 0)
            text_add(&verdict->why, "n = %s: ", label_count(n).text);
        text_add(&verdict->why, "%s <sub>(%s)</sub>", text_string(&finding.sentence),
                 text_string(&finding.basis));
    }
    combine(verdict, truth);
    finding_free(&finding);
}

static void decide_sizes(const struct report *report, const struct claim *claim,
                         const char *backend, struct verdict *verdict)
{
    decide(report, claim, backend, report->large, verdict);
    if (isfinite(report->small))
        decide(report, claim, backend, report->small, verdict);
}

/* The contest against sequential: under python the sequential loop is Python's. */
static void decide_sequential(const struct report *report, const char *backend,
                              struct verdict *verdict)
{
    struct claim claim = sequential_best;

    claim.other.backend = backend;
    if (strcmp(backend, "python") == 0)
        claim.one.backend = backend;
    decide_sizes(report, &claim, backend, verdict);
}

/* Who leaves its caller the most time for own work, of the asynchronous ones? */
static void decide_overlap(const struct report *report, const char *backend,
                           struct verdict *verdict)
{
    static const char *const asynchronous[] = {"map_async", "executor_submit"};
    struct pick pick = {.family = "strategies",
                        .backend = backend,
                        .strategy = "apply_async",
                        .variant = "overlap"};
    const struct row *one = row_find(&report->rows, pick);
    double mine = one ? row_metric(one, "overlap") : NAN;

    for (size_t i = 0; isfinite(mine) && i < 2; i++) {
        pick.strategy = asynchronous[i];
        const struct row *other = row_find(&report->rows, pick);
        double theirs = other ? row_metric(other, "overlap") : NAN;
        if (!isfinite(theirs))
            continue;
        text_add(&verdict->why,
                 "%sapply_async leaves its caller %s of the time for own work, %s %s.",
                 verdict->why.length ? " " : "", label_percent(mine).text,
                 strategy_name(asynchronous[i]), label_percent(theirs).text);
        enum truth truth = mine >= theirs * 0.9 ? TRUTH_HOLDS : TRUTH_FAILS;
        if (!one->time.known || !other->time.known)
            truth = TRUTH_UNDECIDED; /* too few rounds, or disturbed */
        if (verdict->truth != TRUTH_FAILS)
            verdict->truth = truth;
    }
    if (verdict->truth != TRUTH_NOT_MEASURED)
        text_add(&verdict->why, " <sub>(rows of variant overlap, n = %s; margin 10 %%)</sub>",
                 label_count(row_number(one, COLUMN_n)).text);
}

static bool mentions_memory(const struct row *row)
{
    static const char *const words[] = {"memory", "ENOMEM", "RLIMIT_AS", "RLIMIT_DATA"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(row->limit, words[i]) || strcasestr(row->detail, words[i]))
            return true;
    return row->outcome == OUTCOME_OOM_KILLED;
}

/* What became of the unbounded spawn: reason false, did it die of memory; true, was memory why. */
static void decide_unbounded(const struct report *report, const char *backend, bool reason,
                             struct verdict *verdict)
{
    struct pick pick = {.family = "strategies", .backend = backend, .strategy = "spawn_unbounded"};
    const struct row *row = row_find(&report->rows, pick);

    if (!row)
        return;
    double kib = row_metric(row, "kib_per_worker");
    text_add(&verdict->why, "Unbounded spawn of %s: ", label_count(row_number(row, COLUMN_n)).text);
    add_limit(&verdict->why, row);
    text_add(&verdict->why, ", after %s.", label_count(row_median(row, COLUMN_n_run)).text);
    if (isfinite(kib))
        text_add(&verdict->why, " Each took %s, so all of them would need %s.",
                 label_bytes(kib * 1024).text,
                 label_bytes(kib * 1024 * row_number(row, COLUMN_n)).text);
    if (row_has_time(row))
        verdict->truth = TRUTH_FAILS;
    else if (strcasestr(row->limit, "ceiling"))
        verdict->truth = TRUTH_UNDECIDED; /* ours came before the machine's */
    else if (mentions_memory(row))
        verdict->truth = TRUTH_HOLDS;
    else
        verdict->truth = reason ? TRUTH_FAILS : TRUTH_UNDECIDED;
}

void course_ranking(const struct report *report, size_t sentence, const char *backend,
                    struct verdict *verdict)
{
    *verdict = (struct verdict){.truth = TRUTH_NOT_MEASURED};
    switch (sentence) {
    case 0:
        decide_unbounded(report, backend, false, verdict);
        break;
    case 1:
        decide_sequential(report, backend, verdict);
        break;
    case 2:
        decide_sizes(report, &map_apply, backend, verdict);
        break;
    case 3:
        decide_sizes(report, &map_map_async, backend, verdict);
        break;
    case 4:
        decide_sizes(report, &async_apply, backend, verdict);
        break;
    case 5:
        decide_overlap(report, backend, verdict);
        break;
    case 6:
        decide_sizes(report, &executor_best, backend, verdict);
        break;
    default:
        decide(report, &chunk_map, backend, 0, verdict);
        decide(report, &chunk_executor, backend, 0, verdict);
    }
    if (verdict->truth == TRUTH_NOT_MEASURED) {
        text_free(&verdict->why);
        text_add(&verdict->why, "Not measured in this run.");
    }
}

void course_unbounded_reason(const struct report *report, const char *backend,
                             struct verdict *verdict)
{
    decide_unbounded(report, backend, true, verdict);
}
