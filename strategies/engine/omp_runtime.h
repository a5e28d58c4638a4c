/* omp_runtime.h: the caller's side of an omp pool, and what the *_omp.c files share.
 *
 * struct twini_omp belongs to the thread that opened the pool: OpenMP gives each thread a team of
 * its own, so only that thread may call, and it needs no lock. Threads of the team touch only what
 * says so below. Three places a call can be in:
 *
 * - kept: submitted outside of a scope; nothing runs it yet, and the list is the caller's
 * - flying: an OpenMP task points at it; the list is still the caller's, only the job is shared
 * - queued: in the executor's queue (executor_omp.c), where worker tasks take it from */
#ifndef TWINI_OMP_RUNTIME_H
#define TWINI_OMP_RUNTIME_H

#include "engine/future.h"
#include "engine/plan.h"

#include <stdalign.h>

/* A map that is being run: what its chunks share. Lives in map_omp.c. */
struct twini_omp_chunks {
    struct twin_map map; /* a copy: the caller's may go */
    struct twini_plan plan;
    struct twini_omp *omp;
    alignas(64) _Atomic size_t next;   /* first chunk that nobody has claimed */
    alignas(64) _Atomic size_t lowest; /* lowest item known to have failed; SIZE_MAX: none */
    int code;                          /* of that item; written under a critical section */
};

/* A single call's future, or the head of a map's. Copies of item and context lie behind it. What is
 * needed of a call that runs at once stands in the first two cache lines. */
struct twini_omp_job {
    struct twin_future future; /* first: the owner's handle is the same address */
    struct twini_omp_job *next;
    struct twini_omp *omp;
    bool small;           /* of a slab */
    bool unmarked;        /* in omp->unmarked */
    _Atomic size_t tasks; /* that still point here; each lets go as the last thing it does */
    struct twini_omp_job *next_unmarked;
    twin_task *task;
    void *context;
    const void *item;
};

struct twini_omp_list {
    struct twini_omp_job *first, *last;
    size_t count;
};

/* What one thread of the team counts; written by that thread alone, read by the caller. */
struct twini_omp_lane {
    alignas(64) _Atomic uint64_t tasks;
    _Atomic uint64_t chunks;
    _Atomic uint64_t claims;
    _Atomic uint64_t
        ended; /* deferred OpenMP tasks, whatever they found to do: see struct twini_omp_gate */
};

/* Whether a call becomes a deferred task or runs at once; the caller's alone. async_omp.c. */
struct twini_omp_gate {
    uint64_t deferred; /* tasks so far */
    uint64_t ended;    /* of them, when the lanes were looked at last */
    bool shut;
    uint64_t passed;          /* calls since it was opened or shut last */
    int64_t since_ns;         /* when that was */
    int64_t defer_ns, run_ns; /* what a call took, when last it was open, and shut */
};

struct twini_omp {
    struct twin_pool *pool;
    pthread_t opener;
    unsigned team; /* threads, the caller included; 0: not started yet */
    int level;     /* nesting that calls must come from: 0, or 1 in the scope's body */
    bool in_scope;
    int broken; /* why the team could not be started, for good; or 0 */
    struct twin_failure broken_failure;
    int dynamic; /* the caller's OMP_DYNAMIC, while a region of ours runs */
    struct twini_omp_list kept, flying, queued;
    struct twini_omp_list outrun; /* were flying; have an outcome, but a task comes yet */
    struct twini_omp_gate gate;
    struct twini_omp_job *unmarked; /* watched when they ran already: omp_watch.c */
    struct twini_omp_job *spare;    /* of the slabs; omp_job.c */
    struct twini_omp_slab *slabs;
    size_t users;                         /* the pool and each job; whoever is last frees this */
    struct twini_omp_queue *queue;        /* executor_omp.c; NULL until the first submit */
    struct twini_omp_iterator *iterators; /* executor_omp.c; those that are not complete */
    unsigned lane_count;
    struct twini_omp_lane *lanes;         /* one for each thread of the team */
    uint64_t inline_chunks, caller_parks; /* chunk tasks run by the caller; its naps */
    size_t last_chunk;
    _Atomic bool stop; /* written by the caller, read by tasks: what has not started stays kept */
};

/* ---- omp_runtime.c ------------------------------------------------------------------------ */

/* May this thread call now? 0; TWIN_ENESTED in a parallel region that is not our scope;
 * TWIN_ENOTSUP from a thread that did not open the pool (only proc can do that). */
int twini_omp_enter(const struct twini_omp *omp);
/* strategy->resize: omp_resize.c */
int twini_omp_resize(struct twin_pool *pool, unsigned workers);
/* Each region of the pool lies between these two. begin starts the team if there is none. */
int twini_omp_begin(struct twini_omp *omp);
void twini_omp_end(struct twini_omp *omp);
/* As strategy->wait, for a caller who stands inside the region. */
int twini_omp_linger(struct twini_omp *omp, const struct twini_wait *wait);
/* Sleeps a little, and longer each time: *pause starts at 0. Not past the deadline. */
void twini_omp_relax(struct twini_omp *omp, unsigned *pause, int64_t deadline_ns);

/* Without a deadline the clock is not read. */
static inline bool twini_omp_is_past(int64_t deadline_ns)
{
    return deadline_ns != INT64_MAX && twini_now_ns() >= deadline_ns;
}

/* The calling thread's counters, and a plain increment: there is one writer only. */
struct twini_omp_lane *twini_omp_lane(struct twini_omp *omp);
static inline void twini_omp_count(_Atomic uint64_t *counter)
{
    /* relaxed: counters order nothing */
    uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, old + 1, memory_order_relaxed);
}

/* Asked by a task before it begins a call: should the rest stay kept? */
static inline bool twini_omp_stopped(struct twini_omp *omp)
{
    /* relaxed: seeing it late means one more call that runs now rather than later */
    return atomic_load_explicit(&omp->stop, memory_order_relaxed);
}

/* ---- omp_job.c ---------------------------------------------------------------------------- */

/* A job with copies of item and context, referenced by owner and engine; NULL: out of memory.
 * at_once: it is run before the submitter's call returns, so his item need not be copied. */
struct twini_omp_job *twini_omp_job_make(struct twini_omp *omp, const struct twin_call *call,
                                         bool at_once);
/* Runs a single call if nobody has begun or cancelled it. */
void twini_omp_job_run(struct twini_omp_job *job);
/* The caller runs one that nobody else knows of, and gives up the engine's reference. */
void twini_omp_job_run_at_once(struct twini_omp_job *job);
/* A task's last use of the job. */
void twini_omp_job_let_go(struct twini_omp_job *job);
void twini_omp_free_future(struct twin_future *future);
/* The pool, or a job, does without it. */
void twini_omp_release(struct twini_omp *omp);

void twini_omp_push(struct twini_omp_list *list, struct twini_omp_job *job);
struct twini_omp_job *twini_omp_pop(struct twini_omp_list *list);
/* Gives up the engine's reference to jobs at the front (or all) that nothing will touch again. */
void twini_omp_retire(struct twini_omp_list *list, bool all);
/* Moves jobs that have an outcome from one list to the other. */
void twini_omp_set_aside(struct twini_omp_list *list, struct twini_omp_list *outrun);
/* Gives it up for all: each has an outcome, or never will. */
void twini_omp_drop(struct twini_omp_list *list);

/* ---- omp_watch.c -------------------------------------------------------------------------- */

/* strategy->watch and notice. */
int twini_omp_watch(struct twin_future *future);
void twini_omp_notice(struct twin_pool *pool);

/* ---- map_omp.c ---------------------------------------------------------------------------- */

int twini_omp_map(struct twin_pool *pool, const struct twin_map *map);
void twini_omp_chunks_init(struct twini_omp_chunks *run, struct twini_omp *omp,
                           const struct twin_map *map);
/* Runs one chunk, unless an item below it is known to have failed. */
void twini_omp_chunk_run(struct twini_omp_chunks *run, size_t index);
/* Claims the next chunk. False when all are claimed. */
bool twini_omp_chunk_claim(struct twini_omp_chunks *run, size_t *index);
/* The outcome of items [0, end), once their chunks are done: 0 or TWIN_ETASK with its failure. */
int twini_omp_chunks_outcome(const struct twini_omp_chunks *run, size_t end,
                             struct twin_failure *failure);

/* ---- apply_omp.c -------------------------------------------------------------------------- */

int twini_omp_apply(struct twin_pool *pool, const struct twin_call *call, void *result);

/* ---- async_omp.c -------------------------------------------------------------------------- */

int twini_omp_apply_async(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                          struct twin_future **future);
int twini_omp_map_async(struct twin_pool *pool, const struct twin_map *map,
                        struct twin_future **future);
/* The caller works too: runs a single call, or a chunk of a map. False: nothing more of it is left.
 */
bool twini_omp_job_step(struct twini_omp_job *job);
/* Cancels a call, or a whole map, that has not started. True if this call did it. */
bool twini_omp_job_cancel(struct twini_omp_job *job);
/* Inside a region: turns what is kept into tasks. Stops early when wait (may be NULL) is over. */
void twini_omp_launch_kept(struct twini_omp *omp, const struct twini_wait *wait);
/* Outside of a scope: opens a region for all that is kept. wait NULL, or without a deadline: runs
 * all of it. With a deadline: until it is over; the rest stays kept. */
int twini_omp_run_kept(struct twini_omp *omp, const struct twini_wait *wait);
/* Inside the region: runs and waits for all that was submitted. */
void twini_omp_complete(struct twini_omp *omp);

/* ---- executor_omp.c ----------------------------------------------------------------------- */

int twini_omp_submit(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                     struct twin_future **future);
int twini_omp_executor_map(struct twin_pool *pool, const struct twin_map *map,
                           struct twin_iterator **iterator);
bool twini_omp_executor_idle(const struct twini_omp *omp);
/* Inside a region: starts worker tasks for what is queued, and for open iterators. */
void twini_omp_executor_launch(struct twini_omp *omp);
/* The caller runs this call off the queue, if it is the next there: so nothing of it stays behind. */
bool twini_omp_executor_run_next(struct twini_omp *omp, struct twini_omp_job *job);
/* A waiting caller works too: runs one call off the queue or, in a team of one, where nobody else
 * would, a chunk of an open map. False: there is nothing. */
bool twini_omp_executor_step(struct twini_omp *omp);
/* The caller works until queue and iterators are empty (workers may still run the last ones). */
void twini_omp_executor_drain(struct twini_omp *omp);
/* Ends all that has not started: TWIN_ECANCELLED, or why the team could not be started. */
void twini_omp_executor_fail(struct twini_omp *omp, int error);
void twini_omp_executor_free(struct twini_omp *omp);

#endif
