/* admission_recovering.c: a semaphore admits, the slots' words decide, a reaper repairs.
 *
 *   acquire   intent := 1                            (in a client entry, one for each lease)
 *             wait for a permit                      (deadline on the monotonic clock)
 *             scan: compare-and-swap a slot {e, free} -> {e + 1, me}
 *             nothing found: scan again, until a slot is found or two scans in a row saw the same
 *             epochs: then the pool is provably full: drop the permit, wait again
 *   release   slot {e, me} -> {e, free}              (fails: released before; report, do not post)
 *             post
 *             intent := 0
 *   give up   intent := 0
 *   reaper    in reaper.c
 *
 * Invariants, with a SIGKILL allowed between any two instructions:
 *   At most N hold: a holder is a slot's word, and there are N.
 *   The count of permits may be too high, never too low (reaper.c says of what), so a free slot
 * never stays out of reach. Dropping a permit is safe only when the pool is provably full. One
 * failed scan is no proof: A is seen held; A is freed, and its permit taken by another who takes B;
 * B is seen held; now A is free and the last permit dropped. But epochs only grow, so two scans
 * with the same sum of epochs saw the same leases, and between them all slots were held at once;
 * what came free later brings its own post. The epochs together are the generation of the pool: a
 *   counter of releases would say the same, and cost each release one more atomic operation.
 *   Intent is set before a permit can be had and cleared after the post: what a dead client may
 *   have taken along is always announced.
 * tests/test_connpool_model.c searches every interleaving of small cases, with deaths at each step.
 * Progress: lock-free with a permit; a scan repeats only because other clients took slots.
 * Source: the double collect of Afek, Attiya, Dolev, Gafni, Merritt, Shavit, "Atomic snapshots of
 * shared memory", J. ACM 40(4), 1993. */
#include "fault.h"
#include "internal.h"
#include "slots.h"

#include <errno.h>

/* A waiter wakes this often to look for the dead, seldomer the longer it waits: many waiters are
 * long waiters, and one look serves all. It bounds how late a death is noticed. */
#define FIRST_SLICE_NS 1000000
#define LAST_SLICE_NS  16000000

static bool is_closed(struct connpool_shared *shared)
{
    /* order: acquire; pairs with the release in twin_connpool_shutdown() */
    return atomic_load_explicit(&shared->closed, memory_order_acquire) != 0;
}

/* With a permit in hand. Returns the slot, or -1: provably full. */
static int scan(struct twin_connpool *pool, struct client *me)
{
    struct connpool_shared *shared = pool->shared;
    uint64_t number = twini_client_number(pool, me);
    /* relaxed: this entry's own note */
    unsigned start = atomic_load_explicit(&me->last_slot, memory_order_relaxed);

    for (uint64_t before = UINT64_MAX, now;; before = now) {
        int slot = twini_slot_take(shared, number, start, &now);

        if (slot >= 0) {
            atomic_store_explicit(&me->last_slot, (unsigned)slot, memory_order_relaxed);
            return slot;
        }
        if (now == before)
            return -1;
    }
}

/* With a permit in hand. Returns 0 with a slot, TWIN_ECLOSED, or TWIN_EAGAIN: permit dropped. */
static int use_permit(struct twin_connpool *pool, struct client *me, unsigned *slot)
{
    int found;

    FAULT("permit_taken");
    if (is_closed(pool->shared)) {
        twini_permit_post(pool->shared); /* wakes the next one, who does the same */
        return TWIN_ECLOSED;
    }
    found = scan(pool, me);
    if (found < 0)
        return TWIN_EAGAIN;
    *slot = (unsigned)found;
    return 0;
}

static int take_now(struct twin_connpool *pool, struct client *me, unsigned *slot)
{
    int status = TWIN_EAGAIN;

    while (status == TWIN_EAGAIN && twini_permit_try(pool->shared))
        status = use_permit(pool, me, slot);
    return status;
}

/* Until a slot, the deadline or the end. Sleeps in slices, between which it looks for the dead. */
static int take_later(struct twin_connpool *pool, struct client *me, int64_t start_ns,
                      int64_t deadline_ns, unsigned *slot)
{
    int64_t slice_ns = FIRST_SLICE_NS;

    for (int64_t now_ns = start_ns;;) {
        int64_t until_ns = deadline_ns - now_ns < slice_ns ? deadline_ns : now_ns + slice_ns;
        int status = TWIN_EAGAIN;

        FAULT("before_wait");
        if (is_closed(pool->shared))
            return TWIN_ECLOSED;
        if (twini_permit_wait(pool->shared, until_ns))
            status = use_permit(pool, me, slot);
        if (status != TWIN_EAGAIN)
            return status;
        now_ns = twini_now_ns();
        twini_reap_if_due(pool, now_ns);
        if (now_ns >= deadline_ns)
            return take_now(pool, me, slot);
        if (now_ns >= until_ns && slice_ns < LAST_SLICE_NS)
            slice_ns *= 2;
    }
}

static int wait_for_slot(struct twin_connpool *pool, struct client *me, int64_t timeout_ns,
                         unsigned *slot)
{
    struct connpool_shared *shared = pool->shared;
    int64_t start_ns = twini_now_ns();
    int cancel_state, status;

    /* relaxed: for pictures only */
    atomic_store_explicit(&me->waiting_since_ns, start_ns, memory_order_relaxed);
    twini_wait_begin(pool, &cancel_state);
    status = take_later(pool, me, start_ns, twini_deadline_ns(start_ns, timeout_ns), slot);
    atomic_store_explicit(&me->waiting_since_ns, 0, memory_order_relaxed);
    if (status == 0)
        twini_wait_record(shared, twini_now_ns() - start_ns);
    else if (status == TWIN_EAGAIN)
        atomic_fetch_add_explicit(&shared->timed_out, 1, memory_order_relaxed);
    if (status) {
        FAULT("giving_up");
        twini_client_idle(me);
    }
    twini_wait_end(pool, cancel_state);
    return status == TWIN_EAGAIN ? TWIN_ETIMEOUT : status;
}

static int acquire(struct twin_connpool *pool, int64_t timeout_ns, unsigned *slot)
{
    struct client *me;
    bool waited = false;
    int status;

    if (is_closed(pool->shared))
        return TWIN_ECLOSED;
    FAULT("before_intent");
    me = twini_client_claim(pool);
    if (!me)
        return TWIN_ENOMEM;
    FAULT("intent_set");
    status = take_now(pool, me, slot);
    if (status == TWIN_EAGAIN && timeout_ns == 0 && twini_reap_if_due(pool, twini_now_ns()))
        status = take_now(pool, me, slot);
    if (status == TWIN_EAGAIN && timeout_ns != 0) {
        waited = true;
        status = wait_for_slot(pool, me, timeout_ns, slot);
    } else if (status) {
        twini_client_idle(me);
    }
    if (status == 0)
        twini_slot_count(&pool->shared->slots[*slot], waited);
    return status;
}

static int release(struct twin_connpool *pool, unsigned index, uint64_t word)
{
    struct connpool_shared *shared = pool->shared;
    struct client *me = twini_client_of(pool, word);

    if (!twini_slot_free(&shared->slots[index], word, word_epoch(word)))
        return TWIN_EDONE;
    FAULT("slot_freed");
    twini_permit_post(shared);
    FAULT("posted");
    twini_client_idle(me);
    return 0;
}

static bool mine(struct twin_connpool *pool, uint64_t word)
{
    return atomic_load_explicit(&twini_client_of(pool, word)->owner, memory_order_relaxed) ==
           twini_identity(pool);
}

static pid_t holder(struct twin_connpool *pool, uint64_t word)
{
    return twini_process_pid(
        atomic_load_explicit(&twini_client_of(pool, word)->owner, memory_order_relaxed));
}

static unsigned waiting(struct twin_connpool *pool)
{
    unsigned seen = atomic_load_explicit(&pool->shared->clients_seen, memory_order_relaxed);
    unsigned count = 0;

    for (unsigned i = 0; i < seen; i++)
        count +=
            atomic_load_explicit(&pool->clients[i].waiting_since_ns, memory_order_relaxed) != 0;
    return count;
}

/* No other thread of this process is in a call, so its entries hold still. A reaper leaves them
 * alone while it lives, and finishes this when it dies on the way. */
static void leave(struct twin_connpool *pool)
{
    uint64_t self = twini_identity(pool);
    unsigned seen = atomic_load_explicit(&pool->shared->clients_seen, memory_order_relaxed);

    for (unsigned i = 0; i < seen; i++) {
        struct client *client = &pool->clients[i];

        if (atomic_load_explicit(&client->owner, memory_order_relaxed) != self)
            continue;
        if (atomic_load_explicit(&client->intent, memory_order_acquire))
            twini_recover(pool, client);
        twini_client_unbind(client);
    }
}

const struct admission twini_admission_recovering = {
    .acquire = acquire,
    .release = release,
    .mine = mine,
    .holder = holder,
    .waiting = waiting,
    .reap = twini_reap,
    .leave = leave,
};
