/* hygiene_load.c: idle pools, crowded pools and many callers. */
#include "procfs.h"
#include "toolkit.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* ---- idle --------------------------------------------------------------------------------------
 */

static uint64_t switches_of(const pid_t *family, size_t members)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < members; i++)
        sum += context_switches(family[i]);
    return sum;
}

static void rest(int milliseconds)
{
    for (int i = 0; i < milliseconds; i += 50)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static void stays_idle(enum twin_wait_policy wait)
{
    struct twin_pool *pool =
        open_pool_with(&arm_proc, &(struct twin_pool_options){.workers = 4, .wait = wait});
    int32_t items[500];
    int64_t results[500];
    struct twin_map map = square_map(count_up(items, 500), results, 500);
    succeeds(twin_pool_map(pool, &map));
    pid_t family[8];
    size_t members = descendants(family, 8);
    cr_assert_eq(members, 5);
    uint64_t before = 0, now;
    while ((now = switches_of(family, members)) != before) { /* settles, or the watchdog barks */
        before = now;
        rest(500);
    }
    cr_assert_gt(before, 0, "nobody ever switched: this kernel does not count");
    rest(is_stress() ? 10000 : 2000);
    now = switches_of(family, members);
    cr_assert_eq(now, before, "%llu context switches while idle",
                 (unsigned long long)(now - before));
    succeeds(twin_pool_map(pool, &map)); /* asleep, not dead */
    assert_squares(results, items, 500);
    succeeds(twin_pool_close(pool));
}

Test(hygiene_load, an_idle_pool_makes_no_context_switch, .timeout = WATCHDOG_SECONDS)
{
    stays_idle(TWIN_WAIT_ADAPTIVE);
}

Test(hygiene_load, an_idle_pool_that_blocks_makes_no_context_switch, .timeout = WATCHDOG_SECONDS)
{
    stays_idle(TWIN_WAIT_BLOCK);
}

/* ---- crowds ------------------------------------------------------------------------------------
 */

static void works_with(const struct arm *arm, unsigned workers)
{
    enum { COUNT = 1000 };
    static struct twin_future *futures[COUNT];
    int32_t items[COUNT];
    int64_t results[COUNT] = {0};
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct twin_executor *executor = open_executor(arm, workers);
    struct twin_pool *pool = open_pool(arm, workers);
    map.chunk = 1;
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, COUNT);
    for (int round = 0; round < 2; round++) {
        for (int32_t i = 0; i < COUNT; i++) {
            struct twin_call call = square_call(&items[i]);
            succeeds(round ? twin_executor_submit(executor, &call, &futures[i])
                           : twin_pool_apply_async(pool, &call, &futures[i]));
        }
        for (int32_t i = 0; i < COUNT; i++) {
            results[i] = -1;
            succeeds(twin_future_result(futures[i], &results[i], -1));
            twin_future_release(futures[i]);
        }
        assert_squares(results, items, COUNT);
    }
    succeeds(twin_pool_close(pool));
    succeeds(twin_executor_close(executor));
    assert_no_child();
}

#define CROWD(arm, workers)                                                                        \
    Test(hygiene_load, workers_##workers##_on_few_cpus_##arm, .timeout = WATCHDOG_SECONDS)         \
    {                                                                                              \
        works_with(&arm_##arm, workers);                                                           \
    }

CROWD(proc, 64)
CROWD(proc, 256)
CROWD(omp, 64)
CROWD(omp, 256)
CROWD(control, 64)
CROWD(control, 256)

/* ---- many callers ------------------------------------------------------------------------------
 */

enum { CALLERS = 6, ROUNDS = 40, BURST = 50 };

struct caller {
    const struct arm *arm;
    struct twin_pool *pool;
    bool deaths; /* workers are killed beside us: a call may be lost, but only so */
    unsigned number;
    int wrong_line;
    int lost;
};

/* Whether a call's outcome is right: its result, or a death that was to be expected. */
static bool is_right(struct caller *me, int error, int64_t result, int64_t expected)
{
    if (error == TWIN_EWORKER && me->deaths) {
        me->lost++;
        return true;
    }
    return error == 0 && result == expected;
}

/* Returns 0, or the line of what did not hold: a failed assertion ends only the main thread. */
static int submit_and_wait(struct caller *me)
{
    struct twin_future *futures[BURST];
    int32_t items[BURST];
    int64_t results[BURST], result = 0;
    for (int32_t i = 0; i < BURST; i++) {
        items[i] = (int32_t)me->number * 1000 + i;
        struct twin_call call = square_call(&items[i]);
        HOLDS(twin_pool_apply_async(me->pool, &call, &futures[i]) == 0);
    }
    if (me->number % 2)
        HOLDS(twin_futures_wait(futures, BURST, TWIN_ALL, -1) == 0);
    for (int32_t i = 0; i < BURST; i++) {
        int error = twin_future_result(futures[i], &result, -1);
        HOLDS(is_right(me, error, result, (int64_t)items[i] * items[i]));
        twin_future_release(futures[i]);
    }
    struct twin_call call = square_call(&items[1]);
    int error = twin_pool_apply(me->pool, &call, &result);
    HOLDS(is_right(me, error, result, (int64_t)items[1] * items[1]));
    struct twin_map map = square_map(items, results, BURST);
    error = twin_pool_map(me->pool, &map);
    for (int32_t i = 0; i < BURST; i++)
        HOLDS(is_right(me, error, results[i], (int64_t)items[i] * items[i]));
    return 0;
}

static void *call_again_and_again(void *argument)
{
    struct caller *me = argument;
    for (int round = 0; round < ROUNDS && !me->wrong_line; round++)
        me->wrong_line = submit_and_wait(me);
    return NULL;
}

static void serves_many_callers(const struct arm *arm, int deaths)
{
    struct twin_pool *pool = open_pool(arm, 4);
    struct caller callers[CALLERS];
    pthread_t threads[CALLERS];
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){arm, pool, deaths > 0, i, 0, 0};
        cr_assert_eq(pthread_create(&threads[i], NULL, call_again_and_again, &callers[i]), 0);
    }
    for (int death = 0; death < deaths; death++) {
        pid_t family[8];
        size_t members = descendants(family, 8);
        if (members > 1) /* the first is the supervisor */
            kill(family[1 + (size_t)death % (members - 1)], SIGKILL);
        rest(50);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert_eq(callers[i].wrong_line, 0, "caller %u, line %d", i, callers[i].wrong_line);
    }
    if (deaths)
        cr_assert_gt(stats_of(pool).restarts, 0);
    succeeds(twin_pool_close(pool));
    assert_no_child();
}

Test(hygiene_load, many_callers_submit_and_wait_proc, .timeout = WATCHDOG_SECONDS)
{
    serves_many_callers(&arm_proc, 0);
}

Test(hygiene_load, many_callers_submit_and_wait_control, .timeout = WATCHDOG_SECONDS)
{
    serves_many_callers(&arm_control, 0);
}

Test(hygiene_load, many_callers_submit_and_wait_while_workers_die, .timeout = WATCHDOG_SECONDS)
{
    serves_many_callers(&arm_proc, is_stress() ? 100 : 10);
}
