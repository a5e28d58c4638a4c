/* future.h: one future state machine for both twins.
 *
 *   PENDING -> RUNNING -> SUCCEEDED | FAILED       moved by compare-and-swap, so that whoever comes
 *   PENDING -> CANCELLED                           first runs, or cancels, a call
 *
 * The outcome (error, failure, result) is written before the state becomes final (release) and read
 * after it was seen final (acquire); a final state never changes. A future is reference-counted:
 * one reference is the owner's, one is the engine's while the call is in flight. It may outlive its
 * pool; it then has an outcome.
 *
 * Hooks tell others of the outcome: callbacks and iteration by completion are made of them. So that
 * futures without hooks pay nothing, a watched future is marked in its state, and only who finishes
 * a marked one looks at its hooks. The list is closed by an exchange: each hook fires once. */
#ifndef TWINI_FUTURE_H
#define TWINI_FUTURE_H

#include "engine/one_thread.h"
#include "strategy.h"

#include <stdlib.h>
#include <string.h>

#define TWINI_INLINE_RESULT 32

/* Fires once, on the thread that finishes the future, in any thread and under the engine's lock: it
 * may only move the hook to where somebody will find it. */
struct twini_hook {
    struct twini_hook *next; /* of the future's list, newest first; then free for fire() to use */
    void (*fire)(struct twini_hook *hook);
};

/* Beside enum twin_future_state: PENDING and RUNNING of a future that has been watched. */
enum { TWINI_WATCHED_PENDING = -2, TWINI_WATCHED_RUNNING = -1 };

struct twin_future {
    _Atomic unsigned references;
    _Atomic int state; /* enum twin_future_state, or watched */
    int error;         /* 0 or what twin_future_result() returns */
    bool is_map;       /* its results land in the map's own array */
    const struct twini_strategy *strategy;
    struct twin_pool *pool; /* not to be followed once the future has an outcome */
    void *result;           /* NULL, inline_result, or malloc'd */
    size_t result_size;
    struct twini_hook *_Atomic hooks; /* or the mark that the list is closed */
    _Atomic unsigned callbacks;       /* registered, and not run yet */
    union {                           /* thousands may be in flight: no line of theirs in vain */
        _Alignas(16) unsigned char inline_result[TWINI_INLINE_RESULT];
        struct twin_failure failure; /* with an error, and then there is no result */
    };
};

/* memcpy() of what is mostly one number: that without a call. */
static inline void twini_copy(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, size);
}

/* What a call meets with on its way is inline: there are millions of them. */

/* Initialises with two references, the owner's and the engine's. Returns 0 or TWIN_ENOMEM. */
static inline int twini_future_init(struct twin_future *future, struct twin_pool *pool,
                                    size_t result_size)
{
    /* relaxed: nobody else knows the future yet */
    atomic_store_explicit(&future->references, 2, memory_order_relaxed);
    atomic_store_explicit(&future->state, TWIN_PENDING, memory_order_relaxed);
    future->error = 0;
    future->is_map = false;
    future->strategy = pool->strategy;
    future->pool = pool;
    future->result_size = result_size;
    atomic_store_explicit(&future->hooks, NULL, memory_order_relaxed);
    atomic_store_explicit(&future->callbacks, 0, memory_order_relaxed);
    future->result =
        result_size > TWINI_INLINE_RESULT ? malloc(result_size) : future->inline_result;
    return future->result ? 0 : TWIN_ENOMEM;
}

/* Frees what init allocated; the structure itself is the caller's. Zeroed is fine. */
static inline void twini_future_fini(struct twin_future *future)
{
    if (future->result != future->inline_result)
        free(future->result);
    future->result = NULL;
}

/* PENDING -> RUNNING. Returns true for exactly one caller, and never after a cancel. */
bool twini_future_start(struct twin_future *future);
/* PENDING -> CANCELLED. Returns true if this call did it. */
bool twini_future_try_cancel(struct twin_future *future);
/* Closes the list of hooks and fires what is on it, first hooked first fired. */
void twini_future_fire(struct twin_future *future);
/* -> SUCCEEDED (error 0), CANCELLED (TWIN_ECANCELLED) or FAILED. The result is in place already.
 * failure may be NULL. */
static inline void twini_future_finish(struct twin_future *future, int error,
                                       const struct twin_failure *failure)
{
    future->error = error;
    if (error)
        future->failure = failure ? *failure : (struct twin_failure){.kind = TWIN_FAILURE_NONE};
    int state = error == 0                 ? TWIN_SUCCEEDED
                : error == TWIN_ECANCELLED ? TWIN_CANCELLED
                                           : TWIN_FAILED;
    /* relaxed: nobody else moves it now: see strategy->watch */
    bool watched = atomic_load_explicit(&future->state, memory_order_relaxed) < 0;
    /* order: release; pairs with acquire in twini_future_is_final(); publishes the outcome */
    atomic_store_explicit(&future->state, state, memory_order_release);
    if (watched)
        twini_future_fire(future);
}

/* Adds a reference. */
static inline void twini_future_hold(struct twin_future *future)
{
    /* relaxed: whoever holds one may give another */
    atomic_fetch_add_explicit(&future->references, 1, memory_order_relaxed);
}
/* Drops one reference; the last one calls strategy->free_future(). */
static inline void twini_future_drop(struct twin_future *future)
{
    /* order: acquire, acq_rel; all use of the future by others happens before it is freed. The looks
     * first spare a locked instruction: to the last holder, for nobody else can reach it any more, and
     * where there is no other thread. */
    unsigned held = atomic_load_explicit(&future->references, memory_order_acquire);
    if (held > 1 && twini_has_one_thread())
        atomic_store_explicit(&future->references, held - 1, memory_order_relaxed);
    else if (held == 1 ||
             atomic_fetch_sub_explicit(&future->references, 1, memory_order_acq_rel) == 1)
        future->strategy->free_future(future);
}

static inline bool twini_future_is_final(const struct twin_future *future)
{
    /* order: acquire; pairs with release in twini_future_finish(); the outcome is readable */
    return atomic_load_explicit(&future->state, memory_order_acquire) >= TWIN_SUCCEEDED;
}

/* ready() for struct twini_wait; arg is the future: it has an outcome, and its hooks have fired. */
bool twini_future_ready(void *future);

/* Hooks on, behind earlier hooks. Returns 0: it will fire; TWIN_EDONE: there is an outcome already,
 * and no earlier hook that has yet to fire; or why the backend refuses the calling thread. */
int twini_future_hook(struct twin_future *future, struct twini_hook *hook);
#endif
