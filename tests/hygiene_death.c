/* hygiene_death.c: the caller or the supervisor is killed, at work and idle: nobody is left, nothing
 * stays in /dev/shm, and the caller of a dead supervisor gets an error, not a hang.
 *
 * No time is asserted beyond "gone within 10 s"; a hang is the watchdog's. */
#include "procfs.h"
#include "toolkit.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3, FAMILY = WORKERS + 1, CALLS = 50 }; /* the supervisor is of the family */

/* In shared memory. */
struct scene {
    atomic_int running; /* tasks that sleep in workers */
    atomic_int ready;   /* the family is known */
    bool idle;          /* no task runs; and a worker has died before, so that there is a standby */
    bool stopped;       /* the family, when the caller is killed */
    pid_t family[FAMILY + 2];
    size_t members, shm;
};

static int sleep_for_ever(void *result, const void *item, void *context)
{
    struct scene *scene = context;
    (void)result, (void)item;
    atomic_fetch_add(&scene->running, 1);
    while (pause() == -1) /* always */
        ;
    return 0;
}

/* Returns whether the pool has a standby now. */
static bool lose_a_worker(struct twin_pool *pool)
{
    pid_t family[FAMILY + 2];
    if (twin_pool_apply(pool, &(struct twin_call){.task = kill_own_worker}, NULL) != TWIN_EWORKER)
        return false;
    while (descendants(family, FAMILY + 2) != FAMILY + 1)
        nap();
    return true;
}

static struct twin_pool *open_busy(struct scene *scene)
{
    struct twin_pool *pool = NULL;
    size_t shm = count_shm_mappings();
    if (twin_pool_open(&pool, &(struct twin_pool_options){.workers = WORKERS}))
        return NULL;
    scene->shm = count_shm_mappings() - shm;
    struct twin_call call = {.task = sleep_for_ever, .context = scene};
    for (int i = 0; i < CALLS && !scene->idle; i++) {
        struct twin_future *future;
        if (twin_pool_apply_async(pool, &call, &future))
            return NULL;
        twin_future_release(future);
    }
    if (!scene->idle)
        await_at_least(&scene->running, WORKERS);
    else if (!lose_a_worker(pool))
        return NULL;
    scene->members = descendants(scene->family, FAMILY + 2);
    return pool;
}

/* ---- the caller is killed ----------------------------------------------------------------------
 */

static _Noreturn void be_killed(struct scene *scene)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    /* not those who are stopped: the kernel has them go on when their group loses its parent */
    if (!scene->stopped)
        setpgid(0, 0);
    if (!open_busy(scene))
        _exit(1);
    atomic_store(&scene->ready, 1);
    for (;;)
        pause();
}

/* WHOLE_GROUP: as the interrupt key does, the signal reaches the workers too. */
enum who { CALLER, WHOLE_GROUP, CALLER_OF_THE_STOPPED };

static void kill_the_caller(int number, enum who who, bool idle)
{
    struct scene *scene = shared_pages(sizeof *scene);
    scene->idle = idle;
    scene->stopped = who == CALLER_OF_THE_STOPPED;
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* or init might leave zombies to count */
    pid_t caller = fork();
    cr_assert_geq(caller, 0);
    if (caller == 0)
        be_killed(scene);
    await_at_least(&scene->ready, 1);
    cr_assert_eq(scene->members, FAMILY + (idle ? 1 : 0), "%zu processes", scene->members);
    cr_assert_eq(scene->shm, 0, "a pool needs nothing in /dev/shm");
    for (size_t i = 0; i < scene->members && scene->stopped; i++)
        cr_assert_eq(kill(scene->family[i], SIGSTOP), 0);
    cr_assert_eq(kill(who == WHOLE_GROUP ? -caller : caller, number), 0);
    for (size_t i = 0; i < scene->members; i++)
        cr_assert(goes_away(scene->family[i]), "process %zu is left, signal %d", i, number);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    cr_assert_eq(errno, ECHILD);
}

#define CALLER_GETS(name, number, who)                                                             \
    Test(hygiene_death, caller_gets_##name, .timeout = WATCHDOG_SECONDS)                           \
    {                                                                                              \
        kill_the_caller(number, who, false);                                                       \
        kill_the_caller(number, who, true);                                                        \
    }

CALLER_GETS(sigint, SIGINT, CALLER)
CALLER_GETS(sigterm, SIGTERM, CALLER)
CALLER_GETS(sigkill, SIGKILL, CALLER)
CALLER_GETS(the_interrupt_key, SIGINT, WHOLE_GROUP)
CALLER_GETS(sigterm_for_the_group, SIGTERM, WHOLE_GROUP)
CALLER_GETS(sigkill_for_the_group, SIGKILL, WHOLE_GROUP)
CALLER_GETS(sigkill_while_all_others_are_stopped, SIGKILL, CALLER_OF_THE_STOPPED)

/* ---- the supervisor is killed ------------------------------------------------------------------
 */

/* What a caller may be told when there is nobody left to work. */
static void assert_hopeless(int error, const char *what)
{
    cr_assert(error == TWIN_EWORKER || error == TWIN_ESYSTEM || error == TWIN_ECLOSED,
              "%s: %d (%s)", what, error, twin_strerror(error));
}

static void assert_all_calls_fail(struct twin_pool *pool)
{
    int32_t items[100];
    int64_t results[100], result;
    struct twin_map map = square_map(count_up(items, 100), results, 100);
    struct twin_call call = square_call(items);
    struct twin_future *future = NULL;
    assert_hopeless(twin_pool_map(pool, &map), "map");
    assert_hopeless(twin_pool_apply(pool, &call, &result), "apply");
    int error = twin_pool_apply_async(pool, &call, &future);
    if (!error)
        error = twin_future_result(future, &result, -1);
    assert_hopeless(error, "apply_async");
    twin_future_release(future);
}

static void kill_the_supervisor(bool idle)
{
    struct scene *scene = shared_pages(sizeof *scene);
    scene->idle = idle;
    struct twin_pool *pool = open_busy(scene);
    cr_assert_not_null(pool);
    cr_assert_eq(scene->members, FAMILY + (idle ? 1 : 0));
    cr_assert_eq(kill(scene->family[0], SIGKILL), 0);
    for (size_t i = 0; i < scene->members; i++)
        cr_assert(goes_away(scene->family[i]), "process %zu is left", i);
    assert_all_calls_fail(pool);
    succeeds(twin_pool_close(pool));
    assert_no_child();
    pool = open_pool(&arm_proc, WORKERS); /* and another can be had */
    int64_t result = 0;
    struct twin_call call = square_call(&(int32_t){9});
    succeeds(twin_pool_apply(pool, &call, &result));
    cr_assert_eq(result, 81);
    succeeds(twin_pool_close(pool));
}

Test(hygiene_death, an_idle_supervisor_is_killed, .timeout = WATCHDOG_SECONDS)
{
    kill_the_supervisor(true);
}

Test(hygiene_death, a_busy_supervisor_is_killed, .timeout = WATCHDOG_SECONDS)
{
    kill_the_supervisor(false);
}

/* The caller already sleeps when the supervisor dies; and what had not begun was not cancelled. */
Test(hygiene_death, a_waiting_caller_is_told_that_the_supervisor_is_gone,
     .timeout = WATCHDOG_SECONDS)
{
    struct scene *scene = shared_pages(sizeof *scene);
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    struct twin_call call = {.task = sleep_for_ever, .context = scene};
    struct twin_future *futures[WORKERS];
    pid_t supervisor;
    cr_assert_eq(children_of(getpid(), &supervisor, 1), 1);
    pid_t killer = fork();
    cr_assert_geq(killer, 0);
    if (killer == 0) {
        await_at_least(&scene->running, WORKERS);
        kill(supervisor, SIGKILL);
        _exit(0);
    }
    for (int i = 0; i < WORKERS; i++)
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
    assert_hopeless(twin_pool_apply(pool, &call, NULL), "apply");
    for (int i = 0; i < WORKERS; i++) {
        assert_hopeless(twin_future_result(futures[i], NULL, -1), "apply_async");
        twin_future_release(futures[i]);
    }
    cr_assert_eq(waitpid(killer, NULL, 0), killer);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

static int count_on(void *item, void *arg)
{
    *(int32_t *)item = (*(int32_t *)arg)++;
    return 1;
}

/* An endless one, of whose chunks one after the other is lost. */
Test(hygiene_death, a_stream_ends_when_the_supervisor_is_gone, .timeout = WATCHDOG_SECONDS)
{
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    int32_t next = 0;
    struct twin_stream stream = {.task = square,
                                 .item_size = sizeof(int32_t),
                                 .result_size = sizeof(int64_t),
                                 .source = {count_on, &next}};
    struct twin_iterator *iterator;
    const void *results;
    size_t count = 1, index, before = 0;
    pid_t supervisor;
    int error = 0;
    cr_assert_eq(children_of(getpid(), &supervisor, 1), 1);
    succeeds(twin_pool_imap(pool, &stream, &iterator));
    succeeds(twin_iterator_next(iterator, &results, &count, -1));
    cr_assert_eq(kill(supervisor, SIGKILL), 0);
    while (error != 0 || count > 0) {
        error = twin_iterator_next(iterator, &results, &count, -1);
        if (error == 0)
            continue;
        assert_hopeless(error, "imap");
        succeeds(twin_iterator_index(iterator, &index));
        cr_assert(before < index, "%zu comes after %zu", index, before);
        before = index;
    }
    twin_iterator_release(iterator);
    succeeds(twin_pool_close(pool));
}

/* ---- many at once -------------------------------------------------------------------------------- */

enum { MANY = 32 };

static int wait_while_set(void *flag)
{
    while (atomic_load((atomic_int *)flag))
        nap();
    return 0;
}

/* Whom the supervisor has forked. */
static void kill_all_but_the_supervisor(void)
{
    pid_t family[MANY + 2];
    size_t count = descendants(family, MANY + 2);
    cr_assert_geq(count, MANY + 1);
    for (size_t i = 1; i < count; i++)
        (void)kill(family[i], SIGKILL); /* the standby may be one of them, or not be there yet */
}

/* That is no failing initializer, of which a few in a row make a pool give up. */
Test(hygiene_death, many_that_are_killed_on_their_way_are_replaced, .timeout = WATCHDOG_SECONDS)
{
    atomic_int *is_slow = shared_pages(sizeof *is_slow);
    struct twin_pool *pool = open_pool_with(&arm_proc, &(struct twin_pool_options){
                                                           .workers = MANY,
                                                           .initializer = wait_while_set,
                                                           .initializer_arg = is_slow,
                                                       });
    atomic_store(is_slow, 1);
    for (uint64_t deaths = MANY; deaths <= 2 * MANY; deaths += MANY) {
        kill_all_but_the_supervisor();
        while (stats_of(pool).restarts < deaths)
            nap();
    }
    atomic_store(is_slow, 0);
    while (stats_of(pool).workers < MANY)
        nap();
    square_chunks_of_3(pool);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

Test(hygiene_death, a_worker_that_was_stopped_does_not_hold_up_close, .timeout = WATCHDOG_SECONDS)
{
    pid_t family[FAMILY + 2];
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    cr_assert_eq(descendants(family, FAMILY + 2), FAMILY);
    for (int i = 0; i < FAMILY; i++) /* the supervisor, too */
        cr_assert_eq(kill(family[i], SIGSTOP), 0);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}
