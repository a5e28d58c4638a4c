/* future.h: one future state machine for both twins.
 *
 *   PENDING -> RUNNING -> SUCCEEDED | FAILED       moved by compare-and-swap, so that whoever comes
 *   PENDING -> CANCELLED                           first runs, or cancels, a call
 *
 * The outcome (error, failure, result) is written before the state becomes final (release) and read
 * after it was seen final (acquire); a final state never changes. A future is reference-counted:
 * one reference is the owner's, one is the engine's while the call is in flight. It may outlive its
 * pool; it then has an outcome. */
#ifndef TWINI_FUTURE_H
#define TWINI_FUTURE_H

#include "strategy.h"

#define TWINI_INLINE_RESULT 32

struct twin_future {
    _Atomic unsigned references;
    _Atomic int state; /* enum twin_future_state */
    int error;         /* 0 or what twin_future_result() returns */
    bool is_map;       /* its results land in the map's own array */
    const struct twini_strategy *strategy;
    struct twin_pool *pool; /* not to be followed once the future has an outcome */
    void *result;           /* NULL, inline_result, or malloc'd */
    size_t result_size;
    struct twin_failure failure;
    _Alignas(16) unsigned char inline_result[TWINI_INLINE_RESULT];
};

/* Initialises with two references, the owner's and the engine's. Returns 0 or TWIN_ENOMEM. */
int twini_future_init(struct twin_future *future, struct twin_pool *pool, size_t result_size);
/* Frees what init allocated; the structure itself is the caller's. Zeroed is fine. */
void twini_future_fini(struct twin_future *future);

/* PENDING -> RUNNING. Returns true for exactly one caller, and never after a cancel. */
bool twini_future_start(struct twin_future *future);
/* PENDING -> CANCELLED. Returns true if this call did it. */
bool twini_future_try_cancel(struct twin_future *future);
/* -> SUCCEEDED (error 0), CANCELLED (TWIN_ECANCELLED) or FAILED. The result is in place already.
 * failure may be NULL. */
void twini_future_finish(struct twin_future *future, int error, const struct twin_failure *failure);
/* Drops one reference; the last one calls strategy->free_future(). */
void twini_future_drop(struct twin_future *future);

static inline bool twini_future_is_final(const struct twin_future *future)
{
    /* order: acquire; pairs with release in twini_future_finish(); the outcome is readable */
    return atomic_load_explicit(&future->state, memory_order_acquire) >= TWIN_SUCCEEDED;
}

/* ready() for struct twini_wait; arg is the future. */
bool twini_future_ready(void *future);

#endif
