/* contract_pool.c: the life of a pool: open, refuse, shut down, fork, nest, leave nothing behind.
 */
#include "toolkit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS = 1000 };

static void square_some(struct twin_pool *pool)
{
    int32_t items[ITEMS];
    int64_t results[ITEMS];
    struct twin_map map = square_map(count_up(items, ITEMS), results, ITEMS);
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, ITEMS);
}

void pool_opens_and_closes_again_and_again(const struct arm *arm)
{
    for (unsigned workers = 1; workers <= 5; workers++) {
        for (int cycle = 0; cycle < 4; cycle++) {
            struct twin_pool *pool = open_pool(arm, workers);
            square_some(pool);
            cr_assert_eq(stats_of(pool).workers, workers);
            succeeds(twin_pool_close(pool));
        }
    }
    succeeds(twin_pool_close(NULL));
}

void pool_takes_defaults(const struct arm *arm)
{
    struct twin_pool *pool = NULL;
    succeeds(arm->open(&pool, &(struct twin_pool_options){.backend = arm->backend}));
    cr_assert_eq(stats_of(pool).workers, twin_usable_cpus());
    succeeds(twin_pool_close(pool));
    succeeds(arm->open(&pool, NULL));
    square_some(pool);
    succeeds(twin_pool_close(pool));
}

/* ---- refusals ----------------------------------------------------------------------------------
 */

static void refuses_options(const struct arm *arm, struct twin_pool_options options, int code)
{
    struct twin_pool *pool = (struct twin_pool *)&options;
    options.backend = options.backend ? options.backend : arm->backend;
    expect(arm->open(&pool, &options), code);
    cr_assert_null(pool, "a refused open must leave NULL behind");
}

static void refuses_map(struct twin_pool *pool, struct twin_map map)
{
    struct twin_future *future = (struct twin_future *)&map;
    expect(twin_pool_map(pool, &map), TWIN_EINVAL);
    expect(twin_pool_map_async(pool, &map, &future), TWIN_EINVAL);
    cr_assert_null(future);
}

static void refuses_call(struct twin_pool *pool, struct twin_call call)
{
    int64_t result[2];
    struct twin_future *future = (struct twin_future *)result;
    expect(twin_pool_apply(pool, &call, result), TWIN_EINVAL);
    expect(twin_pool_apply_async(pool, &call, &future), TWIN_EINVAL);
    cr_assert_null(future);
}

static void refuses_bad_maps(struct twin_pool *pool)
{
    int32_t items[4];
    int64_t results[4];
    struct twin_map good = square_map(count_up(items, 4), results, 4);
    struct twin_map bad;
    refuses_map(pool, (bad = good, bad.task = NULL, bad));
    refuses_map(pool, (bad = good, bad.kernel = square_chunk, bad));
    refuses_map(pool, (bad = good, bad.items = NULL, bad));
    refuses_map(pool, (bad = good, bad.results = NULL, bad));
    refuses_map(pool, (bad = good, bad.item_size = 0, bad));
    refuses_map(pool, (bad = good, bad.result_size = 0, bad));
    refuses_map(pool, (bad = good, bad.context_size = 8, bad));
    refuses_map(pool, (bad = good, bad.context = &bad, bad.context_size = SIZE_MAX, bad));
    refuses_map(pool, (bad = good, bad.count = SIZE_MAX / 2, bad));
    succeeds(twin_pool_map(pool, &good));
}

static void refuses_bad_calls(struct twin_pool *pool)
{
    int32_t item = 3;
    int64_t result = 0;
    struct twin_call good = square_call(&item), bad;
    refuses_call(pool, (bad = good, bad.task = NULL, bad));
    refuses_call(pool, (bad = good, bad.item = NULL, bad));
    refuses_call(pool, (bad = good, bad.context_size = 8, bad));
    refuses_call(pool, (bad = good, bad.item_size = SIZE_MAX, bad));
    refuses_call(pool, (bad = good, bad.result_size = SIZE_MAX, bad));
    expect(twin_pool_apply(pool, &good, NULL), TWIN_EINVAL);
    expect(twin_pool_apply(pool, NULL, &result), TWIN_EINVAL);
    succeeds(twin_pool_apply(pool, &good, &result));
    cr_assert_eq(result, 9);
}

void pool_refuses_bad_arguments_one_by_one(const struct arm *arm)
{
    expect(arm->open(NULL, NULL), TWIN_EINVAL);
    refuses_options(arm, (struct twin_pool_options){.backend = (enum twin_backend)7}, TWIN_EINVAL);
    refuses_options(arm, (struct twin_pool_options){.workers = 1025}, TWIN_EINVAL);
    refuses_options(arm, (struct twin_pool_options){.workers = (unsigned)-1}, TWIN_EINVAL);
    refuses_options(arm, (struct twin_pool_options){.wait = (enum twin_wait_policy)9}, TWIN_EINVAL);
    refuses_options(arm, (struct twin_pool_options){.bind = (enum twin_bind)9}, TWIN_EINVAL);

    struct twin_pool *pool = open_pool(arm, 2);
    struct twin_map map = {0};
    struct twin_call call = square_call(&(int32_t){1});
    struct twin_future *future;
    expect(twin_pool_map(NULL, &map), TWIN_EINVAL);
    expect(twin_pool_map(pool, NULL), TWIN_EINVAL);
    expect(twin_pool_map_async(pool, NULL, &future), TWIN_EINVAL);
    expect(twin_pool_map_async(pool, &map, NULL), TWIN_EINVAL);
    expect(twin_pool_apply_async(pool, &call, NULL), TWIN_EINVAL);
    expect(twin_pool_apply_async(NULL, &call, &future), TWIN_EINVAL);
    expect(twin_pool_scope(pool, NULL, NULL), TWIN_EINVAL);
    expect(twin_pool_stats(pool, NULL), TWIN_EINVAL);
    expect(twin_pool_stats(NULL, &(struct twin_stats){0}), TWIN_EINVAL);
    expect(twin_pool_failure(pool, NULL), TWIN_EINVAL);
    expect(twin_pool_shutdown(NULL), TWIN_EINVAL);
    expect(twin_pool_terminate(NULL), TWIN_EINVAL);
    expect(twin_future_result(NULL, NULL, -1), TWIN_EINVAL);
    expect(twin_future_cancel(NULL), TWIN_EINVAL);
    expect(twin_future_failure(NULL, &(struct twin_failure){0}), TWIN_EINVAL);
    expect(twin_futures_wait(NULL, 1, TWIN_ALL, 0), TWIN_EINVAL);
    refuses_bad_maps(pool);
    refuses_bad_calls(pool);
    succeeds(twin_pool_close(pool));
}

void pool_refuses_options_it_does_not_honour(const struct arm *arm)
{
    if (!arm->processes) {
        refuses_options(arm, (struct twin_pool_options){.tasks_per_worker = 1}, TWIN_ENOTSUP);
        refuses_options(arm, (struct twin_pool_options){.retries = 1}, TWIN_ENOTSUP);
        refuses_options(arm, (struct twin_pool_options){.task_timeout_ns = 1}, TWIN_ENOTSUP);
        refuses_options(arm, (struct twin_pool_options){.worker_bytes = 1}, TWIN_ENOTSUP);
    }
    refuses_options(arm, (struct twin_pool_options){.task_timeout_ns = -1}, TWIN_EINVAL);
    refuses_options(arm, (struct twin_pool_options){.bind = TWIN_BIND_SPREAD}, TWIN_ENOTSUP);
    refuses_options(arm, (struct twin_pool_options){.bind = TWIN_BIND_PACKED}, TWIN_ENOTSUP);
    for (enum twin_wait_policy wait = TWIN_WAIT_BLOCK; wait <= TWIN_WAIT_SPIN; wait++) {
        struct twin_pool_options options = {.backend = arm->backend, .workers = 2, .wait = wait};
        if (arm->backend == TWIN_OMP) {
            refuses_options(arm, options, TWIN_ENOTSUP);
            continue;
        }
        struct twin_pool *pool = open_pool_with(arm, &options);
        square_some(pool);
        succeeds(twin_pool_close(pool));
    }
}

static int empty_body(struct twin_pool *pool, void *argument)
{
    (void)pool, (void)argument;
    return 0;
}

static void answers_closed(struct twin_pool *pool)
{
    int32_t item = 2;
    int64_t result;
    struct twin_map map = square_map(&item, &result, 1);
    struct twin_call call = square_call(&item);
    struct twin_future *future;
    expect(twin_pool_map(pool, &map), TWIN_ECLOSED);
    expect(twin_pool_map_async(pool, &map, &future), TWIN_ECLOSED);
    expect(twin_pool_apply(pool, &call, &result), TWIN_ECLOSED);
    expect(twin_pool_apply_async(pool, &call, &future), TWIN_ECLOSED);
    expect(twin_pool_scope(pool, empty_body, NULL), TWIN_ECLOSED);
    succeeds(twin_pool_shutdown(pool));
    succeeds(twin_pool_terminate(pool));
    assert_no_child();
    succeeds(twin_pool_close(pool));
}

void pool_is_closed_after_shutdown(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    square_some(pool);
    succeeds(twin_pool_shutdown(pool));
    answers_closed(pool);
}

void pool_is_closed_after_terminate(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    succeeds(twin_pool_terminate(pool));
    answers_closed(pool);
}

/* ---- other processes, other threads of control --------------------------------------------------
 */

static int use_in_child(const struct arm *arm, void *argument)
{
    struct twin_pool *pool = argument;
    int32_t item = 2;
    int64_t result = 0;
    struct twin_map map = square_map(&item, &result, 1);
    struct twin_call call = square_call(&item);
    struct twin_future *future;
    struct twin_stats stats;
    HOLDS(twin_pool_map(pool, &map) == TWIN_EFORKED);
    HOLDS(twin_pool_map_async(pool, &map, &future) == TWIN_EFORKED);
    HOLDS(twin_pool_apply(pool, &call, &result) == TWIN_EFORKED);
    HOLDS(twin_pool_apply_async(pool, &call, &future) == TWIN_EFORKED);
    HOLDS(twin_pool_scope(pool, empty_body, NULL) == TWIN_EFORKED);
    HOLDS(twin_pool_stats(pool, &stats) == TWIN_EFORKED);
    HOLDS(twin_pool_shutdown(pool) == TWIN_EFORKED);
    HOLDS(twin_pool_terminate(pool) == TWIN_EFORKED);
    HOLDS(twin_pool_close(pool) == 0);
    if (arm->backend == TWIN_PROC && arm->processes) { /* the child may have a pool of its own */
        HOLDS(arm->open(&pool, &(struct twin_pool_options){.workers = 2}) == 0);
        HOLDS(twin_pool_map(pool, &map) == 0 && result == 4);
        HOLDS(twin_pool_close(pool) == 0);
    }
    return 0;
}

void pool_belongs_to_the_process_that_opened_it(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    square_some(pool);
    cr_assert_eq(in_child(use_in_child, arm, pool), 0);
    square_some(pool); /* and the child's close has not harmed ours */
    succeeds(twin_pool_close(pool));
}

struct nested {
    struct twin_pool *pool;
    const struct arm *arm;
};

static int use_in_task(void *result, const void *item, void *context)
{
    const struct nested *nested = context;
    struct twin_pool *pool = nested->pool, *another = NULL;
    struct twin_map map = square_map(item, result, 1);
    struct twin_call call = square_call(item);
    struct twin_future *future;
    square(result, item, NULL);
    HOLDS(twin_pool_map(pool, &map) == TWIN_ENESTED);
    HOLDS(twin_pool_map_async(pool, &map, &future) == TWIN_ENESTED);
    HOLDS(twin_pool_apply(pool, &call, result) == TWIN_ENESTED);
    HOLDS(twin_pool_apply_async(pool, &call, &future) == TWIN_ENESTED);
    HOLDS(twin_pool_scope(pool, empty_body, NULL) == TWIN_ENESTED);
    HOLDS(twin_pool_shutdown(pool) == TWIN_ENESTED);
    HOLDS(twin_pool_close(pool) == TWIN_ENESTED);
    HOLDS(nested->arm->open(&another, &(struct twin_pool_options){
                                          .backend = nested->arm->backend}) == TWIN_ENESTED);
    return 0;
}

static int nest_in_scope(struct twin_pool *pool, void *argument)
{
    struct twin_call call = square_call(&(int32_t){3});
    struct twin_future *future = NULL;
    int64_t result = 0;
    call.task = use_in_task;
    call.context = argument;
    call.context_size = sizeof(struct nested);
    expect(twin_pool_close(pool), TWIN_ENESTED);
    int error = twin_pool_apply_async(pool, &call, &future);
    if (!error)
        error = twin_future_result(future, &result, -1);
    twin_future_release(future);
    return error || result != 9;
}

void pool_refuses_nested_use(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int32_t items[ITEMS];
    int64_t results[ITEMS];
    struct nested nested = {pool, arm};
    struct twin_map map = square_map(count_up(items, ITEMS), results, ITEMS);
    map.task = use_in_task;
    map.context = &nested;
    map.context_size = sizeof nested;
    int error = twin_pool_map(pool, &map);
    cr_assert_eq(error, 0, "%s; check failed at line %d", twin_strerror(error),
                 failure_of(pool).task_code);
    assert_squares(results, items, ITEMS);
    succeeds(twin_pool_scope(pool, nest_in_scope, &nested));
    succeeds(twin_pool_close(pool));
}

static int count_start(void *argument)
{
    atomic_fetch_add((atomic_int *)argument, 1);
    return 0;
}

void pool_runs_the_initializer_once_in_each_worker(const struct arm *arm)
{
    atomic_int *starts = shared_pages(sizeof *starts);
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){.backend = arm->backend,
                                                        .workers = 3,
                                                        .initializer = count_start,
                                                        .initializer_arg = starts});
    square_some(pool);
    square_some(pool);
    cr_assert_eq(atomic_load(starts), 3, "%d starts of 3 workers", atomic_load(starts));
    succeeds(twin_pool_close(pool));
}

static int refuse_start(void *argument)
{
    atomic_int *starts = argument;
    return atomic_fetch_add(starts, 1) == 1 ? 5 : 0; /* the second worker fails */
}

void pool_reports_a_failing_initializer(const struct arm *arm)
{
    atomic_int *starts = shared_pages(sizeof *starts);
    struct twin_pool *pool = NULL;
    expect(arm->open(&pool, &(struct twin_pool_options){.backend = arm->backend,
                                                        .workers = 3,
                                                        .initializer = refuse_start,
                                                        .initializer_arg = starts}),
           TWIN_ETASK);
    cr_assert_null(pool);
    cr_assert_leq(atomic_load(starts), 3, "a worker that fails must not be started for ever");
    assert_no_child();
}

void pool_leaves_no_child_no_fd_and_no_mapping(const struct arm *arm)
{
    enum { CYCLES = 40 };
    for (int cycle = 0; cycle < 2; cycle++) { /* what libc and libgomp keep is kept by now */
        struct twin_pool *pool = open_pool(arm, 3);
        square_some(pool);
        succeeds(twin_pool_close(pool));
    }
    size_t fds = count_fds(), shared = count_mappings(true), all = count_mappings(false);
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        struct twin_pool *pool = open_pool(arm, 3);
        square_some(pool);
        twin_free(arena(pool, 1 << 20));
        succeeds(cycle % 2 ? twin_pool_terminate(pool) : twin_pool_shutdown(pool));
        succeeds(twin_pool_close(pool));
    }
    assert_no_child();
    cr_assert_eq(count_fds(), fds, "%zu file descriptors, %zu before", count_fds(), fds);
    cr_assert_eq(count_mappings(true), shared);
    /* One lost in each cycle would show. An allocator's own, which level off, do not matter:
     * ThreadSanitizer's shadow of what is mapped went from 189 to 211 in 40 cycles. */
    cr_assert_lt(count_mappings(false), all + CYCLES, "%zu mappings, %zu before",
                 count_mappings(false), all);
}

static void own_handler(int number)
{
    (void)number;
}

void pool_leaves_signal_handlers_alone(const struct arm *arm)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGPIPE, SIGALRM, SIGQUIT};
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    for (size_t i = 0; i < COUNT; i++)
        sigaction(numbers[i], &(struct sigaction){.sa_handler = own_handler}, NULL);
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);

    struct twin_pool *pool = open_pool(arm, 2);
    square_some(pool);
    for (size_t i = 0; i < COUNT; i++) {
        struct sigaction action = {0};
        sigaction(numbers[i], NULL, &action);
        cr_assert(action.sa_handler == own_handler, "signal %d was taken over", numbers[i]);
    }
    succeeds(twin_pool_close(pool));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number <= SIGRTMAX; number++)
        cr_assert_eq(sigismember(&before, number), sigismember(&after, number));
}

void pool_runs_with_two_hundred_workers(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 200);
    cr_assert_eq(stats_of(pool).workers, 200);
    for (int call = 0; call < 3; call++)
        square_some(pool);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* ---- scope -------------------------------------------------------------------------------------
 */

struct scene {
    const struct arm *arm;
    struct gate *gate;
    struct twin_future *futures[100];
    int64_t results[100];
    int32_t items[100];
};

static int submit_hundred(struct twin_pool *pool, void *argument)
{
    struct scene *scene = argument;
    for (size_t i = 0; i < 100; i++) {
        struct twin_call call = square_call(&scene->items[i]);
        int error = twin_pool_apply_async(pool, &call, &scene->futures[i]);
        if (error)
            return error;
    }
    return 0;
}

void pool_scope_completes_what_its_body_submitted(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct scene scene = {.arm = arm};
    count_up(scene.items, 100);
    succeeds(twin_pool_scope(pool, submit_hundred, &scene));
    for (size_t i = 0; i < 100; i++) {
        int state = (int)twin_future_state(scene.futures[i]);
        cr_assert_eq(state, TWIN_SUCCEEDED, "call %zu is in state %d after the scope", i, state);
        succeeds(twin_future_result(scene.futures[i], &scene.results[i], 0));
        twin_future_release(scene.futures[i]);
    }
    assert_squares(scene.results, scene.items, 100);
    succeeds(twin_pool_close(pool));
}

static int await_inside(struct twin_pool *pool, void *argument)
{
    struct scene *scene = argument;
    struct twin_call call = gate_call(scene->gate, scene->items);
    int error = twin_pool_apply_async(pool, &call, &scene->futures[0]);
    if (error)
        return error;
    await_at_least(&scene->gate->inside, 1); /* it runs although nobody waits for it */
    gate_open(scene->gate);
    return 0;
}

void pool_scope_works_while_its_body_goes_on(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct scene scene = {.arm = arm, .gate = arena(pool, sizeof(struct gate)), .items = {7}};
    succeeds(twin_pool_scope(pool, await_inside, &scene));
    succeeds(twin_future_result(scene.futures[0], &scene.results[0], 0));
    cr_assert_eq(scene.results[0], 49);
    twin_future_release(scene.futures[0]);
    twin_free(scene.gate);
    succeeds(twin_pool_close(pool));
}

static int fail_body(struct twin_pool *pool, void *argument)
{
    (void)pool;
    return *(int *)argument;
}

void pool_scope_hands_on_the_code_of_its_body(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int code = 77;
    expect(twin_pool_scope(pool, fail_body, &code), TWIN_ETASK);
    struct twin_failure failure = failure_of(pool);
    cr_assert_eq(failure.kind, TWIN_FAILURE_TASK);
    cr_assert_eq(failure.task_code, 77);
    square_some(pool);
    succeeds(twin_pool_close(pool));
}

static int open_scope(struct twin_pool *pool, void *argument)
{
    (void)argument;
    return twin_pool_scope(pool, empty_body, NULL) == TWIN_ENESTED ? 0 : 1;
}

void pool_scope_in_scope_is_nested(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    succeeds(twin_pool_scope(pool, open_scope, NULL));
    succeeds(twin_pool_scope(pool, open_scope, NULL));
    succeeds(twin_pool_close(pool));
}

static int map_and_apply(struct twin_pool *pool, void *argument)
{
    int64_t *results = argument;
    int32_t items[ITEMS], item = 12;
    struct twin_call call = square_call(&item);
    struct twin_map map = square_map(count_up(items, ITEMS), results, ITEMS);
    for (map.chunk = 0; map.chunk < 300; map.chunk += 99) {
        int error = twin_pool_map(pool, &map);
        if (!error)
            error = twin_pool_apply(pool, &call, &results[ITEMS]);
        if (error)
            return error;
    }
    return 0;
}

void pool_scope_allows_map_and_apply(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 3);
    int64_t results[ITEMS + 1] = {0};
    int32_t items[ITEMS];
    succeeds(twin_pool_scope(pool, map_and_apply, results));
    assert_squares(results, count_up(items, ITEMS), ITEMS);
    cr_assert_eq(results[ITEMS], 144);
    succeeds(twin_pool_close(pool));
}

/* ---- output ------------------------------------------------------------------------------------
 */

static int print_item(void *result, const void *item, void *context)
{
    (void)context;
    printf("item %d\n", *(const int32_t *)item);
    return square(result, item, NULL);
}

/* In a child, whose standard output is the temporary file that argument names. */
static int print_all(const struct arm *arm, void *argument)
{
    struct twin_pool *pool = NULL;
    int32_t items[100];
    int64_t results[100];
    struct twin_map map = square_map(count_up(items, 100), results, 100);
    map.task = print_item;
    HOLDS(dup2(fileno((FILE *)argument), STDOUT_FILENO) == STDOUT_FILENO);
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
    printf("before\n"); /* buffered while the workers are made: must not be written by them too */
    HOLDS(arm->open(&pool, &(struct twin_pool_options){.backend = arm->backend, .workers = 3}) ==
          0);
    HOLDS(twin_pool_map(pool, &map) == 0);
    HOLDS(twin_pool_close(pool) == 0);
    HOLDS(fflush(stdout) == 0);
    return 0;
}

void pool_prints_what_tasks_print_once(const struct arm *arm)
{
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    cr_assert_eq(in_child(print_all, arm, file), 0);
    rewind(file);
    int before = 0, printed[100] = {0}, item;
    char line[64];
    while (fgets(line, sizeof line, file)) {
        if (strcmp(line, "before\n") == 0)
            before++;
        else if (sscanf(line, "item %d", &item) == 1 && item >= 0 && item < 100)
            printed[item]++;
        else
            cr_assert_fail("a torn line: %s", line);
    }
    fclose(file);
    cr_assert_eq(before, 1);
    for (item = 0; item < 100; item++)
        cr_assert_eq(printed[item], 1, "item %d was printed %d times", item, printed[item]);
}
