/* range.h: how the chunks of a map are shared out: an owner's range each, and stealing from its
 * end.
 *
 * Each worker owns a range of chunks [next, end) and takes from its front. Who has none left takes
 * a part off the end of somebody's rest (theft.h says how much). A range's word is moved by
 * compare-and-swap alone:
 *
 *   IDLE{n,e} -> BUSY{n+1,e}   its worker enters and runs chunk n
 *   IDLE{}    -> IN{}          its worker enters to steal
 *   BUSY{n,e} -> BUSY{n+1,e}   chunk n - 1 ended, chunk n runs
 *   BUSY{}    -> IN{} -> IDLE{}  nothing left; it leaves
 *   BUSY{n,e} -> IDLE{n,e}     chunk n - 1 ended, and its worker must go: the rest is anybody's
 *   BUSY      -> STOPPED       the caller has cancelled the map: the supervisor kills the worker
 *   BUSY     <-> OVERDUE       the supervisor, about a chunk that takes too long; then it kills
 *   STOPPED{n,e}, OVERDUE -> IDLE{n,e}  chunk n - 1 ended first all the same; its worker leaves
 *   X{n,e}    -> X{n,m} thief t  t takes [m,e) away (X: any but IN; only while thief is 0)
 *   IN{}      -> IN{m,e}       t has it; only then the victim's thief goes back to 0
 *
 * Hence, for a dead worker t: BUSY (STOPPED, OVERDUE) says which chunk is lost; a victim with thief t says that [m,e)
 * is on its way: landed if t's word is IN{m,e}, else still in t's note (stolen). Nothing lies in
 * between. A map has ended when every range is IDLE{} without a thief: nobody is inside who could still hold or
 * take chunks. Between maps ranges are CLOSED, so a worker that slept over one cannot enter the
 * next half-way. */
#ifndef TWINI_RANGE_H
#define TWINI_RANGE_H

#include "engine/plan.h"
#include "engine/shared.h"

/* Ranges are of positions: which chunk stands there. */
static inline size_t twini_chunk_at(const struct twini_map_slot *slot, size_t position)
{
    return slot->told ? twini_plan_dealt(slot->chunks, twini_width(slot), position) : position;
}

/* Tells the iterator, if there is one. */
static inline void twini_chunk_tell(struct twini_map_slot *slot, size_t chunk, int state)
{
    /* order: seq_cst; publishes the results, and stands before the look for whom the caller waits */
    if (slot->told)
        atomic_store_explicit(&slot->told[chunk], (unsigned char)state, memory_order_seq_cst);
}

/* Items from here on need not be computed any more. */
static inline void twini_map_lower(struct twini_map_slot *slot, size_t item)
{
    /* relaxed: a hint that saves work */
    size_t lowest = atomic_load_explicit(&slot->lowest_failed, memory_order_relaxed);
    while (item < lowest &&
           !atomic_compare_exchange_weak_explicit(&slot->lowest_failed, &lowest, item,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* The caller: opens a closed range with chunks [first, end). */
void twini_range_open(struct twini_range *range, size_t first, size_t end);
/* The caller: IDLE{} -> CLOSED. False: its worker is inside (again), or chunks are left. */
bool twini_range_close(struct twini_range *range);
/* The caller, when no worker is left: drops what is left. */
void twini_range_drop(struct twini_range *range);

/* These two look at one range after the other, while thieves carry chunks from one to another. Whoever looked at
 * the thief's range before they arrived, and at the victim's after they had left, has seen them in neither:
 * then the victim's range says that its thief is not done, or the count of thefts has changed, and all are
 * looked at again. */

/* How many chunks of a map wait to be run, and how many owners have some. No worker goes to sleep before
 * there are none: a thief may leave the rest of what it took to others. */
size_t twini_ranges_left(struct twini_shared *shared, unsigned slot, size_t *owners);
/* The map has ended. */
bool twini_ranges_are_over(struct twini_shared *shared, unsigned slot);

/* The worker: enters its range. True: *chunk is to be run now, or is SIZE_MAX: entered to steal. */
bool twini_range_enter(struct twini_range *own, size_t *chunk);
/* The worker: ends the chunk it ran, if any; takes the next one. put_down: it must leave, and leaves
 * the rest. */
enum twini_range_step { TWINI_RANGE_RUN, TWINI_RANGE_NONE_LEFT, TWINI_RANGE_LEAVE };
enum twini_range_step twini_range_next(struct twini_range *own, bool put_down, size_t *chunk);
/* The worker, having none: takes that share (at most 0.5) of what is left, rounded, from anybody. True:
 * its own has chunks now. */
bool twini_range_steal(struct twini_shared *shared, unsigned slot, unsigned me, double share);
void twini_range_leave(struct twini_range *own);

/* The caller: what runs is to be stopped. False: nothing runs. */
bool twini_range_stop(struct twini_range *range);
/* The supervisor: whether a chunk runs, and which; whether its worker is to be killed; BUSY ->
 * OVERDUE and back, if that chunk still runs. */
bool twini_range_runs(const struct twini_range *range, size_t *chunk);
bool twini_range_is_to_die(const struct twini_range *range);
bool twini_range_mark_overdue(struct twini_range *range, size_t chunk, bool overdue);

/* The supervisor: repairs the range of a dead worker, and says what became of *chunk, which it ran.
 * The range is still its own until it is opened again, with the chunk or without it. */
enum twini_range_loss {
    TWINI_RANGE_NO_LOSS,
    TWINI_RANGE_LOST,
    TWINI_RANGE_TIMED_OUT,
    TWINI_RANGE_WAS_STOPPED
};
enum twini_range_loss twini_range_repair(struct twini_shared *shared, unsigned slot, unsigned dead,
                                         size_t *chunk);
void twini_range_reopen(struct twini_range *range, bool again);

#endif
