/* standby_proc.c: a pool that has lost a worker keeps a process in reserve, which takes the place of the
 * next one that goes; before the first death there is none, and nobody misses one that is killed. */
#include "procfs.h"
#include "toolkit.h"

#include <signal.h>
#include <string.h>

enum { WORKERS = 2, MOST = 16, DEATHS = 20 };

static bool is_worker(struct twin_pool *pool, pid_t pid)
{
    struct twin_worker_stats stats;
    for (unsigned i = 0; twin_pool_worker_stats(pool, i, &stats) == 0; i++)
        if (stats.pid == pid)
            return true;
    return false;
}

/* Waits until there is one. */
static pid_t standby_of(struct twin_pool *pool)
{
    for (;;) {
        pid_t supervisor = 0, children[MOST];
        cr_assert_eq(children_of(getpid(), &supervisor, 1), 1);
        size_t count = children_of(supervisor, children, MOST);
        cr_assert_leq(count, WORKERS + 1);
        for (size_t i = 0; i < count && count == WORKERS + 1; i++)
            if (!is_worker(pool, children[i]))
                return children[i];
        nap();
    }
}

static void lose_a_worker(struct twin_pool *pool)
{
    cr_assert_eq(twin_pool_apply(pool, &(struct twin_call){.task = kill_own_worker}, NULL),
                 TWIN_EWORKER);
}

/* The call may have failed before its worker is known to be dead. */
static void replace_a_worker(struct twin_pool *pool)
{
    uint64_t restarts = stats_of(pool).restarts;
    lose_a_worker(pool);
    while (stats_of(pool).restarts == restarts || stats_of(pool).workers < WORKERS)
        nap();
}

static void works(struct twin_pool *pool)
{
    struct twin_call call = square_call(&(int32_t){9});
    int64_t result = 0;
    succeeds(twin_pool_apply(pool, &call, &result));
    cr_assert_eq(result, 81);
}

Test(standby_proc, there_is_none_before_a_worker_was_lost, .timeout = WATCHDOG_SECONDS)
{
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    pid_t family[MOST];
    for (int i = 0; i < 20; i++) {
        works(pool);
        nap();
    }
    cr_assert_eq(descendants(family, MOST), WORKERS + 1);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

Test(standby_proc, takes_the_place_of_the_next_that_dies, .timeout = WATCHDOG_SECONDS)
{
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    replace_a_worker(pool);
    for (int i = 0; i < DEATHS; i++) {
        pid_t standby = standby_of(pool);
        replace_a_worker(pool);
        cr_assert(is_worker(pool, standby));
        works(pool);
    }
    cr_assert_eq(stats_of(pool).restarts, DEATHS + 1);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* A replacement without an initializer would be no worker. */
static int remember(void *arg)
{
    *(volatile pid_t *)arg = getpid();
    return 0;
}

Test(standby_proc, is_initialized_when_it_becomes_a_worker, .timeout = WATCHDOG_SECONDS)
{
    pid_t *last = shared_pages(sizeof *last);
    struct twin_pool *pool = open_pool_with(
        &arm_proc, &(struct twin_pool_options){
                       .workers = WORKERS, .initializer = remember, .initializer_arg = last});
    replace_a_worker(pool);
    pid_t standby = standby_of(pool);
    cr_assert_neq(*last, standby);
    replace_a_worker(pool);
    cr_assert_eq(*last, standby);
    succeeds(twin_pool_close(pool));
}

Test(standby_proc, is_not_missed, .timeout = WATCHDOG_SECONDS)
{
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    replace_a_worker(pool);
    for (int i = 0; i < DEATHS; i++) {
        pid_t standby = standby_of(pool);
        cr_assert_eq(kill(standby, SIGKILL), 0);
        cr_assert(i % 2 == 0 || goes_away(standby)); /* it is called, or known to be dead */
        replace_a_worker(pool);
        works(pool);
    }
    succeeds(twin_pool_terminate(pool));
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

/* They share a bell. */
Test(standby_proc, has_no_successor_before_it_has_heard, .timeout = WATCHDOG_SECONDS)
{
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    pid_t family[MOST];
    replace_a_worker(pool);
    pid_t standby = standby_of(pool);
    cr_assert_eq(kill(standby, SIGSTOP), 0);
    lose_a_worker(pool);
    for (int i = 0; i < 20; i++) {
        works(pool);
        nap();
    }
    cr_assert_leq(descendants(family, MOST), WORKERS + 1);
    cr_assert_eq(kill(standby, SIGCONT), 0);
    while (!is_worker(pool, standby))
        nap();
    (void)standby_of(pool);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}
