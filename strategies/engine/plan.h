/* plan.h: chunk arithmetic, and time-outs. */
#ifndef TWINI_PLAN_H
#define TWINI_PLAN_H

#include "twinpool/pool.h"

#include <stdatomic.h>

/* How a map of count items is cut: chunks of chunk items, the last one shorter. */
struct twini_plan {
    size_t count;
    size_t chunk;
    size_t chunks;
};

/* Cuts with the caller's chunk (0: twin_automatic_chunk()); chunk is raised where there would be
 * more than most_chunks. */
struct twini_plan twini_plan_make(size_t count, size_t chunk, unsigned workers, size_t most_chunks);

static inline size_t twini_plan_first(const struct twini_plan *plan, size_t index)
{
    return index * plan->chunk;
}

static inline size_t twini_plan_items(const struct twini_plan *plan, size_t index)
{
    size_t first = index * plan->chunk;
    return plan->count - first < plan->chunk ? plan->count - first : plan->chunk;
}

/* Part number of parts: the first of chunk indices [first, end) that it owns; nearly equal parts.
 */
size_t twini_plan_part(size_t chunks, unsigned parts, unsigned number);
/* Of chunks that are dealt to the parts in turn, which one has this position: so that all parts begin
 * at the front of the array, and go on through it beside each other. */
size_t twini_plan_dealt(size_t chunks, unsigned parts, size_t position);

/* Runs items [first, first + items) of a map on the calling thread, task by task or as one kernel
 * call. *at, if not NULL, always names the item that is being computed, for a post-mortem.
 * Returns 0, or the first code other than 0 with its item in *failed. */
int twini_plan_run(const struct twin_map *map, void *context, size_t first, size_t items,
                   _Atomic(size_t) *at, size_t *failed);

int64_t twini_now_ns(void);
/* Turns a time-out (ns, -1: none) into a deadline on the monotonic clock. */
int64_t twini_deadline_ns(int64_t timeout_ns);

#endif
