/* admission_recovering.c: a semaphore whose permits have owners: each free slot is one.
 *
 *   acquire   intent := 1                            (in a client entry, one for each lease)
 *             scan: compare-and-swap a slot {e, free} -> {e + 1, me}
 *             nothing found: join the bell; scan again; nothing: sleep until it rings, or for a
 *             while (deadline on the monotonic clock), and begin with join again
 *             whoever joined and was not woken leaves the bell
 *   release   slot {e, me} -> {e, free}              (fails: released before; report, do not ring)
 *             ring, if anybody has joined
 *             intent := 0
 *   give up   intent := 0
 *   reaper    in reaper.c
 *
 * The textbook's semaphore (admission_bare.c) keeps a count beside the slots: two atomic operations
 * more for each lease, and a second truth, which a death between the two makes false. Here taking
 * the slot is taking the permit. The kernel is asked only by who finds nothing, and for those.
 *
 * Invariants, with a SIGKILL allowed between any two instructions:
 *   At most N hold: a holder is a slot's word, and there are N.
 *   No free slot stays out of reach of a sleeper: it joined before it looked, and whoever frees a
 * slot looks for sleepers after that. One of the two sees the other.
 *   Intent is set before a slot can be had and cleared after the ring: what a dead client may have
 * taken along, a slot or a wake-up, is always announced.
 *   To find nothing in one scan proves nothing: A is seen held; A is freed and B taken; B is seen
 * held. Sleepers need no proof, since that release rings. But who is told that none was free, is
 * told so after two scans with the same sum of epochs: epochs only grow, so both saw the same
 * leases, and between them all slots were held at once.
 * tests/test_connpool_model.c searches every interleaving of small cases, with deaths at each step.
 * Progress: lock-free while a slot is free; a scan repeats only because other clients took slots.
 * Source: the double collect of Afek, Attiya, Dolev, Gafni, Merritt, Shavit, "Atomic snapshots of
 * shared memory", J. ACM 40(4), 1993; bell.h. */
#include "fault.h"
#include "internal.h"
#include "slots.h"

/* A waiter wakes this often to look for the dead, seldomer the longer it waits: many waiters are
 * long waiters, and one look serves all. It bounds how late a death is noticed. */
#define FIRST_SLICE_NS 1000000
#define LAST_SLICE_NS  16000000

static bool is_closed(struct connpool_shared *shared)
{
    /* order: acquire; pairs with the release in twin_connpool_shutdown() */
    return atomic_load_explicit(&shared->closed, memory_order_acquire) != 0;
}

static int scan_once(struct twin_connpool *pool, struct client *me, uint64_t *generation)
{
    /* relaxed: this entry's own note */
    unsigned start = atomic_load_explicit(&me->last_slot, memory_order_relaxed);
    int slot = twini_slot_take(pool->shared, twini_client_number(pool, me), start, generation);

    if (slot >= 0 && (unsigned)slot != start)
        atomic_store_explicit(&me->last_slot, (unsigned)slot, memory_order_relaxed);
    return slot < 0 ? TWIN_EAGAIN : slot;
}

/* Returns the slot, or TWIN_EAGAIN: provably, all were held at one moment. */
static int scan(struct twin_connpool *pool, struct client *me)
{
    uint64_t before = UINT64_MAX, now;
    int slot;

    while ((slot = scan_once(pool, me, &now)) < 0 && now != before)
        before = now;
    return slot;
}

/* Until a slot, the deadline or the end: a slot, or a twin_error; TWIN_EAGAIN for the deadline.
 * Sleeps in slices, between which it looks for the dead. */
static int take_later(struct twin_connpool *pool, struct client *me, int64_t start_ns,
                      int64_t deadline_ns)
{
    struct bell *bell = &pool->shared->bell;
    int64_t slice_ns = FIRST_SLICE_NS;
    uint64_t unproven;

    for (int64_t now_ns = start_ns;;) {
        int64_t until_ns = deadline_ns - now_ns < slice_ns ? deadline_ns : now_ns + slice_ns;
        uint32_t rings = twini_bell_join(bell);
        int found = is_closed(pool->shared) ? TWIN_ECLOSED : scan_once(pool, me, &unproven);

        FAULT("before_wait");
        if (found != TWIN_EAGAIN || now_ns >= deadline_ns ||
            !twini_bell_sleep(bell, rings, until_ns))
            twini_bell_leave(bell, rings);
        if (found != TWIN_EAGAIN)
            return found;
        if (now_ns >= deadline_ns)
            return TWIN_EAGAIN;
        FAULT("woken");
        now_ns = twini_now_ns();
        twini_reap_if_due(pool, now_ns);
        if (now_ns >= until_ns && slice_ns < LAST_SLICE_NS)
            slice_ns *= 2;
    }
}

/* Returns the slot, or a twin_error. */
static int wait_for_slot(struct twin_connpool *pool, struct client *me, int64_t timeout_ns)
{
    struct connpool_shared *shared = pool->shared;
    int64_t start_ns = twini_now_ns();
    int cancel_state, found;

    /* relaxed: for pictures only */
    atomic_store_explicit(&me->waiting_since_ns, start_ns, memory_order_relaxed);
    twini_wait_begin(pool, &cancel_state);
    found = take_later(pool, me, start_ns, twini_deadline_ns(start_ns, timeout_ns));
    atomic_store_explicit(&me->waiting_since_ns, 0, memory_order_relaxed);
    if (found >= 0) {
        twini_wait_record(shared, twini_now_ns() - start_ns);
    } else if (found == TWIN_EAGAIN) {
        atomic_fetch_add_explicit(&shared->timed_out, 1, memory_order_relaxed);
        found = TWIN_ETIMEOUT;
    }
    if (found < 0)
        FAULT("giving_up");
    twini_wait_end(pool, cancel_state);
    return found;
}

TWINI_SELDOM static int take_another(struct twin_connpool *pool, struct client *me,
                                     int64_t timeout_ns)
{
    bool waits;
    int found = scan(pool, me);

    if (found == TWIN_EAGAIN && timeout_ns == 0 && twini_reap_if_due(pool, twini_now_ns()))
        found = scan(pool, me);
    waits = found == TWIN_EAGAIN && timeout_ns != 0;
    if (waits)
        found = wait_for_slot(pool, me, timeout_ns);
    if (found < 0)
        twini_client_idle(me);
    else
        twini_slot_count(&pool->shared->slots[found], waits);
    return found;
}

TWINI_SELDOM static int take_as_another(struct twin_connpool *pool, int64_t timeout_ns)
{
    struct client *me = twini_client_find(pool);

    if (!me)
        return TWIN_ENOMEM;
    FAULT("intent_set");
    return take_another(pool, me, timeout_ns);
}

TWINI_SELDOM static int look_how_many(struct connpool_shared *shared, int found)
{
    twini_high_water_update(shared);
    return found;
}

/* Where this client was last, nobody else need have been. */
static int acquire(struct twin_connpool *pool, int64_t timeout_ns)
{
    struct connpool_shared *shared = pool->shared;
    struct client *me;
    uint64_t word;
    unsigned slot;

    if (is_closed(shared))
        return TWIN_ECLOSED;
    FAULT("before_intent");
    me = twini_client_again(pool);
    if (!me)
        return take_as_another(pool, timeout_ns);
    FAULT("intent_set");
    /* relaxed: this entry's own note */
    slot = atomic_load_explicit(&me->last_slot, memory_order_relaxed);
    if (slot >= shared->connections ||
        !twini_slot_try(&shared->slots[slot], twini_client_number(pool, me), &word))
        return take_another(pool, me, timeout_ns);
    twini_slot_count(&shared->slots[slot], false);
    return word_epoch(word) % HIGH_WATER_EVERY == 0 ? look_how_many(shared, (int)slot) : (int)slot;
}

static int release(struct twin_connpool *pool, unsigned index, uint64_t word)
{
    struct connpool_shared *shared = pool->shared;
    struct client *me = twini_client_of(pool, word);

    if (!twini_slot_free(&shared->slots[index], word, word_epoch(word)))
        return TWIN_EDONE;
    FAULT("slot_freed");
    twini_bell_ring(&shared->bell);
    FAULT("rang");
    twini_client_idle(me);
    return 0;
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
    .has_entries = true,
    .waiting = waiting,
    .reap = twini_reap,
    .leave = leave,
};
