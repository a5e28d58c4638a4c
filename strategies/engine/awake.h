/* awake.h: who sleeps, and who wakes whom. */
#ifndef TWINI_AWAKE_H
#define TWINI_AWAKE_H

#include "engine/shared.h"

struct twini_worker;

/* Wakes the caller if it sleeps for this target (or for any). Called after what it waits for was
 * published by a sequentially consistent compare-and-swap. Returns whether it was asleep. */
bool twini_ring_caller(struct twini_shared *shared, uint64_t target);
/* Wakes up to count parked workers. Returns how many. */
unsigned twini_ring_workers(struct twini_shared *shared, unsigned count);
/* A map was opened, for which that many workers are to be awake: wakes one, or all of them, and whoever
 * wakes has the rest to wake. Returns how many were woken. */
unsigned twini_ring_for_map(struct twini_shared *shared, unsigned count, bool all);
/* Wakes up to most of those who are still to be woken for maps. Returns how many. */
unsigned twini_ring_due(struct twini_shared *shared, unsigned most);
/* Wakes the caller, all workers, or everybody, asleep or not: after a repair. */
void twini_ring_caller_anyway(struct twini_shared *shared);
void twini_ring_all_workers(struct twini_shared *shared);
void twini_ring_all(struct twini_shared *shared);

/* The worker has got something to do: if others counted on it to look for work, it wakes the next
 * one for what it leaves behind. */
void twini_pass_on(struct twini_worker *me);
/* Sleeps until rung, but not if something has changed: still_idle() says that it has not. */
void twini_park(struct twini_worker *me, bool (*still_idle)(struct twini_worker *me));

/* Makes sure that whoever submits has his stores seen by our next look, or sees who is parked. False:
 * not sure this time; from now on he fences himself. */
bool twini_make_submitter_fence(struct twini_shared *shared);

/* Whether a worker is (about to be) asleep, or spins for work. */
static inline bool twini_any_parked(const struct twini_shared *shared)
{
    for (unsigned i = 0; i < (twini_numbers(shared) + 63) / 64; i++)
        /* order: seq_cst; after the work was published: see the head of awake.c */
        if (atomic_load_explicit(&shared->parked[i], memory_order_seq_cst))
            return true;
    return false;
}
unsigned twini_count_parked(const struct twini_shared *shared);
bool twini_any_spinner(const struct twini_shared *shared);
/* Whether a call waits that a sleeper would have to be woken for: in nobody's run, or in the long run of
 * somebody who may be busy with another. */
bool twini_any_waiting(const struct twini_shared *shared);

/* ---- after a submission -------------------------------------------------- */

/* Somebody may be parked: the second look, behind a fence. */
unsigned twini_ring_parked(struct twini_shared *shared, bool urgent);

/* A call was submitted (tail was moved): wakes a worker, if one is due. urgent: the caller is about
 * to wait. Returns how many were woken. */
static inline unsigned twini_ring_for_call(struct twini_shared *shared, bool urgent)
{
    /* relaxed: who clears it looks again after a while */
    if (!atomic_load_explicit(&shared->has_barrier, memory_order_relaxed))
        return twini_ring_parked(shared, urgent);
    /* order: none but the compiler's; who goes to sleep while we look has a barrier executed here
     * before it looks for what we have submitted */
    atomic_signal_fence(memory_order_seq_cst);
    return twini_any_parked(shared) ? twini_ring_parked(shared, urgent) : 0;
}

#endif
