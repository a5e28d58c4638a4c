/* map_proc.h: what the proc files share: the caller's half of a map, and the entries of their
 * table. */
#ifndef TWINI_MAP_PROC_H
#define TWINI_MAP_PROC_H

#include "engine/proc_runtime.h"

/* ---- a map in flight: lock held ------------------------------------------ */

/* Opens a slot with a map whose addresses all workers see, and wakes them. Waits while all slots
 * are in use. told: of an iterated map: see struct twini_map_slot; or NULL. will_wait: the caller
 * sleeps at once. Returns 0 and *slot, or TWIN_EWORKER (the pool is broken). */
int twini_map_begin(struct twini_proc *proc, const struct twin_map *map,
                    _Atomic unsigned char *told, bool will_wait, unsigned *slot);
/* Wakes more workers for maps that do not get on. Returns how many. */
unsigned twini_map_beat(struct twini_proc *proc);
bool twini_map_has_ended(struct twini_proc *proc, unsigned slot);
/* The outcome of a map that has ended; the slot is free again. */
int twini_map_end(struct twini_proc *proc, unsigned slot, struct twin_failure *failure);

/* A map from begin to end: of memory that workers see; of other memory, in windows. Return 0 or why it
 * failed, and *failure. */
int twini_map_run(struct twini_proc *proc, const struct twin_map *map,
                  struct twin_failure *failure);
int twini_map_by_windows(struct twini_proc *proc, const struct twin_map *map,
                         struct twin_failure *failure);
bool twini_map_is_in_place(struct twini_proc *proc, const struct twin_map *map);

/* Copies the context into the arena if the map says so. Returns 0 or TWIN_ENOMEM. */
int twini_map_copy_context(struct twini_proc *proc, const struct twin_map *map,
                           const void **context);

/* Submits a map: map_async, or what an iterator stands on, which is told of each chunk. */
int twini_map_submit(struct twin_pool *pool, const struct twin_map *map,
                     _Atomic unsigned char *told, struct twin_future **future);
/* Cancels what has not started of it; what runs is to be waited for. */
void twini_map_drop_rest(struct twin_future *future);
/* Gives the outcome of map_async calls that have ended to their futures. */
void twini_map_collect(struct twini_proc *proc);
/* Tells workers to skip what is left of every map: terminate. */
void twini_map_give_up(struct twini_proc *proc);
/* The same for one, and what runs of it is to be stopped. False: nothing ran. */
bool twini_map_stop(struct twini_proc *proc, unsigned slot);
/* No worker is left: drops every chunk. */
void twini_map_drop_all(struct twini_proc *proc);
/* No worker is left: every map in flight ends now. */
void twini_map_abandon(struct twini_proc *proc);

/* ---- entries of the table: see strategy.h -------------------------------- */

int twini_map_proc(struct twin_pool *pool, const struct twin_map *map);
int twini_apply_proc(struct twin_pool *pool, const struct twin_call *call, void *result);
int twini_apply_async_proc(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                           struct twin_future **future);
int twini_executor_submit_proc(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                               struct twin_future **future);
int twini_executor_map_proc(struct twin_pool *pool, const struct twin_map *map,
                            struct twin_iterator **iterator);

#endif
