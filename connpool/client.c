/* client.c: entries of leases in flight. One for each, else a process with two leases that dies
 * gives back only one.
 *
 * Invariants:
 *   An entry belongs to the process in owner and, in it, to one thread: only that thread sets
 * intent, and only when it is 0, so that a plain store is enough on the way in. Whoever releases
 * clears it. owner and thread change 0 -> somebody by compare-and-swap, and back only by a reaper
 * when the owner is dead, or by the owner when it leaves. A dead owner stays dead: identities never
 * come back (process.c). A thread is known by the address of a variable of its own. After its end a
 * new thread may get the same address, and inherits the entry: if the lease was leaked, intent
 * still says that it is in use. */
#include "internal.h"

_Thread_local unsigned twini_client_hint;

static void raise_clients_seen(struct connpool_shared *shared, unsigned seen)
{
    unsigned before = atomic_load_explicit(&shared->clients_seen, memory_order_relaxed);

    /* order: release; before the claim that follows: a reaper that misses the entry now finds it at
     * its next look */
    while (before < seen &&
           !atomic_compare_exchange_weak_explicit(&shared->clients_seen, &before, seen,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

/* Makes the entry this thread's, if it is nobody's. */
static void bind(struct twin_connpool *pool, struct client *client, uint64_t self)
{
    uint64_t nobody = 0;
    uintptr_t no_thread = 0;

    if (atomic_load_explicit(&client->owner, memory_order_relaxed) == 0) {
        raise_clients_seen(pool->shared, (unsigned)twini_client_number(pool, client));
        /* order: acquire; pairs with the release of the entry by a reaper */
        atomic_compare_exchange_strong_explicit(&client->owner, &nobody, self, memory_order_acq_rel,
                                                memory_order_relaxed);
    }
    if (atomic_load_explicit(&client->owner, memory_order_relaxed) == self)
        /* relaxed: it only decides between threads of this process */
        atomic_compare_exchange_strong_explicit(&client->thread, &no_thread,
                                                (uintptr_t)&twini_client_hint, memory_order_relaxed,
                                                memory_order_relaxed);
}

static struct client *find_entry(struct twin_connpool *pool, uint64_t self)
{
    for (unsigned i = 0; i < pool->shared->clients; i++) {
        struct client *client = &pool->clients[i];

        bind(pool, client, self);
        if (twini_client_declare(client, self)) {
            twini_client_hint = i;
            return client;
        }
    }
    return NULL;
}

struct client *twini_client_find(struct twin_connpool *pool)
{
    uint64_t self = twini_identity(pool);
    struct client *client = find_entry(pool, self);

    if (!client) {
        twini_reap(pool);
        client = find_entry(pool, self);
    }
    return client;
}

/* Gives an idle entry back to all. Its owner is dead, or leaves. */
void twini_client_unbind(struct client *client)
{
    atomic_store_explicit(&client->thread, 0, memory_order_relaxed);
    /* order: release; pairs with the acquire in bind(): the next owner finds no thread in it */
    atomic_store_explicit(&client->owner, 0, memory_order_release);
}
