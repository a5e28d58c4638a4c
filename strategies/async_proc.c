/* async_proc.c: apply_async and map_async on processes, and the table of the process backend. Its
 * twin is async_omp.c.
 *
 * apply_async only publishes: the call is written into a line of its own, workers claim runs of
 * lines, outcomes are collected when somebody waits or room is needed. A map_async is a map that
 * nobody waits for yet: it holds a slot from begin until its outcome was collected. */
#include "engine/awake.h"
#include "engine/range.h"
#include "engine/submit.h"
#include "map_proc.h"

#include <stdlib.h>
#include <string.h>

/* ---- apply_async --------------------------------------------------------- */

int twini_apply_async_proc(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                           struct twin_future **submitted)
{
    struct twini_proc *proc = twini_proc_of(pool);
    struct twini_proc_future *future = NULL;
    /* report: begin async */
    bool locked = twini_proc_enter(proc);
    int error = twini_proc_admit(proc, may_wait);
    if (!error && !(future = twini_proc_call_future(proc, call->result_size)))
        error = TWIN_ENOMEM;
    if (!error)
        error = twini_submit(proc, call, future);
    twini_hurry(proc->shared, false);
    if (!error)
        proc->wakes +=
            twini_ring_for_call(proc->shared, false); /* wakes a sleeper, if one is due */
    twini_proc_leave(proc, locked);
    if (error) {
        if (future)
            twini_proc_free_future(&future->base);
        return error;
    }
    *submitted = &future->base; /* its outcome is collected when somebody waits */
    /* report: end async */
    return 0;
}

/* ---- map_async ----------------------------------------------------------- */

static void free_map(struct twini_map_future *future)
{
    twin_free(future->staged_items);
    twin_free(future->staged_results);
    if (future->map.context_size)
        twin_free((void *)future->context);
    future->staged_items = future->staged_results = NULL;
    future->context = NULL;
}

/* Copies into the arena what workers cannot see; seen is the map as they see it. */
static int stage(struct twini_proc *proc, struct twini_map_future *future, struct twin_map *seen)
{
    struct twini_arena *arena = proc->pool->arena;
    const struct twin_map *map = &future->map;
    size_t items_bytes = map->count * map->item_size, results_bytes = map->count * map->result_size;
    int error = twini_map_copy_context(proc, map, &future->context);
    if (error)
        return error;
    seen->context = future->context;
    if (!twini_arena_holds(arena, map->items, items_bytes)) {
        future->staged_items = twini_arena_alloc_dirty(arena, items_bytes);
        if (!future->staged_items)
            return TWIN_ENOMEM;
        seen->items = memcpy(future->staged_items, map->items, items_bytes);
        proc->staged_bytes += items_bytes;
    }
    if (!twini_arena_holds(arena, map->results, results_bytes)) {
        seen->results = future->staged_results = twini_arena_alloc_dirty(arena, results_bytes);
        if (!future->staged_results)
            return TWIN_ENOMEM;
        proc->staged_bytes += results_bytes;
    }
    return 0;
}

static int begin(struct twini_proc *proc, struct twini_map_future *future,
                 _Atomic unsigned char *told)
{
    struct twin_map seen = future->map;
    int error = stage(proc, future, &seen);
    unsigned slot;
    if (!error)
        error = twini_map_begin(proc, &seen, told, false, &slot);
    if (error)
        return error;
    future->proc.line = slot;
    proc->map_future[slot] = future;
    /* workers have been woken: it cannot be cancelled */
    (void)twini_future_start(&future->proc.base);
    return 0;
}

int twini_map_submit(struct twin_pool *pool, const struct twin_map *map,
                     _Atomic unsigned char *told, struct twin_future **submitted)
{
    struct twini_proc *proc = twini_proc_of(pool);
    struct twini_map_future *future = twini_proc_map_future(pool);
    if (!future)
        return TWIN_ENOMEM;
    struct twin_future *base = &future->proc.base;
    base->is_map = true;
    future->map = *map;
    future->context = future->staged_items = future->staged_results = NULL;
    future->is_stopped = false;
    int error = 0;
    pthread_mutex_lock(&proc->lock);
    if (map->count) {
        error = begin(proc, future, told);
    } else {
        twini_future_finish(base, 0, NULL);
        twini_future_drop(base);
    }
    pthread_mutex_unlock(&proc->lock);
    if (error) {
        free_map(future);
        twini_proc_free_future(base);
        return error;
    }
    *submitted = base;
    return 0;
}

static int map_async(struct twin_pool *pool, const struct twin_map *map,
                     struct twin_future **submitted)
{
    return twini_map_submit(pool, map, NULL, submitted);
}

void twini_map_drop_rest(struct twin_future *base)
{
    struct twini_map_future *future = (struct twini_map_future *)base;
    struct twini_proc *proc = twini_proc_of(base->pool);
    pthread_mutex_lock(&proc->lock);
    if (!twini_future_is_final(base)) {
        future->is_stopped = true;
        twini_map_lower(&proc->shared->maps[future->proc.line], 0);
    }
    pthread_mutex_unlock(&proc->lock);
}

/* ---- collect ------------------------------------------------------------- */

static void finish_map(struct twini_proc *proc, unsigned slot, int error,
                       const struct twin_failure *failure)
{
    struct twini_map_future *future = proc->map_future[slot];
    proc->map_future[slot] = NULL;
    if (error == 0 && (proc->terminated || future->is_stopped))
        error = TWIN_ECANCELLED; /* some of it may have been skipped */
    twin_free(future->staged_items);
    future->staged_items = NULL;
    twini_future_finish(&future->proc.base, error, failure);
    twini_future_drop(&future->proc.base);
}

void twini_map_collect(struct twini_proc *proc)
{
    for (unsigned slot = 0; slot < TWINI_MAP_SLOTS; slot++)
        if (proc->map_future[slot] && twini_map_has_ended(proc, slot)) {
            struct twin_failure failure;
            int error = twini_map_end(proc, slot, &failure);
            finish_map(proc, slot, error, &failure);
        }
}

void twini_map_abandon(struct twini_proc *proc)
{
    twini_map_drop_all(proc);
    for (unsigned slot = 0; slot < TWINI_MAP_SLOTS; slot++)
        if (proc->map_future[slot]) {
            struct twin_failure failure;
            int error = twini_map_end(proc, slot, &failure);
            if (error == 0 && !proc->terminated) {
                error = TWIN_EWORKER;
                failure.kind = TWIN_FAILURE_WORKER;
            }
            finish_map(proc, slot, error, &failure);
        }
}

/* ---- the future's entries ------------------------------------------------ */

/* It runs: has its workers killed, and waits for what becomes of it. A thread cannot be killed. */
static int stop(struct twini_proc *proc, struct twini_proc_future *future)
{
    if (!proc->shared->processes)
        return TWIN_ENOTSUP;
    bool is_map = future->base.is_map;
    if (is_map)
        ((struct twini_map_future *)future)->is_stopped = true;
    if (!is_map && !twini_stop_call(proc, future))
        return 0; /* it has ended, or waits again */
    if (is_map)
        twini_map_stop(proc, future->line);
    proc->carrier->grow(proc); /* the supervisor looks */
    return twini_proc_wait(proc, twini_future_ready, future, is_map ? NULL : future,
                           is_map ? TWINI_TARGET_MAP(future->line) : 0, INT64_MAX);
}

static int cancel(struct twin_future *base)
{
    struct twini_proc_future *future = (struct twini_proc_future *)base;
    struct twini_proc *proc = twini_proc_of(base->pool);
    pthread_mutex_lock(&proc->lock);
    int error = 0;
    while (!error && !twini_future_is_final(base)) {
        if (!base->is_map && twini_cancel_call(proc, future))
            break;
        twini_proc_collect(proc);
        if (!twini_future_is_final(base))
            error = stop(proc, future);
    }
    if (!error && base->error != TWIN_ECANCELLED)
        error = TWIN_EDONE;
    /* other threads may wait for it */
    if (proc->has_leader)
        twini_doorbell_ring(&proc->shared->bell);
    pthread_cond_broadcast(&proc->follower);
    pthread_mutex_unlock(&proc->lock);
    return error;
}

/* All futures are finished under the lock, so who holds it marks by a plain store. */
static int watch(struct twin_future *future)
{
    struct twini_proc *proc = twini_proc_of(future->pool);
    pthread_mutex_lock(&proc->lock);
    /* relaxed, all: ordered by the lock */
    int state = atomic_load_explicit(&future->state, memory_order_relaxed);
    if (state == TWIN_PENDING || state == TWIN_RUNNING)
        atomic_store_explicit(&future->state,
                              state == TWIN_PENDING ? TWINI_WATCHED_PENDING : TWINI_WATCHED_RUNNING,
                              memory_order_relaxed);
    pthread_mutex_unlock(&proc->lock);
    return state >= TWIN_SUCCEEDED ? TWIN_EDONE : 0;
}

static void land(struct twin_future *base)
{
    struct twini_map_future *future = (struct twini_map_future *)base;
    if (future->staged_results)
        memcpy(future->map.results, future->staged_results,
               future->map.count * future->map.result_size);
}

static void free_future(struct twin_future *base)
{
    if (base->is_map)
        free_map((struct twini_map_future *)base);
    twini_proc_free_future(base);
}

static void cancel_pending(struct twin_pool *pool)
{
    struct twini_proc *proc = twini_proc_of(pool);
    pthread_mutex_lock(&proc->lock);
    twini_cancel_calls(proc);
    pthread_mutex_unlock(&proc->lock);
}

/* ---- scope --------------------------------------------------------------- */

/* Workers need no scope; it only promises that all is complete at its end. */
static int scope(struct twin_pool *pool, int (*body)(struct twin_pool *, void *), void *arg)
{
    struct twini_proc *proc = twini_proc_of(pool);
    pthread_mutex_lock(&proc->lock);
    bool nested = proc->in_scope;
    proc->in_scope = true;
    pthread_mutex_unlock(&proc->lock);
    if (nested)
        return TWIN_ENESTED;
    int code = body(pool, arg);
    pthread_mutex_lock(&proc->lock);
    (void)twini_proc_wait(proc, twini_proc_is_quiet, proc, NULL, TWINI_TARGET_ANY, INT64_MAX);
    proc->in_scope = false;
    pthread_mutex_unlock(&proc->lock);
    struct twin_failure failure = {.kind = TWIN_FAILURE_TASK, .task_code = code};
    return code ? twini_pool_fail(pool, TWIN_ETASK, &failure) : 0;
}

/* ---- the table ----------------------------------------------------------- */

const struct twini_strategy twini_proc_strategy = {
    .open = twini_proc_open,
    .map = twini_map_proc,
    .map_async = map_async,
    .apply = twini_apply_proc,
    .apply_async = twini_apply_async_proc,
    .scope = scope,
    .executor_submit = twini_executor_submit_proc,
    .executor_map = twini_executor_map_proc,
    .look = twini_proc_look,
    .watch = watch,
    .wait = twini_proc_wait_for,
    .cancel = cancel,
    .land = land,
    .free_future = free_future,
    .cancel_pending = cancel_pending,
    .shutdown = twini_proc_shutdown,
    .terminate = twini_proc_terminate,
    .free = twini_proc_free,
    .resize = twini_proc_resize,
    .has_processes = true,
    .stats = twini_proc_stats,
    .worker_stats = twini_proc_worker_stats,
};
