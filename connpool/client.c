/* client.c: entries of leases in flight. One for each, else a process with two leases that dies
 * gives back only one.
 *
 * Invariants:
 *   An entry belongs to the process in owner. Only a thread of it moves intent 0 -> 1, by
 *   compare-and-swap: that one instruction takes the entry for this thread and declares the intent.
 *   owner changes only while intent is 0, or (by the reaper) when the owner is dead.
 *   An owner that is dead stays dead: identities never come back (process.c).
 * A process keeps its entries for its next leases; who finds none free takes over those of the
 * dead. */
#include "internal.h"

/* Where this thread found an entry last; only a hint, of whichever pool. */
static _Thread_local unsigned hint;

uint64_t twini_client_number(const struct twin_connpool *pool, const struct client *client)
{
    return (uint64_t)(client - pool->clients) + 1;
}

struct client *twini_client_of(const struct twin_connpool *pool, uint64_t word)
{
    return &pool->clients[word_client(word) - 1];
}

static bool declare_intent(struct client *client)
{
    uint32_t idle = 0;

    /* order: acquire; pairs with the release in twini_client_idle(); a later use of the entry sees
     * the earlier one ended. The reaper needs no more: it looks at the dead only. */
    return atomic_compare_exchange_strong_explicit(&client->intent, &idle, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static void raise_clients_seen(struct connpool_shared *shared, unsigned seen)
{
    unsigned before = atomic_load_explicit(&shared->clients_seen, memory_order_relaxed);

    /* order: release; with the claim that follows it: a reaper that misses the entry now finds it
     * at its next look */
    while (before < seen &&
           !atomic_compare_exchange_weak_explicit(&shared->clients_seen, &before, seen,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

static struct client *find_entry(struct twin_connpool *pool, uint64_t self)
{
    for (unsigned i = 0; i < pool->shared->clients; i++) {
        struct client *client = &pool->clients[i];
        uint64_t owner = atomic_load_explicit(&client->owner, memory_order_relaxed);

        if (owner == 0) {
            raise_clients_seen(pool->shared, i + 1);
            /* order: acquire; pairs with the reaper's release of the entry */
            if (atomic_compare_exchange_strong_explicit(&client->owner, &owner, self,
                                                        memory_order_acq_rel, memory_order_relaxed))
                owner = self;
        }
        if (owner == self && declare_intent(client)) {
            hint = i;
            return client;
        }
    }
    return NULL;
}

/* Returns an entry with its intent declared, or NULL: all are in use by the living. */
struct client *twini_client_claim(struct twin_connpool *pool)
{
    uint64_t self = twini_identity(pool);
    struct client *client = &pool->clients[hint < pool->shared->clients ? hint : 0];

    /* relaxed: only this process can have written its own identity there */
    if (atomic_load_explicit(&client->owner, memory_order_relaxed) == self &&
        declare_intent(client))
        return client;
    client = find_entry(pool, self);
    if (!client) {
        twini_reap(pool);
        client = find_entry(pool, self);
    }
    return client;
}

void twini_client_idle(struct client *client)
{
    /* order: release; pairs with the acquire in declare_intent() */
    atomic_store_explicit(&client->intent, 0, memory_order_release);
}
