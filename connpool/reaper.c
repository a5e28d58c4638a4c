/* reaper.c: gives back what dead processes held.
 *
 * Anybody reaps: who waits, who finds the pool full, who asks. One at a time: the word `reaper`
 * holds the identity of the process at it, and is no lock that a death could keep, since whoever
 * finds a dead identity there takes over. For each entry of a dead owner with intent set:
 *
 *     free its slot, if it has one (the slots' words say so), epoch + 1   1
 *     ring the bell for one sleeper                                       2
 *     intent := 0                                                         3
 *     thread := 0, owner := 0: the entry is anybody's                     4
 *
 * Invariants:
 *   A slot is free when its word says so, and nothing else counts it: no permit can be lost. What a
 * death can take along is a wake-up: of a holder that freed its slot and did not ring, of a sleeper
 * that was woken and did not look. Both have their intent set, so step 2 wakes the next sleeper in
 * their stead; if that was not due, it looks once in vain.
 *   Killed at any step, the next reaper begins at 1 with the same entry: 1 repeated finds nothing,
 * 2 repeated wakes one too many, and after 3 only 4 is left to do. Ring before intent: else a death
 * between them would lose the wake-up. */
#include "fault.h"
#include "internal.h"
#include "slots.h"

/* At most one look for the dead in this time, all waiters together. */
#define LOOK_EVERY_NS 2000000

static bool lock_reaper(struct twin_connpool *pool)
{
    uint64_t holder = atomic_load_explicit(&pool->shared->reaper, memory_order_relaxed);

    if (holder && twini_process_alive(holder))
        return false; /* also another thread of this process */
    /* order: acquire; pairs with the release in unlock_reaper(). From a dead holder nothing is
     * inherited but what its atomics said. */
    return atomic_compare_exchange_strong_explicit(&pool->shared->reaper, &holder,
                                                   twini_identity(pool), memory_order_acquire,
                                                   memory_order_relaxed);
}

static void unlock_reaper(struct twin_connpool *pool)
{
    atomic_store_explicit(&pool->shared->reaper, 0, memory_order_release);
}

/* Steps 1 to 3. The entry's owner is dead, or it is this process on its way out. */
void twini_recover(struct twin_connpool *pool, struct client *client)
{
    struct connpool_shared *shared = pool->shared;
    uint64_t number = twini_client_number(pool, client);

    for (unsigned i = 0; i < shared->connections; i++) {
        struct slot *slot = &shared->slots[i];
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);

        if (word_client(word) == number && twini_slot_free(slot, word, word_epoch(word) + 1))
            atomic_fetch_add_explicit(&shared->recovered, 1, memory_order_relaxed);
    }
    FAULT("reaper_freed");
    twini_bell_ring_for_the_dead(&shared->bell);
    FAULT("reaper_rang");
    atomic_store_explicit(&client->waiting_since_ns, 0, memory_order_relaxed);
    twini_client_idle(client);
    FAULT("reaper_cleared");
}

/* Is this entry's owner dead? Remembers the last answer: a process's entries lie side by side. */
static bool owner_dead(uint64_t owner, uint64_t *known_alive)
{
    if (owner == 0 || owner == *known_alive)
        return false;
    if (!twini_process_alive(owner))
        return true;
    *known_alive = owner;
    return false;
}

static unsigned sweep(struct twin_connpool *pool)
{
    struct connpool_shared *shared = pool->shared;
    /* order: acquire; pairs with the release in raise_clients_seen() */
    unsigned seen = atomic_load_explicit(&shared->clients_seen, memory_order_acquire);
    uint64_t before = atomic_load_explicit(&shared->recovered, memory_order_relaxed);
    uint64_t known_alive = twini_identity(pool);

    for (unsigned i = 0; i < seen; i++) {
        struct client *client = &pool->clients[i];
        uint64_t owner = atomic_load_explicit(&client->owner, memory_order_acquire);

        if (!owner_dead(owner, &known_alive))
            continue;
        /* The dead change nothing, and only a reaper lets others have their entries: from here on
         * this entry holds still. order: acquire; sees all that its owner did before it died */
        if (atomic_load_explicit(&client->intent, memory_order_acquire)) {
            twini_recover(pool, client);
            atomic_fetch_add_explicit(&shared->reaped, 1, memory_order_relaxed);
        }
        twini_client_unbind(client);
    }
    return (unsigned)(atomic_load_explicit(&shared->recovered, memory_order_relaxed) - before);
}

/* Returns how many slots came back. */
unsigned twini_reap(struct twin_connpool *pool)
{
    unsigned recovered;

    if (!lock_reaper(pool))
        return 0;
    FAULT("reaper_locked");
    recovered = sweep(pool);
    unlock_reaper(pool);
    return recovered;
}

/* Reaps unless somebody looked a moment ago. */
unsigned twini_reap_if_due(struct twin_connpool *pool, int64_t now_ns)
{
    int64_t due = atomic_load_explicit(&pool->shared->next_look_ns, memory_order_relaxed);

    /* relaxed: only spares work; two looks at once would be harmless */
    if (now_ns < due || !atomic_compare_exchange_strong_explicit(
                            &pool->shared->next_look_ns, &due, now_ns + LOOK_EVERY_NS,
                            memory_order_relaxed, memory_order_relaxed))
        return 0;
    return twini_reap(pool);
}
