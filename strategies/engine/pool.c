/* pool.c: argument checks and life cycle, once for both backends.
 *
 * A public call passes through twini_enter(), which answers for the pool as a whole: NULL, forked,
 * nested, closed. Then its arguments are checked, then the backend's table (strategy.h) does the
 * work. After open nothing here asks which backend it is. */
#include "engine/arena.h"
#include "engine/future.h"
#include "engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORKERS = 1024, DEFAULT_PENDING = 4096, MOST_PENDING = 1 << 20 };

unsigned long twini_fork_epoch;
_Thread_local bool twini_inside_task;

static void count_fork(void)
{
    twini_fork_epoch++;
    twini_arena_after_fork();
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

/* ---- failures ------------------------------------------------------------ */

int twini_pool_fail(struct twin_pool *pool, int error, const struct twin_failure *failure)
{
    pthread_mutex_lock(&pool->failure_lock);
    pool->failure = *failure;
    pthread_mutex_unlock(&pool->failure_lock);
    return error;
}

int twini_pool_fail_errno(struct twin_pool *pool)
{
    struct twin_failure failure = {.kind = TWIN_FAILURE_SYSTEM, .sys_errno = errno};
    return twini_pool_fail(pool, TWIN_ESYSTEM, &failure);
}

int twin_pool_failure(struct twin_pool *pool, struct twin_failure *failure)
{
    if (!pool || !failure)
        return TWIN_EINVAL;
    pthread_mutex_lock(&pool->failure_lock);
    *failure = pool->failure;
    pthread_mutex_unlock(&pool->failure_lock);
    return 0;
}

/* ---- open ---------------------------------------------------------------- */

static int check_options(const struct twin_pool_options *options,
                         const struct twini_strategy *strategy)
{
    if (options->backend > TWIN_OMP || options->wait > TWIN_WAIT_SPIN ||
        options->bind > TWIN_BIND_PACKED || options->workers > MOST_WORKERS ||
        options->max_pending > MOST_PENDING)
        return TWIN_EINVAL;
    if (options->task_timeout_ns < 0)
        return TWIN_EINVAL;
    if (options->bind != TWIN_BIND_NONE ||
        (!strategy->has_processes && (options->tasks_per_worker || options->retries ||
                                      options->task_timeout_ns || options->worker_bytes)))
        return TWIN_ENOTSUP;
    return 0;
}

int twini_pool_open_with(struct twin_pool **opened, const struct twin_pool_options *options,
                         const struct twini_strategy *strategy, bool on_demand)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const struct twin_pool_options defaults;
    if (!opened)
        return TWIN_EINVAL;
    *opened = NULL;
    if (!options)
        options = &defaults;
    int error = check_options(options, strategy);
    if (error)
        return error;
    if (twini_inside_task)
        return TWIN_ENESTED;
    pthread_once(&once, watch_forks);

    struct twin_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return TWIN_ENOMEM;
    pool->strategy = strategy;
    pool->options = *options;
    if (pool->options.workers == 0)
        pool->options.workers = twin_usable_cpus();
    if (pool->options.max_pending == 0)
        pool->options.max_pending = DEFAULT_PENDING;
    pool->on_demand = on_demand;
    pool->fork_epoch = twini_fork_epoch;
    pthread_mutex_init(&pool->failure_lock, NULL);
    error = strategy->open(pool);
    if (error) {
        int saved_errno = errno;
        twini_arena_close(pool->arena);
        pthread_mutex_destroy(&pool->failure_lock);
        free(pool);
        errno = saved_errno;
        return error;
    }
    *opened = pool;
    return 0;
}

const struct twini_strategy *twini_choose(const struct twin_pool_options *options)
{
    return options && options->backend == TWIN_OMP ? &twini_omp_strategy : &twini_proc_strategy;
}

int twin_pool_open(struct twin_pool **pool, const struct twin_pool_options *options)
{
    return twini_pool_open_with(pool, options, twini_choose(options), false);
}

/* ---- calls --------------------------------------------------------------- */

int twini_enter(struct twin_pool *pool)
{
    if (!pool)
        return TWIN_EINVAL;
    if (twini_inside_task)
        return TWIN_ENESTED;
    if (pool->fork_epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    /* relaxed: only this process moves it, and a race of submit and shutdown has no winner to tell
     */
    if (atomic_load_explicit(&pool->phase, memory_order_relaxed) != TWINI_OPEN)
        return TWIN_ECLOSED;
    return 0;
}

int twini_check_map(const struct twin_map *map)
{
    if (!map || !map->task == !map->kernel || (map->context_size && !map->context) ||
        map->context_size > PTRDIFF_MAX / 2)
        return TWIN_EINVAL;
    if (map->count == 0)
        return 0;
    if (!map->items || !map->results || !map->item_size || !map->result_size ||
        map->count > PTRDIFF_MAX / map->item_size || map->count > PTRDIFF_MAX / map->result_size)
        return TWIN_EINVAL;
    return 0;
}

int twini_check_call(const struct twin_call *call)
{
    if (!call || !call->task || (call->context_size && !call->context) ||
        (call->item_size && !call->item) || call->item_size > PTRDIFF_MAX / 2 ||
        call->result_size > PTRDIFF_MAX / 2 || call->context_size > PTRDIFF_MAX / 2)
        return TWIN_EINVAL;
    return 0;
}

int twini_check_map_on(const struct twin_pool *pool, const struct twin_map *map)
{
    int error = twini_check_map(map);
    if (error || pool->options.retries == 0 || map->count == 0)
        return error;
    /* a lost chunk is run again from its items: they must be as they were */
    uintptr_t items = (uintptr_t)map->items, results = (uintptr_t)map->results;
    bool apart = items + map->count * map->item_size <= results ||
                 results + map->count * map->result_size <= items;
    return apart ? 0 : TWIN_EINVAL;
}

int twin_pool_map(struct twin_pool *pool, const struct twin_map *map)
{
    int error = twini_enter(pool);
    if (!error)
        error = twini_check_map_on(pool, map);
    if (error || map->count == 0)
        return error;
    error = pool->strategy->map(pool, map);
    twini_run_due(pool);
    return error;
}

int twin_pool_map_async(struct twin_pool *pool, const struct twin_map *map,
                        struct twin_future **future)
{
    if (!future)
        return TWIN_EINVAL;
    *future = NULL;
    int error = twini_enter(pool);
    if (!error)
        error = twini_check_map_on(pool, map);
    if (error)
        return error;
    twini_bound_due(pool);
    return pool->strategy->map_async(pool, map, future);
}

int twin_pool_apply(struct twin_pool *pool, const struct twin_call *call, void *result)
{
    int error = twini_enter(pool);
    if (!error)
        error = twini_check_call(call);
    if (!error && call->result_size && !result)
        error = TWIN_EINVAL;
    if (error)
        return error;
    error = pool->strategy->apply(pool, call, result);
    twini_run_due(pool);
    return error;
}

int twini_before_submit(struct twin_pool *pool, const struct twin_call *call,
                        struct twin_future **future)
{
    if (!future)
        return TWIN_EINVAL;
    *future = NULL;
    int error = twini_enter(pool);
    if (!error)
        error = twini_check_call(call);
    if (!error)
        twini_bound_due(pool);
    return error;
}

static int apply_async(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                       struct twin_future **future)
{
    int error = twini_before_submit(pool, call, future);
    /* After TWIN_ECLOSED from here the pool may be gone. */
    return error ? error : pool->strategy->apply_async(pool, call, may_wait, future);
}

int twin_pool_apply_async(struct twin_pool *pool, const struct twin_call *call,
                          struct twin_future **future)
{
    return apply_async(pool, call, true, future);
}

int twin_pool_try_apply_async(struct twin_pool *pool, const struct twin_call *call,
                              struct twin_future **future)
{
    return apply_async(pool, call, false, future);
}

int twin_pool_scope(struct twin_pool *pool, int (*body)(struct twin_pool *, void *), void *arg)
{
    int error = twini_enter(pool);
    if (!error && !body)
        error = TWIN_EINVAL;
    if (error)
        return error;
    /* relaxed: twin_pool_close() reads it on the thread that is inside */
    atomic_fetch_add_explicit(&pool->scopes, 1, memory_order_relaxed);
    error = pool->strategy->scope(pool, body, arg);
    atomic_fetch_sub_explicit(&pool->scopes, 1, memory_order_relaxed);
    twini_run_due(pool);
    return error;
}

int twin_pool_resize(struct twin_pool *pool, unsigned workers)
{
    int error = twini_enter(pool);
    if (!error && (workers == 0 || workers > MOST_WORKERS))
        error = TWIN_EINVAL;
    return error ? error : pool->strategy->resize(pool, workers);
}

int twin_pool_stats(struct twin_pool *pool, struct twin_stats *stats)
{
    if (!pool || !stats)
        return TWIN_EINVAL;
    if (pool->fork_epoch != twini_fork_epoch || twini_inside_task)
        return twini_inside_task ? TWIN_ENESTED : TWIN_EFORKED;
    *stats = (struct twin_stats){0};
    pool->strategy->stats(pool, stats);
    return 0;
}

int twin_pool_worker_stats(struct twin_pool *pool, unsigned worker, struct twin_worker_stats *stats)
{
    if (!pool || !stats)
        return TWIN_EINVAL;
    if (pool->fork_epoch != twini_fork_epoch || twini_inside_task)
        return twini_inside_task ? TWIN_ENESTED : TWIN_EFORKED;
    *stats = (struct twin_worker_stats){.number = worker};
    return pool->strategy->worker_stats(pool, worker, stats);
}

/* ---- the end ------------------------------------------------------------- */

/* Moves the pool out of OPEN; true for exactly one caller. */
static bool leave_open(struct twin_pool *pool)
{
    int expected = TWINI_OPEN;
    /* relaxed: nothing is published by it */
    return atomic_compare_exchange_strong_explicit(&pool->phase, &expected, TWINI_SHUT,
                                                   memory_order_relaxed, memory_order_relaxed);
}

bool twini_is_refusal(int error)
{
    return error == TWIN_ENESTED || error == TWIN_ENOTSUP;
}

static int end(struct twin_pool *pool, int (*how)(struct twin_pool *))
{
    int error = twini_enter(pool);
    if (error == TWIN_ECLOSED)
        return 0;
    if (error || !leave_open(pool))
        return error;
    error = how(pool);
    if (twini_is_refusal(error)) /* nothing was ended */
        atomic_store_explicit(&pool->phase, TWINI_OPEN, memory_order_relaxed); /* as above */
    else
        twini_run_due(pool);
    return error;
}

static int shut_down(struct twin_pool *pool)
{
    /* relaxed, all: whether terminate comes early enough is decided under the backend's lock */
    atomic_store_explicit(&pool->shuts, true, memory_order_relaxed);
    int error = pool->strategy->shutdown(pool);
    atomic_store_explicit(&pool->shuts, false, memory_order_relaxed);
    return error;
}

int twin_pool_shutdown(struct twin_pool *pool)
{
    return end(pool, shut_down);
}

static int terminate(struct twin_pool *pool)
{
    return pool->strategy->terminate(pool);
}

int twin_pool_terminate(struct twin_pool *pool)
{
    /* another thread's shutdown is not waited for: it returns when what runs is killed */
    if (twini_enter(pool) == TWIN_ECLOSED &&
        atomic_load_explicit(&pool->shuts, memory_order_relaxed))
        return terminate(pool);
    return end(pool, terminate);
}

int twin_pool_close(struct twin_pool *pool)
{
    if (!pool)
        return 0;
    if (twini_inside_task)
        return TWIN_ENESTED;
    int error = 0;
    if (pool->fork_epoch == twini_fork_epoch) {
        /* relaxed: no other thread is inside, so they are set only if a callback or a body calls this */
        if (atomic_load_explicit(&pool->delivering, memory_order_relaxed) ||
            atomic_load_explicit(&pool->scopes, memory_order_relaxed))
            return TWIN_ENESTED;
        error = twin_pool_shutdown(pool);
        if (twini_is_refusal(error))
            return error;
        twini_run_due(pool); /* those of whoever shut it down in a callback */
    }
    pool->strategy->free(pool);
    twini_drop_due(pool);
    twini_arena_close(pool->arena);
    pthread_mutex_destroy(&pool->failure_lock);
    free(pool);
    return error;
}
