/* slots.c: taking and freeing slots. The word of a slot is moved by compare-and-swap only, so that
 * claim and ownership are one instruction, and whoever dies after it is known as the holder.
 *
 * Order: a take is acquire (it sees what the last holder left) and release (whoever sees the slot
 * taken also sees what its taker had seen, above all other slots freed before); a free is release.
 */
#include "fault.h"
#include "internal.h"

/* Tries each slot once, beginning at start. Returns the slot, or -1: each was seen held, and then
 * *generation is the sum of the epochs seen. Epochs only grow: two scans with the same sum saw the
 * same leases, so between them every slot was held at one and the same time. */
int twini_slot_take(struct connpool_shared *shared, uint64_t client, unsigned start,
                    uint64_t *generation)
{
    unsigned n = shared->connections;
    unsigned i = start < n ? start : 0;

    *generation = 0;
    for (unsigned tried = 0; tried < n; tried++) {
        struct slot *slot = &shared->slots[i];
        /* order: acquire; pairs with the release of the taker: see above */
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);

        /* order: acq_rel as above; on failure acquire: another was faster, see what it left */
        while (word_client(word) == 0) {
            if (atomic_compare_exchange_strong_explicit(
                    &slot->word, &word, word_make(word_epoch(word) + 1, client),
                    memory_order_acq_rel, memory_order_acquire)) {
                FAULT("slot_taken");
                /* relaxed: for pictures only */
                atomic_store_explicit(&slot->since_ns, twini_coarse_ns(), memory_order_relaxed);
                return (int)i;
            }
        }
        *generation += word_epoch(word);
        FAULT("mid_scan");
        if (++i == n)
            i = 0;
    }
    return -1;
}

unsigned twini_slots_active(struct connpool_shared *shared)
{
    unsigned active = 0;

    for (unsigned i = 0; i < shared->connections; i++)
        active +=
            word_client(atomic_load_explicit(&shared->slots[i].word, memory_order_relaxed)) != 0;
    return active;
}

/* Counts the holders, but only when the semaphore says that there may be more than ever before.
 * relaxed: a statistic. */
void twini_high_water_update(struct connpool_shared *shared)
{
    unsigned seen = atomic_load_explicit(&shared->high_water, memory_order_relaxed);
    unsigned active;

    if (seen >= shared->connections || twini_permits(shared) + seen >= shared->connections)
        return;
    active = twini_slots_active(shared);
    while (active > seen &&
           !atomic_compare_exchange_weak_explicit(&shared->high_water, &seen, active,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}
