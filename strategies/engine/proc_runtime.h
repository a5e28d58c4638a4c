/* proc_runtime.h: the caller's side of a proc pool, and what carries its workers.
 *
 * struct twini_proc is private to the process that opened the pool. Its lock orders the threads of
 * that process among themselves; no worker ever takes it. Who holds it may submit, collect and cut.
 *
 * Workers are carried by processes (a supervisor forks them: proc_runtime.c) or, for the control
 * arm, by threads (control_runtime.c). Protocol, memory and strategies are the same for both. */
#ifndef TWINI_PROC_RUNTIME_H
#define TWINI_PROC_RUNTIME_H

#include "engine/arena.h"
#include "engine/future.h"
#include "engine/plan.h"
#include "engine/reuse.h"
#include "engine/shared.h"

struct twini_proc;

struct twini_carrier {
    bool processes;
    /* Starts shared->wanted workers and waits until each works. 0, or an error with errno set. */
    int (*start)(struct twini_proc *proc);
    /* shared->wanted was raised: sees to it that so many come to exist. Does not wait. */
    void (*grow)(struct twini_proc *proc);
    /* False when nobody is left who could bring workers back. */
    bool (*alive)(struct twini_proc *proc);
    /* shared->phase was set to LEAVE or KILL: returns when every worker is gone. */
    void (*stop)(struct twini_proc *proc);
    /* Gives back what start took; after stop, or in a forked child. */
    void (*fini)(struct twini_proc *proc);
};
extern const struct twini_carrier twini_process_carrier, twini_thread_carrier;

/* Of a call. A program may hold a million. */
struct twini_proc_future {
    struct twin_future base;
    uint32_t line; /* of map_async the slot */
    bool on_stack; /* its memory is the caller's: apply */
    void *block;   /* of the arena: context, item, result that did not fit inline; or NULL */
    struct twini_reuse *reuse; /* where its memory is from; NULL: malloc */
};

/* Of map_async. */
struct twini_map_future {
    struct twini_proc_future proc; /* first: they share an address */
    struct twin_map map;           /* as the caller gave it: where staged results land */
    const void *context;           /* the copy, or as given */
    void *staged_items, *staged_results;
    bool is_stopped; /* cancelled while it ran; or given up by its iterator */
};

struct twini_proc {
    struct twin_pool *pool;
    const struct twini_carrier *carrier;
    struct twini_shared *shared;
    size_t shared_size;

    pthread_mutex_t lock;
    pthread_cond_t follower; /* threads that wait while another of them sleeps on shared->bell */
    bool has_leader;
    bool broken; /* no worker is left, and none will come */
    bool in_scope;
    bool is_down;    /* no worker is left, as it was wanted */
    bool terminated; /* what was not finished was dropped */

    uint64_t *in_use;                   /* bit: the line holds a call that was not collected */
    struct twini_proc_future **futures; /* whose call it is */
    struct twini_reuse *reuse;          /* for futures of calls */
    uint64_t oldest, tail;              /* positions: none in use is below; the next one */
    size_t in_flight;                   /* calls without an outcome */
    unsigned blocked;                   /* threads that wait for a place: admission.c */

    bool slot_in_use[TWINI_MAP_SLOTS];
    struct twini_map_future *map_future[TWINI_MAP_SLOTS]; /* of map_async */
    uint64_t wakes, caller_parks, staged_bytes;
    int64_t waited_ns; /* when a caller last spun for a call */
    int64_t beat_ns;   /* the last heartbeat of one that slept, or when a map began after it */
    size_t last_chunk;
    void *stage; /* kept between maps of private memory */
    size_t stage_size;

    /* process carrier */
    pid_t supervisor;
    int supervisor_fd, event_fd;
    /* thread carrier */
    pthread_t *threads;
};

static inline struct twini_proc *twini_proc_of(struct twin_pool *pool)
{
    return pool->engine;
}

/* ---- life ---------------------------------------------------------------- */

int twini_proc_open(struct twin_pool *pool);
int twini_proc_open_on(struct twin_pool *pool, const struct twini_carrier *carrier);
int twini_proc_shutdown(struct twin_pool *pool);
int twini_proc_terminate(struct twin_pool *pool);
void twini_proc_free(struct twin_pool *pool);
int twini_proc_resize(struct twin_pool *pool, unsigned workers);
/* proc_stats.c */
void twini_proc_stats(struct twin_pool *pool, struct twin_stats *stats);
int twini_proc_worker_stats(struct twin_pool *pool, unsigned worker,
                            struct twin_worker_stats *stats);

/* ---- proc_wait.c --------------------------------------------------------- */

/* Waits, lock held, until ready(arg) (NULL: until rung once); collects on the way. The lock is
 * dropped while it sleeps. only: the one call that is waited for, or NULL; then target tells what
 * to be rung for. Also returns when the pool is broken: ready must then be true. Returns 0 or
 * TWIN_ETIMEOUT. */
int twini_proc_wait(struct twini_proc *proc, bool (*ready)(void *), void *arg,
                    const struct twini_proc_future *only, uint64_t target, int64_t deadline_ns);
/* ready() for: nothing is in flight. arg is the proc. */
bool twini_proc_is_quiet(void *proc);
/* Nobody will ever work here again: gives everything in flight an outcome. Once. Lock held. */
void twini_proc_break(struct twini_proc *proc);
/* Collects all that has an outcome. Lock held. */
void twini_proc_collect(struct twini_proc *proc);

/* ---- admission.c --------------------------------------------------------- */

static inline bool twini_proc_has_place(const struct twini_proc *proc)
{
    return proc->in_flight < proc->pool->options.max_pending;
}

/* For a submission: takes the lock, unless this is the only thread and will not have to wait (a tenth of
 * what a submission costs). Either is meant where  lock held  is said. Returns whether it was taken. */
static inline bool twini_proc_enter(struct twini_proc *proc)
{
    if (twini_has_one_thread() && twini_proc_has_place(proc))
        return false;
    pthread_mutex_lock(&proc->lock);
    return true;
}

static inline void twini_proc_leave(struct twini_proc *proc, bool locked)
{
    if (locked)
        pthread_mutex_unlock(&proc->lock);
}

/* There was no place, or no worker. */
int twini_proc_admit_late(struct twini_proc *proc, bool may_wait);

/* Before a submit, lock held: waits until fewer than max_pending calls are in flight, or returns
 * TWIN_EAGAIN. Returns 0; TWIN_ECLOSED shut down meanwhile: the pool is not to be touched once the
 * lock is dropped; TWIN_EWORKER the pool is broken. */
static inline int twini_proc_admit(struct twini_proc *proc, bool may_wait)
{
    return !proc->broken && twini_proc_has_place(proc) ? 0 : twini_proc_admit_late(proc, may_wait);
}
/* For the end, lock held: sends home all who wait for a place. */
void twini_proc_dismiss(struct twini_proc *proc);

/* ---- on-demand workers --------------------------------------------------- */

/* Sees to it that at least count workers are wanted. Lock held. */
void twini_proc_want(struct twini_proc *proc, uint32_t count);

/* ---- futures ------------------------------------------------------------- */

/* A future of a call, lock held; of a map, whose own part is the caller's to set. NULL: no memory. */
struct twini_proc_future *twini_proc_call_future(struct twini_proc *proc, size_t result_size);
struct twini_map_future *twini_proc_map_future(struct twin_pool *pool);
/* strategy->look, wait, cancel, land, free_future, cancel_pending, scope: the same for every proc
 * file. */
void twini_proc_look(struct twin_future *future);
int twini_proc_wait_for(struct twin_pool *pool, const struct twini_wait *wait);
void twini_proc_free_future(struct twin_future *future);

#endif
