/* contract_map.c: map and map_async. What both promise is told once, in bulk_*(); they differ in
 * the call that is made: one waits, the other hands back a future that is then waited for. */
#include "toolkit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How a map is made, and how its failure is asked for. */
typedef int do_map(struct twin_pool *pool, const struct twin_map *map,
                   struct twin_failure *failure);

static int by_map(struct twin_pool *pool, const struct twin_map *map, struct twin_failure *failure)
{
    int error = twin_pool_map(pool, map);
    if (error)
        *failure = failure_of(pool);
    return error;
}

static int by_map_async(struct twin_pool *pool, const struct twin_map *map,
                        struct twin_failure *failure)
{
    struct twin_future *future = NULL;
    int error = twin_pool_map_async(pool, map, &future);
    if (error)
        return error;
    error = twin_future_result(future, NULL, -1);
    *failure = failure_of_future(future);
    cr_assert_eq(failure->kind == TWIN_FAILURE_NONE, error == 0);
    cr_assert_eq(twin_future_state(future), error ? TWIN_FAILED : TWIN_SUCCEEDED);
    twin_future_release(future);
    return error;
}

static void runs(struct twin_pool *pool, do_map *run, const struct twin_map *map)
{
    struct twin_failure failure = {0};
    int error = run(pool, map, &failure);
    cr_assert_eq(error, 0, "%s, code %d", twin_strerror(error), failure.task_code);
}

/* ---- order, and each item once -----------------------------------------------------------------
 */

static void squares(struct twin_pool *pool, do_map *run, size_t count, size_t chunk, bool kernel)
{
    int32_t *items = arena(pool, (count + 1) * sizeof *items);
    int64_t *results = arena(pool, (count + 1) * sizeof *results);
    int64_t *oracle = calloc(count + 1, sizeof *oracle);
    cr_assert_not_null(oracle);
    struct twin_map map = square_map(count_up(items, count), results, count);
    map.chunk = chunk;
    if (kernel)
        map.task = NULL, map.kernel = square_chunk;
    results[count] = -1; /* the one past the end stays */
    runs(pool, run, &map);
    map.results = oracle;
    succeeds(twin_sequential_map(&map, NULL));
    cr_assert_arr_eq(results, oracle, count * sizeof *oracle, "%zu items by chunks of %zu", count,
                     chunk);
    cr_assert_eq(results[count], -1);
    free(oracle);
    twin_free(results);
    twin_free(items);
}

static void bulk_keeps_order(const struct arm *arm, do_map *run)
{
    for (unsigned workers = 1; workers <= 5; workers += 2) {
        struct twin_pool *pool = open_pool(arm, workers);
        squares(pool, run, 10, 20, false); /* the two sizes of CPython's test_map */
        squares(pool, run, 100, 20, false);
        squares(pool, run, 100003, 0, false);
        squares(pool, run, 100003, 0, true);
        succeeds(twin_pool_close(pool));
    }
}

static void bulk_runs_each_item_exactly_once(const struct arm *arm, do_map *run)
{
    enum { COUNT = 20011 };
    struct twin_pool *pool = open_pool(arm, 3);
    atomic_int *counters = arena(pool, COUNT * sizeof *counters);
    int32_t *items = arena(pool, COUNT * sizeof *items);
    int64_t *results = arena(pool, COUNT * sizeof *results);
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    map.task = count_run;
    map.context = counters;
    static const size_t chunks[] = {0, 1, 7, 1000, COUNT};
    for (int call = 0; call < 5; call++) {
        map.chunk = chunks[call];
        runs(pool, run, &map);
        for (size_t i = 0; i < COUNT; i++)
            cr_assert_eq(atomic_load(&counters[i]), call + 1, "item %zu ran %d times in %d calls",
                         i, atomic_load(&counters[i]), call + 1);
    }
    succeeds(twin_pool_close(pool));
    twin_free(counters), twin_free(items), twin_free(results);
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

static void bulk_accepts_no_items(const struct arm *arm, do_map *run)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct twin_map map = {.task = square};
    runs(pool, run, &map);
    map.chunk = 20;
    runs(pool, run, &map);
    squares(pool, run, 0, 0, true);
    squares(pool, run, 10, 0, false);
    succeeds(twin_pool_close(pool));
}

static void bulk_accepts_one_item(const struct arm *arm, do_map *run)
{
    struct twin_pool *pool = open_pool(arm, 3);
    for (size_t chunk = 0; chunk <= 2; chunk++) {
        squares(pool, run, 1, chunk, false);
        squares(pool, run, 1, chunk, true);
    }
    succeeds(twin_pool_close(pool));
}

static void bulk_accepts_fewer_items_than_workers(const struct arm *arm, do_map *run)
{
    struct twin_pool *pool = open_pool(arm, 8);
    for (size_t count = 1; count <= 9; count++)
        for (size_t chunk = 0; chunk <= 3; chunk++)
            squares(pool, run, count, chunk, chunk % 2);
    succeeds(twin_pool_close(pool));
}

static void bulk_takes_any_chunk(const struct arm *arm, do_map *run)
{
    enum { COUNT = 5003 };
    struct twin_pool *pool = open_pool(arm, 3);
    size_t cpython = twin_cpython_chunk(COUNT, 3);
    size_t chunks[] = {1,     2,         64,       100,       cpython, COUNT - 1,
                       COUNT, COUNT + 1, SIZE_MAX, COUNT / 3, 4096};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        squares(pool, run, COUNT, chunks[i], false);
        squares(pool, run, COUNT, chunks[i], true);
    }
    squares(pool, run, COUNT, 0, true);
    cr_assert_eq(stats_of(pool).chunk, twin_automatic_chunk(COUNT, 3));
    squares(pool, run, COUNT, 77, true);
    cr_assert_eq(stats_of(pool).chunk, 77);
    succeeds(twin_pool_close(pool));
}

/* Checks that it was given a whole chunk, by addresses: context holds first item, count and chunk.
 */
struct chunking {
    int32_t *items;
    size_t count, chunk;
};

static int check_chunk(void *results, const void *items, size_t count, void *context)
{
    const struct chunking *given = context;
    size_t first = (size_t)(*(const int32_t *)items);
    size_t left = given->count - first;
    if (first % given->chunk != 0 || count != (left < given->chunk ? left : given->chunk))
        return 1;
    return square_chunk(results, items, count, NULL);
}

static void bulk_hands_a_kernel_whole_chunks(const struct arm *arm, do_map *run)
{
    enum { COUNT = 1009 };
    struct twin_pool *pool = open_pool(arm, 3);
    int32_t *items = arena(pool, COUNT * sizeof *items);
    int64_t *results = arena(pool, COUNT * sizeof *results);
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct chunking chunking = {items, COUNT, 0};
    map.task = NULL;
    map.kernel = check_chunk;
    map.context = &chunking;
    map.context_size = sizeof chunking;
    for (map.chunk = 1; map.chunk <= 1100; map.chunk += 1 + map.chunk / 3) {
        chunking.chunk = map.chunk;
        runs(pool, run, &map);
        assert_squares(results, items, COUNT);
    }
    succeeds(twin_pool_close(pool));
    twin_free(items), twin_free(results);
}

/* ---- failure -----------------------------------------------------------------------------------
 */

static void fails_at(struct twin_pool *pool, do_map *run, const struct twin_map *map, size_t index,
                     int code)
{
    struct twin_failure failure = {0};
    expect(run(pool, map, &failure), TWIN_ETASK);
    cr_assert_eq(failure.kind, TWIN_FAILURE_TASK);
    cr_assert_eq(failure.index, index, "index %zu instead of %zu, chunk %zu", failure.index, index,
                 map->chunk);
    cr_assert_eq(failure.task_code, code);
}

static void bulk_reports_the_lowest_failing_index(const struct arm *arm, do_map *run)
{
    enum { COUNT = 2003 };
    struct twin_pool *pool = open_pool(arm, 3);
    int32_t items[COUNT];
    int64_t results[COUNT];
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct failing failing;
    map.task = fail_some;
    map.context = &failing;
    map.context_size = sizeof failing;
    static const struct failing cases[] = {{0, 1},   {0, 5000}, {2, 1},     {1, 2},
                                           {700, 3}, {999, 1},  {2002, 99}, {1500, 7}};
    static const size_t chunks[] = {0, 1, 10, 700, COUNT};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        failing = cases[i];
        for (size_t j = 0; j < sizeof chunks / sizeof chunks[0]; j++) {
            map.chunk = chunks[j];
            fails_at(pool, run, &map, (size_t)failing.lowest, FAILING_CODE(failing.lowest));
        }
        struct twin_failure failure;
        expect(twin_sequential_map(&map, &failure), TWIN_ETASK);
        cr_assert_eq(failure.index, (size_t)failing.lowest);
    }
    succeeds(twin_pool_close(pool));
}

static void bulk_reports_the_first_item_of_a_failing_chunk(const struct arm *arm, do_map *run)
{
    enum { COUNT = 2003 };
    struct twin_pool *pool = open_pool(arm, 3);
    int32_t items[COUNT];
    int64_t results[COUNT];
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct failing failing = {.step = 3};
    map.task = NULL;
    map.kernel = fail_some_chunk;
    map.context = &failing;
    map.context_size = sizeof failing;
    for (map.chunk = 1; map.chunk <= COUNT; map.chunk = map.chunk * 3 + 1)
        for (failing.lowest = 0; failing.lowest < COUNT; failing.lowest += 667) {
            size_t lowest = (size_t)failing.lowest;
            fails_at(pool, run, &map, lowest - lowest % map.chunk, FAILING_CODE(failing.lowest));
        }
    succeeds(twin_pool_close(pool));
}

static void bulk_goes_on_after_a_failure(const struct arm *arm, do_map *run)
{
    struct twin_pool *pool = open_pool(arm, 3);
    int32_t items[100];
    int64_t results[100];
    struct failing failing = {.lowest = 3, .step = 4};
    struct twin_map map = square_map(count_up(items, 100), results, 100);
    map.task = fail_some;
    map.context = &failing;
    map.context_size = sizeof failing;
    map.chunk = 2;
    for (int cycle = 0; cycle < 50; cycle++) {
        fails_at(pool, run, &map, 3, FAILING_CODE(3));
        squares(pool, run, 100, (size_t)cycle, cycle % 2);
    }
    cr_assert_eq(stats_of(pool).restarts, 0, "a task that fails must not cost its worker");
    succeeds(twin_pool_close(pool));
}

/* ---- memory and context ------------------------------------------------------------------------
 */

static void bulk_takes_private_and_shared_memory(const struct arm *arm, do_map *run)
{
    enum { COUNT = 30011 };
    struct twin_pool *pool = open_pool(arm, 3);
    int32_t *items[2] = {malloc(COUNT * sizeof(int32_t)), arena(pool, COUNT * sizeof(int32_t))};
    int64_t *results[2] = {malloc(COUNT * sizeof(int64_t)), arena(pool, COUNT * sizeof(int64_t))};
    cr_assert(items[0] && results[0]);
    for (int way = 0; way < 4; way++) {
        uint64_t staged = stats_of(pool).staged_bytes;
        struct twin_map map = square_map(count_up(items[way & 1], COUNT), results[way >> 1], COUNT);
        memset(map.results, 0xff, COUNT * sizeof(int64_t));
        runs(pool, run, &map);
        assert_squares(map.results, map.items, COUNT);
        staged = stats_of(pool).staged_bytes - staged;
        uint64_t promised = arm->processes ? (way & 1 ? 0 : COUNT * sizeof(int32_t)) +
                                                 (way >> 1 ? 0 : COUNT * sizeof(int64_t))
                                           : 0;
        cr_assert(arm->backend == TWIN_OMP ? staged == 0 : true);
        cr_assert(!arm->processes || staged == promised, "way %d: %llu bytes staged, not %llu", way,
                  (unsigned long long)staged, (unsigned long long)promised);
    }
    free(items[0]), free(results[0]);
    twin_free(items[1]), twin_free(results[1]);
    succeeds(twin_pool_close(pool));
}

struct scale {
    int64_t factor;
    char rest[5000];
};

static int scale_by(void *result, const void *item, void *context)
{
    const struct scale *scale = context;
    *(int64_t *)result = *(const int32_t *)item * scale->factor + scale->rest[4999];
    return 0;
}

static void scales(struct twin_pool *pool, do_map *run, const struct scale *scale, size_t size)
{
    int32_t items[500];
    int64_t results[500];
    struct twin_map map = square_map(count_up(items, 500), results, 500);
    map.task = scale_by;
    map.context = scale;
    map.context_size = size;
    runs(pool, run, &map);
    for (size_t i = 0; i < 500; i++)
        cr_assert_eq(results[i], (int64_t)i * scale->factor + scale->rest[4999]);
}

static void bulk_hands_on_the_context_by_copy_and_by_address(const struct arm *arm, do_map *run)
{
    struct twin_pool *pool = open_pool(arm, 3);
    struct scale *shared = arena(pool, sizeof *shared), private = {0};
    for (char turn = 1; turn < 10; turn++) { /* changed between calls: nothing old is seen */
        private.factor = shared->factor = turn;
        private.rest[4999] = shared->rest[4999] = turn;
        scales(pool, run, &private, sizeof private);
        scales(pool, run, shared, sizeof *shared);
        scales(pool, run, shared, 0);
    }
    twin_free(shared);
    succeeds(twin_pool_close(pool));
}

/* Copies the item's bytes, each plus one: sizes are in the context. */
static int copy_plus_one(void *result, const void *item, void *context)
{
    const size_t *sizes = context; /* item, result */
    const unsigned char *from = item;
    unsigned char *to = result;
    for (size_t i = 0; i < sizes[1]; i++)
        to[i] = (unsigned char)(from[i % sizes[0]] + 1);
    return 0;
}

static void bulk_takes_items_and_results_of_any_size(const struct arm *arm, do_map *run)
{
    enum { COUNT = 7, LARGEST = 1 << 20 };
    static const size_t sizes[][2] = {{1, 1},       {3, 5},       {100, 1},          {1, 4097},
                                      {LARGEST, 8}, {8, LARGEST}, {LARGEST, LARGEST}};
    struct twin_pool *pool = open_pool(arm, 2);
    struct random random = random_seeded("takes_items_and_results_of_any_size");
    unsigned char *items = malloc(COUNT * LARGEST), *results = malloc(COUNT * LARGEST);
    unsigned char *oracle = malloc(COUNT * LARGEST);
    cr_assert(items && results && oracle);
    for (size_t i = 0; i < COUNT * LARGEST; i++)
        items[i] = (unsigned char)random_next(&random);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct twin_map map = {.task = copy_plus_one,
                               .context = sizes[i],
                               .context_size = sizeof sizes[i],
                               .items = items,
                               .item_size = sizes[i][0],
                               .results = results,
                               .result_size = sizes[i][1],
                               .count = COUNT};
        runs(pool, run, &map);
        map.results = oracle;
        succeeds(twin_sequential_map(&map, NULL));
        cr_assert(memcmp(results, oracle, COUNT * sizes[i][1]) == 0, "%zu to %zu bytes",
                  sizes[i][0], sizes[i][1]);
    }
    free(items), free(results), free(oracle);
    succeeds(twin_pool_close(pool));
}

/* ---- both --------------------------------------------------------------------------------------
 */

#define BOTH(promise)                                                                              \
    void map_##promise(const struct arm *arm)                                                      \
    {                                                                                              \
        bulk_##promise(arm, by_map);                                                               \
    }                                                                                              \
    void map_async_##promise(const struct arm *arm)                                                \
    {                                                                                              \
        bulk_##promise(arm, by_map_async);                                                         \
    }

BOTH(keeps_order)
BOTH(runs_each_item_exactly_once)
BOTH(accepts_no_items)
BOTH(accepts_one_item)
BOTH(accepts_fewer_items_than_workers)
BOTH(takes_any_chunk)
BOTH(hands_a_kernel_whole_chunks)
BOTH(reports_the_lowest_failing_index)
BOTH(reports_the_first_item_of_a_failing_chunk)
BOTH(goes_on_after_a_failure)
BOTH(takes_private_and_shared_memory)
BOTH(hands_on_the_context_by_copy_and_by_address)
BOTH(takes_items_and_results_of_any_size)

/* ---- map alone ---------------------------------------------------------------------------------
 */

void map_squares_a_million(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    squares(pool, by_map, 1000000, 0, false);
    squares(pool, by_map, 1000000, 0, true);
    squares(pool, by_map, 1000000, twin_cpython_chunk(1000000, 2), false);
    succeeds(twin_pool_close(pool));
}

void map_completes_under_contention(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 8);
    for (size_t call = 0; call < 300; call++) /* more workers than CPUs, one item a chunk */
        squares(pool, by_map, 1 + call % 97, 1, call % 2);
    succeeds(twin_pool_close(pool));
}

/* As many workers as there are CPUs suffice for tasks that compute, but not for these. */
static struct twin_pool *open_crowded_pool(const struct arm *arm, unsigned workers)
{
    cr_assert_eq(setenv("TWINPOOL_CPUS", "2", 1), 0);
    return open_pool(arm, workers);
}

void map_lets_tasks_wait_for_each_other(const struct arm *arm)
{
    for (int32_t workers = 1; workers <= 8; workers++) {
        struct twin_pool *pool = open_crowded_pool(arm, (unsigned)workers);
        struct gate *gate = arena(pool, sizeof *gate);
        int32_t items[8];
        int64_t results[8];
        struct twin_map map = square_map(items, results, (size_t)workers);
        map.task = meet;
        map.context = gate;
        map.chunk = 1;
        for (size_t i = 0; i < 8; i++)
            items[i] = workers;
        for (int turn = 0; turn < 10; turn++) {
            atomic_store(&gate->inside, 0);
            succeeds(twin_pool_map(pool, &map));
        }
        succeeds(twin_pool_close(pool));
        twin_free(gate);
    }
}

static int sleep_a_little(void *result, const void *item, void *context)
{
    (void)context;
    *(int64_t *)result = (int64_t)syscall(SYS_gettid);
    nanosleep(&(struct timespec){.tv_nsec = *(const int32_t *)item}, NULL);
    return 0;
}

void map_has_all_workers_for_tasks_that_sleep(const struct arm *arm)
{
    enum { WORKERS = 6, COUNT = 200 };
    struct twin_pool *pool = open_crowded_pool(arm, WORKERS);
    int32_t items[COUNT];
    int64_t results[COUNT];
    struct twin_map map = square_map(items, results, COUNT);
    map.task = sleep_a_little;
    map.chunk = 1;
    for (size_t i = 0; i < COUNT; i++)
        items[i] = 2000000;
    succeeds(twin_pool_map(pool, &map));
    size_t workers = 0;
    for (size_t i = 0; i < COUNT; i++) {
        size_t first = 0;
        while (results[first] != results[i])
            first++;
        workers += first == i;
    }
    cr_assert_eq(workers, WORKERS);
    succeeds(twin_pool_close(pool));
}

/* ---- map_async alone ---------------------------------------------------------------------------
 */

void map_async_keeps_many_in_flight(const struct arm *arm)
{
    enum { MAPS = 40, COUNT = 500 };
    static int32_t items[COUNT];
    static int64_t results[MAPS][COUNT];
    struct twin_pool *pool = open_pool(arm, 3);
    struct twin_future *futures[MAPS];
    count_up(items, COUNT);
    for (size_t i = 0; i < MAPS; i++) {
        struct twin_map map = square_map(items, results[i], COUNT);
        map.chunk = i; /* of every kind, the automatic one too */
        succeeds(twin_pool_map_async(pool, &map, &futures[i]));
    }
    succeeds(twin_futures_wait(futures, MAPS, TWIN_ALL, -1));
    for (size_t i = MAPS; i-- > 0;) { /* collected in another order than submitted */
        succeeds(twin_future_result(futures[i], NULL, 0));
        assert_squares(results[i], items, COUNT);
        twin_future_release(futures[i]);
    }
    succeeds(twin_pool_close(pool));
}

struct overlap {
    struct gate *gate;
    struct twin_future *future;
    int64_t results[4];
    int32_t items[4];
    int early;
};

static int look_then_open(struct twin_pool *pool, void *argument)
{
    struct overlap *overlap = argument;
    struct twin_map map = square_map(overlap->items, overlap->results, 4);
    map.task = wait_at_gate;
    map.context = overlap->gate;
    map.chunk = 1;
    int error = twin_pool_map_async(pool, &map, &overlap->future);
    if (error)
        return error;
    await_at_least(&overlap->gate->inside, 1);
    overlap->early = twin_future_result(overlap->future, NULL, 0);
    gate_open(overlap->gate);
    return 0;
}

void map_async_overlaps_with_the_body_of_a_scope(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct overlap overlap = {.gate = arena(pool, sizeof(struct gate))};
    count_up(overlap.items, 4);
    succeeds(twin_pool_scope(pool, look_then_open, &overlap));
    expect(overlap.early, TWIN_ETIMEOUT);
    succeeds(twin_future_result(overlap.future, NULL, 0));
    assert_squares(overlap.results, overlap.items, 4);
    twin_future_release(overlap.future);
    twin_free(overlap.gate);
    succeeds(twin_pool_close(pool));
}

void map_async_answers_again_and_after_close(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int32_t items[200];
    int64_t results[200];
    struct failing failing = {.lowest = 50, .step = 1};
    struct twin_map map = square_map(count_up(items, 200), results, 200), bad = map;
    struct twin_future *good_future, *bad_future;
    int64_t *rest = arena(pool, 200 * sizeof *rest);
    bad.task = fail_some;
    bad.context = &failing;
    bad.context_size = sizeof failing;
    bad.results = rest;
    succeeds(twin_pool_map_async(pool, &map, &good_future));
    succeeds(twin_pool_map_async(pool, &bad, &bad_future));
    succeeds(twin_future_result(good_future, NULL, -1));
    succeeds(twin_pool_close(pool));
    for (int again = 0; again < 3; again++) {
        succeeds(twin_future_result(good_future, NULL, -1));
        expect(twin_future_result(bad_future, NULL, -1), TWIN_ETASK);
        cr_assert_eq(failure_of_future(bad_future).index, 50);
    }
    assert_squares(results, items, 200);
    twin_future_release(good_future), twin_future_release(bad_future);
    twin_free(rest);
}
