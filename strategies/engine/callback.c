/* callback.c: callbacks of futures, run on the thread that waits.
 *
 * A callback is a hook of its future (future.h). The thread that finishes the future only moves it
 * to the pool's list of what is due; whoever next waits on the pool, and holds no lock of ours,
 * takes that list and runs it. One thread at a time does so, hence the order: the hooks of a future
 * come due in order of registration, the list is first in, first out, and nobody overtakes.
 *
 * A callback that itself waits finds  delivering  set: its wait runs no callbacks, so they never
 * nest; what came due meanwhile is run by the outer wait when it returns.
 *
 * Each callback holds a reference to its future. A pool's callbacks have all run when its close
 * returns, so a future that outlives it has none, and a later one runs at once. */
#include "engine/future.h"

#include <stdlib.h>

struct callback {
    struct twini_hook hook; /* first: they share an address */
    struct twin_future *future;
    twin_callback *call;
    void *arg;
};

/* ---- running --------------------------------------------------------------- */

static void run(struct twin_pool *pool, struct callback *callback)
{
    struct twin_future *future = callback->future;
    callback->call(future, callback->arg);
    free(callback);
    /* relaxed: hints. order: release, the last: pairs with the acquire in twin_future_then(); what
     * this callback did comes before what the next one does */
    atomic_fetch_sub_explicit(&pool->callbacks, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&future->callbacks, 1, memory_order_release);
    twini_future_drop(future);
}

/* All that is due, oldest first. */
static struct twini_hook *take_due(struct twin_pool *pool)
{
    /* order: acquire; pairs with release in come_due() */
    struct twini_hook *newest = atomic_exchange_explicit(&pool->due, NULL, memory_order_acquire);
    struct twini_hook *oldest = NULL;
    while (newest) {
        struct twini_hook *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
        /* relaxed: a count for twini_bound_due() */
        atomic_fetch_sub_explicit(&pool->due_count, 1, memory_order_relaxed);
    }
    return oldest;
}

static bool is_due(const struct twin_pool *pool)
{
    /* order: seq_cst; half of a handshake: whoever leaves off delivering looks once more, whoever
     * made something due looks whether somebody delivers */
    return atomic_load_explicit(&pool->due, memory_order_seq_cst) != NULL;
}

void twini_run_due(struct twin_pool *pool)
{
    if (pool->strategy->notice)
        pool->strategy->notice(pool);
    while (is_due(pool) &&
           /* order: seq_cst; see is_due(). Acquire and release: callbacks come one after another */
           !atomic_exchange_explicit(&pool->delivering, true, memory_order_seq_cst)) {
        struct twini_hook *hook = take_due(pool);
        while (hook) {
            struct twini_hook *next = hook->next;
            run(pool, (struct callback *)hook);
            hook = next;
        }
        atomic_store_explicit(&pool->delivering, false, memory_order_seq_cst); /* see is_due() */
    }
}

void twini_bound_due(struct twin_pool *pool)
{
    /* relaxed: a hint */
    if (atomic_load_explicit(&pool->due_count, memory_order_relaxed) >= pool->options.max_pending)
        twini_run_due(pool);
}

void twini_drop_due(struct twin_pool *pool)
{
    struct twini_hook *hook = take_due(pool);
    while (hook) {
        struct callback *callback = (struct callback *)hook;
        hook = hook->next;
        /* relaxed: whoever asks afterwards is us */
        atomic_fetch_sub_explicit(&callback->future->callbacks, 1, memory_order_relaxed);
        twini_future_drop(callback->future);
        free(callback);
    }
}

/* ---- waiting --------------------------------------------------------------- */

struct either {
    struct twin_pool *pool;
    const struct twini_wait *wait;
};

static bool is_ready_or_due(void *arg)
{
    const struct either *either = arg;
    /* relaxed: a hint; while somebody delivers, what is due is his */
    return either->wait->ready(either->wait->arg) ||
           (is_due(either->pool) &&
            !atomic_load_explicit(&either->pool->delivering, memory_order_relaxed));
}

/* Not for one future only: all that completes is of interest. */
int twini_wait(struct twin_pool *pool, const struct twini_wait *wait)
{
    int error = 0;
    while (twini_has_callbacks(pool)) {
        struct either either = {pool, wait};
        struct twini_wait both = {
            .ready = is_ready_or_due, .arg = &either, .deadline_ns = wait->deadline_ns};
        error = pool->strategy->wait(pool, &both);
        twini_run_due(pool);
        if (error || wait->ready(wait->arg))
            return error;
    }
    error = pool->strategy->wait(pool, wait);
    twini_run_due(pool);
    return error;
}

/* ---- registering ----------------------------------------------------------- */

/* A hook's fire(): on any thread. */
static void come_due(struct twini_hook *hook)
{
    struct twin_pool *pool = ((struct callback *)hook)->future->pool;
    /* relaxed, both: the count is a hint, the exchange publishes */
    atomic_fetch_add_explicit(&pool->due_count, 1, memory_order_relaxed);
    hook->next = atomic_load_explicit(&pool->due, memory_order_relaxed);
    /* order: seq_cst; release for take_due(), and see is_due() */
    while (!atomic_compare_exchange_weak_explicit(&pool->due, &hook->next, hook,
                                                  memory_order_seq_cst, memory_order_relaxed)) {
    }
}

/* With an outcome and nothing before it, there is nothing to wait for, nor a pool to ask. */
static bool may_run_at_once(struct twin_future *future)
{
    /* order: acquire; pairs with release in run(): earlier callbacks have returned */
    return twini_future_is_final(future) &&
           atomic_load_explicit(&future->callbacks, memory_order_acquire) == 0;
}

static void count(struct twin_future *future, bool more)
{
    size_t by = more ? 1 : (size_t)-1;
    /* relaxed: counts; the hook publishes */
    atomic_fetch_add_explicit(&future->pool->callbacks, by, memory_order_relaxed);
    atomic_fetch_add_explicit(&future->callbacks, (unsigned)by, memory_order_relaxed);
}

static int enlist(struct twin_future *future, struct callback *callback)
{
    twini_future_hold(future);
    count(future, true);
    int error = twini_future_hook(future, &callback->hook);
    if (error == TWIN_EDONE) { /* it came meanwhile, or earlier callbacks are due: behind them */
        come_due(&callback->hook);
        error = 0;
    } else if (error) {
        count(future, false);
        twini_future_drop(future);
    }
    return error;
}

int twin_future_then(struct twin_future *future, twin_callback *call, void *arg)
{
    if (!future || !call)
        return TWIN_EINVAL;
    if (twini_inside_task)
        return TWIN_ENESTED;
    if (may_run_at_once(future)) {
        twini_future_hold(future);
        call(future, arg);
        twini_future_drop(future);
        return 0;
    }
    struct twin_pool *pool = future->pool;
    if (pool->fork_epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    struct callback *callback = malloc(sizeof *callback);
    if (!callback)
        return TWIN_ENOMEM;
    *callback = (struct callback){{NULL, come_due}, future, call, arg};
    /* another thread may run the callback, which may release the handle */
    twini_future_hold(future);
    int error = enlist(future, callback);
    if (error)
        free(callback);
    else if (twini_future_is_final(future))
        twini_run_due(pool);
    twini_future_drop(future);
    return error;
}
