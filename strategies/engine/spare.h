/* spare.h: workers that are woken for a map only if it blocks.
 *
 * A pool may have more workers than there are CPUs, for tasks that wait: for a disk, a peer, each other.
 * Tasks that only compute gain nothing from them, and to wake one costs as much as thousands of squares,
 * its pages more. So a map that somebody waits for is dealt to as many workers as there are CPUs, and the
 * others stay asleep while these compute: until one finds, behind a chunk, that it has waited, and was off its
 * CPU for more than half of its time, or the caller that for a heartbeat no chunk was begun. Then all are
 * woken, and steal. (Who is rung is whoever sleeps: a worker in a long call is made up for so.) */
#ifndef TWINI_SPARE_H
#define TWINI_SPARE_H

#include "engine/shared.h"

/* What a worker knows of its own time. */
struct twini_spare_watch {
    int64_t wall_ns, cpu_ns;
    long waits; /* how often it gave up its CPU to wait */
};

/* How many workers a map of so many chunks is dealt to; the others are spare. Where the caller does not
 * wait nobody would notice that it blocks: all of them. */
unsigned twini_spare_dealt(const struct twini_shared *shared, size_t chunks, unsigned workers,
                           bool will_wait);
static inline bool twini_spare_any(const struct twini_map_slot *slot)
{
    /* relaxed: advice */
    return atomic_load_explicit(&slot->spare, memory_order_relaxed) > 0;
}

/* A worker begins with the map; it has ended a chunk: wakes the spare ones if it has been waiting. */
void twini_spare_watch(struct twini_spare_watch *watch, const struct twini_map_slot *slot);
void twini_spare_look(struct twini_spare_watch *watch, struct twini_shared *shared,
                      struct twini_map_slot *slot);
/* The caller's heartbeat: wakes them if chunks wait and none was begun since the last. Returns how many
 * were woken. */
unsigned twini_spare_beat(struct twini_shared *shared, unsigned slot);

#endif
