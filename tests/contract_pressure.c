/* contract_pressure.c: back-pressure: at most max_pending calls are in flight, whoever submits waits or
 * is told, and memory is theirs alone. */
#include "procfs.h"
#include "toolkit.h"

#include <pthread.h>

enum { MOST = 16 };

static int fill_and_try(struct twin_pool *pool, void *argument)
{
    struct gate *gate = argument;
    int32_t item = 7;
    struct twin_call call = gate_call(gate, &item);
    struct twin_future *futures[MOST], *more = NULL;
    for (size_t i = 0; i < MOST; i++)
        succeeds(twin_pool_try_apply_async(pool, &call, &futures[i]));
    for (int turn = 0; turn < 3; turn++) {
        expect(twin_pool_try_apply_async(pool, &call, &more), TWIN_EAGAIN);
        cr_assert_null(more);
    }
    gate_open(gate);
    succeeds(twin_futures_wait(futures, MOST, TWIN_ALL, -1));
    cr_assert_eq(atomic_load(&gate->passed), MOST, "what was refused has run");
    succeeds(twin_pool_try_apply_async(pool, &call, &more));
    succeeds(twin_future_result(more, NULL, -1));
    twin_future_release(more);
    for (size_t i = 0; i < MOST; i++)
        twin_future_release(futures[i]);
    return 0;
}

void apply_async_can_be_tried_without_waiting(const struct arm *arm)
{
    struct twin_pool *pool = open_pool_with(
        arm,
        &(struct twin_pool_options){.backend = arm->backend, .workers = 2, .max_pending = MOST});
    for (int scope = 0; scope < 2; scope++) {
        struct gate *gate = arena(pool, sizeof *gate);
        if (scope)
            succeeds(twin_pool_scope(pool, fill_and_try, gate));
        else
            cr_assert_eq(fill_and_try(pool, gate), 0);
        twin_free(gate);
    }
    succeeds(twin_pool_close(pool));
}

struct blocked {
    struct twin_pool *pool;
    struct twin_call call;
    atomic_int submitted;
    int outcome;
};

static void *submit_until_refused(void *argument)
{
    struct blocked *blocked = argument;
    struct twin_future *future;
    while ((blocked->outcome = twin_pool_apply_async(blocked->pool, &blocked->call, &future)) ==
           0) {
        twin_future_release(future);
        atomic_fetch_add(&blocked->submitted, 1);
    }
    return NULL;
}

void apply_async_sends_a_blocked_submitter_home(const struct arm *arm)
{
    if (!arm->starts_at_once)
        skip("one thread may call");
    for (int turn = 0; turn < 40; turn++) {
        struct twin_pool *pool =
            open_pool_with(arm, &(struct twin_pool_options){
                                    .backend = arm->backend, .workers = 2, .max_pending = MOST});
        struct gate *gate = arena(pool, sizeof *gate);
        int32_t item = 7;
        struct blocked blocked = {.pool = pool, .call = gate_call(gate, &item)};
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, submit_until_refused, &blocked), 0);
        await_at_least(&blocked.submitted, MOST);
        if (turn % 2)
            nap(); /* mostly it sleeps by now */
        if (turn % 4 < 2 && arm->processes) {
            succeeds(twin_pool_terminate(pool));
        } else {
            gate_open(gate); /* it may submit more until it sees the end */
            succeeds(twin_pool_shutdown(pool));
        }
        cr_assert_eq(pthread_join(thread, NULL), 0);
        expect(blocked.outcome, TWIN_ECLOSED);
        succeeds(twin_pool_close(pool));
        twin_free(gate);
    }
}

static int submit_many(struct twin_pool *pool, void *count)
{
    enum { WARM = 20000 };
    const int32_t many = *(const int32_t *)count;
    size_t before = 0;
    for (int32_t i = 0; i < many; i++) {
        struct twin_call call = square_call(&i);
        twin_future_release(submit_call(pool, &call));
        if (i == WARM)
            before = resident_kib();
    }
    size_t after = resident_kib(), grown = after > before ? after - before : 0;
    cr_assert_lt(grown, 8 << 10, "%zu KiB for %d calls", grown, many - WARM);
    return 0;
}

/* gcc says it by a macro, clang by a feature. */
#if defined(__has_feature)
#define IS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

void apply_async_takes_memory_for_max_pending_calls_only(const struct arm *arm)
{
#if IS_SANITIZED
    skip("sanitizers keep what was freed, and ten million calls take them a minute");
#endif
    struct twin_pool *pool = open_pool_with(
        arm,
        &(struct twin_pool_options){.backend = arm->backend, .workers = 2, .max_pending = 1024});
    int32_t million = 1000000, most = arm->backend == TWIN_OMP ? million : 10 * million;
    cr_assert_eq(submit_many(pool, &most), 0);
    succeeds(twin_pool_scope(pool, submit_many, &million));
    succeeds(twin_pool_close(pool));
}
