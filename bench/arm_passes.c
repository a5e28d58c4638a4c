/* arm_passes.c: what is timed: each strategy of the study as one pass over the items, written as a
 * user of pool.h would write it.
 *
 * The clock starts before the first call into the library and stops when the caller holds the last
 * result. Under omp, asynchronous strategies run inside twin_pool_scope(), as OpenMP tasks need a
 * parallel region; the clock starts before the scope is entered, so its price is in the time.
 * Single calls in flight are bounded by a ring: when it is full the oldest is collected first.
 * With overlap the caller, while it has nothing to collect, works on squares of its own, in units
 * of UNIT_ITEMS; how many units it got done is what not blocking was worth. Invariant: nothing in a
 * pass allocates or prints. */
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arm.h"
#include "clock.h"

enum { UNIT_ITEMS = 1000, PROBE_ITEMS = 200 };
#define LONGEST_OVERLAP_NS 5000000000u /* then wait as others do: a team of one would never end */

/* ---- parts ---------------------------------------------------------------------------------- */

static void idle(const struct arm *arm)
{
    if (arm->idle_ns > 0)
        sleep_ns(arm->idle_ns);
}

static struct twin_map map_of(struct arm *arm)
{
    const bool busy = arm->work.spins > 0;
    return (struct twin_map){
        .task = arm->kernel ? NULL : square_task,
        .kernel = arm->kernel ? square_kernel : NULL,
        .context = busy ? &arm->work : NULL,
        .context_size = busy ? sizeof arm->work : 0,
        .items = arm->items,
        .item_size = sizeof *arm->items,
        .results = arm->results,
        .result_size = sizeof *arm->results,
        .count = arm->count,
        .chunk = arm->chunk,
    };
}

static struct twin_call call_of(struct arm *arm)
{
    const bool busy = arm->work.spins > 0;
    return (struct twin_call){
        .task = square_task,
        .context = busy ? &arm->work : NULL,
        .context_size = busy ? sizeof arm->work : 0,
        .item = arm->items,
        .item_size = sizeof *arm->items,
        .result_size = sizeof *arm->results,
    };
}

static void caller_unit(struct pass *pass)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < UNIT_ITEMS; i++)
        sum += square(i);
    __asm__ volatile("" : : "r"(sum));
    pass->caller_units++;
}

static bool undecided(struct twin_future *future)
{
    const enum twin_future_state state = twin_future_state(future);
    return state == TWIN_PENDING || state == TWIN_RUNNING;
}

/* Works until the future has an outcome, then takes it. */
static int collect(struct arm *arm, struct pass *pass, struct twin_future *future, int64_t *result)
{
    if (arm->overlap && undecided(future)) {
        const uint64_t start_ns = now_ns();
        do
            caller_unit(pass);
        while (undecided(future) && now_ns() - start_ns < LONGEST_OVERLAP_NS);
        pass->caller_busy_ns += now_ns() - start_ns;
    }
    const int rc = twin_future_result(future, result, -1);
    twin_future_release(future);
    return rc;
}

/* Runs body, under omp inside a scope. What body returned is in *rc, as a scope's body may not
 * return a twin_error. */
struct body {
    int (*run)(struct arm *arm, struct pass *pass, uint64_t start_ns);
    struct arm *arm;
    struct pass *pass;
    uint64_t start_ns;
    int rc;
};

static int run_body(struct twin_pool *pool, void *arg)
{
    struct body *body = arg;
    (void)pool;
    body->rc = body->run(body->arm, body->pass, body->start_ns);
    return 0;
}

static int in_scope(struct arm *arm, struct pass *pass,
                    int (*run)(struct arm *, struct pass *, uint64_t))
{
    struct body body = {.run = run, .arm = arm, .pass = pass, .start_ns = now_ns()};
    int rc = 0;
    if (arm->backend == ARM_OMP)
        rc = twin_pool_scope(arm->pool, run_body, &body);
    else
        run_body(arm->pool, &body);
    pass->elapsed_ns = now_ns() - body.start_ns;
    return rc != 0 ? rc : body.rc;
}

/* ---- blocking strategies -------------------------------------------------------------------- */

static int sequential_pass(struct arm *arm, struct pass *pass)
{
    const struct twin_map map = map_of(arm);
    const uint64_t start_ns = now_ns();
    const int rc = twin_sequential_map(&map, NULL);
    pass->elapsed_ns = pass->return_ns = now_ns() - start_ns;
    return rc;
}

static int map_pass(struct arm *arm, struct pass *pass)
{
    const struct twin_map map = map_of(arm);
    const uint64_t start_ns = now_ns();
    const int rc = twin_pool_map(arm->pool, &map);
    pass->elapsed_ns = pass->return_ns = now_ns() - start_ns;
    return rc;
}

/* With an idle gap only the calls are timed, and their times added up. */
static int apply_after_gaps(struct arm *arm, struct pass *pass)
{
    struct twin_call call = call_of(arm);
    int rc = 0;
    for (size_t i = 0; i < arm->count && rc == 0; i++) {
        idle(arm);
        const uint64_t start_ns = now_ns();
        call.item = arm->items + i;
        rc = twin_pool_apply(arm->pool, &call, arm->results + i);
        pass->elapsed_ns += now_ns() - start_ns;
    }
    pass->return_ns = pass->elapsed_ns;
    return rc;
}

static int apply_body(struct arm *arm, struct pass *pass, uint64_t start_ns)
{
    struct twin_call call = call_of(arm);
    int rc = 0;
    for (size_t i = 0; i < arm->count && rc == 0; i++) {
        call.item = arm->items + i;
        rc = twin_pool_apply(arm->pool, &call, arm->results + i);
        if (i == 0)
            pass->first_result_ns = now_ns() - start_ns;
    }
    pass->return_ns = now_ns() - start_ns;
    return rc;
}

static int apply_pass(struct arm *arm, struct pass *pass)
{
    if (arm->idle_ns > 0)
        return apply_after_gaps(arm, pass);
    if (arm->scoped)
        return in_scope(arm, pass, apply_body);
    const int rc = apply_body(arm, pass, now_ns());
    pass->elapsed_ns = pass->return_ns;
    return rc;
}

static int spawn_pass(struct arm *arm, struct pass *pass)
{
    const struct twin_map map = map_of(arm);
    const struct twin_spawn_options options = {
        .backend = arm->backend == ARM_OMP ? TWIN_OMP : TWIN_PROC, .batch = arm->batch};
    struct twin_spawn_report report = {0};
    const uint64_t start_ns = now_ns();
    const int rc = twin_spawn_map(&options, &map, &report);
    pass->elapsed_ns = pass->return_ns = now_ns() - start_ns;
    arm->spawned = report.started;
    pass->stats.forks = arm->backend == ARM_PROC ? report.started : 0;
    pass->stats.tasks = report.started;
    return rc;
}

/* ---- asynchronous strategies ---------------------------------------------------------------- */

static int map_async_body(struct arm *arm, struct pass *pass, uint64_t start_ns)
{
    const struct twin_map map = map_of(arm);
    struct twin_future *future;
    const int rc = twin_pool_map_async(arm->pool, &map, &future);
    pass->return_ns = now_ns() - start_ns;
    return rc != 0 ? rc : collect(arm, pass, future, NULL);
}

static int map_async_pass(struct arm *arm, struct pass *pass)
{
    return in_scope(arm, pass, map_async_body);
}

static int submit(struct arm *arm, const struct twin_call *call, struct twin_future **future)
{
    return arm->executor != NULL ? twin_executor_submit(arm->executor, call, future)
                                 : twin_pool_apply_async(arm->pool, call, future);
}

/* Collects call number i, the oldest in flight. */
static int collect_oldest(struct arm *arm, struct pass *pass, size_t i, uint64_t start_ns)
{
    const int rc = collect(arm, pass, arm->ring[i % RING_SLOTS], arm->results + i);
    if (i == 0)
        pass->first_result_ns = now_ns() - start_ns;
    return rc;
}

static int submit_body(struct arm *arm, struct pass *pass, uint64_t start_ns)
{
    struct twin_call call = call_of(arm);
    size_t submitted = 0, collected = 0;
    int rc = 0;
    while (submitted < arm->count && rc == 0) {
        if (submitted - collected == RING_SLOTS)
            rc = collect_oldest(arm, pass, collected++, start_ns);
        if (rc != 0)
            break;
        call.item = arm->items + submitted;
        rc = submit(arm, &call, &arm->ring[submitted % RING_SLOTS]);
        if (rc == 0)
            submitted++;
    }
    pass->return_ns = now_ns() - start_ns;
    while (collected < submitted) {
        const int outcome = collect_oldest(arm, pass, collected++, start_ns);
        rc = rc != 0 ? rc : outcome;
    }
    return rc;
}

static int submit_pass(struct arm *arm, struct pass *pass)
{
    return in_scope(arm, pass, submit_body);
}

static int executor_map_body(struct arm *arm, struct pass *pass, uint64_t start_ns)
{
    const struct twin_map map = map_of(arm);
    struct twin_iterator *iterator;
    const void *results;
    size_t count;
    int rc = twin_executor_map(arm->executor, &map, &iterator);
    pass->return_ns = now_ns() - start_ns;
    if (rc != 0)
        return rc;
    do {
        rc = twin_iterator_next(iterator, &results, &count, -1);
        if (pass->first_result_ns == 0)
            pass->first_result_ns = now_ns() - start_ns;
    } while (rc == 0 && count > 0);
    twin_iterator_release(iterator);
    return rc;
}

static int executor_map_pass(struct arm *arm, struct pass *pass)
{
    return in_scope(arm, pass, executor_map_body);
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct strategy strategies[] = {
    {.name = "sequential", .pass = sequential_pass},
    {.name = "spawn_bounded", .pass = spawn_pass},
    {.name = "map", .pass = map_pass, .pool = true},
    {.name = "map_async", .pass = map_async_pass, .pool = true, .async = true},
    {.name = "apply", .pass = apply_pass, .pool = true},
    {.name = "apply_async", .pass = submit_pass, .pool = true, .async = true},
    {.name = "executor_submit", .pass = submit_pass, .pool = true, .executor = true, .async = true},
    {.name = "executor_map", .pass = executor_map_pass, .pool = true, .executor = true},
};

const struct strategy *strategy_find(const char *name)
{
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
        if (strcmp(strategies[i].name, name) == 0)
            return &strategies[i];
    return NULL;
}

const char *strategy_names(void)
{
    return "sequential, spawn_bounded, map, map_async, apply, apply_async, executor_submit, "
           "executor_map";
}

static void stats_read(struct arm *arm, struct twin_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    if (arm->pool != NULL)
        (void)twin_pool_stats(arm->pool, stats);
}

/* after - before for what counts up; chunk and workers are states, and stay those of after. */
static void stats_add_difference(struct twin_stats *sum, const struct twin_stats *before,
                                 const struct twin_stats *after)
{
    sum->tasks += after->tasks - before->tasks;
    sum->chunks += after->chunks - before->chunks;
    sum->claims += after->claims - before->claims;
    sum->steals += after->steals - before->steals;
    sum->parks += after->parks - before->parks;
    sum->wakes += after->wakes - before->wakes;
    sum->caller_parks += after->caller_parks - before->caller_parks;
    sum->staged_bytes += after->staged_bytes - before->staged_bytes;
    sum->inline_tasks += after->inline_tasks - before->inline_tasks;
    sum->forks += after->forks - before->forks;
    sum->restarts += after->restarts - before->restarts;
    sum->chunk = after->chunk;
    sum->workers = after->workers;
}

int arm_pass(struct arm *arm, struct pass *pass)
{
    struct twin_stats stats_before, stats_after;
    struct usage before, after;
    memset(pass, 0, sizeof *pass);
    stats_read(arm, &stats_before);
    usage_read(&before);
    if (arm->strategy->pass != apply_pass) /* which idles before each call */
        idle(arm);
    const int rc = arm->strategy->pass(arm, pass);
    usage_read(&after);
    stats_read(arm, &stats_after);
    pass->usage = usage_since(&before, &after);
    stats_add_difference(&pass->stats, &stats_before, &stats_after);
    return rc;
}

/* ---- who ran it ----------------------------------------------------------------------------- */

/* A twin_task that returns the id of the thread that runs it, after long enough a while (20 us)
 * that one worker does not run them all before another has woken. */
static int who_task(void *result, const void *item, void *context)
{
    (void)item;
    (void)context;
    const uint64_t until_ns = now_ns() + 20000;
    while (now_ns() < until_ns)
        continue;
    *(int64_t *)result = syscall(SYS_gettid);
    return 0;
}

static size_t count_distinct(const int64_t *ids, size_t count)
{
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < i && ids[j] != ids[i])
            j++;
        distinct += j == i;
    }
    return distinct;
}

static int who_map(struct arm *arm, struct twin_map *map)
{
    map->task = who_task;
    map->kernel = NULL;
    map->chunk = 1;
    return twin_pool_map(arm->pool, map);
}

static int who_calls(struct arm *arm, size_t count)
{
    struct twin_call call = call_of(arm);
    int rc = 0;
    call.task = who_task;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = twin_pool_apply(arm->pool, &call, arm->results + i);
    return rc;
}

size_t arm_distinct_workers(struct arm *arm)
{
    if (arm->pool == NULL)
        return arm->spawned > 0 ? arm->spawned : 1;
    arm->count = arm->n_run < PROBE_ITEMS ? arm->n_run : PROBE_ITEMS;
    struct twin_map map = map_of(arm);
    const bool calls = arm->strategy->pass == apply_pass;
    const int rc = calls ? who_calls(arm, arm->count) : who_map(arm, &map);
    const size_t distinct = rc == 0 ? count_distinct(arm->results, arm->count) : 0;
    arm->count = arm->n_run;
    return distinct;
}
