/* reasons.c: is what the course gives as the reason the reason?
 *
 * A ranking can be true for another reason than the one given. Each reason here predicts a count
 * that was taken in the run: if apply made a process per call, many pids would have run its calls;
 * if not blocking were what makes apply_async fast, its caller would be free while it runs. The
 * count decides. */
#include "course.h"

#include <math.h>
#include <string.h>

/* Shares between these two limits do not decide. */
#define MOST_OF_IT 0.5
#define HARDLY_ANY 0.1

static const struct row *main_row(const struct report *report, const char *backend,
                                  const char *strategy)
{
    const struct row *row = report_row(report, backend, strategy, report->large);
    return row && row->outcome == OUTCOME_OK ? row
                                             : report_row(report, backend, strategy, report->small);
}

/* Both at the larger n, or both at the smaller one: their times or counts are compared. */
static void main_pair(const struct report *report, const char *backend, const char *one,
                      const char *other, const struct row *pair[2])
{
    pair[0] = main_row(report, backend, one);
    pair[1] = main_row(report, backend, other);
    if (!pair[0] || !pair[1] || row_number(pair[0], COLUMN_n) == row_number(pair[1], COLUMN_n))
        return;
    pair[0] = report_row(report, backend, one, report->small);
    pair[1] = report_row(report, backend, other, report->small);
}

static void add_n(struct text *out, const struct row *row)
{
    text_add(out, " <sub>(counted at n = %s)</sub>", label_count(row_number(row, COLUMN_n)).text);
}

/* C2, "small input, simple work": then with much work per task the pool must win. */
static void simple_work(const struct report *report, const char *backend, struct verdict *verdict)
{
    const struct row *longest = NULL;

    for (size_t i = 0; i < report->rows.count; i++) {
        const struct row *row = &report->rows.row[i];
        if (row_is(row, COLUMN_family, "grain") && row_is(row, COLUMN_backend, backend) &&
            row_is(row, COLUMN_strategy, "map") && row_is(row, COLUMN_variant, "") &&
            row_is(row, COLUMN_phase, "warm") &&
            (!longest || row_number(row, COLUMN_work_ns) > row_number(longest, COLUMN_work_ns)))
            longest = row;
    }
    if (!longest || longest->vs_seq.standing == STANDS_NOT_MEASURED)
        return;
    verdict->truth = truth_of_faster(longest->vs_seq.standing);
    text_add(
        &verdict->why,
        "With %s of work per task, map takes %s of the sequential time (%s). <sub>(family grain, "
        "n = %s, margin %s)</sub>",
        label_time(row_number(longest, COLUMN_work_ns)).text,
        label_number(longest->vs_seq.ratio).text, standing_name(longest->vs_seq.standing),
        label_count(row_number(longest, COLUMN_n)).text,
        label_percent(longest->vs_seq.margin).text);
}

/* C3, "a new process per call": count who ran the calls. */
static void process_per_call(const struct report *report, const char *backend,
                             struct verdict *verdict)
{
    const struct row *row = main_row(report, backend, "apply");
    double ran = row ? row_median(row, COLUMN_distinct_workers) : NAN;

    if (!isfinite(ran))
        return;
    double workers = row_number(row, COLUMN_workers);
    const char *one = strcmp(backend, "omp") == 0 ? "thread" : "process";
    const char *more = strcmp(backend, "omp") == 0 ? "threads" : "processes";
    text_add(&verdict->why, "The calls of apply were run by %s %s; the pool has %s workers.",
             label_count(ran).text, ran > 1 ? more : one, label_count(workers).text);
    verdict->truth = ran <= workers + 1 ? TRUTH_FAILS : TRUTH_HOLDS;
    add_n(&verdict->why, row);
}

/* C4, "the cost of managing": then the call itself must account for what map_async takes longer. */
static void managing(const struct report *report, const char *backend, struct verdict *verdict)
{
    const struct row *pair[2];
    main_pair(report, backend, "map", "map_async", pair);
    const struct row *sync = pair[0], *async = pair[1];
    struct comparison result = rows_compare(&report->rows, async, sync);
    double in_call = async ? row_median(async, COLUMN_return_ns) : NAN;

    if (result.standing == STANDS_NOT_MEASURED || !isfinite(in_call))
        return;
    text_add(&verdict->why,
             "The asynchronous call returned after %s; the whole took %s, map %s (%s).",
             label_time(in_call).text, label_time(async->time.median).text,
             label_time(sync->time.median).text, standing_name(result.standing));
    double longer = async->time.median - sync->time.median;
    switch (result.standing) {
    case STANDS_FASTER:
    case STANDS_EQUIVALENT:
        text_add(&verdict->why, " There is nothing to explain.");
        verdict->truth = TRUTH_FAILS;
        break;
    case STANDS_SLOWER:
        text_add(&verdict->why, " The call itself is %s of what map_async takes longer.",
                 label_percent(in_call / longer).text);
        verdict->truth = in_call >= MOST_OF_IT * longer ? TRUTH_HOLDS : TRUTH_FAILS;
        break;
    default:
        verdict->truth = TRUTH_UNDECIDED;
    }
    add_n(&verdict->why, async);
}

static double sleeps_per_task(const struct row *row)
{
    double run = row_median(row, COLUMN_n_run);
    return row_median(row, COLUMN_voluntary_switches) / (run > 0 ? run : row_number(row, COLUMN_n));
}

/* "3 times per call", or "once in 1200 calls" where that is rare. */
static void add_sleeps(struct text *out, const struct row *row)
{
    double sleeps = sleeps_per_task(row);

    if (sleeps > 0 && sleeps < 0.05)
        text_add(out, "once in %s calls", label_number(1 / sleeps).text);
    else
        text_add(out, "%s times per call", label_number(sleeps).text);
    text_add(out, " in %s", row_field(row, COLUMN_strategy));
}

static void add_both_sleeps(struct text *out, const struct row *sync, const struct row *async)
{
    text_add(out, "Somebody goes to sleep ");
    add_sleeps(out, sync);
    text_add(out, ", ");
    add_sleeps(out, async);
    text_add(out, ".");
}

/* C5, "it does not block": then the caller must be free for a good part of the time. */
static void not_blocking(const struct report *report, const char *backend, struct verdict *verdict)
{
    const struct row *pair[2];
    main_pair(report, backend, "apply_async", "apply", pair);
    const struct row *async = pair[0], *sync = pair[1];

    if (!async || !row_has_time(async))
        return;
    double share = row_median(async, COLUMN_return_ns) / row_median(async, COLUMN_elapsed_ns);
    if (!isfinite(share))
        return;
    text_add(&verdict->why, "The caller is busy submitting for %s of the time.",
             label_percent(share).text);
    if (sync && isfinite(sleeps_per_task(sync)) && isfinite(sleeps_per_task(async))) {
        text_add(&verdict->why, " ");
        add_both_sleeps(&verdict->why, sync, async);
    }
    if (!async->time.known)
        verdict->truth = TRUTH_UNDECIDED; /* too few rounds, or disturbed */
    else if (1 - share >= MOST_OF_IT)
        verdict->truth = TRUTH_HOLDS;
    else if (1 - share <= HARDLY_ANY) {
        text_add(&verdict->why,
                 " So it is not that others may proceed meanwhile: calls that need not be "
                 "awaited one by one are handed over without waiting in between.");
        verdict->truth = TRUTH_FAILS;
    } else
        verdict->truth = TRUTH_UNDECIDED;
    add_n(&verdict->why, async);
}

/* C6, "less idle time": then somebody must go to sleep less often per call than in apply. */
static void less_idle(const struct report *report, const char *backend, struct verdict *verdict)
{
    const struct row *pair[2];
    main_pair(report, backend, "apply_async", "apply", pair);
    const struct row *async = pair[0], *sync = pair[1];
    double a = async ? sleeps_per_task(async) : NAN, b = sync ? sleeps_per_task(sync) : NAN;

    if (!isfinite(a) || !isfinite(b))
        return;
    add_both_sleeps(&verdict->why, sync, async);
    verdict->truth = a < 0.9 * b ? TRUTH_HOLDS : TRUTH_FAILS;
    if (!async->time.known || !sync->time.known)
        verdict->truth = TRUTH_UNDECIDED; /* too few rounds, or disturbed */
    add_n(&verdict->why, async);
}

/* C7, "distributes efficiently": then executor map must not need more hand-outs, or time, than map.
 */
static void distributes(const struct report *report, const char *backend, struct verdict *verdict)
{
    const struct row *pair[2];
    main_pair(report, backend, "executor_map", "map", pair);
    const struct row *executor = pair[0], *map = pair[1];
    struct comparison result = rows_compare(&report->rows, executor, map);
    double a = executor ? row_metric(executor, "chunks") : NAN;
    double b = map ? row_metric(map, "chunks") : NAN;

    if (result.standing == STANDS_NOT_MEASURED || !isfinite(a) || !isfinite(b))
        return;
    text_add(&verdict->why,
             "Executor map hands out %s chunks, map %s; its time is %s of map's (%s).",
             label_count(a).text, label_count(b).text, label_number(result.ratio).text,
             standing_name(result.standing));
    verdict->truth = truth_of_faster(result.standing);
    add_n(&verdict->why, executor);
}

/* C8, "fewer management operations": count them at chunk 1 and at the automatic chunk. */
static void fewer_operations(const struct report *report, const char *backend,
                             struct verdict *verdict)
{
    struct pick pick = {.family = "chunks", .backend = backend, .strategy = "map", .chunk = "1"};
    const struct row *one = row_find(&report->rows, pick);

    pick.chunk = "auto";
    const struct row *automatic = row_find(&report->rows, pick);
    double a = automatic ? row_metric(automatic, "chunks") : NAN;
    double b = one ? row_metric(one, "chunks") : NAN;
    struct comparison result = rows_compare(&report->rows, automatic, one);
    if (!isfinite(a) || !isfinite(b) || result.standing == STANDS_NOT_MEASURED)
        return;
    text_add(&verdict->why,
             "Map hands out %s chunks with the automatic chunk, and %s with a chunk of 1; its "
             "time is %s of the latter's (%s).",
             label_count(a).text, label_count(b).text, label_number(result.ratio).text,
             standing_name(result.standing));
    verdict->truth = a < b ? truth_of_faster(result.standing) : TRUTH_FAILS;
    add_n(&verdict->why, automatic);
}

void course_reason(const struct report *report, size_t sentence, const char *backend,
                   struct verdict *verdict)
{
    static void (*const reasons[COURSE_SENTENCES])(const struct report *, const char *,
                                                   struct verdict *) = {course_unbounded_reason,
                                                                        simple_work,
                                                                        process_per_call,
                                                                        managing,
                                                                        not_blocking,
                                                                        less_idle,
                                                                        distributes,
                                                                        fewer_operations};

    *verdict = (struct verdict){.truth = TRUTH_NOT_MEASURED};
    reasons[sentence](report, backend, verdict);
    if (verdict->truth == TRUTH_NOT_MEASURED) {
        text_free(&verdict->why);
        text_add(&verdict->why, "Not measured in this run.");
    }
}
