/* admission_bare.c: the textbook's connection pool: a semaphore of N, and an atomic slot pick.
 *
 *   acquire   wait for a permit; scan until a compare-and-swap takes a slot
 *   release   free the slot; post
 *
 * Invariant: permits = free slots, as long as nobody is killed, so a scan with a permit in hand
 * always ends with a slot. A holder that is killed takes its permit along for ever: a semaphore has
 * no owner to ask. That failure is what this file is here to show.
 *
 * Clients are known by pid alone, and the number of waiters is a counter that a killed waiter
 * leaves raised, as in the textbook. */
#include "internal.h"
#include "slots.h"

#include <sched.h>

static uint64_t client_number(struct twin_connpool *pool)
{
    return (uint64_t)twini_process_pid(twini_identity(pool));
}

static int use_permit(struct twin_connpool *pool, unsigned start)
{
    uint64_t unused;
    int found;

    /* order: acquire; pairs with the release in twin_connpool_shutdown() */
    if (atomic_load_explicit(&pool->shared->closed, memory_order_acquire)) {
        twini_permit_post(pool->shared); /* wakes the next one, who does the same */
        return TWIN_ECLOSED;
    }
    while ((found = twini_slot_take(pool->shared, client_number(pool), start, &unused)) < 0)
        sched_yield(); /* a slot came free behind the scan: it is there */
    return found;
}

static int wait_for_permit(struct twin_connpool *pool, int64_t timeout_ns, unsigned start)
{
    struct connpool_shared *shared = pool->shared;
    int64_t start_ns = twini_now_ns();
    int cancel_state, found = TWIN_ETIMEOUT;

    /* relaxed: for pictures only */
    atomic_fetch_add_explicit(&shared->bare_waiting, 1, memory_order_relaxed);
    twini_wait_begin(pool, &cancel_state);
    if (twini_permit_wait(shared, twini_deadline_ns(start_ns, timeout_ns)))
        found = use_permit(pool, start);
    atomic_fetch_sub_explicit(&shared->bare_waiting, 1, memory_order_relaxed);
    if (found >= 0)
        twini_wait_record(shared, twini_now_ns() - start_ns);
    else if (found == TWIN_ETIMEOUT)
        atomic_fetch_add_explicit(&shared->timed_out, 1, memory_order_relaxed);
    twini_wait_end(pool, cancel_state);
    return found;
}

static int acquire(struct twin_connpool *pool, int64_t timeout_ns)
{
    static _Thread_local unsigned last_slot; /* a hint: this thread's last, of whichever pool */
    bool waits = false;
    int found = TWIN_EAGAIN;

    if (atomic_load_explicit(&pool->shared->closed, memory_order_acquire))
        return TWIN_ECLOSED;
    if (twini_permit_try(pool->shared)) {
        found = use_permit(pool, last_slot);
    } else if (timeout_ns != 0) {
        waits = true;
        found = wait_for_permit(pool, timeout_ns, last_slot);
    }
    if (found >= 0) {
        last_slot = (unsigned)found;
        twini_slot_count(&pool->shared->slots[found], waits);
    }
    return found;
}

static int release(struct twin_connpool *pool, unsigned index, uint64_t word)
{
    if (!twini_slot_free(&pool->shared->slots[index], word, word_epoch(word)))
        return TWIN_EDONE;
    twini_permit_post(pool->shared);
    return 0;
}

static unsigned waiting(struct twin_connpool *pool)
{
    return atomic_load_explicit(&pool->shared->bare_waiting, memory_order_relaxed);
}

static void leave(struct twin_connpool *pool)
{
    for (unsigned i = 0; i < pool->shared->connections; i++) {
        uint64_t word = atomic_load_explicit(&pool->shared->slots[i].word, memory_order_acquire);

        if (word_client(word) && twini_is_mine(pool, word))
            release(pool, i, word);
    }
}

const struct admission twini_admission_bare = {
    .acquire = acquire,
    .release = release,
    .waiting = waiting,
    .reap = NULL,
    .leave = leave,
};
