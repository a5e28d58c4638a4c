/* contract_crash.c: what becomes of a worker process that dies, and of all of them when the caller
 * does. Only the process backend can promise this: a thread takes the whole process with it.
 *
 * Nothing here waits for a time: a worker that is not replaced, or a process that stays, is a hang,
 * and the watchdog reports it. Who is left is asked of the kernel: the test makes itself the
 * subreaper of all descendants, so that waitpid() sees orphans too. */
#include "toolkit.h"

#include <errno.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- ways to die -------------------------------------------------------------------------------
 */

enum way { BY_SIGKILL, BY_SIGSEGV, BY_ABORT, BY_SIGTERM, BY_EXIT, BY_QUICK_EXIT, WAYS };

static void die(enum way way)
{
    switch (way) {
    case BY_SIGKILL:
        raise(SIGKILL);
        break;
    case BY_SIGSEGV:
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would turn it into an exit */
        raise(SIGSEGV);
        break;
    case BY_ABORT:
        signal(SIGABRT, SIG_DFL);
        abort();
    case BY_SIGTERM:
        raise(SIGTERM);
        break;
    case BY_EXIT:
        exit(3);
    default:
        _exit(3);
    }
}

static void assert_died(const struct twin_failure *failure, enum way way)
{
    static const int signals[WAYS] = {SIGKILL, SIGSEGV, SIGABRT, SIGTERM, 0, 0};
    cr_assert_eq(failure->kind, TWIN_FAILURE_WORKER);
    if (signals[way]) {
        cr_assert(WIFSIGNALED(failure->wait_status), "way %d, status %#x", way,
                  (unsigned)failure->wait_status);
        cr_assert_eq(WTERMSIG(failure->wait_status), signals[way]);
    } else {
        cr_assert(WIFEXITED(failure->wait_status), "way %d, status %#x", way,
                  (unsigned)failure->wait_status);
        cr_assert_eq(WEXITSTATUS(failure->wait_status), 3);
    }
}

/* In shared memory: which item dies, how, and who it was. */
struct fate {
    int32_t item;
    enum way way;
    atomic_int pid;
    atomic_int runs;
};

static int die_at(void *result, const void *item, void *context)
{
    struct fate *fate = context;
    atomic_fetch_add(&fate->runs, 1);
    if (*(const int32_t *)item == fate->item) {
        atomic_store(&fate->pid, getpid());
        die(fate->way);
    }
    return square(result, item, NULL);
}

static pid_t ask_a_pid(struct twin_pool *pool)
{
    int64_t pid = 0;
    struct twin_call call = square_call(&(int32_t){0});
    call.task = name_process;
    succeeds(twin_pool_apply(pool, &call, &pid));
    return (pid_t)pid;
}

static void await_restarts(struct twin_pool *pool, uint64_t restarts, unsigned workers)
{
    while (stats_of(pool).restarts < restarts || stats_of(pool).workers < workers)
        nap();
    cr_assert_eq(stats_of(pool).restarts, restarts);
    cr_assert_eq(stats_of(pool).workers, workers);
}

/* W tasks that wait for each other need W living workers. */
static void all_meet(struct twin_pool *pool, int32_t workers)
{
    struct gate *gate = arena(pool, sizeof *gate);
    struct twin_future *futures[8];
    struct twin_call call = gate_call(gate, &workers);
    call.task = meet;
    for (int32_t i = 0; i < workers; i++)
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
    for (int32_t i = 0; i < workers; i++) {
        succeeds(twin_future_result(futures[i], NULL, -1));
        twin_future_release(futures[i]);
    }
    twin_free(gate);
}

/* ---- the dead are named, the pool goes on -------------------------------------------------------
 */

static void maps_until_death(const struct arm *arm, bool async)
{
    enum { COUNT = 300 };
    struct twin_pool *pool = open_pool(arm, 3);
    struct fate *fate = arena(pool, sizeof *fate);
    int32_t items[COUNT];
    int64_t results[COUNT];
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    static const size_t chunks[] = {1, 7, 0, COUNT};
    uint64_t deaths = 0;
    map.task = die_at;
    map.context = fate;
    for (enum way way = 0; way < WAYS; way++)
        for (fate->item = 0; fate->item < COUNT; fate->item += 149) {
            struct twin_failure failure;
            struct twin_future *future = NULL;
            fate->way = way;
            map.chunk = chunks[deaths % 4];
            if (async) {
                succeeds(twin_pool_map_async(pool, &map, &future));
                expect(twin_future_result(future, NULL, -1), TWIN_EWORKER);
                failure = failure_of_future(future);
                twin_future_release(future);
            } else {
                expect(twin_pool_map(pool, &map), TWIN_EWORKER);
                failure = failure_of(pool);
            }
            assert_died(&failure, way);
            cr_assert_eq(failure.pid, atomic_load(&fate->pid));
            cr_assert_eq(failure.index, (size_t)fate->item, "index %zu, not %d", failure.index,
                         fate->item);
            square_chunks_of_3(pool);
            await_restarts(pool, ++deaths, 3);
        }
    all_meet(pool, 3);
    twin_free(fate);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

void crash_map_names_the_dead_worker(const struct arm *arm)
{
    maps_until_death(arm, false);
}

void crash_map_async_names_the_dead_worker(const struct arm *arm)
{
    maps_until_death(arm, true);
}

void crash_apply_names_every_way_to_die(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct fate *fate = arena(pool, sizeof *fate);
    uint64_t deaths = 0;
    for (int cycle = 0; cycle < 5; cycle++)
        for (fate->way = 0; fate->way < WAYS; fate->way++) {
            int64_t result;
            struct twin_call call = square_call(&fate->item);
            call.task = die_at;
            call.context = fate;
            expect(twin_pool_apply(pool, &call, &result), TWIN_EWORKER);
            struct twin_failure failure = failure_of(pool);
            assert_died(&failure, fate->way);
            cr_assert_eq(failure.pid, atomic_load(&fate->pid));
            call.task = square;
            succeeds(twin_pool_apply(pool, &call, &result));
            await_restarts(pool, ++deaths, 2);
        }
    all_meet(pool, 2);
    twin_free(fate);
    succeeds(twin_pool_close(pool));
}

void crash_apply_async_loses_exactly_the_call_that_died(const struct arm *arm)
{
    enum { COUNT = 600 };
    static struct twin_future *futures[COUNT];
    struct twin_pool *pool = open_pool(arm, 3);
    struct random random = random_seeded("loses_exactly_the_call_that_died");
    for (int cycle = 0; cycle < 6; cycle++) {
        struct fate *fate = arena(pool, sizeof *fate);
        fate->item = (int32_t)random_below(&random, COUNT);
        fate->way = (enum way)cycle;
        for (int32_t i = 0; i < COUNT; i++) {
            struct twin_call call = square_call(&i);
            call.task = die_at;
            call.context = fate;
            succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
        }
        for (int32_t i = 0; i < COUNT; i++) {
            int64_t result = 0;
            expect(twin_future_result(futures[i], &result, -1), i == fate->item ? TWIN_EWORKER : 0);
            struct twin_failure failure = failure_of_future(futures[i]);
            if (i == fate->item) {
                assert_died(&failure, fate->way);
                cr_assert_eq(failure.pid, atomic_load(&fate->pid));
                cr_assert_eq(failure.index, 0);
            } else {
                cr_assert_eq(failure.kind, TWIN_FAILURE_NONE);
                cr_assert_eq(result, (int64_t)i * i);
            }
            twin_future_release(futures[i]);
        }
        cr_assert_eq(atomic_load(&fate->runs), COUNT, "each call ran once, the lost one too");
        twin_free(fate);
        await_restarts(pool, (uint64_t)cycle + 1, 3);
    }
    succeeds(twin_pool_close(pool));
}

/* Gives 0, 1, 2, ..., 599. */
static int count_to_600(void *item, void *arg)
{
    int32_t *next = arg;
    if (*next == 600)
        return 0;
    memcpy(item, next, sizeof *next);
    ++*next;
    return 1;
}

static size_t stream_with_one_death(struct twin_pool *pool, struct fate *fate, size_t chunk,
                                    bool ordered)
{
    int32_t next = 0;
    size_t given = 0, count = 0, index = 0, deaths = 0;
    struct twin_stream stream = {.task = die_at,
                                 .context = fate,
                                 .source = {count_to_600, &next},
                                 .item_size = sizeof(int32_t),
                                 .result_size = sizeof(int64_t),
                                 .chunk = chunk};
    struct twin_iterator *iterator = NULL;
    succeeds(ordered ? twin_pool_imap(pool, &stream, &iterator)
                     : twin_pool_imap_unordered(pool, &stream, &iterator));
    for (;; given += count) {
        const void *results;
        int error = twin_iterator_next(iterator, &results, &count, -1);
        succeeds(twin_iterator_index(iterator, &index));
        if (error) {
            struct twin_failure failure = {0};
            expect(error, TWIN_EWORKER);
            succeeds(twin_iterator_failure(iterator, &failure));
            assert_died(&failure, fate->way);
            cr_assert_eq(failure.pid, atomic_load(&fate->pid));
            cr_assert_eq(failure.index, (size_t)fate->item / chunk * chunk);
            cr_assert_eq(index, failure.index);
            deaths++;
        } else if (count == 0) {
            break;
        }
        for (size_t i = 0; i < count; i++)
            cr_assert_eq(((const int64_t *)results)[i], (int64_t)((index + i) * (index + i)));
    }
    cr_assert_eq(given, 600 - chunk, "%zu came", given);
    twin_iterator_release(iterator);
    return deaths;
}

void crash_imap_loses_exactly_the_chunk_that_died(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 3);
    struct random random = random_seeded("loses_exactly_the_chunk_that_died");
    for (unsigned cycle = 0; cycle < 8; cycle++) {
        struct fate *fate = arena(pool, sizeof *fate);
        fate->item = (int32_t)random_below(&random, 600);
        fate->way = (enum way)(cycle % WAYS);
        cr_assert_eq(stream_with_one_death(pool, fate, cycle & 1 ? 1 : 4, cycle & 2), 1);
        twin_free(fate);
        await_restarts(pool, (uint64_t)cycle + 1, 3);
    }
    succeeds(twin_pool_close(pool));
}

void crash_executor_goes_on_after_a_death(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 2);
    struct twin_pool *pool = twin_executor_pool(executor);
    struct fate *fate = arena(pool, sizeof *fate);
    int32_t items[60];
    int64_t results[60];
    struct twin_map map = square_map(count_up(items, 60), results, 60);
    map.task = die_at;
    map.context = fate;
    map.chunk = 5;
    for (fate->way = 0; fate->way < WAYS; fate->way++) {
        struct twin_future *future;
        struct twin_call call = square_call(&fate->item);
        fate->item = 30;
        call.task = die_at;
        call.context = fate;
        succeeds(twin_executor_submit(executor, &call, &future));
        expect(twin_future_result(future, NULL, -1), TWIN_EWORKER);
        struct twin_failure failure = failure_of_future(future);
        assert_died(&failure, fate->way);
        twin_future_release(future);

        struct twin_iterator *iterator;
        const void *chunk;
        size_t count, seen = 0;
        int outcome;
        succeeds(twin_executor_map(executor, &map, &iterator));
        while ((outcome = twin_iterator_next(iterator, &chunk, &count, -1)) == 0 && count)
            seen += count;
        expect(outcome, TWIN_EWORKER);
        cr_assert_eq(seen, 30);
        succeeds(twin_iterator_failure(iterator, &failure));
        assert_died(&failure, fate->way);
        cr_assert_eq(failure.index, 30);
        cr_assert_eq(failure.pid, atomic_load(&fate->pid));
        twin_iterator_release(iterator);
        square_chunks_of_3(pool);
    }
    twin_free(fate);
    succeeds(twin_executor_close(executor));
    assert_no_child();
}

void crash_replaces_an_idle_worker(const struct arm *arm)
{
    static const int signals[] = {SIGTERM, SIGKILL, SIGSEGV};
    struct twin_pool *pool = open_pool(arm, 2);
    for (uint64_t i = 0; i < 3; i++) {
        cr_assert_eq(kill(ask_a_pid(pool), signals[i]), 0);
        await_restarts(pool, i + 1, 2);
        square_chunks_of_3(pool);
    }
    all_meet(pool, 2);
    succeeds(twin_pool_close(pool));
}

void crash_survives_workers_that_die_all_at_once(const struct arm *arm)
{
    enum { WORKERS = 4, LOST = 20 };
    struct twin_pool *pool = open_pool(arm, WORKERS);
    struct fate *fate = arena(pool, sizeof *fate);
    struct twin_future *futures[LOST];
    fate->way = BY_SIGKILL;
    for (int i = 0; i < LOST; i++) {
        struct twin_call call = square_call(&fate->item);
        call.task = die_at;
        call.context = fate;
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
    }
    for (int i = 0; i < LOST; i++) {
        expect(twin_future_result(futures[i], NULL, -1), TWIN_EWORKER);
        twin_future_release(futures[i]);
    }
    square_chunks_of_3(pool);
    await_restarts(pool, LOST, WORKERS);
    all_meet(pool, WORKERS);
    twin_free(fate);
    succeeds(twin_pool_close(pool));
}

void crash_spawn_names_the_dead_worker(const struct arm *arm)
{
    int32_t items[20];
    int64_t *results = shared_pages(20 * sizeof *results);
    struct fate *fate = shared_pages(sizeof *fate);
    struct twin_map map = square_map(count_up(items, 20), results, 20);
    map.task = die_at;
    map.context = fate;
    fate->item = 11;
    for (fate->way = 0; fate->way < WAYS; fate->way++) {
        struct twin_spawn_report report = {0};
        expect(twin_spawn_map(&(struct twin_spawn_options){.backend = arm->backend, .batch = 4},
                              &map, &report),
               TWIN_EWORKER);
        assert_died(&report.failure, fate->way);
        cr_assert_eq(report.failure.index, 11);
        cr_assert_eq(report.failure.pid, atomic_load(&fate->pid));
        assert_no_child();
    }
}

/* ---- signals and exits --------------------------------------------------------------------------
 */

static int interrupt_self(void *result, const void *item, void *context)
{
    raise(SIGINT); /* the interrupt key reaches the whole group: the caller decides */
    return square(result, item, context);
}

void crash_ignores_the_interrupt_key(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    for (int32_t item = 0; item < 10; item++) {
        int64_t result = 0;
        struct twin_call call = square_call(&item);
        call.task = interrupt_self;
        succeeds(twin_pool_apply(pool, &call, &result));
        cr_assert_eq(result, (int64_t)item * item);
    }
    cr_assert_eq(stats_of(pool).restarts, 0);
    succeeds(twin_pool_close(pool));
}

static atomic_int *exits;
static pid_t test_pid;

static void count_exit(void)
{
    if (getpid() != test_pid)
        atomic_fetch_add(exits, 1);
}

void crash_exit_in_a_task_runs_no_handler_of_the_caller(const struct arm *arm)
{
    exits = shared_pages(sizeof *exits);
    test_pid = getpid();
    cr_assert_eq(atexit(count_exit), 0);
    struct twin_pool *pool = open_pool(arm, 2);
    struct fate *fate = arena(pool, sizeof *fate);
    fate->way = BY_EXIT;
    struct twin_call call = square_call(&fate->item);
    int64_t result;
    call.task = die_at;
    call.context = fate;
    expect(twin_pool_apply(pool, &call, &result), TWIN_EWORKER);
    struct twin_failure failure = failure_of(pool);
    assert_died(&failure, BY_EXIT);
    twin_free(fate);
    succeeds(twin_pool_close(pool));
    cr_assert_eq(atomic_load(exits), 0, "%d workers ran the caller's atexit handler",
                 atomic_load(exits));
}

/* ---- nobody is left ----------------------------------------------------------------------------
 */

static void await_all_descendants(void)
{
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    cr_assert_eq(errno, ECHILD);
}

struct orphanage {
    atomic_int workers_seen;
    bool idle;
};

static int sleep_for_ever(void *result, const void *item, void *context)
{
    struct orphanage *orphanage = context;
    (void)result, (void)item;
    atomic_fetch_add(&orphanage->workers_seen, 1);
    while (pause() == -1) /* always */
        ;
    return 0;
}

/* The caller who will be killed. */
static void be_killed(const struct arm *arm, struct orphanage *orphanage)
{
    struct twin_pool *pool = NULL;
    struct twin_future *future;
    struct twin_call call = {.task = sleep_for_ever, .context = orphanage};
    if (arm->open(&pool, &(struct twin_pool_options){.backend = arm->backend, .workers = 3}))
        _exit(1);
    if (orphanage->idle)
        atomic_store(&orphanage->workers_seen, 3);
    for (int i = 0; i < 50 && !orphanage->idle; i++)
        if (twin_pool_apply_async(pool, &call, &future))
            _exit(1);
    for (;;)
        pause();
}

static void kill_a_caller(const struct arm *arm, bool idle)
{
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int cycle = 0; cycle < 3; cycle++) {
        struct orphanage *orphanage = shared_pages(sizeof *orphanage);
        orphanage->idle = idle;
        pid_t caller = fork();
        cr_assert_geq(caller, 0);
        if (caller == 0)
            be_killed(arm, orphanage);
        await_at_least(&orphanage->workers_seen, 3);
        cr_assert_eq(kill(caller, SIGKILL), 0);
        await_all_descendants(); /* the caller, and whoever came to us when it was gone */
    }
}

void crash_leaves_nobody_when_the_caller_is_killed(const struct arm *arm)
{
    kill_a_caller(arm, false);
}

void crash_leaves_nobody_when_the_caller_is_killed_while_idle(const struct arm *arm)
{
    kill_a_caller(arm, true);
}

/* As a user of his own who may have 8 processes: the supervisor and some workers, not 20. */
static int open_too_many(const struct arm *arm, void *argument)
{
    (void)argument;
    struct rlimit limit = {8, 8};
    HOLDS(setrlimit(RLIMIT_NPROC, &limit) == 0);
    HOLDS(setgid(54321) == 0 && setuid(54321) == 0);
    size_t fds = count_fds(), mappings = count_mappings(true);
    for (int cycle = 0; cycle < 5; cycle++) {
        struct twin_pool *pool = (struct twin_pool *)&limit;
        errno = 0;
        HOLDS(arm->open(&pool, &(struct twin_pool_options){.workers = 20}) == TWIN_ESYSTEM);
        HOLDS(errno == EAGAIN);
        HOLDS(pool == NULL);
        HOLDS(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
        HOLDS(count_fds() == fds);
        HOLDS(count_mappings(true) == mappings);
        HOLDS(arm->open(&pool, &(struct twin_pool_options){.workers = 3}) == 0);
        HOLDS(twin_pool_close(pool) == 0);
    }
    return 0;
}

void crash_undoes_all_when_a_fork_fails(const struct arm *arm)
{
    if (geteuid() != 0)
        skip("needs root, to become a user with a process limit of his own");
    cr_assert_eq(in_child(open_too_many, arm, NULL), 0);
}

/* ---- the host's own children --------------------------------------------------------------------
 */

void crash_leaves_other_children_to_the_host(const struct arm *arm)
{
    pid_t own[3];
    for (int i = 0; i < 3; i++) {
        own[i] = fork();
        cr_assert_geq(own[i], 0);
        if (own[i] == 0)
            _exit(10 + i);
    }
    struct twin_pool *pool = open_pool(arm, 2);
    cr_assert_eq(kill(ask_a_pid(pool), SIGKILL), 0);
    await_restarts(pool, 1, 2);
    square_chunks_of_3(pool);
    succeeds(twin_pool_close(pool));
    for (int i = 0; i < 3; i++) {
        int status = 0;
        cr_assert_eq(waitpid(own[i], &status, 0), own[i], "somebody waited for our child");
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 10 + i);
    }
    assert_no_child();
}

void crash_works_with_ignored_children(const struct arm *arm)
{
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps: waitpid finds nobody */
    struct twin_pool *pool = open_pool(arm, 2);
    struct fate *fate = arena(pool, sizeof *fate);
    struct twin_call call = square_call(&fate->item);
    int64_t result;
    call.task = die_at;
    call.context = fate;
    expect(twin_pool_apply(pool, &call, &result), TWIN_EWORKER);
    struct twin_failure failure = failure_of(pool);
    assert_died(&failure, BY_SIGKILL);
    square_chunks_of_3(pool);
    twin_free(fate);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* ---- OpenMP on both sides of the fork -----------------------------------------------------------
 */

static int sum_in_parallel(void *result, const void *item, void *context)
{
    int64_t sum = 0;
    int32_t value = *(const int32_t *)item;
    (void)context;
#pragma omp parallel for default(none) shared(value) reduction(+ : sum) num_threads(2)             \
    schedule(static)
    for (int32_t i = 0; i < 1000; i++)
        sum += value;
    *(int64_t *)result = sum;
    return 0;
}

void crash_openmp_before_and_inside_does_not_hang(const struct arm *arm)
{
    int64_t before = 0;
    sum_in_parallel(&before, &(int32_t){2}, NULL); /* the caller has a team from here on */
    cr_assert_eq(before, 2000);
    for (int cycle = 0; cycle < 3; cycle++) {
        struct twin_pool *pool = open_pool(arm, 2);
        int32_t items[20];
        int64_t results[20];
        struct twin_map map = square_map(count_up(items, 20), results, 20);
        map.task = sum_in_parallel;
        succeeds(twin_pool_map(pool, &map));
        for (int32_t i = 0; i < 20; i++)
            cr_assert_eq(results[i], 1000 * i);
        succeeds(twin_pool_close(pool));
        sum_in_parallel(&before, &(int32_t){3}, NULL);
        cr_assert_eq(before, 3000);
    }
}
