/* worker.h: what a worker is, whether a process or (control arm) a thread carries it. */
#ifndef TWINI_WORKER_H
#define TWINI_WORKER_H

#include "engine/shared.h"
#include "strategy.h"

#include <stdlib.h>
#include <unistd.h>

/* What a waiting worker watches: changes whenever there may be something to do. */
struct twini_view {
    uint64_t tail;
    uint32_t repairs, maps_opened, wanted;
    int phase;
};

struct twini_worker {
    struct twini_shared *shared;
    struct twini_worker_block *block;
    unsigned number;
    bool is_new;      /* has not looked at what the one before it left */
    bool has_run;     /* something: so it spins, naps and shows output */
    bool leaves;      /* is to run nothing more */
    unsigned left;    /* calls and chunks until it is spent; 0: no limit */
    bool counted_on;  /* was maybe rung, or spun, and has taken nothing since: awake.c */
    uint64_t at, end; /* positions of its run that it has not looked at: call.c */
    uint64_t runs;
    bool told;                      /* its bit of long_runs */
    bool lingers;                   /* the caller spun for the call that it ran last: call.c */
    bool ran_map;                   /* what it ran last was of a map: home.c */
    int home;                       /* the CPU on which it sleeps; -1: none yet */
    unsigned long fork_epoch;       /* twini_fork_epoch when it began */
    struct twini_call_word running; /* of the call that it runs */
    struct twini_view seen;
};

/* Works until the pool's phase says to leave. Returns 0, or the initializer's code. */
int twini_worker_main(struct twini_shared *shared, unsigned number);

/* A call or chunk has ended: whether the worker has to go, because it is spent, or one too many. */
static inline bool twini_worker_must_leave(struct twini_worker *me)
{
    if (me->left && --me->left == 0)
        me->leaves = true;
    /* relaxed: a little later will do */
    if (me->number >= atomic_load_explicit(&me->shared->wanted, memory_order_relaxed))
        me->leaves = true;
    return me->leaves;
}

/* Caller's code has returned: it may have forked, and this be the child, which is nobody's worker. */
static inline void twini_worker_end_copy(const struct twini_worker *me)
{
    if (me->fork_epoch != twini_fork_epoch)
        _exit(EXIT_SUCCESS);
}

/* A counter of which the worker is the only writer. */
static inline void twini_count(_Atomic uint64_t *counter, uint64_t by)
{
#ifdef TWIN_NO_COUNTERS /* to measure what they cost: bench/compare_builds.sh */
    (void)counter, (void)by;
#else
    /* relaxed: one writer; readers want a number, not an order */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
#endif
}

/* ---- work: each stands beside the caller's half of its strategy ---------- */

/* apply_proc.c: claims single calls and runs them until there are none. False if there was none. */
bool twini_call_work(struct twini_worker *me);
/* map_proc.c: enters a map that has chunks to run, and works until it has none. False if there was
 * none. */
bool twini_map_work(struct twini_worker *me);
/* map_repair.c: repairs what a dead worker held in every map. True: it was killed for what it ran. */
bool twini_map_repair(struct twini_shared *shared, unsigned worker, pid_t pid, int status);

#endif
