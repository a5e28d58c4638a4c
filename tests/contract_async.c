/* contract_async.c: apply_async and the futures it hands back.
 *
 * What must be looked at while it runs is looked at inside a scope: there, and under omp only
 * there, work goes on beside the caller. The gate makes such moments last: nothing here depends on
 * how fast anything is. */
#include "toolkit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void apply_async_returns_what_direct_calls_return(const struct arm *arm)
{
    enum { COUNT = 10000 };
    static struct twin_future *futures[COUNT];
    static int64_t results[COUNT];
    static int32_t items[COUNT];
    count_up(items, COUNT);
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct twin_pool *pool = open_pool(arm, workers);
        for (size_t i = 0; i < COUNT; i++) {
            struct twin_call call = square_call(&items[i]);
            futures[i] = submit_call(pool, &call);
        }
        for (size_t i = 0; i < COUNT; i++) {
            succeeds(twin_future_result(futures[i], &results[i], -1));
            twin_future_release(futures[i]);
        }
        assert_squares(results, items, COUNT);
        cr_assert_eq(stats_of(pool).tasks, COUNT);
        succeeds(twin_pool_close(pool));
        memset(results, 0, sizeof results);
    }
}

void apply_async_runs_each_call_exactly_once(const struct arm *arm)
{
    enum { COUNT = 5000 };
    struct twin_pool *pool = open_pool(arm, 3);
    atomic_int *counters = arena(pool, COUNT * sizeof *counters);
    static struct twin_future *futures[COUNT];
    for (int32_t item = 0; item < COUNT; item++) {
        struct twin_call call = square_call(&item);
        call.task = count_run;
        call.context = counters;
        futures[item] = submit_call(pool, &call);
    }
    succeeds(twin_futures_wait(futures, COUNT, TWIN_ALL, -1));
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(atomic_load(&counters[i]), 1, "call %zu ran %d times", i,
                     atomic_load(&counters[i]));
        twin_future_release(futures[i]);
    }
    twin_free(counters);
    succeeds(twin_pool_close(pool));
}

static int add_context(void *result, const void *item, void *context)
{
    *(int64_t *)result = *(const int32_t *)item + *(const int64_t *)context;
    return 0;
}

void apply_async_copies_item_and_context_at_once(const struct arm *arm)
{
    enum { COUNT = 200 };
    struct twin_pool *pool = open_pool(arm, 2);
    struct twin_future *futures[COUNT];
    int32_t item;
    int64_t context;
    struct twin_call call = square_call(&item);
    call.task = add_context;
    call.context = &context;
    call.context_size = sizeof context;
    for (int32_t i = 0; i < COUNT; i++) {
        item = i, context = 1000 * i;
        futures[i] = submit_call(pool, &call);
        item = -1, context = -1;
    }
    for (int32_t i = 0; i < COUNT; i++) {
        int64_t result = 0;
        succeeds(twin_future_result(futures[i], &result, -1));
        cr_assert_eq(result, 1001 * (int64_t)i);
        twin_future_release(futures[i]);
    }
    succeeds(twin_pool_close(pool));
}

static int reverse(void *result, const void *item, void *context)
{
    size_t size = *(const size_t *)context;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)result)[i] = ((const unsigned char *)item)[size - 1 - i];
    return 0;
}

void apply_async_takes_items_and_results_of_any_size(const struct arm *arm)
{
    static const size_t sizes[] = {1, 8, 16, 31, 32, 33, 64, 100, 1000, 4096, 65537, 1 << 20};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct twin_pool *pool = open_pool(arm, 2);
    unsigned char *item = malloc(1 << 20), *result = malloc(1 << 20);
    cr_assert(item && result);
    for (size_t i = 0; i < 1 << 20; i++)
        item[i] = (unsigned char)(i * 17 + i / 256);
    struct twin_future *futures[COUNT];
    for (size_t k = 0; k < COUNT; k++) {
        struct twin_call call = {reverse, &sizes[k], sizeof sizes[k], item, sizes[k], sizes[k]};
        futures[k] = submit_call(pool, &call);
    }
    for (size_t k = 0; k < COUNT; k++) {
        succeeds(twin_future_result(futures[k], result, -1));
        for (size_t i = 0; i < sizes[k]; i++)
            cr_assert_eq(result[i], item[sizes[k] - 1 - i], "byte %zu of %zu", i, sizes[k]);
        twin_future_release(futures[k]);
    }
    free(item), free(result);
    succeeds(twin_pool_close(pool));
}

static int fail_odd(void *result, const void *item, void *context)
{
    square(result, item, context);
    return *(const int32_t *)item % 2 ? FAILING_CODE(*(const int32_t *)item) : 0;
}

void apply_async_reports_the_code_of_each_task(const struct arm *arm)
{
    enum { COUNT = 300 };
    struct twin_pool *pool = open_pool(arm, 3);
    struct twin_future *futures[COUNT];
    for (int32_t i = 0; i < COUNT; i++) {
        struct twin_call call = square_call(&i);
        call.task = fail_odd;
        futures[i] = submit_call(pool, &call);
    }
    for (int32_t i = 0; i < COUNT; i++) {
        int64_t result = 0;
        expect(twin_future_result(futures[i], &result, -1), i % 2 ? TWIN_ETASK : 0);
        struct twin_failure failure = failure_of_future(futures[i]);
        cr_assert_eq(failure.kind, i % 2 ? TWIN_FAILURE_TASK : TWIN_FAILURE_NONE);
        cr_assert_eq(failure.task_code, i % 2 ? FAILING_CODE(i) : 0);
        cr_assert_eq(twin_future_state(futures[i]), i % 2 ? TWIN_FAILED : TWIN_SUCCEEDED);
        cr_assert(i % 2 || result == (int64_t)i * i);
        twin_future_release(futures[i]);
    }
    succeeds(twin_pool_close(pool));
}

/* ---- states ------------------------------------------------------------------------------------
 */

struct stage {
    const struct arm *arm;
    struct gate *gate;
    int32_t item;
    unsigned workers;
};

/* Fills every worker that is not the caller with a call that waits at the gate. */
static unsigned occupy(struct twin_pool *pool, struct stage *stage, struct twin_future **futures)
{
    unsigned count = helpers(stage->arm, stage->workers);
    struct twin_call call = gate_call(stage->gate, &stage->item);
    for (unsigned i = 0; i < count; i++)
        futures[i] = submit_call(pool, &call);
    await_at_least(&stage->gate->inside, (int)count);
    return count;
}

static void in_scope(const struct arm *arm, unsigned workers,
                     int (*body)(struct twin_pool *, void *))
{
    struct twin_pool *pool = open_pool(arm, workers);
    struct stage stage = {arm, arena(pool, sizeof(struct gate)), 9, workers};
    succeeds(twin_pool_scope(pool, body, &stage));
    twin_free(stage.gate);
    succeeds(twin_pool_close(pool));
}

static int cancel_in_each_state(struct twin_pool *pool, void *argument)
{
    struct stage *stage = argument;
    struct twin_future *running[8];
    unsigned count = occupy(pool, stage, running);
    struct twin_call call = square_call(&stage->item);
    struct twin_future *pending = submit_call(pool, &call), *kept = submit_call(pool, &call);

    cr_assert_eq(twin_future_state(pending), TWIN_PENDING);
    succeeds(twin_future_cancel(pending)); /* pending: yes */
    cr_assert_eq(twin_future_state(pending), TWIN_CANCELLED);
    succeeds(twin_future_cancel(pending)); /* cancelled: yes, again */
    expect(twin_future_result(pending, NULL, 0), TWIN_ECANCELLED);
    cr_assert_eq(failure_of_future(pending).kind, TWIN_FAILURE_NONE);

    cr_assert_eq(twin_future_state(running[0]), TWIN_RUNNING);
    int64_t result = 0;
    if (stage->arm->processes) { /* running: only where a worker can be killed */
        succeeds(twin_future_cancel(running[0]));
        cr_assert_eq(twin_future_state(running[0]), TWIN_CANCELLED);
        expect(twin_future_result(running[0], NULL, -1), TWIN_ECANCELLED);
        gate_open(stage->gate);
    } else {
        int refused = twin_future_cancel(running[0]);
        cr_assert(refused == TWIN_EDONE || refused == TWIN_ENOTSUP, "%s", twin_strerror(refused));
        cr_assert_eq(twin_future_state(running[0]), TWIN_RUNNING);
        gate_open(stage->gate);
        succeeds(twin_future_result(running[0], &result, -1));
        cr_assert_eq(result, 81);
        expect(twin_future_cancel(running[0]), TWIN_EDONE); /* finished: no */
        cr_assert_eq(twin_future_state(running[0]), TWIN_SUCCEEDED);
    }
    succeeds(twin_future_result(kept, &result, -1)); /* its neighbour's cancel is not its own */
    expect(twin_future_result(pending, NULL, -1), TWIN_ECANCELLED);
    for (unsigned i = 0; i < count; i++)
        twin_future_release(running[i]);
    twin_future_release(pending), twin_future_release(kept);
    return 0;
}

void apply_async_follows_the_cancel_matrix(const struct arm *arm)
{
    in_scope(arm, 2, cancel_in_each_state);
}

static int time_out(struct twin_pool *pool, void *argument)
{
    struct stage *stage = argument;
    struct twin_future *running[8];
    unsigned count = occupy(pool, stage, running);
    int64_t result = -5;
    expect(twin_future_result(running[0], &result, 0), TWIN_ETIMEOUT);
    expect(twin_future_result(running[0], &result, 1), TWIN_ETIMEOUT);
    expect(twin_future_result(running[0], &result, 3 * 1000 * 1000), TWIN_ETIMEOUT);
    cr_assert_eq(result, -5, "nothing is written before there is a result");
    expect(twin_futures_wait(running, count, TWIN_ALL, 0), TWIN_ETIMEOUT);
    expect(twin_futures_wait(running, count, TWIN_FIRST, 2 * 1000 * 1000), TWIN_ETIMEOUT);
    gate_open(stage->gate);
    for (unsigned i = 0; i < count; i++) {
        succeeds(twin_future_result(running[i], &result, -1));
        succeeds(twin_future_result(running[i], &result, 0));
        cr_assert_eq(result, 81);
        twin_future_release(running[i]);
    }
    return 0;
}

void apply_async_times_out_and_then_succeeds(const struct arm *arm)
{
    in_scope(arm, 2, time_out);
    in_scope(arm, 4, time_out);
}

void apply_async_answers_again_and_after_close(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int32_t item = 11, odd = 7;
    struct twin_call good = square_call(&item), bad = square_call(&odd);
    bad.task = fail_odd;
    struct twin_future *read = submit_call(pool, &good), *unread = submit_call(pool, &good);
    struct twin_future *failed = submit_call(pool, &bad);
    int64_t result = 0;
    succeeds(twin_future_result(read, &result, -1));
    succeeds(twin_pool_close(pool));
    for (int again = 0; again < 3; again++) {
        result = 0;
        succeeds(twin_future_result(again % 2 ? read : unread, &result, -1));
        cr_assert_eq(result, 121);
        expect(twin_future_result(failed, NULL, -1), TWIN_ETASK);
        cr_assert_eq(failure_of_future(failed).task_code, FAILING_CODE(7));
    }
    twin_future_release(read), twin_future_release(unread), twin_future_release(failed);
}

void apply_async_runs_what_was_released(const struct arm *arm)
{
    enum { COUNT = 500 };
    struct twin_pool *pool = open_pool(arm, 2);
    atomic_int *counters = arena(pool, COUNT * sizeof *counters);
    for (int32_t item = 0; item < COUNT; item++) {
        struct twin_call call = square_call(&item);
        call.task = count_run;
        call.context = counters;
        twin_future_release(submit_call(pool, &call));
    }
    twin_future_release(NULL);
    succeeds(twin_pool_close(pool));
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(atomic_load(&counters[i]), 1, "released call %zu ran %d times", i,
                     atomic_load(&counters[i]));
    twin_free(counters);
}

/* ---- waiting for several -----------------------------------------------------------------------
 */

static int wait_in_three_ways(struct twin_pool *pool, void *argument)
{
    struct stage *stage = argument;
    int32_t odd = 3;
    struct twin_call held = gate_call(stage->gate, &stage->item), failing = square_call(&odd);
    struct twin_call good = square_call(&stage->item);
    failing.task = fail_odd;
    struct twin_future *futures[3] = {submit_call(pool, &held), submit_call(pool, &good),
                                      submit_call(pool, &failing)};
    await_at_least(&stage->gate->inside, 1); /* not left for the waiting caller to run himself */
    succeeds(twin_futures_wait(futures, 3, TWIN_FIRST, -1));
    cr_assert_eq(twin_future_state(futures[0]) >= TWIN_SUCCEEDED, false);
    succeeds(twin_futures_wait(futures, 3, TWIN_FIRST_FAILURE, -1));
    cr_assert_eq(twin_future_state(futures[2]), TWIN_FAILED);
    succeeds(twin_futures_wait(futures + 1, 1, TWIN_FIRST_FAILURE, -1)); /* none fails: all is */
    cr_assert_eq(twin_future_state(futures[1]), TWIN_SUCCEEDED);
    expect(twin_futures_wait(futures, 3, TWIN_ALL, 1000), TWIN_ETIMEOUT);
    gate_open(stage->gate);
    succeeds(twin_futures_wait(futures, 3, TWIN_ALL, -1));
    for (int i = 0; i < 3; i++) {
        cr_assert_geq(twin_future_state(futures[i]), TWIN_SUCCEEDED);
        twin_future_release(futures[i]);
    }
    return 0;
}

void apply_async_waits_for_all_first_and_first_failure(const struct arm *arm)
{
    in_scope(arm, 3, wait_in_three_ways); /* one is held, under omp another is the caller */
}

void apply_async_accepts_null_and_duplicates_in_a_wait(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int32_t item = 2;
    struct twin_call call = square_call(&item);
    struct twin_future *one = submit_call(pool, &call), *two = submit_call(pool, &call);
    struct twin_future *futures[] = {NULL, one, one, NULL, two, one, NULL};
    succeeds(twin_futures_wait(futures, 7, TWIN_ALL, -1));
    succeeds(twin_futures_wait(futures, 7, TWIN_FIRST, 0));
    succeeds(twin_futures_wait(futures, 7, TWIN_FIRST_FAILURE, 0));
    succeeds(twin_futures_wait(futures, 0, TWIN_ALL, -1));
    succeeds(twin_futures_wait(futures, 1, TWIN_ALL, -1));
    expect(twin_futures_wait(futures, 7, (enum twin_wait_for)9, -1), TWIN_EINVAL);
    twin_future_release(one), twin_future_release(two);
    succeeds(twin_pool_close(pool));
}

/* ---- who runs what -----------------------------------------------------------------------------
 */

static int saturate(struct twin_pool *pool, void *argument)
{
    struct stage *stage = argument;
    unsigned working = helpers(stage->arm, stage->workers), count = 15 * stage->workers;
    struct twin_future *futures[15 * 8];
    struct twin_call call = gate_call(stage->gate, &stage->item);
    for (unsigned i = 0; i < count; i++)
        futures[i] = submit_call(pool, &call);
    await_at_least(&stage->gate->inside, (int)working);
    for (int look = 0; look < 20; look++) /* and it stays so */
        nap();
    cr_assert_eq(atomic_load(&stage->gate->most_inside), (int)working);
    unsigned running = 0, pending = 0;
    for (unsigned i = 0; i < count; i++) {
        running += twin_future_state(futures[i]) == TWIN_RUNNING;
        pending += twin_future_state(futures[i]) == TWIN_PENDING;
    }
    cr_assert_eq(running, working, "%u are said to run, not %u", running, working);
    cr_assert_eq(pending, count - working);
    gate_open(stage->gate);
    succeeds(twin_futures_wait(futures, count, TWIN_ALL, -1));
    cr_assert_eq(atomic_load(&stage->gate->passed), (int)count);
    cr_assert_leq(atomic_load(&stage->gate->most_inside), (int)stage->workers);
    for (unsigned i = 0; i < count; i++)
        twin_future_release(futures[i]);
    return 0;
}

void apply_async_saturates_exactly_its_workers(const struct arm *arm)
{
    in_scope(arm, 2, saturate);
    in_scope(arm, 4, saturate);
}

/* More of them, one after the other, than libgomp defers at once. */
static int meet_often(struct twin_pool *pool, void *argument)
{
    const int32_t workers = *(const int32_t *)argument;
    for (int turn = 0; turn < 150; turn++) {
        struct gate *gate = arena(pool, sizeof *gate);
        struct twin_future *futures[6];
        struct twin_call call = gate_call(gate, &workers);
        call.task = meet;
        for (int32_t i = 0; i < workers; i++)
            futures[i] = submit_call(pool, &call);
        for (int32_t i = 0; i < workers; i++) {
            succeeds(twin_future_result(futures[i], NULL, -1));
            twin_future_release(futures[i]);
        }
        twin_free(gate);
    }
    return 0;
}

void apply_async_lets_tasks_wait_for_each_other(const struct arm *arm)
{
    for (int32_t workers = 1; workers <= 6; workers++) {
        struct twin_pool *pool = open_pool(arm, (unsigned)workers);
        cr_assert_eq(meet_often(pool, &workers), 0);
        succeeds(twin_pool_scope(pool, meet_often, &workers));
        succeeds(twin_pool_close(pool));
    }
}

/* Submits calls that need each other, right after a burst of short ones, and does not come back to the
 * library before they have met: each must have found a worker by itself. */
static void meet_unwatched(struct twin_pool *pool, struct gate *gate, int32_t workers, size_t burst)
{
    enum { MOST_BURST = 40 };
    struct twin_future *futures[MOST_BURST];
    int32_t item = 3;
    struct twin_call call = square_call(&item);
    for (size_t i = 0; i < burst; i++)
        futures[i] = submit_call(pool, &call);
    succeeds(twin_futures_wait(futures, burst, TWIN_ALL, -1));
    for (size_t i = 0; i < burst; i++)
        twin_future_release(futures[i]);

    call = gate_call(gate, &workers);
    call.task = meet;
    for (int32_t i = 0; i < workers; i++)
        futures[i] = submit_call(pool, &call);
    await_at_least(&gate->inside, workers);
    succeeds(twin_futures_wait(futures, (size_t)workers, TWIN_ALL, -1));
    for (int32_t i = 0; i < workers; i++)
        twin_future_release(futures[i]);
}

void apply_async_starts_what_nobody_waits_for(const struct arm *arm)
{
    if (!arm->starts_at_once)
        skip("work starts at the first wait");
    struct random random = random_seeded("starts_what_nobody_waits_for");
    for (int32_t workers = 1; workers <= 8; workers++) {
        struct twin_pool *pool = open_pool(arm, (unsigned)workers);
        for (int turn = 0; turn < 300; turn++) {
            struct gate *gate = arena(pool, sizeof *gate);
            meet_unwatched(pool, gate, workers, random_below(&random, 40));
            twin_free(gate);
        }
        succeeds(twin_pool_close(pool));
    }
}

static int sleep_an_hour(void *result, const void *item, void *context)
{
    (void)result, (void)item;
    atomic_fetch_add((atomic_int *)context, 1);
    struct timespec hour = {.tv_sec = 3600};
    while (nanosleep(&hour, &hour) != 0)
        ;
    return 0;
}

void apply_async_terminates_ten_thousand_long_sleeps(const struct arm *arm)
{
    enum { COUNT = 10000 };
    if (!arm->processes && arm->starts_at_once)
        skip("threads that sleep for an hour cannot be stopped");
    static struct twin_future *futures[COUNT];
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){
                                .backend = arm->backend, .workers = 2, .max_pending = COUNT + 1});
    atomic_int *started = arena(pool, sizeof *started);
    struct twin_call call = {.task = sleep_an_hour, .context = started};
    for (size_t i = 0; i < COUNT; i++)
        futures[i] = submit_call(pool, &call);
    if (arm->starts_at_once)
        await_at_least(started, 2);
    succeeds(twin_pool_terminate(pool));
    size_t killed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        int outcome = twin_future_result(futures[i], NULL, -1);
        cr_assert(outcome == TWIN_ECANCELLED || outcome == TWIN_EWORKER, "%s",
                  twin_strerror(outcome));
        killed += outcome == TWIN_EWORKER;
        twin_future_release(futures[i]);
    }
    cr_assert_eq(killed, arm->starts_at_once ? 2 : 0);
    assert_no_child();
    succeeds(twin_pool_close(pool));
    twin_free(started);
}

static int sleep_a_little(void *result, const void *item, void *context)
{
    nap();
    return square(result, item, context);
}

void apply_async_finishes_fifty_sleeps_at_shutdown(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 3);
    struct twin_future *futures[50];
    int64_t results[50];
    int32_t items[50];
    count_up(items, 50);
    for (size_t i = 0; i < 50; i++) {
        struct twin_call call = square_call(&items[i]);
        call.task = sleep_a_little;
        futures[i] = submit_call(pool, &call);
    }
    succeeds(twin_pool_shutdown(pool));
    for (size_t i = 0; i < 50; i++) {
        succeeds(twin_future_result(futures[i], &results[i], 0));
        twin_future_release(futures[i]);
    }
    assert_squares(results, items, 50);
    succeeds(twin_pool_close(pool));
}

void apply_async_goes_past_max_pending(const struct arm *arm)
{
    enum { COUNT = 3000 };
    static struct twin_future *futures[COUNT];
    for (size_t max_pending = 1; max_pending <= 100; max_pending = max_pending * 3 + 1) {
        struct twin_pool *pool = open_pool_with(
            arm, &(struct twin_pool_options){
                     .backend = arm->backend, .workers = 2, .max_pending = max_pending});
        for (int32_t i = 0; i < COUNT; i++) {
            struct twin_call call = square_call(&i);
            futures[i] = submit_call(pool, &call);
        }
        for (int32_t i = 0; i < COUNT; i++) {
            int64_t result = 0;
            succeeds(twin_future_result(futures[i], &result, -1));
            cr_assert_eq(result, (int64_t)i * i);
            twin_future_release(futures[i]);
        }
        succeeds(twin_pool_close(pool));
    }
}
