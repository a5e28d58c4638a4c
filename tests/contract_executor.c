/* contract_executor.c: submit, and map with its ordered iterator. */
#include "toolkit.h"

#include <pthread.h>
#include <stdlib.h>

static struct twin_future *submit(struct twin_executor *executor, const struct twin_call *call)
{
    struct twin_future *future = NULL;
    succeeds(twin_executor_submit(executor, call, &future));
    cr_assert_not_null(future);
    return future;
}

/* ---- submit ------------------------------------------------------------------------------------
 */

void executor_submit_returns_what_direct_calls_return(const struct arm *arm)
{
    enum { COUNT = 2000 };
    static struct twin_future *futures[COUNT];
    static int64_t results[COUNT];
    static int32_t items[COUNT];
    count_up(items, COUNT);
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct twin_executor *executor = open_executor(arm, workers);
        for (size_t i = 0; i < COUNT; i++) {
            struct twin_call call = square_call(&items[i]);
            futures[i] = submit(executor, &call);
        }
        for (size_t i = COUNT; i-- > 0;) {
            succeeds(twin_future_result(futures[i], &results[i], -1));
            twin_future_release(futures[i]);
        }
        assert_squares(results, items, COUNT);
        succeeds(twin_executor_close(executor));
    }
    succeeds(twin_executor_close(NULL));
}

struct stage {
    const struct arm *arm;
    struct twin_executor *executor;
    struct gate *gate;
    unsigned workers;
    int32_t item;
};

/* Runs the body inside a scope of the executor's pool: there it is beside its workers. */
static void in_scope(const struct arm *arm, unsigned workers,
                     int (*body)(struct twin_pool *, void *))
{
    struct twin_executor *executor = open_executor(arm, workers);
    struct twin_pool *pool = twin_executor_pool(executor);
    struct stage stage = {arm, executor, arena(pool, sizeof(struct gate)), workers, 9};
    succeeds(twin_pool_scope(pool, body, &stage));
    twin_free(stage.gate);
    succeeds(twin_executor_close(executor));
}

static int fill_one_by_one(struct twin_pool *pool, void *argument)
{
    struct stage *stage = argument;
    struct twin_future *futures[8];
    struct twin_call call = square_call(&stage->item), held = gate_call(stage->gate, &stage->item);
    for (int turn = 0; turn < 20; turn++) { /* one idle worker is enough for one call at a time */
        struct twin_future *future = submit(stage->executor, &call);
        succeeds(twin_future_result(future, NULL, -1));
        twin_future_release(future);
        if (stage->arm->starts_at_once)
            cr_assert_eq(stats_of(pool).workers, 1);
    }
    unsigned busy = helpers(stage->arm, stage->workers);
    for (unsigned i = 0; i < busy; i++) {
        futures[i] = submit(stage->executor, &held);
        await_at_least(&stage->gate->inside, (int)i + 1);
        if (stage->arm->starts_at_once)
            cr_assert_eq(stats_of(pool).workers, i + 1);
    }
    gate_open(stage->gate);
    succeeds(twin_futures_wait(futures, busy, TWIN_ALL, -1));
    for (unsigned i = 0; i < busy; i++)
        twin_future_release(futures[i]);
    cr_assert_leq(stats_of(pool).workers, stage->workers);
    return 0;
}

void executor_submit_starts_workers_on_demand(const struct arm *arm)
{
    in_scope(arm, 4, fill_one_by_one);
}

static int cancel_pending_one(struct twin_pool *pool, void *argument)
{
    struct stage *stage = argument;
    struct twin_future *running[8];
    (void)pool;
    unsigned busy = helpers(stage->arm, stage->workers);
    struct twin_call held = gate_call(stage->gate, &stage->item), call = square_call(&stage->item);
    for (unsigned i = 0; i < busy; i++)
        running[i] = submit(stage->executor, &held);
    await_at_least(&stage->gate->inside, (int)busy);
    struct twin_future *pending[10];
    for (int i = 0; i < 10; i++)
        pending[i] = submit(stage->executor, &call);
    for (int i = 0; i < 10; i += 2)
        succeeds(twin_future_cancel(pending[i]));
    int stopped = twin_future_cancel(running[0]); /* by killing its worker, if it is one */
    expect(stopped, stage->arm->processes ? 0 : TWIN_ENOTSUP);
    gate_open(stage->gate);
    for (int i = 0; i < 10; i++) {
        int64_t result = 0;
        expect(twin_future_result(pending[i], &result, -1), i % 2 ? 0 : TWIN_ECANCELLED);
        cr_assert(i % 2 == 0 || result == 81);
        twin_future_release(pending[i]);
    }
    expect(twin_future_result(running[0], NULL, -1), stopped ? 0 : TWIN_ECANCELLED);
    expect(twin_future_cancel(running[0]), stopped ? TWIN_EDONE : 0);
    for (unsigned i = 0; i < busy; i++)
        twin_future_release(running[i]);
    return 0;
}

void executor_submit_cancels_until_it_runs(const struct arm *arm)
{
    in_scope(arm, 3, cancel_pending_one);
}

static int fail_odd(void *result, const void *item, void *context)
{
    square(result, item, context);
    return *(const int32_t *)item % 2 ? FAILING_CODE(*(const int32_t *)item) : 0;
}

void executor_submit_reports_the_code_of_each_task(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 2);
    struct twin_future *futures[100];
    for (int32_t i = 0; i < 100; i++) {
        struct twin_call call = square_call(&i);
        call.task = fail_odd;
        futures[i] = submit(executor, &call);
    }
    for (int32_t i = 0; i < 100; i++) {
        int64_t result = 0;
        expect(twin_future_result(futures[i], &result, -1), i % 2 ? TWIN_ETASK : 0);
        cr_assert_eq(failure_of_future(futures[i]).task_code, i % 2 ? FAILING_CODE(i) : 0);
        twin_future_release(futures[i]);
    }
    succeeds(twin_executor_close(executor));
}

void executor_submit_refuses_bad_arguments_one_by_one(const struct arm *arm)
{
    struct twin_executor *executor = NULL;
    expect(arm->open_executor(NULL, NULL), TWIN_EINVAL);
    expect(arm->open_executor(&executor, &(struct twin_pool_options){.backend = arm->backend,
                                                                     .workers = (unsigned)-1}),
           TWIN_EINVAL);
    cr_assert_null(executor);
    executor = open_executor(arm, 2);
    struct twin_future *future;
    struct twin_iterator *iterator;
    struct twin_call call = square_call(&(int32_t){3}), bad = call;
    struct twin_map map = {.task = square, .kernel = square_chunk};
    const void *results;
    size_t count;
    bad.task = NULL;
    expect(twin_executor_submit(NULL, &call, &future), TWIN_EINVAL);
    expect(twin_executor_submit(executor, NULL, &future), TWIN_EINVAL);
    expect(twin_executor_submit(executor, &bad, &future), TWIN_EINVAL);
    expect(twin_executor_submit(executor, &call, NULL), TWIN_EINVAL);
    expect(twin_executor_map(NULL, &map, &iterator), TWIN_EINVAL);
    expect(twin_executor_map(executor, NULL, &iterator), TWIN_EINVAL);
    expect(twin_executor_map(executor, &map, &iterator), TWIN_EINVAL);
    expect(twin_executor_map(executor, &map, NULL), TWIN_EINVAL);
    expect(twin_iterator_next(NULL, &results, &count, 0), TWIN_EINVAL);
    expect(twin_iterator_failure(NULL, &(struct twin_failure){0}), TWIN_EINVAL);
    expect(twin_executor_shutdown(NULL, 0), TWIN_EINVAL);
    cr_assert_null(twin_executor_pool(NULL));
    twin_iterator_release(NULL);
    future = submit(executor, &call);
    succeeds(twin_future_result(future, NULL, -1));
    twin_future_release(future);
    succeeds(twin_executor_close(executor));
}

void executor_submit_is_closed_after_shutdown(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 2);
    struct twin_call call = square_call(&(int32_t){3});
    struct twin_future *before = submit(executor, &call), *after;
    succeeds(twin_executor_shutdown(executor, 0));
    int64_t result = 0;
    succeeds(twin_future_result(before, &result, 0));
    cr_assert_eq(result, 9);
    expect(twin_executor_submit(executor, &call, &after), TWIN_ECLOSED);
    cr_assert_null(after);
    succeeds(twin_executor_shutdown(executor, 1));
    twin_future_release(before);
    assert_no_child();
    succeeds(twin_executor_close(executor));
}

/* Opens the gate when as many wait at it as can; on a thread of its own, while main shuts down. */
static void *open_later(void *argument)
{
    struct stage *stage = argument;
    await_at_least(&stage->gate->inside, (int)stage->workers);
    for (int pause = 0; pause < 40; pause++)
        nap();
    gate_open(stage->gate);
    return NULL;
}

void executor_submit_cancels_what_is_pending_at_shutdown(const struct arm *arm)
{
    enum { COUNT = 30, WORKERS = 3 };
    struct twin_executor *executor = open_executor(arm, WORKERS);
    struct gate *gate = arena(twin_executor_pool(executor), sizeof *gate);
    struct stage stage = {arm, executor, gate, WORKERS, 9};
    struct twin_call call = gate_call(gate, &stage.item);
    struct twin_future *futures[COUNT];
    pthread_t opener;
    for (int i = 0; i < COUNT; i++)
        futures[i] = submit(executor, &call);
    if (arm->starts_at_once) {
        await_at_least(&gate->inside, WORKERS);
        cr_assert_eq(pthread_create(&opener, NULL, open_later, &stage), 0);
    }
    succeeds(twin_executor_shutdown(executor, 1));
    if (arm->starts_at_once)
        cr_assert_eq(pthread_join(opener, NULL), 0);
    int done = 0, cancelled = 0;
    for (int i = 0; i < COUNT; i++) {
        int outcome = twin_future_result(futures[i], NULL, 0);
        done += outcome == 0;
        cancelled += outcome == TWIN_ECANCELLED;
        twin_future_release(futures[i]);
    }
    cr_assert_eq(done, arm->starts_at_once ? WORKERS : 0, "%d done, %d cancelled", done, cancelled);
    cr_assert_eq(cancelled, COUNT - done);
    cr_assert_eq(atomic_load(&gate->passed), done, "cancelled calls must not have run");
    succeeds(twin_executor_close(executor));
    twin_free(gate);
}

void executor_submit_shuts_down_after_a_cancel(const struct arm *arm)
{
    for (int cycle = 0; cycle < 50; cycle++) { /* CPython gh-94440: submit, cancel, shut down */
        struct twin_executor *executor = open_executor(arm, 1);
        struct twin_call call = square_call(&(int32_t){3});
        struct twin_future *first = submit(executor, &call), *second = submit(executor, &call);
        int error = twin_future_cancel(second);
        cr_assert(error == 0 || error == TWIN_EDONE || error == TWIN_ENOTSUP);
        succeeds(twin_executor_shutdown(executor, 0));
        succeeds(twin_future_result(first, NULL, 0));
        expect(twin_future_result(second, NULL, 0), error ? 0 : TWIN_ECANCELLED);
        twin_future_release(first), twin_future_release(second);
        succeeds(twin_executor_close(executor));
    }
}

void executor_submit_leaves_no_child_no_fd_and_no_mapping(const struct arm *arm)
{
    size_t fds = 0, shared = 0;
    for (int cycle = 0; cycle < 12; cycle++) {
        struct twin_executor *executor = open_executor(arm, 3);
        struct twin_call call = square_call(&cycle);
        struct twin_future *future = submit(executor, &call);
        if (cycle % 2)
            succeeds(twin_future_result(future, NULL, -1));
        twin_future_release(future);
        succeeds(twin_executor_close(executor));
        assert_no_child();
        if (cycle < 2)
            fds = count_fds(), shared = count_mappings(true);
    }
    cr_assert_eq(count_fds(), fds);
    cr_assert_eq(count_mappings(true), shared);
}

/* ---- map ---------------------------------------------------------------------------------------
 */

static struct twin_iterator *start(struct twin_executor *executor, const struct twin_map *map)
{
    struct twin_iterator *iterator = NULL;
    succeeds(twin_executor_map(executor, map, &iterator));
    cr_assert_not_null(iterator);
    return iterator;
}

/* Takes chunk after chunk; each must be the next one in the map's own array. Returns the items. */
static size_t drain(struct twin_iterator *iterator, const struct twin_map *map, int *outcome)
{
    size_t seen = 0;
    for (;;) {
        const void *results;
        size_t count;
        *outcome = twin_iterator_next(iterator, &results, &count, -1);
        if (*outcome || count == 0)
            return seen;
        cr_assert_eq(results, (char *)map->results + seen * map->result_size);
        assert_squares(results, (const int32_t *)map->items + seen, count);
        seen += count;
    }
}

static void iterates(struct twin_executor *executor, size_t count, size_t chunk, bool kernel)
{
    struct twin_pool *pool = twin_executor_pool(executor);
    int32_t *items = arena(pool, (count + 1) * sizeof *items);
    int64_t *results = arena(pool, (count + 1) * sizeof *results);
    struct twin_map map = square_map(count_up(items, count), results, count);
    map.chunk = chunk;
    if (kernel)
        map.task = NULL, map.kernel = square_chunk;
    struct twin_iterator *iterator = start(executor, &map);
    int outcome;
    cr_assert_eq(drain(iterator, &map, &outcome), count, "%zu by %zu", count, chunk);
    cr_assert_eq(outcome, 0);
    cr_assert_eq(drain(iterator, &map, &outcome), 0, "after the last there is nothing, again");
    cr_assert_eq(outcome, 0);
    twin_iterator_release(iterator);
    twin_free(items), twin_free(results);
}

void executor_map_iterates_in_order(const struct arm *arm)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct twin_executor *executor = open_executor(arm, workers);
        iterates(executor, 10, 3, false);
        iterates(executor, 1000, 100, false);
        iterates(executor, 100003, 0, false);
        iterates(executor, 100003, 0, true);
        succeeds(twin_executor_close(executor));
    }
}

void executor_map_takes_any_chunk(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 3);
    static const size_t chunks[] = {0, 1, 6, 39, 40, 41, 50, SIZE_MAX};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
        for (size_t count = 1; count <= 40; count += 13) {
            iterates(executor, count, chunks[i], false);
            iterates(executor, count, chunks[i], true);
        }
    iterates(executor, 5000, 1, false);
    succeeds(twin_executor_close(executor));
}

void executor_map_accepts_no_items(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 2);
    struct twin_map map = {.task = square};
    struct twin_iterator *iterator = start(executor, &map);
    const void *results = &map;
    size_t count = 7;
    succeeds(twin_iterator_next(iterator, &results, &count, -1));
    cr_assert(count == 0 && results == NULL);
    twin_iterator_release(iterator);
    succeeds(twin_executor_close(executor));
}

void executor_map_delivers_what_precedes_a_failure(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 3);
    int32_t items[40];
    int64_t results[40];
    struct twin_map map = square_map(count_up(items, 40), results, 40);
    struct failing failing = {.step = 1};
    map.task = fail_some;
    map.context = &failing;
    map.context_size = sizeof failing;
    for (map.chunk = 1; map.chunk <= 4; map.chunk++)
        for (failing.lowest = 0; failing.lowest < 40; failing.lowest += 13) {
            size_t lowest = (size_t)failing.lowest;
            struct twin_iterator *iterator = start(executor, &map);
            int outcome;
            cr_assert_eq(drain(iterator, &map, &outcome), lowest - lowest % map.chunk);
            expect(outcome, TWIN_ETASK);
            struct twin_failure failure = {0};
            succeeds(twin_iterator_failure(iterator, &failure));
            cr_assert_eq(failure.kind, TWIN_FAILURE_TASK);
            cr_assert_eq(failure.index, lowest);
            cr_assert_eq(failure.task_code, FAILING_CODE(lowest));
            cr_assert_eq(drain(iterator, &map, &outcome), 0);
            expect(outcome, TWIN_ETASK);
            twin_iterator_release(iterator);
            iterates(executor, 40, map.chunk, false); /* and the executor goes on */
        }
    succeeds(twin_executor_close(executor));
}

/* Items 0 and 1 at once, the third waits at the gate: CPython's test_map_timeout. The waits for the
 * first two have a deadline, however far: a caller who waits without one may work meanwhile, and could
 * meet the gate himself. */
static int third_waits(void *result, const void *item, void *context)
{
    return *(const int32_t *)item < 2 ? square(result, item, NULL)
                                      : wait_at_gate(result, item, context);
}

static int time_out_on_third(struct twin_pool *pool, void *argument)
{
    struct stage *stage = argument;
    int32_t items[3];
    int64_t *all = arena(pool, 3 * sizeof *all);
    struct twin_map map = square_map(count_up(items, 3), all, 3);
    map.task = third_waits;
    map.context = stage->gate;
    map.chunk = 1;
    struct twin_iterator *iterator = start(stage->executor, &map);
    const void *results;
    size_t count;
    for (int32_t i = 0; i < 2; i++) {
        succeeds(twin_iterator_next(iterator, &results, &count, INT64_MAX / 2));
        cr_assert(count == 1 && *(const int64_t *)results == i * i);
    }
    await_at_least(&stage->gate->inside, 1);
    expect(twin_iterator_next(iterator, &results, &count, 0), TWIN_ETIMEOUT);
    expect(twin_iterator_next(iterator, &results, &count, 1000 * 1000), TWIN_ETIMEOUT);
    gate_open(stage->gate);
    succeeds(twin_iterator_next(iterator, &results, &count, -1));
    cr_assert(count == 1 && *(const int64_t *)results == 4);
    succeeds(twin_iterator_next(iterator, &results, &count, -1));
    cr_assert_eq(count, 0);
    twin_iterator_release(iterator);
    twin_free(all);
    return 0;
}

void executor_map_times_out_and_goes_on(const struct arm *arm)
{
    in_scope(arm, 2, time_out_on_third);
}

void executor_map_can_be_given_up_early(const struct arm *arm)
{
    enum { COUNT = 2000 };
    struct twin_executor *executor = open_executor(arm, 2);
    struct twin_pool *pool = twin_executor_pool(executor);
    for (int taken = 0; taken < 6; taken++) {
        int32_t *items = arena(pool, COUNT * sizeof *items);
        int64_t *results = arena(pool, COUNT * sizeof *results);
        atomic_int *counters = arena(pool, COUNT * sizeof *counters);
        struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
        map.task = count_run;
        map.context = counters;
        map.chunk = 3;
        struct twin_iterator *iterator = start(executor, &map);
        for (int i = 0; i < taken; i++) {
            const void *chunk;
            size_t count;
            succeeds(twin_iterator_next(iterator, &chunk, &count, -1));
            cr_assert_eq(count, 3);
        }
        twin_iterator_release(iterator); /* nothing runs any more: the arrays may go */
        for (size_t i = 0; i < COUNT; i++)
            cr_assert_leq(atomic_load(&counters[i]), 1);
        twin_free(items), twin_free(results), twin_free(counters);
    }
    iterates(executor, COUNT, 0, false);
    succeeds(twin_executor_close(executor));
}

static int iterate_in_child(const struct arm *arm, void *iterator)
{
    const void *results;
    size_t count;
    (void)arm;
    HOLDS(twin_iterator_next(iterator, &results, &count, -1) == TWIN_EFORKED);
    twin_iterator_release(iterator);
    return 0;
}

void executor_map_belongs_to_the_process_that_opened_it(const struct arm *arm)
{
    enum { COUNT = 40 };
    struct twin_executor *executor = open_executor(arm, 2);
    int32_t items[COUNT];
    int64_t results[COUNT];
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct twin_iterator *iterator = start(executor, &map);
    cr_assert_eq(in_child(iterate_in_child, arm, iterator), 0);
    int outcome;
    cr_assert_eq(drain(iterator, &map, &outcome), COUNT, "the child has not harmed ours");
    cr_assert_eq(outcome, 0);
    twin_iterator_release(iterator);
    succeeds(twin_executor_close(executor));
}

void executor_map_takes_private_memory(const struct arm *arm)
{
    enum { COUNT = 20011 };
    struct twin_executor *executor = open_executor(arm, 3);
    int32_t *items = malloc(COUNT * sizeof *items);
    int64_t *results = calloc(COUNT, sizeof *results);
    cr_assert(items && results);
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    for (map.chunk = 0; map.chunk < 3000; map.chunk += 997) {
        struct twin_iterator *iterator = start(executor, &map);
        int outcome;
        cr_assert_eq(drain(iterator, &map, &outcome), COUNT);
        cr_assert_eq(outcome, 0);
        twin_iterator_release(iterator);
        assert_squares(results, items, COUNT);
    }
    free(items), free(results);
    succeeds(twin_executor_close(executor));
}

void executor_map_runs_each_item_exactly_once(const struct arm *arm)
{
    enum { COUNT = 5003 };
    struct twin_executor *executor = open_executor(arm, 3);
    struct twin_pool *pool = twin_executor_pool(executor);
    int32_t *items = arena(pool, COUNT * sizeof *items);
    int64_t *results = arena(pool, COUNT * sizeof *results);
    atomic_int *counters = arena(pool, COUNT * sizeof *counters);
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    map.task = count_run;
    map.context = counters;
    map.chunk = 5;
    struct twin_iterator *iterator = start(executor, &map);
    int outcome;
    cr_assert_eq(drain(iterator, &map, &outcome), COUNT);
    cr_assert_eq(outcome, 0);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(atomic_load(&counters[i]), 1);
    twin_iterator_release(iterator);
    twin_free(items), twin_free(results), twin_free(counters);
    succeeds(twin_executor_close(executor));
}
