/* twinpool/pool.h: worker pools, an executor and futures, each implemented twice behind one API.
 *
 * TWIN_PROC runs tasks in forked processes over shared memory; TWIN_OMP runs them in OpenMP
 * threads.
 *
 * Words used throughout:
 *   task      a function applied to one item; kernel, a function applied to a chunk of items
 *   worker    the process (proc) or the thread (omp) that runs tasks
 *   chunk     the consecutive items of a map that are handed out at once
 *   future    the caller's handle on a result that may not be there yet
 *   in place  said of memory from twin_alloc(): every worker sees it at the same address
 *   staged    said of any other memory: under proc it is copied through the arena, and counted
 *
 * Rules that hold for every function unless its comment says otherwise:
 *   Units     sizes are bytes; chunk, count and index are items; time-outs are nanoseconds on the
 *             monotonic clock, -1 waits for ever, 0 only looks.
 *   Returns   0, or a negative enum twin_error, never anything else.
 *   Safety    proc: any thread of the process that opened the pool may call. omp: only the thread
 *             that opened it (OpenMP gives each thread a team of its own). A worker may not call:
 *             TWIN_ENESTED. A forked child of the caller may not either: TWIN_EFORKED (after
 *             fork(); _Fork() tells nobody). What is known already may be read in both: a failure,
 *             the index of a block, the outcome of a future that has one.
 *   The library never prints unasked, exits, aborts, installs a signal handler in the caller's process,
 *   waits for children that are not its own, or leaves a thread of its own running there.
 *
 * Functions are ordinary pointers: workers are forked, never exec'd, so a function (or data) that
 * is loaded with dlopen(), or a global that is changed, after twin_pool_open() is not seen by
 * workers. */
#ifndef TWINPOOL_POOL_H
#define TWINPOOL_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The only list of errors: enumerator without its TWIN_E, value, text. */
#define TWIN_ERRORS(X)                                                                             \
    X(INVAL, 1, "invalid argument")                                                                \
    X(NOMEM, 2, "out of memory, or past the pool's shared_bytes")                                  \
    X(TIMEOUT, 3, "timed out: the caller stopped waiting")                                         \
    X(TASKTIMEOUT, 4, "timed out: the task was stopped")                                           \
    X(CANCELLED, 5, "cancelled")                                                                   \
    X(WORKER, 6, "a worker died while it ran the task")                                            \
    X(TASK, 7, "the task returned a code other than 0")                                            \
    X(CLOSED, 8, "the pool is shut down")                                                          \
    X(FORKED, 9, "the pool belongs to another process: it was opened before a fork")               \
    X(NESTED, 10, "called from a worker, or inside a parallel region or scope")                    \
    X(AGAIN, 11, "would have to wait")                                                             \
    X(NOTSUP, 12, "not supported by this backend")                                                 \
    X(SYSTEM, 13, "a system call failed: see twin_failure.sys_errno")                              \
    X(DONE, 14, "too late: the call has already started or ended")

enum twin_error {
    TWIN_OK = 0,
#define TWIN_ENUMERATOR(name, value, text) TWIN_E##name = -value,
    TWIN_ERRORS(TWIN_ENUMERATOR)
#undef TWIN_ENUMERATOR
};

enum twin_backend { TWIN_PROC, TWIN_OMP };

/* How an idle worker and a waiting caller wait. Under omp only TWIN_WAIT_ADAPTIVE: libgomp reads
 * OMP_WAIT_POLICY once, when the program starts. Workers of proc call membarrier(2), if it is allowed,
 * but for TWIN_WAIT_BLOCK: which is the choice under a filter (seccomp) that would kill them for it. */
enum twin_wait_policy {
    TWIN_WAIT_ADAPTIVE, /* spin for some microseconds, then sleep */
    TWIN_WAIT_BLOCK,    /* sleep on a semaphore at once */
    TWIN_WAIT_SPIN      /* never sleep while the pool is open */
};

/* Which CPUs workers run on. Only TWIN_BIND_NONE yet: others return TWIN_ENOTSUP. */
enum twin_bind { TWIN_BIND_NONE, TWIN_BIND_SPREAD, TWIN_BIND_PACKED };

/* Computes one item. result has result_size bytes, item is read only, context is the call's own.
 * Returns 0, or a code of its own (not a twin_error) that reaches the caller as
 * twin_failure.task_code. Under proc it runs in another process: globals that it writes are lost. It
 * may fork() there; a child that returns from it is ended then, a map's at the end of its chunk. */
typedef int twin_task(void *result, const void *item, void *context);

/* Computes count consecutive items: results[i] from items[i]. Returns as twin_task does; a failing
 * kernel is reported with the index of its chunk's first item. */
typedef int twin_kernel(void *results, const void *items, size_t count, void *context);

struct twin_pool;
struct twin_executor;
struct twin_future;
struct twin_iterator;
struct twin_completed;

/* Each 0 is the default; a NULL pointer to options means all defaults. An option that the backend
 * does not honour is TWIN_ENOTSUP, never ignored. */
struct twin_pool_options {
    enum twin_backend backend;
    unsigned workers; /* how many compute; 0: twin_usable_cpus(). proc: 1..1024, omp: 1..1024 */
    enum twin_wait_policy wait;
    enum twin_bind bind;
    size_t shared_bytes; /* most that twin_alloc and staging may hold; 0: as much as the system
                            reserves. Past it: TWIN_ENOMEM. */
    size_t max_pending;  /* calls in flight before apply_async waits; 0: 4096 */
    unsigned tasks_per_worker; /* proc: a worker is replaced after so many calls and chunks (the
                                   first ones after a part of them, each another); 0: never */
    unsigned
        retries; /* proc: how often a call or chunk is run again when its worker has died, before
                         it fails with TWIN_EWORKER; it must be repeatable, and results
                         must not overlap items. 0: never */
    int64_t
        task_timeout_ns; /* proc: a call, an item of a map or a chunk of a kernel that runs longer
                                is stopped with its worker: TWIN_ETASKTIMEOUT; up to 50 ms late. 0:
                                no limit. With one, a task must not close descriptors that are not
                                its own: the supervisor is woken by one */
    size_t worker_bytes; /* proc: memory that a worker may take (RLIMIT_DATA) on top of what it has
                            at its start; beyond it malloc() gives NULL. 0: no limit. Needs /proc, else
                            open fails with TWIN_ESYSTEM */
    int (*initializer)(void *); /* runs once in each worker before its first task; a code other than
                                   0 makes open fail with TWIN_ETASK. Changes of user or group
                                   belong here: after one in a task, its worker outlives a
                                   supervisor that is killed */
    void *initializer_arg;
};

/* One map call: results[i] = task(items[i]) for each i < count, in any order. */
struct twin_map {
    twin_task *task;     /* exactly one of task and kernel */
    twin_kernel *kernel; /* called once for each chunk */
    const void *context; /* handed to each call; must not be changed by tasks */
    size_t context_size; /* > 0: copied with the call. 0: the address itself is handed on; it must
                            be in place, or unchanged since open: workers do not see later writes */
    const void *items;   /* count * item_size bytes */
    size_t item_size;
    void *results; /* count * result_size bytes; unspecified after a failed map */
    size_t result_size;
    size_t count; /* 0 is fine and does nothing */
    size_t chunk; /* 0: automatic */
};

/* One call of a task. context as in struct twin_map; the item is always copied with the call. */
struct twin_call {
    twin_task *task;
    const void *context;
    size_t context_size;
    const void *item;
    size_t item_size;
    size_t result_size;
};

/* Where a stream's items come from. next writes one item to *item and returns 1, or returns 0 when
 * there are no more, or a negative code of its own when it failed. It is called in the process and
 * on the thread that uses the iterator, and may be endless. */
struct twin_source {
    int (*next)(void *item, void *arg);
    void *arg;
};

/* A stream: one result for each item of a source. */
struct twin_stream {
    twin_task *task;     /* exactly one of task and kernel */
    twin_kernel *kernel; /* called once for each chunk */
    const void *context; /* as in struct twin_map */
    size_t context_size;
    struct twin_source source;
    size_t item_size, result_size;
    size_t chunk; /* items that travel, succeed and fail together; 0: 1 */
    size_t ahead; /* items that are read before their turn, rounded up to whole chunks, and at most
                     max_pending chunks; 0: for each worker 1 MiB of items and results, but at
                     least 4 chunks and at most 128 */
};

/* What went wrong, in kinds that are never mixed. */
enum twin_failure_kind {
    TWIN_FAILURE_NONE,
    TWIN_FAILURE_TASK,   /* the task's own code: index, task_code */
    TWIN_FAILURE_WORKER, /* the death of a worker: index, pid, wait_status */
    TWIN_FAILURE_SYSTEM, /* a system call: sys_errno */
    TWIN_FAILURE_SOURCE  /* the code of a stream's source: index of the item it did not give,
                            task_code */
};

struct twin_failure {
    enum twin_failure_kind kind;
    size_t index;    /* lowest failing item; a kernel's is its chunk's first. 0 for a single call */
    int task_code;   /* what the task returned */
    pid_t pid;       /* the worker that died; 0: none had begun it when the last one was gone */
    int wait_status; /* as from waitpid(): read it with WIFSIGNALED, WTERMSIG, WEXITSTATUS */
    int sys_errno;
};

/* Counters since open. Always on. Read with twin_pool_stats(). */
struct twin_stats {
    uint64_t tasks;        /* items computed by single calls (apply, apply_async, submit) */
    uint64_t chunks;       /* chunks run by map and map_async */
    uint64_t claims;       /* successful claims of a run of calls, or of a chunk */
    uint64_t steals;       /* times a worker took part of another worker's range */
    uint64_t parks;        /* times a worker went to sleep */
    uint64_t wakes;        /* times a sleeping worker was woken by the caller */
    uint64_t caller_parks; /* times the caller went to sleep waiting */
    uint64_t staged_bytes; /* copied through the arena because memory was not in place */
    uint64_t inline_tasks; /* tasks that the submitting thread ran itself (omp) */
    uint64_t forks;        /* processes created, supervisor included, and the one that stands by:
                              asleep, once a worker had to be replaced, to take the next one's place */
    uint64_t restarts;     /* workers replaced after a death that nobody asked for */
    uint64_t stopped;      /* workers replaced after they were killed for a cancel or a time-out */
    uint64_t recycled;     /* workers replaced because of tasks_per_worker */
    uint64_t spins;        /* times a worker spun, waiting for work (proc) */
    size_t queue_depth;    /* calls and asynchronous maps in flight now: without an outcome */
    size_t chunk;          /* chunk of the last map, in items */
    unsigned workers;      /* workers that compute now */
};

/* Counters of one worker since open, as in struct twin_stats; they belong to its number, and stay when
 * it is replaced. Under omp a worker is a thread of the team: tasks, chunks and claims are counted,
 * all else is 0. Read with twin_pool_worker_stats(). */
struct twin_worker_stats {
    unsigned number;
    pid_t pid; /* proc: of the process that has the number now; 0: none */
    uint64_t tasks, chunks, claims, steals, parks, spins;
    uint64_t busy_ns; /* while it ran tasks, or looked for the next one */
    uint64_t idle_ns; /* while it waited for work, spinning or asleep */
    uint64_t restarts, stopped, recycled;
};

/* For twin_pool_print_stats(). */
enum twin_format {
    TWIN_TEXT, /* for people: a line for each counter of the pool, a table of workers */
    TWIN_JSON /* JSON lines: an object of the pool, {"record":"pool", ...}, then one of each worker,
                  {"record":"worker", ...}; members are named as the fields */
};

/* ---- pool ---------------------------------------------------------------- */

/* Opens a pool of workers and waits until each has started.
 * Ownership:  *pool is the caller's, to be ended by twin_pool_close(). options may go at once.
 * Visibility: under proc workers see memory as it is now, and later writes only in twin_alloc
 *             memory. stdout is flushed first, so that no buffered output is written twice; the
 *             thread's idle OpenMP team is ended first, so that tasks may use OpenMP.
 * Blocks:     until every worker has run its initializer.
 * Returns:    0; EINVAL (which also a NULL pool is); ENOTSUP an option is not honoured; ENOMEM;
 *             ESYSTEM fork or another call failed (errno tells); ETASK the initializer failed;
 *             ENESTED inside a worker or a parallel region. On error *pool is NULL, all undone. */
int twin_pool_open(struct twin_pool **pool, const struct twin_pool_options *options);

/* Applies the task (or kernel) to each item, and waits: the parallel form of
 * for (i < count) task(results + i, items + i). Under omp the caller is one of the workers; under
 * proc it sleeps, and of more workers than CPUs only as many run as there are CPUs, until tasks that
 * wait most of their time, or a chunk that takes more than some milliseconds, show that more can.
 * Ownership:  items and results stay the caller's; arrays in place are used where they are.
 * Blocks:     until the last chunk is done.
 * Returns:    0; ETASK the lowest failing index is in twin_pool_failure(), the same on both
 *             backends; EWORKER; EINVAL; ENOMEM for staging; ECLOSED; ENESTED; EFORKED. */
int twin_pool_map(struct twin_pool *pool, const struct twin_map *map);

/* Starts a map and hands back its future. proc: workers start at once; omp: chunks are tasks, kept
 * until the first wait unless inside twin_pool_scope().
 * Ownership:  *future is the caller's. items, results and a context of size 0 must live until the
 *             future is complete; staged results land in results at twin_future_result().
 * Blocks:     only while too many maps are in flight (proc: 8).
 * Returns:    as twin_pool_map() for what is known at once; the rest by the future. */
int twin_pool_map_async(struct twin_pool *pool, const struct twin_map *map,
                        struct twin_future **future);

/* Runs one call in a worker (omp: as a task, which the caller's own thread may pick up) and waits.
 * Returns:    0 and the result in result; ETASK; EWORKER; EINVAL; ENOMEM; ECLOSED; ENESTED. */
int twin_pool_apply(struct twin_pool *pool, const struct twin_call *call, void *result);

/* Submits one call and hands back its future. item, and a context of size > 0, are copied.
 * Blocks:     while max_pending calls are in flight. omp in a scope: also for as long as a task
 *             runs when it runs in the submitter: past 64 outstanding tasks a thread and, once that
 *             was so in this scope, while calls take less time than to defer them. So calls that wait
 *             for each other must stay below that, or want processes.
 * Returns:    as twin_pool_apply() for what is known at once; the rest by the future; ECLOSED also
 *             when another thread shuts the pool down, or terminates it, while this one waits. */
int twin_pool_apply_async(struct twin_pool *pool, const struct twin_call *call,
                          struct twin_future **future);

/* Submits as twin_pool_apply_async(), but does not wait: while max_pending calls are in flight it
 * does nothing at all.
 * Blocks:     never. (omp in a scope: still while the task runs in the submitter.)
 * Returns:    as twin_pool_apply_async(); EAGAIN max_pending calls are in flight. */
int twin_pool_try_apply_async(struct twin_pool *pool, const struct twin_call *call,
                              struct twin_future **future);

/* Runs body(pool, arg) on the calling thread with the pool's workers at hand; what body submitted
 * is complete when it returns. Under omp it opens the parallel region in which tasks can run while
 * body goes on; under proc it only waits at the end.
 * Returns:    0; ETASK body returned a code other than 0 (it is in twin_pool_failure()); ENESTED in
 *             a scope or a parallel region; ECLOSED; EFORKED. */
int twin_pool_scope(struct twin_pool *pool, int (*body)(struct twin_pool *, void *), void *arg);

/* Waits for all that was submitted, then ends the workers. Later calls get TWIN_ECLOSED; futures
 * stay readable. Calling it again is fine, and does not wait for another thread's call. */
int twin_pool_shutdown(struct twin_pool *pool);

/* Drops what has not started (TWIN_ECANCELLED); proc kills what runs (TWIN_EWORKER), omp waits for
 * it. Calling it after shutdown, or again, is fine. proc: while another thread waits in a shutdown, it
 * ends that wait. */
int twin_pool_terminate(struct twin_pool *pool);

/* Shuts down, then frees the pool. NULL is fine. In a forked child it only frees the child's copy.
 * Blocks of twin_alloc() and futures outlive it.
 * Safety:     no other thread may be inside a call of this pool, but for one that is blocked in a
 *             submit: that one is sent home first.
 * Returns:    as twin_pool_shutdown(); ENESTED in a callback of this pool, or in a scope. */
int twin_pool_close(struct twin_pool *pool);

/* Changes how many workers compute. More start at once; those that are too many leave when they have
 * ended what they run. proc: a map in flight keeps to the workers that it was begun with.
 * Blocks:     no.
 * Returns:    0; EINVAL not in 1..1024; ENESTED omp: also in a scope; ECLOSED; EFORKED. */
int twin_pool_resize(struct twin_pool *pool, unsigned workers);

/* Copies the last failure of a call on this pool that was not a future's. */
int twin_pool_failure(struct twin_pool *pool, struct twin_failure *failure);

/* Copies the counters. They are exact when nothing is in flight. */
int twin_pool_stats(struct twin_pool *pool, struct twin_stats *stats);

/* Copies the counters of one worker. Workers are numbered from 0, and the pool's counters are the sums
 * of theirs. Times include the period that lasts still; that in which a worker died is lost.
 * Returns:    0; EINVAL, which is also a number that no worker ever had; ENESTED; EFORKED. */
int twin_pool_worker_stats(struct twin_pool *pool, unsigned worker,
                           struct twin_worker_stats *stats);

/* Prints the counters of the pool and of each worker that ever was.
 * Ownership:  stream stays the caller's; it is not flushed.
 * Returns:    0; EINVAL; ESYSTEM the stream failed (errno tells); ENESTED; EFORKED. */
int twin_pool_print_stats(struct twin_pool *pool, FILE *stream, enum twin_format format);

/* ---- memory -------------------------------------------------------------- */

/* Reserves a block of zeroed memory that all workers of this pool see in place.
 * Ownership:  the caller's, until twin_free(); it stays valid after twin_pool_close().
 * Returns:    the block, aligned to 64 bytes (to a page when it is one page or more); NULL with
 *             errno ENOMEM past shared_bytes, EINVAL for size 0 or NULL, EPERM in a worker or a
 *             forked child. Pages take memory when first touched; a full memory cgroup kills. */
void *twin_alloc(struct twin_pool *pool, size_t size);

/* Gives a block back, and its memory to the system. NULL is fine. A pointer that is not a block's
 * start is ignored, as is a call in a worker. */
void twin_free(void *block);

/* ---- futures ------------------------------------------------------------- */

enum twin_future_state {
    TWIN_PENDING, /* not started: can be cancelled */
    TWIN_RUNNING,
    TWIN_SUCCEEDED,
    TWIN_FAILED,
    TWIN_CANCELLED
};

enum twin_wait_for { TWIN_ALL, TWIN_FIRST, TWIN_FIRST_FAILURE };

/* Waits for the outcome. result may be NULL; it gets result_size bytes of a single call (the
 * results of a map land in the array given with it). May be called again: the answer stays.
 * Returns:    0 succeeded; ETIMEOUT no outcome in time, and the call goes on; ETASK, EWORKER,
 *             ESYSTEM: see twin_future_failure(); ECANCELLED; ENESTED in a worker (waiting there
 *             could wait for itself). */
int twin_future_result(struct twin_future *future, void *result, int64_t timeout_ns);

/* Looks, without waiting or starting anything. Returns an enum twin_future_state. */
enum twin_future_state twin_future_state(struct twin_future *future);

/* Takes back a call that has not started. Under proc it also stops one that runs, or a map, by
 * killing the workers that run it; others do not notice, and they are replaced.
 * Blocks:     proc: until what ran has ended, some milliseconds.
 * Returns:    0 cancelled, now or before; EDONE it has another outcome; ENOTSUP omp: it is running,
 *             and a thread cannot be stopped. */
int twin_future_cancel(struct twin_future *future);

/* Copies what went wrong with this call; kind is TWIN_FAILURE_NONE when nothing did (yet). */
int twin_future_failure(struct twin_future *future, struct twin_failure *failure);

/* Gives the handle up. NULL is fine. A call in flight goes on, and its result is dropped.
 * Safety:     omp: only on the thread that opened the pool. */
void twin_future_release(struct twin_future *future);

/* Waits until all, the first, or the first failed of count futures of one pool have an outcome.
 * NULL entries and duplicates are fine. TWIN_FIRST_FAILURE also returns when all have succeeded.
 * Returns:    0; ETIMEOUT; EINVAL; ENESTED. */
int twin_futures_wait(struct twin_future *const *futures, size_t count, enum twin_wait_for what,
                      int64_t timeout_ns);

/* Makes an iterator that hands futures out as they complete: those that have an outcome already
 * first, in the order given. NULL entries are left out, duplicates are given once.
 * Ownership:  *it is the caller's. The futures stay his, and must not be released before they were
 *             handed out or the iterator was released; the array may go at once.
 * Blocks:     never.
 * Safety:     one thread at a time uses an iterator.
 * Returns:    0; EINVAL, which futures of two pools also are; ENOMEM; ENESTED; EFORKED; omp:
 *             ENOTSUP on another thread. */
int twin_as_completed(struct twin_completed **it, struct twin_future *const *futures, size_t count);

/* Waits for the next future to have an outcome; *future is NULL after the last.
 * Blocks:     until one has, or the time is over.
 * Returns:    0; ETIMEOUT (may be called again); EINVAL; ENESTED; EFORKED. */
int twin_completed_next(struct twin_completed *it, struct twin_future **future, int64_t timeout_ns);

/* Gives the iterator up; the futures are left as they are. NULL is fine. */
void twin_completed_release(struct twin_completed *it);

/* What twin_future_then() calls. future has an outcome, arg is as it was given. */
typedef void twin_callback(struct twin_future *future, void *arg);

/* Has call(future, arg) run once when the future has its outcome, whatever that is. It runs on the
 * thread of a caller that waits (for a result, several, the next of an iterator, the end of a
 * scope, shutdown, terminate, close), as soon as that wait notices the outcome; a map and an apply
 * run what is due when they return, but look out for no calls but their own. It never runs on a
 * thread of the library's own. When there is an outcome already it runs before this returns. The
 * callbacks of one future run in the order of registration.
 *   A callback holds no lock. It may read the result, release the handle, submit, register more
 * callbacks and wait; while one waits, no other callback runs: what comes due meanwhile runs after
 * it has returned, so callbacks never nest (but where one registers a callback for what is complete
 * already), and one must not wait for what only another callback would bring about. It may shut its
 * pool down, not close it: TWIN_ENESTED.
 *   Submitting is no wait: without waits callbacks stay due. (A submit that finds as many due as
 * max_pending runs them, so that memory stays bounded.)
 * Blocks:     only while call runs, if it runs at once.
 * Safety:     proc: of several threads that wait, one runs what is due, one callback at a time; the
 *             others may return before it has. A future that outlives its pool keeps working.
 * Returns:    0; EINVAL; ENOMEM; ENESTED in a worker; EFORKED; omp: ENOTSUP on another thread. */
int twin_future_then(struct twin_future *future, twin_callback *call, void *arg);

/* ---- executor ------------------------------------------------------------ */

/* Opens an executor: a pool whose workers start on demand, one future per submit. Options as for
 * twin_pool_open(); workers is the most that will ever be started. proc: it does not wait for one, so where
 * none can be had (fork, the initializer or a limit fails) it is the calls that get TWIN_EWORKER. */
int twin_executor_open(struct twin_executor **executor, const struct twin_pool_options *options);

/* Submits one call; starts a worker if none is idle and there are fewer than workers.
 * The future can be cancelled until a worker begins it. Otherwise as twin_pool_apply_async(). */
int twin_executor_submit(struct twin_executor *executor, const struct twin_call *call,
                         struct twin_future **future);

/* Submits as twin_executor_submit(), or returns EAGAIN while max_pending calls wait or run.
 * Blocks:     never. */
int twin_executor_try_submit(struct twin_executor *executor, const struct twin_call *call,
                             struct twin_future **future);

/* Submits a map and hands back an iterator over its results in order. Arrays as for map_async.
 * chunk 0 is automatic (CPython's default is 1: ask for it to see what it costs). */
int twin_executor_map(struct twin_executor *executor, const struct twin_map *map,
                      struct twin_iterator **iterator);

/* Takes no more; waits for what is in flight, with cancel_pending only for what has started. */
int twin_executor_shutdown(struct twin_executor *executor, int cancel_pending);

/* Shuts down, then frees. NULL is fine. */
int twin_executor_close(struct twin_executor *executor);

/* Returns the pool beneath: for twin_alloc(), twin_pool_scope(), twin_pool_stats() and
 * twin_pool_failure(). It is the executor's own: do not close it. */
struct twin_pool *twin_executor_pool(struct twin_executor *executor);

/* ---- iterators ----------------------------------------------------------- */

/* Starts a stream: reads items from its source, and hands back an iterator over the results in the
 * order of the items. Not more than ahead items are read before their results are due, so a source
 * may be endless, and memory is bounded. It is read in this call and in twin_iterator_next(), as far
 * as it may be: where items come slowly, ask for a small ahead. For an executor:
 * twin_pool_imap(twin_executor_pool(executor), ...).
 * Ownership:  *iterator is the caller's. The stream may go at once, source.arg and a context of size
 *             0 when the iterator is released.
 * Blocks:     while the source does; and for a place, if max_pending other calls are in flight.
 * Safety:     one thread at a time uses an iterator. The source may use the pool, not the iterator.
 * Returns:    0; EINVAL; ENOMEM; ECLOSED; EWORKER no worker is left and none can be had; ENESTED; EFORKED;
 *             omp: ENOTSUP on another thread. */
int twin_pool_imap(struct twin_pool *pool, const struct twin_stream *stream,
                   struct twin_iterator **iterator);

/* Starts a stream as twin_pool_imap(), and hands results out as they come: twin_iterator_index()
 * tells whose they are. */
int twin_pool_imap_unordered(struct twin_pool *pool, const struct twin_stream *stream,
                             struct twin_iterator **iterator);

/* Waits for the next chunk: in order, but of twin_pool_imap_unordered() whichever is done. *results
 * points at its first result, *count is how many there are; both are 0 after the last.
 * Ownership:  of a map the results are those of its own array; of a stream they are the iterator's,
 *             and stay until the next call.
 * Blocks:     until there is one, or the time is over; and while the stream's source does.
 * Returns:    0; ETIMEOUT (may be called again); ETASK, EWORKER and so on for this chunk: a map's
 *             iterator then is at its end. A stream goes on: the results of that chunk alone are
 *             lost; its source's failure (TWIN_FAILURE_SOURCE) is told once, after the results of
 *             all that was read, and then comes the end, as after an EWORKER because no worker is left
 *             and none can be had; ECLOSED: all that was in flight when its
 *             pool was shut down has been given; ENOMEM: no room for what was read, may be called
 *             again. */
int twin_iterator_next(struct twin_iterator *iterator, const void **results, size_t *count,
                       int64_t timeout_ns);

/* Tells the index of the first item of the block that twin_iterator_next() gave, or failed for, last:
 * items are counted from 0. It is what tells results of twin_pool_imap_unordered() apart.
 * Returns:    0; EINVAL. */
int twin_iterator_index(struct twin_iterator *iterator, size_t *index);

/* Copies the cause of the last error of twin_iterator_next(). */
int twin_iterator_failure(struct twin_iterator *iterator, struct twin_failure *failure);

/* Gives the iterator up, which must be done before its pool or executor is closed; chunks that have not
 * started are cancelled, running ones are waited for. NULL is fine. */
void twin_iterator_release(struct twin_iterator *iterator);

/* ---- without a pool ------------------------------------------------------ */

/* Runs the map in one plain loop: what all others are compared with. A failure goes to *failure,
 * which may be NULL.
 * Safety:     any thread may call, a worker and a forked child too. */
int twin_sequential_map(const struct twin_map *map, struct twin_failure *failure);

/* What became of a spawn. */
struct twin_spawn_report {
    size_t started;    /* workers that were started in all */
    size_t most_alive; /* largest number alive at once */
    struct twin_failure failure;
};

struct twin_spawn_options {
    enum twin_backend backend;
    size_t batch; /* workers alive at once; 0: 2 * twin_usable_cpus(); SIZE_MAX: no bound */
    void (*progress)(size_t started, void *arg); /* called after each start (omp: each batch); may
                                                    be NULL */
    void *progress_arg;
};

/* Starts a fresh worker for each item (proc: fork, omp: a new thread), batch at a time: the
 * strategy of the textbook. It is here to be measured, not recommended. Chunk is ignored; arrays
 * may lie in any memory. Unbounded, under omp, libgomp ends the process when a thread cannot be
 * started: run it in a child. report may be NULL.
 * Returns:    0; ETASK; EWORKER; ESYSTEM (fork failed: report->failure.sys_errno); EINVAL; ENOMEM;
 *             ENESTED. */
int twin_spawn_map(const struct twin_spawn_options *options, const struct twin_map *map,
                   struct twin_spawn_report *report);

/* ---- the rest ------------------------------------------------------------ */

/* Returns how many CPUs this process may really use, at least 1: the affinity mask, cut by a cgroup
 * v1 or v2 quota (rounded up); TWINPOOL_CPUS in the environment, if a number from 1 to 4096, wins.
 * Safety:     any thread may call, a worker and a forked child too. */
unsigned twin_usable_cpus(void);

/* Returns the chunk that map chooses by itself for this many items and workers.
 * Safety:     any thread may call, a worker and a forked child too. */
size_t twin_automatic_chunk(size_t count, unsigned workers);

/* Returns CPython's rule, ceil(count / (4 * workers)), at least 1.
 * Safety:     any thread may call, a worker and a forked child too. */
size_t twin_cpython_chunk(size_t count, unsigned workers);

/* Returns a constant text for an enum twin_error; never NULL.
 * Safety:     any thread may call, a worker and a forked child too. */
const char *twin_strerror(int error);

#ifdef __cplusplus
}
#endif
#endif
