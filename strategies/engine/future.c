/* future.c: the future's state machine and its public face. The states and who may move them stand
 * in future.h; here only the moves. What waiting means is the backend's: it is asked through
 * strategy.h. */
#include "engine/future.h"
#include "engine/plan.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static bool move(struct twin_future *future, int *from, int to)
{
    /* order: acq_rel; the winner sees what the submitter wrote, and the loser what the winner did
     */
    return atomic_compare_exchange_strong_explicit(&future->state, from, to, memory_order_acq_rel,
                                                   memory_order_acquire);
}

bool twini_future_start(struct twin_future *future)
{
    int from = TWIN_PENDING;
    return move(future, &from, TWIN_RUNNING) ||
           (from == TWINI_WATCHED_PENDING && move(future, &from, TWINI_WATCHED_RUNNING));
}

bool twini_future_try_cancel(struct twin_future *future)
{
    if (twini_future_is_final(future))
        return false;
    if (!twini_future_start(future)) /* taken first, so that nobody starts it while we write */
        return false;
    twini_future_finish(future, TWIN_ECANCELLED, NULL);
    return true;
}

/* ---- hooks --------------------------------------------------------------- */

/* The marks of a list that fires, and of one that has. */
static struct twini_hook firing, closed;

void twini_future_fire(struct twin_future *future)
{
    /* order: acq_rel; hooks are readable, and whoever finds the list closed sees the outcome */
    struct twini_hook *newest = atomic_load_explicit(&future->hooks, memory_order_acquire);
    do
        if (newest == &firing || newest == &closed)
            return;
    while (!atomic_compare_exchange_weak_explicit(&future->hooks, &newest, &firing,
                                                  memory_order_acq_rel, memory_order_acquire));
    struct twini_hook *oldest = NULL;
    while (newest) {
        struct twini_hook *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct twini_hook *next = oldest->next;
        oldest->fire(oldest);
        oldest = next;
    }
    /* order: release; pairs with acquire in twini_future_hook(): what came before has fired before */
    atomic_store_explicit(&future->hooks, &closed, memory_order_release);
}

int twini_future_hook(struct twin_future *future, struct twini_hook *hook)
{
    int error = twini_future_is_final(future) ? TWIN_EDONE : future->strategy->watch(future);
    if (error && error != TWIN_EDONE)
        return error;
    /* order: acquire; pairs with the exchange in twini_future_fire() */
    struct twini_hook *newest = atomic_load_explicit(&future->hooks, memory_order_acquire);
    do {
        while (newest == &firing) { /* by another thread, in a moment: not to get before those */
            sched_yield();
            newest = atomic_load_explicit(&future->hooks, memory_order_acquire);
        }
        if (newest == &closed || (error && !newest))
            return TWIN_EDONE;
        hook->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&future->hooks, &newest, hook,
                                                    memory_order_release, memory_order_acquire));
    return 0;
}

/* ---- waiting ------------------------------------------------------------- */

bool twini_future_ready(void *arg)
{
    const struct twin_future *future = arg;
    if (!twini_future_is_final(future))
        return false;
    /* order: acquire; pairs with release in twini_future_fire(): what its hooks did is visible */
    struct twini_hook *newest = atomic_load_explicit(&future->hooks, memory_order_acquire);
    return !newest || newest == &closed;
}

/* There is an outcome, but another thread has yet to fire the hooks, which it does in a moment; or
 * it is for us to notice. Runs no callbacks, which could release the future. Not to be waited for
 * where the backend refuses our thread. pre: not in a forked child. */
static void settle(struct twin_future *future)
{
    while (!twini_future_ready(future) && future->strategy->watch(future) == TWIN_EDONE) {
        if (future->strategy->notice)
            future->strategy->notice(future->pool);
        sched_yield();
    }
}

/* Whether callbacks of it may be due. Without any, its pool may be gone. */
static bool has_callbacks(struct twin_future *future)
{
    /* relaxed: a hint */
    return atomic_load_explicit(&future->callbacks, memory_order_relaxed) > 0 &&
           future->pool->fork_epoch == twini_fork_epoch;
}

/* Waits until the future has an outcome. */
static int await(struct twin_future *future, int64_t timeout_ns)
{
    if (future->pool->fork_epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    if (timeout_ns == 0) {
        future->strategy->look(future);
        twini_run_due(future->pool);
        return twini_future_is_final(future) ? 0 : TWIN_ETIMEOUT;
    }
    struct twini_wait wait = {.ready = twini_future_ready,
                              .arg = future,
                              .only = future,
                              .deadline_ns = twini_deadline_ns(timeout_ns)};
    return twini_wait(future->pool, &wait);
}

/* The outcome, and the result where it is wanted. */
static int hand_over(struct twin_future *future, void *result)
{
    if (future->error)
        return future->error;
    if (future->is_map)
        future->strategy->land(future);
    else if (result && future->result_size)
        twini_copy(result, future->result, future->result_size);
    return 0;
}

int twin_future_result(struct twin_future *future, void *result, int64_t timeout_ns)
{
    if (!future)
        return TWIN_EINVAL;
    if (twini_inside_task)
        return TWIN_ENESTED;
    int error = 0;
    if (!twini_future_is_final(future)) {
        bool held = twini_has_callbacks(future->pool); /* one may release the future */
        if (held)
            twini_future_hold(future);
        error = await(future, timeout_ns);
        if (!error)
            error = hand_over(future, result);
        if (held)
            twini_future_drop(future);
        return error;
    }
    error = hand_over(future, result);
    if (has_callbacks(future)) {
        settle(future);
        twini_run_due(future->pool);
    }
    return error;
}

enum twin_future_state twin_future_state(struct twin_future *future)
{
    if (!future)
        return TWIN_CANCELLED;
    if (!twini_future_is_final(future) && future->pool->fork_epoch == twini_fork_epoch &&
        !twini_inside_task)
        future->strategy->look(future);
    /* order: acquire; pairs with release in twini_future_finish() */
    int state = atomic_load_explicit(&future->state, memory_order_acquire);
    return state == TWINI_WATCHED_PENDING   ? TWIN_PENDING
           : state == TWINI_WATCHED_RUNNING ? TWIN_RUNNING
                                            : (enum twin_future_state)state;
}

int twin_future_cancel(struct twin_future *future)
{
    if (!future)
        return TWIN_EINVAL;
    enum twin_future_state state = twin_future_state(future);
    if (state == TWIN_CANCELLED)
        return 0;
    if (state >= TWIN_SUCCEEDED)
        return TWIN_EDONE;
    if (twini_inside_task)
        return TWIN_ENESTED;
    if (future->pool->fork_epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    return future->strategy->cancel(future);
}

int twin_future_failure(struct twin_future *future, struct twin_failure *failure)
{
    if (!future || !failure)
        return TWIN_EINVAL;
    *failure = (struct twin_failure){.kind = TWIN_FAILURE_NONE};
    if (twini_future_is_final(future) && future->error)
        *failure = future->failure;
    return 0;
}

void twin_future_release(struct twin_future *future)
{
    if (future)
        twini_future_drop(future);
}

/* ---- waiting for several ------------------------------------------------- */

struct several {
    struct twin_future *const *futures;
    size_t count;
    enum twin_wait_for what;
};

static bool several_ready(void *arg)
{
    const struct several *several = arg;
    bool all = true;
    for (size_t i = 0; i < several->count; i++) {
        struct twin_future *future = several->futures[i];
        if (!future)
            continue;
        if (!twini_future_ready(future)) {
            if (several->what == TWIN_ALL)
                return false;
            all = false;
        } else if (several->what == TWIN_FIRST ||
                   (several->what == TWIN_FIRST_FAILURE && future->error)) {
            return true;
        }
    }
    return all;
}

/* All of them, one after the other: each wait is for one, and the rest is not looked at. */
static int wait_for_each(const struct several *several, int64_t deadline_ns)
{
    for (size_t i = 0; i < several->count; i++) {
        struct twin_future *future = several->futures[i];
        if (!future || twini_future_ready(future))
            continue;
        struct twini_wait wait = {
            .ready = twini_future_ready, .arg = future, .only = future, .deadline_ns = deadline_ns};
        int error = twini_wait(future->pool, &wait);
        if (error)
            return error;
    }
    return 0;
}

static int wait_for_some(struct twin_pool *pool, struct several *several, int64_t deadline_ns)
{
    struct twini_wait wait = {.ready = several_ready, .arg = several, .deadline_ns = deadline_ns};
    return twini_wait(pool, &wait);
}

static void hold_all(const struct several *several, bool hold)
{
    for (size_t i = 0; i < several->count; i++)
        if (several->futures[i] && hold)
            twini_future_hold(several->futures[i]);
        else if (several->futures[i])
            twini_future_drop(several->futures[i]);
}

static int wait_in_pool(struct twin_pool *pool, struct several *several, int64_t timeout_ns)
{
    if (pool->fork_epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    if (timeout_ns == 0)
        return TWIN_ETIMEOUT;
    int64_t deadline_ns = twini_deadline_ns(timeout_ns);
    return several->what == TWIN_ALL ? wait_for_each(several, deadline_ns)
                                     : wait_for_some(pool, several, deadline_ns);
}

/* The one pool of those that have no outcome yet, which are brought up to date; else of one whose
 * callbacks have not run; NULL: there are none. */
static int find_pool(const struct several *several, struct twin_pool **pool)
{
    struct twin_pool *due = NULL;
    *pool = NULL;
    for (size_t i = 0; i < several->count; i++) {
        struct twin_future *future = several->futures[i];
        if (!future)
            continue;
        if (!twini_future_is_final(future)) {
            if (*pool && future->pool != *pool)
                return TWIN_EINVAL;
            *pool = future->pool;
            future->strategy->look(future);
        } else if (has_callbacks(future)) {
            due = future->pool;
            settle(future);
        }
    }
    if (!*pool)
        *pool = due;
    return 0;
}

int twin_futures_wait(struct twin_future *const *futures, size_t count, enum twin_wait_for what,
                      int64_t timeout_ns)
{
    if ((!futures && count) || what < TWIN_ALL || what > TWIN_FIRST_FAILURE)
        return TWIN_EINVAL;
    if (twini_inside_task)
        return TWIN_ENESTED;
    struct several several = {.futures = futures, .count = count, .what = what};
    struct twin_pool *pool;
    int error = find_pool(&several, &pool);
    if (error || !pool)
        return error;
    bool held = twini_has_callbacks(pool); /* one may release a future */
    if (held)
        hold_all(&several, true);
    if (!several_ready(&several))
        error = wait_in_pool(pool, &several, timeout_ns);
    twini_run_due(pool);
    if (held)
        hold_all(&several, false);
    return error;
}
