/* hygiene_hostile.c: hosts that go as far as the header lets them: threads that race, forks among
 * waiters, stopped processes, closed standard streams, dropped privileges. Found by trying to break the
 * pool from outside. A hang is the watchdog's. */
#include "procfs.h"
#include "toolkit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 2 };

static int sleep_for_ever(void *result, const void *item, void *context)
{
    (void)result, (void)item;
    atomic_fetch_add((atomic_int *)context, 1);
    while (pause() == -1) /* always */
        ;
    return 0;
}

static struct twin_future *submit_sleeper(struct twin_pool *pool, atomic_int *running)
{
    struct twin_call call = {.task = sleep_for_ever, .context = running};
    return submit_call(pool, &call);
}

/* ---- threads ------------------------------------------------------------------------------------- */

struct racers {
    struct twin_pool *pool;
    atomic_int called;
};

enum { CALLS = 3000 };

static void release_it(struct twin_future *future, void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    twin_future_release(future);
}

static void *register_releasing_callbacks(void *arg)
{
    struct racers *racers = arg;
    for (int i = 0; i < CALLS; i++) {
        struct twin_call call = square_call(&(int32_t){3});
        succeeds(twin_future_then(submit_call(racers->pool, &call), release_it, &racers->called));
    }
    return NULL;
}

static void *wait_for_many(void *arg)
{
    struct racers *racers = arg;
    for (int i = 0; i < CALLS; i++) {
        int64_t result = 0;
        struct twin_call call = square_call(&(int32_t){4});
        struct twin_future *future = submit_call(racers->pool, &call);
        succeeds(twin_future_result(future, &result, -1));
        twin_future_release(future);
    }
    return NULL;
}

/* Whoever waits runs the callback, and with it the handle may be gone while it is being registered. */
Test(hygiene_hostile, callbacks_that_release_race_with_who_registers, .timeout = WATCHDOG_SECONDS)
{
    struct racers racers = {.pool = open_pool(&arm_control, WORKERS)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL,
                                    i % 2 ? register_releasing_callbacks : wait_for_many, &racers),
                     0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    succeeds(twin_pool_close(racers.pool));
    cr_assert_eq(atomic_load(&racers.called), 2 * CALLS);
}

static void *shut_down(void *pool)
{
    succeeds(twin_pool_shutdown(pool));
    return NULL;
}

Test(hygiene_hostile, terminate_ends_another_threads_shutdown, .timeout = WATCHDOG_SECONDS)
{
    atomic_int *running = shared_pages(sizeof *running);
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    struct twin_future *future = submit_sleeper(pool, running);
    await_at_least(running, 1);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, shut_down, pool), 0);
    struct twin_future *refused;
    struct twin_call call = square_call(&(int32_t){2});
    while (twin_pool_apply_async(pool, &call, &refused) == 0) /* until it shuts down */
        twin_future_release(refused);
    nap();
    succeeds(twin_pool_terminate(pool));
    pthread_join(thread, NULL);
    expect(twin_future_result(future, NULL, 0), TWIN_EWORKER);
    twin_future_release(future);
    succeeds(twin_pool_terminate(pool));
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* ---- forks among waiters ------------------------------------------------------------------------- */

static void *wait_for_future(void *future)
{
    (void)twin_future_result(future, NULL, -1);
    return NULL;
}

Test(hygiene_hostile, a_forked_child_closes_while_the_parents_threads_wait,
     .timeout = WATCHDOG_SECONDS)
{
    enum { WAITERS = 2 };
    atomic_int *running = shared_pages(sizeof *running);
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    struct twin_future *futures[WAITERS];
    pthread_t threads[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        futures[i] = submit_sleeper(pool, running);
        cr_assert_eq(pthread_create(&threads[i], NULL, wait_for_future, futures[i]), 0);
    }
    await_at_least(running, WAITERS);
    for (int i = 0; i < 50; i++)
        nap(); /* one leads by now, the other follows */
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(WATCHDOG_SECONDS / 3); /* a hang must not outlive the watchdog's victim */
        _exit(twin_pool_close(pool) ? 1 : 0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    succeeds(twin_pool_terminate(pool));
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
        twin_future_release(futures[i]);
    }
    succeeds(twin_pool_close(pool));
}

/* ---- the C library's locks -------------------------------------------------------------------------- */

extern int __cxa_atexit(void (*handler)(void *), void *arg, void *key);
extern void __cxa_finalize(void *key);

static void do_nothing(void *unused)
{
    (void)unused;
}

/* As a program that loads and unloads plug-ins does. */
static void *register_exit_handlers(void *is_over)
{
    char key;
    while (!atomic_load((atomic_int *)is_over)) {
        for (int i = 0; i < 100; i++)
            cr_assert_eq(__cxa_atexit(do_nothing, NULL, &key), 0);
        __cxa_finalize(&key);
    }
    return NULL;
}

/* Who is forked meanwhile can register none: nobody there gives the lock back. */
Test(hygiene_hostile, opens_while_other_threads_register_exit_handlers, .timeout = WATCHDOG_SECONDS)
{
    atomic_int is_over = 0;
    pthread_t threads[2];
    int32_t items[20];
    int64_t results[20];
    struct twin_map map = square_map(count_up(items, 20), results, 20);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, register_exit_handlers, &is_over), 0);
    for (int i = 0; i < 50; i++) {
        struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
        square_chunks_of_3(pool);
        succeeds(twin_pool_close(pool));
        succeeds(twin_spawn_map(NULL, &map, NULL));
        assert_squares(results, items, 20);
    }
    atomic_store(&is_over, 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
}

/* ---- children of a task ---------------------------------------------------------------------------- */

/* Its child comes back from it, a moment later. */
static int fork_and_return(void *result, const void *item, void *context)
{
    atomic_int *runs = context;
    int32_t number = *(const int32_t *)item;
    if (number % 16 == 0 && fork() == 0)
        usleep(1000);
    else
        atomic_fetch_add(&runs[number], 1);
    *(int64_t *)result = number;
    return 0;
}

static void fork_in_calls(struct twin_pool *pool, atomic_int *runs)
{
    struct twin_future *futures[CALLS];
    for (int32_t i = 0; i < CALLS; i++) {
        struct twin_call call = square_call(&i);
        call.task = fork_and_return;
        call.context = runs;
        futures[i] = submit_call(pool, &call);
    }
    for (int32_t i = 0; i < CALLS; i++) {
        int64_t result = -1;
        succeeds(twin_future_result(futures[i], &result, -1));
        cr_assert_eq(result, i);
        cr_assert_eq(runs[i], 1, "call %d ran %d times", (int)i, runs[i]);
        twin_future_release(futures[i]);
    }
}

/* Each item is a chunk, after which a child ends. */
static void fork_in_a_map(struct twin_pool *pool, atomic_int *runs)
{
    int32_t items[CALLS];
    int64_t results[CALLS];
    struct twin_map map = square_map(count_up(items, CALLS), results, CALLS);
    map.task = fork_and_return;
    map.context = runs;
    map.chunk = 1;
    succeeds(twin_pool_map(pool, &map));
    for (int32_t i = 0; i < CALLS; i++) {
        cr_assert_eq(results[i], i);
        cr_assert_eq(runs[i], 2, "item %d ran %d times", (int)i, runs[i] - 1);
    }
}

/* It would be a second one of the same number. */
Test(hygiene_hostile, the_child_of_a_task_is_no_worker, .timeout = WATCHDOG_SECONDS)
{
    atomic_int *runs = shared_pages(CALLS * sizeof *runs);
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    fork_in_calls(pool, runs);
    fork_in_a_map(pool, runs);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* ---- stopped ------------------------------------------------------------------------------------- */

Test(hygiene_hostile, a_pool_whose_supervisor_is_stopped_can_be_closed, .timeout = WATCHDOG_SECONDS)
{
    pid_t family[WORKERS + 2];
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    cr_assert_eq(descendants(family, WORKERS + 2), WORKERS + 1);
    cr_assert_eq(kill(family[0], SIGSTOP), 0);
    square_chunks_of_3(pool);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* A worker that was stopped while it spun for work: the other one is to get it. */
Test(hygiene_hostile, a_stopped_spinner_keeps_no_call_from_the_others, .timeout = WATCHDOG_SECONDS)
{
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    for (int i = 0; i < 100; i++) {
        int64_t pid = 0, result = 0;
        struct twin_call name = square_call(&(int32_t){0}), call = square_call(&(int32_t){5});
        name.task = name_process;
        succeeds(twin_pool_apply(pool, &name, &pid));
        cr_assert_eq(kill((pid_t)pid, SIGSTOP), 0);
        /* unless it was stopped with the call in its hands, which nobody can take from it */
        struct twin_future *future = submit_call(pool, &call);
        int error = twin_future_result(future, &result, 300000000);
        bool is_held = twin_future_state(future) == TWIN_RUNNING;
        cr_assert_eq(kill((pid_t)pid, SIGCONT), 0);
        cr_assert(error == 0 || is_held, "round %d: nobody began it", i);
        succeeds(twin_future_result(future, &result, -1));
        cr_assert_eq(result, 25);
        twin_future_release(future);
    }
    succeeds(twin_pool_close(pool));
}

/* ---- what the host has done to itself -------------------------------------------------------------- */

static int become_nobody(void *arg)
{
    (void)arg;
    return setgid(65534) || setuid(65534);
}

Test(hygiene_hostile, workers_without_privileges_go_with_their_supervisor,
     .timeout = WATCHDOG_SECONDS)
{
    if (geteuid() != 0)
        skip("only root can drop privileges");
    pid_t family[WORKERS + 2];
    struct twin_pool *pool = open_pool_with(
        &arm_proc, &(struct twin_pool_options){.workers = WORKERS, .initializer = become_nobody});
    cr_assert_eq(descendants(family, WORKERS + 2), WORKERS + 1);
    cr_assert_eq(kill(family[0], SIGKILL), 0);
    for (int i = 0; i < WORKERS + 1; i++)
        cr_assert(goes_away(family[i]), "process %d is left", i);
    succeeds(twin_pool_close(pool));
}

/* Returns 0, or the line of what did not hold. */
static int open_without_stdio(const struct arm *arm, void *unused)
{
    (void)unused;
    struct twin_pool *pool = NULL;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    HOLDS(arm->open(&pool, &(struct twin_pool_options){.workers = WORKERS}) == 0);
    for (int fd = 0; fd < 3; fd++)
        HOLDS(fcntl(fd, F_GETFD) == -1); /* free for the host */
    int64_t result = 0;
    struct twin_call call = square_call(&(int32_t){6});
    HOLDS(twin_pool_apply(pool, &call, &result) == 0 && result == 36);
    HOLDS(twin_pool_close(pool) == 0);
    return 0;
}

Test(hygiene_hostile, leaves_the_numbers_of_closed_standard_streams_alone,
     .timeout = WATCHDOG_SECONDS)
{
    int line = in_child(open_without_stdio, &arm_proc, NULL);
    cr_assert_eq(line, 0, "line %d", line);
}
