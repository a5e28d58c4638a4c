/* contract_stop.c: workers that are stopped, limited, run again, recycled and made more or fewer:
 * what only processes can promise, but for the number of workers.
 *
 * Nothing here measures time. A task that is to be stopped runs for ever, so that a pool which does
 * not stop it is a hang; one that must not be stopped is far shorter than the limit. */
#include "toolkit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 200 };
static const int64_t limit_ns = 300000000;

/* In shared memory: which item is special, and how often each has run. */
struct trial {
    int32_t item;
    atomic_int deaths_left;
    atomic_int runs[MANY];
    atomic_int inside;
};

static int run_for_ever_at(void *result, const void *item, void *context)
{
    struct trial *trial = context;
    int32_t which = *(const int32_t *)item;
    atomic_fetch_add(&trial->runs[which], 1);
    atomic_fetch_add(&trial->inside, which == trial->item);
    while (which == trial->item)
        nap();
    return square(result, item, NULL);
}

static int run_chunk_for_ever_at(void *results, const void *items, size_t count, void *context)
{
    for (size_t i = 0; i < count; i++)
        (void)run_for_ever_at((int64_t *)results + i, (const int32_t *)items + i, context);
    return 0;
}

/* Dies at the item until it has died often enough. */
static int die_some_times_at(void *result, const void *item, void *context)
{
    struct trial *trial = context;
    int32_t which = *(const int32_t *)item;
    atomic_fetch_add(&trial->runs[which], 1);
    if (which == trial->item && atomic_fetch_sub(&trial->deaths_left, 1) > 0)
        raise(SIGKILL);
    return square(result, item, NULL);
}

static struct twin_call trial_call(struct trial *trial, const int32_t *item, twin_task *task)
{
    struct twin_call call = square_call(item);
    call.task = task;
    call.context = trial;
    call.context_size = 0;
    return call;
}

/* Submits all of MANY; all but the special one succeed, and run once. */
static void expect_one(struct twin_pool *pool, struct trial *trial, twin_task *task, int error)
{
    struct twin_future *futures[MANY];
    for (int32_t i = 0; i < MANY; i++) {
        struct twin_call call = trial_call(trial, &i, task);
        futures[i] = submit_call(pool, &call);
    }
    for (int32_t i = 0; i < MANY; i++) {
        int64_t result = 0;
        expect(twin_future_result(futures[i], &result, -1), i == trial->item ? error : 0);
        if (i != trial->item || !error)
            cr_assert_eq(result, (int64_t)i * i);
        if (i != trial->item)
            cr_assert_eq(atomic_load(&trial->runs[i]), 1, "an innocent call ran again");
        twin_future_release(futures[i]);
    }
}

/* ---- time-out ----------------------------------------------------------------------------------
 */

void stop_times_out_exactly_the_call_that_takes_too_long(const struct arm *arm)
{
    struct twin_pool *pool = open_pool_with(
        arm, &(struct twin_pool_options){.workers = 2, .task_timeout_ns = limit_ns, .retries = 3});
    struct trial *trial = arena(pool, sizeof *trial);
    for (trial->item = 0; trial->item < MANY; trial->item += 99) {
        memset(trial->runs, 0, sizeof trial->runs);
        expect_one(pool, trial, run_for_ever_at, TWIN_ETASKTIMEOUT);
        cr_assert_eq(atomic_load(&trial->runs[trial->item]), 1, "a time-out is not retried");
    }
    while (stats_of(pool).stopped < 3)
        nap();
    cr_assert_eq(stats_of(pool).restarts, 0);
    int64_t result;
    struct twin_call call = trial_call(trial, &(int32_t){0}, run_for_ever_at);
    trial->item = 0;
    expect(twin_pool_apply(pool, &call, &result), TWIN_ETASKTIMEOUT);
    cr_assert_eq(failure_of(pool).kind, TWIN_FAILURE_WORKER);
    twin_free(trial);
    succeeds(twin_pool_close(pool));
}

void stop_times_out_a_map(const struct arm *arm)
{
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){.workers = 2, .task_timeout_ns = limit_ns});
    struct trial *trial = arena(pool, sizeof *trial);
    int32_t items[MANY];
    int64_t results[MANY];
    struct twin_map map = square_map(count_up(items, MANY), results, MANY);
    map.task = run_for_ever_at;
    map.context = trial;
    map.chunk = 10;
    trial->item = 123;
    expect(twin_pool_map(pool, &map), TWIN_ETASKTIMEOUT);
    cr_assert_eq(failure_of(pool).index, 123);
    map.task = NULL;
    map.kernel = run_chunk_for_ever_at;
    expect(twin_pool_map(pool, &map), TWIN_ETASKTIMEOUT);
    cr_assert_eq(failure_of(pool).index, 120, "a kernel's is its chunk's first");
    trial->item = -1;
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, MANY);
    twin_free(trial);
    succeeds(twin_pool_close(pool));
}

/* A chunk may take longer than the limit: an item may not. */
void stop_gives_each_item_its_time(const struct arm *arm)
{
    enum { COUNT = 40 };
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){.workers = 1, .task_timeout_ns = limit_ns});
    struct gate *gate = arena(pool, sizeof *gate);
    int32_t items[COUNT];
    int64_t results[COUNT];
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    map.task = wait_at_gate;
    map.context = gate;
    map.chunk = COUNT;
    gate_open(gate);
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, COUNT);
    twin_free(gate);
    succeeds(twin_pool_close(pool));
}

/* ---- cancel ------------------------------------------------------------------------------------
 */

void stop_cancels_what_runs_and_nothing_else(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct trial *trial = arena(pool, sizeof *trial);
    for (trial->item = 0; trial->item < 30; trial->item++) {
        atomic_store(&trial->inside, 0);
        memset(trial->runs, 0, sizeof trial->runs);
        struct twin_future *futures[30];
        for (int32_t i = 0; i < 30; i++) {
            struct twin_call call = trial_call(trial, &i, run_for_ever_at);
            futures[i] = submit_call(pool, &call);
        }
        await_at_least(&trial->inside, 1);
        succeeds(twin_future_cancel(futures[trial->item]));
        for (int32_t i = 0; i < 30; i++) {
            expect(twin_future_result(futures[i], NULL, -1),
                   i == trial->item ? TWIN_ECANCELLED : 0);
            cr_assert_eq(atomic_load(&trial->runs[i]), 1);
            twin_future_release(futures[i]);
        }
    }
    while (stats_of(pool).stopped < 30 || stats_of(pool).workers < 2)
        nap();
    cr_assert_eq(stats_of(pool).restarts, 0);
    twin_free(trial);
    succeeds(twin_pool_close(pool));
}

void stop_cancels_a_map_that_runs(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct trial *trial = arena(pool, sizeof *trial);
    int32_t items[MANY];
    int64_t results[MANY];
    struct twin_map map = square_map(count_up(items, MANY), results, MANY);
    map.task = run_for_ever_at;
    map.context = trial;
    map.chunk = 1;
    for (trial->item = 0; trial->item < MANY; trial->item += 66) {
        struct twin_future *future;
        atomic_store(&trial->inside, 0);
        succeeds(twin_pool_map_async(pool, &map, &future));
        await_at_least(&trial->inside, 1);
        succeeds(twin_future_cancel(future));
        expect(twin_future_result(future, NULL, -1), TWIN_ECANCELLED);
        twin_future_release(future);
    }
    trial->item = -1;
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, MANY);
    twin_free(trial);
    succeeds(twin_pool_close(pool));
}

/* ---- retries -----------------------------------------------------------------------------------
 */

void stop_runs_a_lost_call_again(const struct arm *arm)
{
    enum { RETRIES = 3 };
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){.workers = 2, .retries = RETRIES});
    struct trial *trial = arena(pool, sizeof *trial);
    for (int deaths = 0; deaths <= RETRIES + 1; deaths++) {
        memset(trial->runs, 0, sizeof trial->runs);
        trial->item = 17 * deaths;
        atomic_store(&trial->deaths_left, deaths);
        expect_one(pool, trial, die_some_times_at, deaths > RETRIES ? TWIN_EWORKER : 0);
        cr_assert_eq(atomic_load(&trial->runs[trial->item]),
                     deaths > RETRIES ? RETRIES + 1 : deaths + 1);
    }
    twin_free(trial);
    succeeds(twin_pool_close(pool));
}

void stop_runs_a_lost_chunk_again(const struct arm *arm)
{
    enum { RETRIES = 2 };
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){.workers = 2, .retries = RETRIES});
    struct trial *trial = arena(pool, sizeof *trial);
    int32_t items[MANY];
    int64_t results[MANY];
    struct twin_map map = square_map(count_up(items, MANY), results, MANY);
    map.task = die_some_times_at;
    map.context = trial;
    map.chunk = 4;
    for (int deaths = 0; deaths <= RETRIES + 1; deaths++) {
        memset(results, 0, sizeof results);
        trial->item = 40 * deaths;
        atomic_store(&trial->deaths_left, deaths);
        expect(twin_pool_map(pool, &map), deaths > RETRIES ? TWIN_EWORKER : 0);
        if (deaths <= RETRIES)
            assert_squares(results, items, MANY);
        else
            cr_assert_eq(failure_of(pool).index, (size_t)trial->item);
    }
    twin_free(trial);
    succeeds(twin_pool_close(pool));
}

void stop_refuses_to_retry_in_place(const struct arm *arm)
{
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){.workers = 1, .retries = 1});
    int64_t numbers[20] = {0};
    struct twin_map map = square_map((const int32_t *)numbers, numbers, 20);
    expect(twin_pool_map(pool, &map), TWIN_EINVAL);
    expect(twin_pool_map_async(pool, &map, &(struct twin_future *){NULL}), TWIN_EINVAL);
    map.results = numbers + 10;
    map.count = 10;
    succeeds(twin_pool_map(pool, &map));
    succeeds(twin_pool_close(pool));
}

/* ---- recycling ---------------------------------------------------------------------------------
 */

static int die_the_first_time(void *result, const void *item, void *context)
{
    atomic_int *begun = context;
    if (atomic_fetch_add(&begun[*(const int32_t *)item], 1) == 0)
        raise(SIGKILL);
    return square(result, item, NULL);
}

/* However many chunks of a map are lost, each may be again. */
void stop_runs_many_lost_chunks_again(const struct arm *arm)
{
    enum { LOST = 100 };
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){.workers = 2, .retries = 1});
    atomic_int *begun = arena(pool, LOST * sizeof *begun);
    int32_t items[LOST];
    int64_t results[LOST];
    struct twin_map map = square_map(count_up(items, LOST), results, LOST);
    map.task = die_the_first_time;
    map.context = begun;
    map.chunk = 1;
    succeeds(twin_pool_map(pool, &map));
    for (int64_t i = 0; i < LOST; i++)
        cr_assert(results[i] == i * i && atomic_load(&begun[i]) == 2);
    twin_free(begun);
    succeeds(twin_pool_close(pool));
}

void stop_recycles_workers(const struct arm *arm)
{
    enum { TASKS = 10, WORKERS = 2 };
    struct twin_pool *pool = open_pool_with(
        arm, &(struct twin_pool_options){.workers = WORKERS, .tasks_per_worker = TASKS});
    struct {
        int64_t pid;
        int tasks;
    } seen[MANY] = {{0}};
    for (int32_t i = 0; i < MANY; i++) {
        struct twin_call call = square_call(&i);
        call.task = name_process;
        int64_t pid;
        succeeds(twin_pool_apply(pool, &call, &pid));
        int at = 0;
        while (seen[at].pid && seen[at].pid != pid)
            at++;
        seen[at].pid = pid;
        cr_assert(++seen[at].tasks <= TASKS, "a worker ran more than its share");
    }
    int32_t items[MANY];
    int64_t results[MANY];
    struct twin_map map = square_map(count_up(items, MANY), results, MANY);
    map.chunk = 1;
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, MANY);
    while (stats_of(pool).workers < WORKERS)
        nap();
    struct twin_stats stats = stats_of(pool);
    cr_assert_geq(stats.recycled, 2 * MANY / TASKS - WORKERS);
    cr_assert_eq(stats.restarts + stats.stopped, 0);
    succeeds(twin_pool_close(pool));
}

/* ---- memory ceiling ----------------------------------------------------------------------------
 */

static int take_memory(void *result, const void *item, void *context)
{
    (void)context;
    size_t bytes = (size_t) * (const int32_t *)item << 20;
    volatile char *block = malloc(bytes);
    if (!block)
        return 12;
    for (size_t i = 0; i < bytes; i += 4096)
        block[i] = 1;
    free((void *)block);
    *(int64_t *)result = 1;
    return 0;
}

void stop_limits_the_memory_of_a_worker(const struct arm *arm)
{
#ifdef __SANITIZE_ADDRESS__
    skip("the sanitizer's allocator ends the process instead");
#endif
    struct twin_pool *pool = open_pool_with(
        arm, &(struct twin_pool_options){.workers = 2, .worker_bytes = (size_t)64 << 20});
    int64_t result = 0;
    int32_t little = 16, much = 512;
    struct twin_call call = square_call(&little);
    call.task = take_memory;
    succeeds(twin_pool_apply(pool, &call, &result));
    call.item = &much;
    expect(twin_pool_apply(pool, &call, &result), TWIN_ETASK);
    cr_assert_eq(failure_of(pool).task_code, 12);
    call.item = &little;
    succeeds(twin_pool_apply(pool, &call, &result));
    succeeds(twin_pool_close(pool));
}

/* ---- deaths, many of them ----------------------------------------------------------------------
 */

static int die_at_thirds(void *result, const void *item, void *context)
{
    (void)context;
    if (*(const int32_t *)item % 3 == 0)
        raise(SIGKILL);
    return square(result, item, NULL);
}

static void submit_deadly(struct twin_pool *pool, struct twin_future **futures, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        struct twin_call call = square_call(&i);
        call.task = die_at_thirds;
        futures[i] = submit_call(pool, &call);
    }
}

static void expect_thirds_lost(struct twin_future **futures, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        int64_t result = 0;
        expect(twin_future_result(futures[i], &result, -1), i % 3 ? 0 : TWIN_EWORKER);
        cr_assert(i % 3 == 0 || result == (int64_t)i * i);
        twin_future_release(futures[i]);
    }
}

void stop_survives_deaths_during_shutdown(const struct arm *arm)
{
    enum { COUNT = 60 };
    struct twin_future *futures[COUNT];
    struct twin_pool *pool = open_pool(arm, 2);
    submit_deadly(pool, futures, COUNT);
    succeeds(twin_pool_shutdown(pool));
    expect_thirds_lost(futures, COUNT);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

void stop_survives_deaths_during_resize(const struct arm *arm)
{
    enum { COUNT = 60 };
    struct twin_future *futures[COUNT];
    struct twin_pool *pool = open_pool(arm, 4);
    submit_deadly(pool, futures, COUNT);
    for (unsigned workers = 1; workers <= 6; workers++)
        succeeds(twin_pool_resize(pool, workers * 5 % 7));
    expect_thirds_lost(futures, COUNT);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* After a burst of 128 no more than one a millisecond: a lower bound of the time it takes. */
void stop_bounds_the_rate_of_restarts(const struct arm *arm)
{
    enum { COUNT = 900 };
    static struct twin_future *futures[COUNT];
    struct timespec begin, end;
    struct twin_pool *pool = open_pool(arm, 4);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    submit_deadly(pool, futures, COUNT);
    expect_thirds_lost(futures, COUNT);
    while (stats_of(pool).workers < 4 || stats_of(pool).restarts < COUNT / 3)
        nap(); /* the last one is at work a moment before it is counted */
    uint64_t restarts = stats_of(pool).restarts;
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
    cr_assert_eq(restarts, COUNT / 3);
    cr_assert_leq((int64_t)restarts, 128 + ms + 1);
    succeeds(twin_pool_close(pool));
}

/* ---- more and fewer workers --------------------------------------------------------------------
 */

static void all_meet(struct twin_pool *pool, int workers)
{
    struct gate *gate = arena(pool, sizeof *gate);
    struct twin_future *futures[16];
    int32_t item = 3;
    struct twin_call call = gate_call(gate, &item);
    for (int i = 0; i < workers; i++)
        futures[i] = submit_call(pool, &call);
    await_at_least(&gate->inside, workers);
    gate_open(gate);
    for (int i = 0; i < workers; i++) {
        succeeds(twin_future_result(futures[i], NULL, -1));
        twin_future_release(futures[i]);
    }
    cr_assert_eq(atomic_load(&gate->most_inside), workers);
    twin_free(gate);
}

void resize_changes_how_many_work(const struct arm *arm)
{
    static const unsigned sizes[] = {5, 1, 7, 7, 2, 9, 1};
    struct twin_pool *pool = open_pool(arm, 2);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        succeeds(twin_pool_resize(pool, sizes[i]));
        int32_t items[MANY];
        int64_t results[MANY];
        struct twin_map map = square_map(count_up(items, MANY), results, MANY);
        map.chunk = 1;
        succeeds(twin_pool_map(pool, &map));
        assert_squares(results, items, MANY);
        if (arm->starts_at_once)
            all_meet(pool, (int)sizes[i]);
        while (stats_of(pool).workers != sizes[i])
            nap();
    }
    expect(twin_pool_resize(pool, 0), TWIN_EINVAL);
    expect(twin_pool_resize(pool, 1025), TWIN_EINVAL);
    expect(twin_pool_resize(NULL, 1), TWIN_EINVAL);
    succeeds(twin_pool_shutdown(pool));
    expect(twin_pool_resize(pool, 1), TWIN_ECLOSED);
    succeeds(twin_pool_close(pool));
}

void resize_loses_nothing_that_is_in_flight(const struct arm *arm)
{
    enum { COUNT = 2000 };
    struct twin_pool *pool = open_pool(arm, 4);
    static struct twin_future *futures[COUNT];
    for (int32_t i = 0; i < COUNT; i++) {
        struct twin_call call = square_call(&i);
        futures[i] = submit_call(pool, &call);
        if (i % 100 == 0)
            succeeds(twin_pool_resize(pool, 1 + (unsigned)(i / 100 * 7) % 8));
    }
    for (int64_t i = 0; i < COUNT; i++) {
        int64_t result = 0;
        succeeds(twin_future_result(futures[i], &result, -1));
        cr_assert_eq(result, i * i);
        twin_future_release(futures[i]);
    }
    succeeds(twin_pool_close(pool));
}
