/* bell.h: where clients sleep when all slots are held, and how a release wakes one of them.
 *
 * One word: how often the bell was rung (what the kernel compares before it lets anybody sleep) and
 * how many want to hear it. A sleeper does
 *
 *     rings = join; look at the slots; sleep unless the bell was rung since; not woken: leave(rings)
 *
 * and who frees a slot rings after that, which is one load when nobody has joined.
 *
 * Invariants:
 *   The count is not below the number of those who sleep, save for one for each ringer that died
 * before it woke the one it had struck off; the reaper rings for it. A count too high costs a system
 * call, and goes with the ring that finds nobody asleep.
 *   A ring strikes one off and wakes one. Until that one has joined again, others who free a slot
 * make no system call for it: this is what a busy pool gains over sem_post(), which calls the kernel
 * as long as anybody is on his way.
 *   Who was woken does not leave: it may be another than the one that was struck off, which then
 * still sleeps, and is counted in its stead.
 * Order: join and look here, free and ring there must not pass each other, else a slot comes free
 * and nobody is told: all four are sequentially consistent. Source: the eventcount of Reed and
 * Kanodia, "Synchronization with eventcounts and sequencers", CACM 22(2), 1979. Deviation: the count
 * of sleepers, in the same word. */
#ifndef TWINI_CONNPOOL_BELL_H
#define TWINI_CONNPOOL_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bell {
    _Atomic uint64_t word; /* sleepers << 32 | rings: joiners, ringers / all */
};

static inline uint32_t twini_bell_sleepers(struct bell *bell)
{
    /* order: seq_cst; comes after the free of the slot, pairs with twini_bell_join() */
    return (uint32_t)(atomic_load_explicit(&bell->word, memory_order_seq_cst) >> 32);
}

/* Returns the rings so far. Whoever joins then looks at the slots, and sleeps only if none is free.
 */
uint32_t twini_bell_join(struct bell *bell);
/* Returns true when it was woken, or the bell had rung before; false when deadline_ns (monotonic;
 * INT64_MAX: never) has passed. */
bool twini_bell_sleep(struct bell *bell, uint32_t rings, int64_t deadline_ns);
/* For who has joined and not been woken. */
void twini_bell_leave(struct bell *bell, uint32_t rings);

/* Wakes one of those who have joined, if any. */
void twini_bell_wake(struct bell *bell);
/* Wakes one, whoever may be counted: for a ringer, or for a woken one, that died. */
void twini_bell_ring_for_the_dead(struct bell *bell);
void twini_bell_ring_all(struct bell *bell);

static inline void twini_bell_ring(struct bell *bell)
{
    if (twini_bell_sleepers(bell))
        twini_bell_wake(bell);
}

#endif
