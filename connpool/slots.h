/* slots.h: taking and freeing slots; inline, since every lease pays for it. The word of a slot is
 * moved by compare-and-swap only, so that claim and ownership are one instruction, and whoever dies
 * after it is known as the holder.
 *
 * Order: a take is acquire (it sees what the last holder left) and release (whoever sees the slot
 * taken also sees what its taker had seen, above all other slots freed before); a free is release.
 */
#ifndef TWINI_CONNPOOL_SLOTS_H
#define TWINI_CONNPOOL_SLOTS_H

#include "fault.h"
#include "internal.h"

/* One lease in so many of a slot looks how many slots are in use. The first one does. */
#define HIGH_WATER_EVERY 16

/* Takes the slot if it is free. *word is then as it was before; else as the holder made it. */
static inline bool twini_slot_try(struct slot *slot, uint64_t client, uint64_t *word)
{
    /* order: acquire; pairs with the release of the taker: see above */
    *word = atomic_load_explicit(&slot->word, memory_order_acquire);
    /* order: acq_rel as above; on failure acquire: another was faster, see what it left */
    while (word_client(*word) == 0) {
        if (atomic_compare_exchange_strong_explicit(&slot->word, word,
                                                    word_make(word_epoch(*word) + 1, client),
                                                    memory_order_acq_rel, memory_order_acquire)) {
            FAULT("slot_taken");
            return true;
        }
    }
    return false;
}

/* Tries each slot once, beginning at start. Returns the slot, or -1: each was seen held, and then
 * *generation is the sum of the epochs seen. Epochs only grow: two scans with the same sum saw the
 * same leases, so between them every slot was held at one and the same time. */
static inline int twini_slot_take(struct connpool_shared *shared, uint64_t client, unsigned start,
                                  uint64_t *generation)
{
    unsigned n = shared->connections;
    unsigned i = start < n ? start : 0;
    uint64_t word;

    *generation = 0;
    for (unsigned tried = 0; tried < n; tried++) {
        if (twini_slot_try(&shared->slots[i], client, &word)) {
            /* A take that passed held slots may be one too many for the old mark; of the others a
             * sample will do. */
            if (tried > 0 || word_epoch(word) % HIGH_WATER_EVERY == 0)
                twini_high_water_update(shared);
            return (int)i;
        }
        *generation += word_epoch(word);
        FAULT("mid_scan");
        if (++i == n)
            i = 0;
    }
    return -1;
}

/* Frees the slot if its word is still this one; next_epoch is what the free word carries. */
static inline bool twini_slot_free(struct slot *slot, uint64_t word, uint64_t next_epoch)
{
    /* relaxed: for pictures only. Before the free, while the slot cannot have a new holder. */
    atomic_store_explicit(&slot->since_ns, 0, memory_order_relaxed);
    /* order: release; pairs with the acquire of the next taker; hands over the connection. And
     * seq_cst: it comes before the look at the bell (bell.h) */
    return atomic_compare_exchange_strong_explicit(&slot->word, &word, word_make(next_epoch, 0),
                                                   memory_order_seq_cst, memory_order_relaxed);
}

/* Counts a lease. Only the holder may: that is why a load and a store are enough. */
static inline void twini_slot_count(struct slot *slot, bool waited)
{
    _Atomic uint64_t *counter = waited ? &slot->waited : &slot->direct;
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, before + 1, memory_order_relaxed);
}

#endif
