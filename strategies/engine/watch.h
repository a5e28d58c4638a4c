/* watch.h: tasks that run for too long. */
#ifndef TWINI_WATCH_H
#define TWINI_WATCH_H

#include "engine/shared.h"

/* Whether the worker runs something that is to be stopped: then it is to be killed. */
bool twini_is_to_die(struct twini_shared *shared, unsigned worker);

/* The supervisor, now and then: marks what has run for longer than task_timeout_ns. Returns how long
 * it may sleep, in ms: -1 when nothing runs (whoever claims something then wakes it), or when there
 * is no limit. */
int twini_watch_tasks(struct twini_shared *shared);
/* The worker is dead: what its successor runs is not what it ran, though it look the same. */
void twini_watch_forget(const struct twini_shared *shared, unsigned worker);

/* The worker, after it has claimed something: wakes a supervisor that has nothing to watch. */
void twini_wake_watcher_now(struct twini_shared *shared);
static inline void twini_wake_watcher(struct twini_shared *shared)
{
    /* order: seq_cst; after the claim; pairs with twini_watch_tasks(), which dozes, then looks */
    if (shared->task_timeout_ns && atomic_load_explicit(&shared->dozing, memory_order_seq_cst))
        twini_wake_watcher_now(shared);
}

#endif
