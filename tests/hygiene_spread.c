/* hygiene_spread.c: long calls that come after many short ones spread over all workers, however
 * calls are handed out: what was cheap to hoard a moment ago is not now. */
#include "toolkit.h"

#include <unistd.h>

enum { SPREAD = 4, LONG = 64 };

struct ledger {
    int spread; /* go on together */
    atomic_int inside;
    atomic_int workers[LONG]; /* who ran each long call */
};

/* Goes on when as many as there are workers have begun: who hoards calls waits for himself. */
static int run_long(void *result, const void *item, void *context)
{
    struct ledger *ledger = context;
    int32_t index = *(const int32_t *)item;
    atomic_store(&ledger->workers[index], gettid());
    atomic_fetch_add(&ledger->inside, 1);
    await_at_least(&ledger->inside, ledger->spread);
    for (int i = 0; i < 3; i++)
        nap();
    return square(result, item, NULL);
}

static void submit_short(struct twin_pool *pool)
{
    for (int32_t i = 0; i < 100000; i++) {
        struct twin_future *future;
        struct twin_call call = square_call(&i);
        succeeds(twin_pool_apply_async(pool, &call, &future));
        twin_future_release(future);
    }
}

/* The caller does not wait until all workers have one: what wakes them are the workers alone. */
static void spreads(const struct arm *arm, int workers)
{
    struct twin_pool *pool = open_pool(arm, (unsigned)workers);
    struct ledger *ledger = arena(pool, sizeof *ledger);
    struct twin_future *futures[LONG];
    ledger->spread = workers;
    submit_short(pool);
    for (int32_t i = 0; i < LONG; i++) {
        struct twin_call call = square_call(&i);
        call.task = run_long;
        call.context = ledger;
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
    }
    await_at_least(&ledger->inside, workers);
    for (int32_t i = 0; i < LONG; i++) {
        int64_t result = 0;
        succeeds(twin_future_result(futures[i], &result, -1));
        cr_assert_eq(result, (int64_t)i * i);
        twin_future_release(futures[i]);
    }
    int seen[LONG] = {0}, different = 0;
    for (int i = 0; i < LONG; i++) {
        int who = atomic_load(&ledger->workers[i]), w = 0;
        while (w < different && seen[w] != who)
            w++;
        if (w == different)
            seen[different++] = who;
    }
    cr_assert_eq(different, workers, "64 long calls ran in %d of %d workers", different, workers);
    twin_free(ledger);
    succeeds(twin_pool_close(pool));
}

Test(hygiene_spread, long_calls_after_short_ones_spread_proc, .timeout = 60)
{
    spreads(&arm_proc, SPREAD);
    for (int i = 0; i < 3; i++)
        spreads(&arm_proc, LONG);
}

Test(hygiene_spread, long_calls_after_short_ones_spread_control, .timeout = 60)
{
    spreads(&arm_control, SPREAD);
    for (int i = 0; i < 3; i++)
        spreads(&arm_control, LONG);
}

/* ---- omp: short calls run in the submitter, long ones do not stay there ------------------- */

static int note_thread(void *result, const void *item, void *context)
{
    struct ledger *ledger = context;
    atomic_store(&ledger->workers[*(const int32_t *)item], gettid());
    nap();
    return square(result, item, NULL);
}

static int submit_short_then_long(struct twin_pool *pool, void *arg)
{
    struct twin_future *futures[LONG];
    submit_short(pool);
    for (int32_t i = 0; i < LONG; i++) {
        struct twin_call call = square_call(&i);
        call.task = note_thread;
        call.context = arg;
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
    }
    for (int32_t i = 0; i < LONG; i++) {
        succeeds(twin_future_result(futures[i], NULL, -1));
        twin_future_release(futures[i]);
    }
    return 0;
}

Test(hygiene_spread, long_calls_after_short_ones_leave_the_submitter_omp, .timeout = 20)
{
    struct ledger ledger = {0};
    struct twin_pool *pool = open_pool(&arm_omp, SPREAD);
    succeeds(twin_pool_scope(pool, submit_short_then_long, &ledger));
    int elsewhere = 0;
    for (int i = 0; i < LONG; i++)
        elsewhere += atomic_load(&ledger.workers[i]) != gettid();
    cr_assert_gt(elsewhere, 0, "the submitter ran all %d long calls", LONG);
    succeeds(twin_pool_close(pool));
}

/* ---- executors ----------------------------------------------------------------------------- */

/* An executor's workers start on demand, and a call on the pool beneath is a demand too. */
static void serves_the_pool_beneath(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 2);
    int64_t result = 0;
    struct twin_call call = square_call(&(int32_t){7});
    succeeds(twin_pool_apply(twin_executor_pool(executor), &call, &result));
    cr_assert_eq(result, 49);
    succeeds(twin_executor_close(executor));
}

Test(hygiene_spread, an_executor_that_is_new_serves_its_pool_proc, .timeout = 10)
{
    serves_the_pool_beneath(&arm_proc);
}

Test(hygiene_spread, an_executor_that_is_new_serves_its_pool_omp, .timeout = 10)
{
    serves_the_pool_beneath(&arm_omp);
}
