/* strategy.h: the contract that both twins fulfil, in prose, and the table through which pool.c
 * calls them.
 *
 * A strategy is written twice: NAME_proc.c on forked processes and shared memory, NAME_omp.c on
 * OpenMP. The files stand side by side: same banners, same order of functions. pool.c checks
 * arguments, life cycle, fork and nesting once for both; after open nothing asks which backend it
 * is.
 *
 * pre (every entry but open):  the pool is open; the caller is not a worker, not in a forked child;
 *                              arguments are complete and sane (counts times sizes do not
 * overflow). post:                        0 or a negative twin_error; for a failed call that has no
 * future the cause was given to twini_pool_fail(). */
#ifndef TWINI_STRATEGY_H
#define TWINI_STRATEGY_H

#include "twinpool/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct twini_arena;
struct twini_hook;

enum twini_phase { TWINI_OPEN, TWINI_SHUT };

/* What a waiter waits for. Complete is  ready(arg) ; only, if not NULL, says that ready is just
 * "this future has an outcome", so that a twin may wait for that alone, or run it itself. */
struct twini_wait {
    bool (*ready)(void *arg);
    void *arg;
    struct twin_future *only;
    int64_t deadline_ns; /* monotonic clock; INT64_MAX: none */
};

struct twini_strategy {
    /* Makes the engine and the arena, and starts the workers (pool->on_demand: none yet). On failure
     * nothing is left behind but the arena, maybe, which pool.c closes. */
    int (*open)(struct twin_pool *pool);
    int (*map)(struct twin_pool *pool, const struct twin_map *map);
    int (*map_async)(struct twin_pool *pool, const struct twin_map *map,
                     struct twin_future **future);
    int (*apply)(struct twin_pool *pool, const struct twin_call *call, void *result);
    /* While max_pending calls are in flight: waits, or if it may not returns TWIN_EAGAIN. */
    int (*apply_async)(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                       struct twin_future **future);
    int (*scope)(struct twin_pool *pool, int (*body)(struct twin_pool *, void *), void *arg);

    int (*executor_submit)(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                           struct twin_future **future);
    int (*executor_map)(struct twin_pool *pool, const struct twin_map *map,
                        struct twin_iterator **iterator);

    /* Brings the future's state up to date, without waiting and without starting anything. */
    void (*look)(struct twin_future *future);
    /* Marks the future as watched, so that who finishes it fires its hooks (future.h); again is
     * fine. The mark and the finish must not cross: a twin whose futures are finished under a lock
     * takes it; else it moves the state by compare-and-swap. Returns 0; TWIN_EDONE: it has an
     * outcome; or why this thread may not. */
    int (*watch)(struct twin_future *future);
    /* Fires the hooks of futures whose finisher could not know of the mark; NULL: there are none.
     */
    void (*notice)(struct twin_pool *pool);
    /* Waits until ready, or returns TWIN_ETIMEOUT. */
    int (*wait)(struct twin_pool *pool, const struct twini_wait *wait);
    /* As twin_future_cancel(). */
    int (*cancel)(struct twin_future *future);
    /* The future succeeded and its owner asks for the result: moves what is staged. */
    void (*land)(struct twin_future *future);
    /* The last reference is gone, and the future has an outcome: frees it. */
    void (*free_future)(struct twin_future *future);

    /* Cancels all that has not started (for executor shutdown). */
    void (*cancel_pending)(struct twin_pool *pool);
    /* Every future has an outcome and every worker is gone when these return. Each is called once
     * at most, and only one of the two; but for TWIN_ENESTED and TWIN_ENOTSUP (omp: in a scope,
     * from another thread), which leave the pool as it was. */
    int (*shutdown)(struct twin_pool *pool);
    int (*terminate)(struct twin_pool *pool);
    /* Frees the engine. After shutdown or terminate; also in a forked child, where it must not
     * touch what the parent still uses. */
    void (*free)(struct twin_pool *pool);
    /* As twin_pool_resize(). */
    int (*resize)(struct twin_pool *pool, unsigned workers);
    bool has_processes; /* workers that can be killed, limited, timed out and replaced */
    void (*stats)(struct twin_pool *pool, struct twin_stats *stats);
    /* TWIN_EINVAL: there never was a worker of that number. */
    int (*worker_stats)(struct twin_pool *pool, unsigned worker, struct twin_worker_stats *stats);
};

extern const struct twini_strategy twini_proc_strategy; /* async_proc.c and its brothers */
extern const struct twini_strategy twini_omp_strategy;

struct twin_pool {
    const struct twini_strategy *strategy;
    struct twin_pool_options options; /* resolved: workers and max_pending are not 0 */
    bool on_demand;                   /* workers start when there is work: an executor */
    unsigned long fork_epoch;         /* twini_fork_epoch when it was opened */
    _Atomic int phase;                /* enum twini_phase; moved by shutdown and terminate */
    _Atomic bool shuts;               /* a shutdown waits for what was submitted */
    _Atomic unsigned scopes;          /* calls of twin_pool_scope() that are inside */
    struct twini_arena *arena;
    void *engine; /* the backend's own */
    pthread_mutex_t failure_lock;
    struct twin_failure failure;
    /* callback.c: callbacks whose future has an outcome, newest first; how many; whether a thread
     * runs them now; how many are registered and have not run */
    struct twini_hook *_Atomic due;
    _Atomic size_t due_count;
    _Atomic bool delivering;
    _Atomic size_t callbacks;
};

/* An iterator's common head; its makers (executor map of each twin, imap.c) embed it. */
struct twin_iterator {
    struct twin_pool *pool;
    const struct twini_strategy *strategy;
    /* As twin_iterator_next() and _release(). next sets index, too. */
    int (*next)(struct twin_iterator *iterator, const void **results, size_t *count,
                int64_t deadline_ns);
    void (*release)(struct twin_iterator *iterator);
    size_t index; /* first item of the last block */
    int error;    /* what ended it early, or 0 */
    struct twin_failure failure;
};

/* Number of forks between this process and the first one that used the library. A pool whose epoch
 * differs was opened by an ancestor. */
extern unsigned long twini_fork_epoch;

/* True while the calling thread runs a task, or is a worker process. Set by the twins. */
extern _Thread_local bool twini_inside_task;

/* Opens a pool on a given strategy: twin_pool_open() without the choice. For the control arm. */
int twini_pool_open_with(struct twin_pool **pool, const struct twin_pool_options *options,
                         const struct twini_strategy *strategy, bool on_demand);
int twini_executor_open_with(struct twin_executor **executor,
                             const struct twin_pool_options *options,
                             const struct twini_strategy *strategy);

const struct twini_strategy *twini_choose(const struct twin_pool_options *options);

/* What is asked of every call: may it be made at all? */
int twini_enter(struct twin_pool *pool);
/* Is this map, this call, complete and sane? 0 or TWIN_EINVAL. */
int twini_check_map(const struct twin_map *map);
/* The same, and does this pool's option retries allow it? */
int twini_check_map_on(const struct twin_pool *pool, const struct twin_map *map);
int twini_check_call(const struct twin_call *call);
/* All that is asked before a submit, of pool, call and future (which becomes NULL). */
int twini_before_submit(struct twin_pool *pool, const struct twin_call *call,
                        struct twin_future **future);
/* Whether shutdown or terminate refused the caller (in a scope, of a thread or a callback that may
 * not), and so did nothing. */
bool twini_is_refusal(int error);

/* ---- callback.c ------------------------------------------------------------ */

/* As strategy->wait, and runs callbacks as they come due: whatever is waited for. */
int twini_wait(struct twin_pool *pool, const struct twini_wait *wait);
/* Runs the callbacks that are due, unless a thread (this one, further out) is about it. */
void twini_run_due(struct twin_pool *pool);
/* For submitters, who do not wait: the same, when so many are due that they take more memory than
 * max_pending calls. */
void twini_bound_due(struct twin_pool *pool);
/* Gives up those that are due, unrun: in a forked child. */
void twini_drop_due(struct twin_pool *pool);
/* Whether any callback is registered that has not run: it may release what is waited for. */
static inline bool twini_has_callbacks(const struct twin_pool *pool)
{
    /* relaxed: one that another thread registers now may as well have come later */
    return atomic_load_explicit(&pool->callbacks, memory_order_relaxed) != 0;
}

/* Ends the calling thread's idle OpenMP team (omp_runtime.c), so that a child forked now may use
 * OpenMP: it would hang otherwise (GCC PR 60035). The program's next region starts a new team. */
void twini_omp_rest(void);

/* Records why a call without a future failed, and returns error. */
int twini_pool_fail(struct twin_pool *pool, int error, const struct twin_failure *failure);

/* The same for a failed system call, from errno. Returns TWIN_ESYSTEM. */
int twini_pool_fail_errno(struct twin_pool *pool);

#endif
