/* contract_callback.c: callbacks of futures: once, in order, on the thread that waits. */
#include "toolkit.h"

#include <pthread.h>
#include <string.h>

enum { COUNT = 1000 };

static struct twin_future *submit(struct twin_pool *pool, const int32_t *item)
{
    struct twin_future *future = NULL;
    struct twin_call call = square_call(item);
    succeeds(twin_pool_apply_async(pool, &call, &future));
    return future;
}

/* What callbacks leave behind: (who, in which order), and whether it was our thread. */
struct diary {
    size_t entries, foreign;
    size_t who[3 * COUNT];
    pthread_t thread;
    struct twin_pool *pool;
};

struct note {
    struct diary *diary;
    size_t who;
};

static void write_down(struct twin_future *future, void *arg)
{
    struct note *note = arg;
    struct diary *diary = note->diary;
    diary->foreign += !pthread_equal(pthread_self(), diary->thread);
    diary->foreign += twin_future_state(future) < TWIN_SUCCEEDED;
    diary->who[diary->entries++] = note->who;
}

static struct diary diary;
static struct note notes[3 * COUNT];

static void begin_diary(struct twin_pool *pool)
{
    memset(&diary, 0, sizeof diary);
    diary.thread = pthread_self();
    diary.pool = pool;
    for (size_t i = 0; i < 3 * COUNT; i++)
        notes[i] = (struct note){&diary, i};
}

static void submit_with_three(struct twin_pool *pool, struct twin_future **futures)
{
    for (int32_t i = 0; i < COUNT; i++) {
        futures[i] = submit(pool, &i);
        for (size_t k = 0; k < 3; k++)
            succeeds(twin_future_then(futures[i], write_down, &notes[3 * (size_t)i + k]));
    }
}

static void assert_each_once_in_order(void)
{
    static size_t next[COUNT];
    memset(next, 0, sizeof next);
    cr_assert_eq(diary.entries, 3 * COUNT, "%zu callbacks ran", diary.entries);
    cr_assert_eq(diary.foreign, 0);
    for (size_t i = 0; i < diary.entries; i++)
        cr_assert_eq(diary.who[i] % 3, next[diary.who[i] / 3]++);
}

void callback_runs_once_in_order_on_the_waiting_thread(const struct arm *arm)
{
    static struct twin_future *futures[COUNT];
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct twin_pool *pool = open_pool(arm, workers);
        begin_diary(pool);
        submit_with_three(pool, futures);
        succeeds(twin_futures_wait(futures, COUNT, TWIN_ALL, -1));
        assert_each_once_in_order();
        for (size_t i = 0; i < COUNT; i++)
            twin_future_release(futures[i]);
        succeeds(twin_pool_close(pool));
        assert_each_once_in_order();
    }
}

/* Waits with a deadline: then another thread may run the call, while the caller only looks on. */
static int wait_often(struct twin_pool *pool, void *arg)
{
    enum { TIMES = 300, SECOND = 1000000000 };
    (void)arg;
    for (int32_t i = 0; i < TIMES; i++) {
        struct twin_future *future = submit(pool, &i);
        size_t before = diary.entries;
        succeeds(twin_future_then(future, write_down, &notes[i]));
        if (i % 2)
            succeeds(twin_future_result(future, NULL, 10 * (int64_t)SECOND));
        else
            succeeds(twin_futures_wait(&future, 1, TWIN_FIRST, 10 * (int64_t)SECOND));
        cr_assert_eq(diary.entries, before + 1, "wait %d returned before the callback", i);
        twin_future_release(future);
    }
    return 0;
}

void callback_has_run_when_the_wait_returns(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 3);
    begin_diary(pool);
    succeeds(twin_pool_scope(pool, wait_often, NULL));
    cr_assert_eq(wait_often(pool, NULL), 0);
    cr_assert_eq(diary.foreign, 0);
    succeeds(twin_pool_close(pool));
}

static int fill_and_leave(struct twin_pool *pool, void *futures)
{
    submit_with_three(pool, futures);
    return 0;
}

void callback_runs_at_the_end_of_a_scope(const struct arm *arm)
{
    static struct twin_future *futures[COUNT];
    struct twin_pool *pool = open_pool(arm, 3);
    begin_diary(pool);
    succeeds(twin_pool_scope(pool, fill_and_leave, futures));
    assert_each_once_in_order();
    for (size_t i = 0; i < COUNT; i++)
        twin_future_release(futures[i]);
    succeeds(twin_pool_close(pool));
}

void callback_keeps_a_released_future_until_close(const struct arm *arm)
{
    static struct twin_future *futures[COUNT];
    int (*const ends[])(struct twin_pool *) = {twin_pool_shutdown, twin_pool_terminate,
                                               twin_pool_close};
    for (size_t how = 0; how < 3; how++) {
        struct twin_pool *pool = open_pool(arm, 2);
        begin_diary(pool);
        submit_with_three(pool, futures);
        for (size_t i = 0; i < COUNT; i++)
            twin_future_release(futures[i]);
        succeeds(ends[how](pool));
        assert_each_once_in_order();
        if (how < 2)
            succeeds(twin_pool_close(pool));
    }
}

void callback_of_a_complete_future_runs_at_once(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    begin_diary(pool);
    int32_t item = 3;
    struct twin_future *future = submit(pool, &item);
    succeeds(twin_future_result(future, NULL, -1));
    succeeds(twin_future_then(future, write_down, &notes[0]));
    cr_assert_eq(diary.entries, 1);
    succeeds(twin_pool_close(pool));
    succeeds(twin_future_then(future, write_down, &notes[1])); /* it outlived its pool */
    cr_assert_eq(diary.entries, 2);
    twin_future_release(future);
}

static void record_outcome(struct twin_future *future, void *arg)
{
    *(int *)arg = twin_future_result(future, NULL, 0);
}

static int fail(void *result, const void *item, void *context)
{
    (void)result, (void)context;
    return FAILING_CODE(*(const int32_t *)item);
}

static int hold_and_cancel(struct twin_pool *pool, void *argument)
{
    struct gate *gate = argument;
    int32_t item = 1;
    int outcome[2] = {1, 1};
    struct twin_call held = gate_call(gate, &item), failing = square_call(&item);
    failing.task = fail;
    struct twin_future *running = NULL, *cancelled = submit(pool, &item), *failed = NULL;
    struct twin_future *pending = NULL;
    succeeds(twin_future_result(cancelled, NULL, -1));
    twin_future_release(cancelled);
    succeeds(twin_pool_apply_async(pool, &held, &running));
    await_at_least(&gate->inside, 1);
    begin_diary(pool);
    succeeds(twin_future_then(running, write_down, &notes[0])); /* watched when it runs already */
    succeeds(twin_future_then(running, write_down, &notes[1]));
    pending = submit(pool, &item);
    succeeds(twin_future_then(pending, record_outcome, &outcome[0]));
    succeeds(twin_future_cancel(pending));
    succeeds(twin_pool_apply_async(pool, &failing, &failed));
    succeeds(twin_future_then(failed, record_outcome, &outcome[1]));
    cr_assert_eq(diary.entries, 0);
    gate_open(gate);
    expect(twin_future_result(failed, NULL, -1), TWIN_ETASK);
    succeeds(twin_future_result(running, NULL, -1));
    cr_assert_eq(outcome[0], TWIN_ECANCELLED);
    cr_assert_eq(outcome[1], TWIN_ETASK);
    cr_assert_eq(diary.entries, 2, "%zu of 2", diary.entries);
    cr_assert(diary.who[0] == 0 && diary.who[1] == 1 && diary.foreign == 0);
    twin_future_release(running), twin_future_release(pending), twin_future_release(failed);
    return 0;
}

void callback_tells_every_outcome(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, arm->caller_works ? 2 : 1);
    struct gate *gate = arena(pool, sizeof *gate);
    succeeds(twin_pool_scope(pool, hold_and_cancel, gate));
    twin_free(gate);
    succeeds(twin_pool_close(pool));
}

/* A chain: each callback releases its future, and submits, registers and waits. */
struct chain {
    struct twin_pool *pool;
    int32_t left;
    int64_t sum;
    int depth, deepest, failures;
};

static void go_on(struct twin_future *future, void *arg)
{
    struct chain *chain = arg;
    int64_t result = 0;
    if (++chain->depth > chain->deepest)
        chain->deepest = chain->depth;
    chain->failures += twin_future_result(future, &result, 0) != 0;
    chain->sum += result;
    twin_future_release(future);
    if (chain->left-- > 0) {
        struct twin_call call = square_call(&chain->left);
        struct twin_future *next = NULL, *awaited = NULL;
        chain->failures += twin_pool_apply_async(chain->pool, &call, &next) != 0;
        chain->failures += twin_future_then(next, go_on, chain) != 0;
        chain->failures += twin_pool_apply_async(chain->pool, &call, &awaited) != 0;
        chain->failures += twin_future_result(awaited, NULL, -1) != 0;
        twin_future_release(awaited);
        chain->failures += twin_pool_close(chain->pool) != TWIN_ENESTED;
    }
    chain->depth--;
}

static int do_nothing(struct twin_pool *pool, void *arg)
{
    (void)pool, (void)arg;
    return 0;
}

void callback_may_submit_wait_and_register(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct chain chain = {.pool = pool, .left = 200};
    int32_t item = 200;
    int64_t sum = 0;
    succeeds(twin_future_then(submit(pool, &item), go_on, &chain));
    while (chain.left >= 0) /* each scope's end waits for the link that the last one submitted */
        succeeds(twin_pool_scope(pool, do_nothing, NULL));
    cr_assert_eq(chain.failures, 0);
    cr_assert_eq(chain.deepest, 1, "callbacks nested %d deep", chain.deepest);
    sum = 0;
    for (int64_t i = 0; i <= 200; i++)
        sum += i * i;
    cr_assert_eq(chain.sum, sum);
    succeeds(twin_pool_close(pool));
}

void callback_refuses_bad_arguments(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int32_t item = 1;
    struct twin_future *future = submit(pool, &item);
    expect(twin_future_then(NULL, write_down, NULL), TWIN_EINVAL);
    expect(twin_future_then(future, NULL, NULL), TWIN_EINVAL);
    twin_future_release(future);
    succeeds(twin_pool_close(pool));
}

/* ---- as they complete --------------------------------------------------------------------------
 */

static struct twin_future *next_of(struct twin_completed *it)
{
    struct twin_future *future = NULL;
    succeeds(twin_completed_next(it, &future, -1));
    return future;
}

static int hand_back(void *result, const void *item, void *context)
{
    (void)context;
    *(int64_t *)result = *(const int32_t *)item;
    return 0;
}

void callback_is_beside_iteration_as_they_complete(const struct arm *arm)
{
    static struct twin_future *futures[COUNT];
    struct twin_pool *pool = open_pool(arm, 3);
    begin_diary(pool);
    submit_with_three(pool, futures);
    struct twin_completed *it = NULL;
    succeeds(twin_as_completed(&it, futures, COUNT));
    size_t given = 0;
    for (struct twin_future *future; (future = next_of(it)) != NULL; given++)
        cr_assert_eq(twin_future_state(future), TWIN_SUCCEEDED);
    cr_assert_eq(given, COUNT);
    twin_completed_release(it);
    assert_each_once_in_order();
    for (size_t i = 0; i < COUNT; i++)
        twin_future_release(futures[i]);
    succeeds(twin_pool_close(pool));
}

static int iterate_over_many(struct twin_pool *pool, void *arg)
{
    (void)arg;
    enum { MANY = 100000 };
    static struct twin_future *futures[MANY + 3];
    static bool seen[MANY];
    memset(seen, 0, sizeof seen);
    for (int32_t i = 0; i < MANY; i++) {
        struct twin_call call = square_call(&i);
        call.task = hand_back;
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
    }
    futures[MANY] = futures[5], futures[MANY + 1] = NULL, futures[MANY + 2] = futures[MANY - 1];
    struct twin_completed *it = NULL;
    succeeds(twin_as_completed(&it, futures, MANY + 3));
    size_t given = 0;
    for (struct twin_future *future; (future = next_of(it)) != NULL; given++) {
        int64_t which = -1;
        succeeds(twin_future_result(future, &which, 0));
        cr_assert(which >= 0 && which < MANY && !seen[which], "%ld", (long)which);
        seen[which] = true;
        twin_future_release(future);
    }
    cr_assert_eq(given, MANY);
    cr_assert_null(next_of(it));
    twin_completed_release(it);
    return 0;
}

void callback_iteration_gives_each_of_many_once(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    cr_assert_eq(iterate_over_many(pool, NULL), 0);
    succeeds(twin_pool_scope(pool, iterate_over_many, NULL));
    succeeds(twin_pool_close(pool));
}

static int give_up(struct twin_pool *pool, void *argument)
{
    struct gate *gate = argument;
    int32_t item = 2;
    struct twin_call held = gate_call(gate, &item);
    struct twin_future *futures[2] = {NULL, submit(pool, &item)}, *future = NULL;
    succeeds(twin_future_result(futures[1], NULL, -1));
    succeeds(twin_pool_apply_async(pool, &held, &futures[0]));
    await_at_least(&gate->inside, 1);
    struct twin_completed *it = NULL, *other = NULL;
    succeeds(twin_as_completed(&it, futures, 2));
    succeeds(twin_as_completed(&other, futures, 2));
    succeeds(twin_completed_next(it, &future, 0));
    cr_assert_eq(future, futures[1]);
    expect(twin_completed_next(it, &future, 0), TWIN_ETIMEOUT);
    expect(twin_completed_next(it, &future, 1000), TWIN_ETIMEOUT);
    twin_completed_release(other); /* its hook has yet to fire */
    gate_open(gate);
    succeeds(twin_completed_next(it, &future, -1));
    cr_assert_eq(future, futures[0]);
    twin_completed_release(it);
    twin_completed_release(NULL);
    twin_future_release(futures[0]), twin_future_release(futures[1]);
    expect(twin_as_completed(NULL, futures, 0), TWIN_EINVAL);
    expect(twin_as_completed(&it, NULL, 1), TWIN_EINVAL);
    return 0;
}

void callback_iteration_times_out_and_can_be_given_up(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct gate *gate = arena(pool, sizeof *gate);
    succeeds(twin_pool_scope(pool, give_up, gate));
    twin_free(gate);
    succeeds(twin_pool_close(pool));
}
