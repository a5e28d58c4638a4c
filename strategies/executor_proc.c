/* executor_proc.c: the executor on processes: workers on demand, one future per submit, and an
 * ordered iterator for map. Its twin is executor_omp.c.
 *
 * A worker is asked for when a call comes and no fewer are in flight than workers exist: so an
 * executor that is used for one call at a time has one worker. A map is cut into
 * chunks, each chunk a call of its own with a future of its own, submitted a window ahead of where
 * the reader is. */
#include "engine/awake.h"
#include "engine/submit.h"
#include "map_proc.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 4096 };

/* ---- submit -------------------------------------------------------------- */

int twini_executor_submit_proc(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                               struct twin_future **submitted)
{
    struct twini_proc *proc = twini_proc_of(pool);
    struct twini_proc_future *future =
        twini_proc_future_new(pool, sizeof *future, call->result_size);
    if (!future)
        return TWIN_ENOMEM;
    /* report: begin executor */
    pthread_mutex_lock(&proc->lock);
    int error = twini_proc_admit(proc, may_wait);
    if (!error) /* which starts a worker if none may be free for it */
        error = twini_submit(proc, call, future);
    twini_hurry(proc->shared, false);
    if (!error)
        proc->wakes +=
            twini_ring_for_call(proc->shared, false); /* wakes a sleeper, if one is due */
    pthread_mutex_unlock(&proc->lock);
    /* report: end executor */
    if (error)
        twini_proc_free_future(&future->base);
    else
        *submitted = &future->base;
    return error;
}

/* ---- map ----------------------------------------------------------------- */

struct chunk {
    size_t first, items;
};

struct chunk_outcome {
    int code;
    size_t failed;
};

struct proc_iterator {
    struct twin_iterator base;
    struct twin_map map;   /* as the caller gave it */
    struct twin_map *seen; /* in the arena: as workers see it */
    void *staged_items, *staged_results;
    struct twini_plan plan;
    size_t submitted, yielded; /* chunks */
    size_t window;
    struct twin_future **futures; /* of chunk i: [i % window] */
};

/* In the worker: one chunk of the map. Its code travels in the result, with the index. */
static int run_chunk(void *result, const void *item, void *context)
{
    const struct chunk *chunk = item;
    const struct twin_map *map = context;
    struct chunk_outcome *outcome = result;
    outcome->code = twini_plan_run(map, (void *)map->context, chunk->first, chunk->items, NULL,
                                   &outcome->failed);
    return 0;
}

static int submit_chunk(struct proc_iterator *iterator)
{
    size_t first = twini_plan_first(&iterator->plan, iterator->submitted);
    struct chunk chunk = {first, twini_plan_items(&iterator->plan, iterator->submitted)};
    struct twin_call call = {.task = run_chunk,
                             .context = iterator->seen,
                             .item = &chunk,
                             .item_size = sizeof chunk,
                             .result_size = sizeof(struct chunk_outcome)};
    int error =
        twini_executor_submit_proc(iterator->base.pool, &call, true,
                                   &iterator->futures[iterator->submitted % iterator->window]);
    if (!error)
        iterator->submitted++;
    return error;
}

/* Submits chunks up to a window ahead of the reader. */
static int fill(struct proc_iterator *iterator)
{
    int error = 0;
    while (!error && iterator->submitted < iterator->plan.chunks &&
           iterator->submitted - iterator->yielded < iterator->window) {
        /* relaxed: as in pool.c: a race of submit and shutdown has no winner to tell */
        if (atomic_load_explicit(&iterator->base.pool->phase, memory_order_relaxed) != TWINI_OPEN)
            return TWIN_ECLOSED;
        error = submit_chunk(iterator);
    }
    return error;
}

/* A copy in the arena of [start, start + bytes), unless it lies there already. */
static int stage(struct twini_proc *proc, const void **start, size_t bytes, void **copy,
                 bool fill_it)
{
    if (bytes == 0 || twini_arena_holds(proc->pool->arena, *start, bytes))
        return 0;
    *copy = twini_arena_alloc_dirty(proc->pool->arena, bytes);
    if (!*copy)
        return TWIN_ENOMEM;
    if (fill_it)
        memcpy(*copy, *start, bytes);
    *start = *copy;
    proc->staged_bytes += bytes;
    return 0;
}

static int describe(struct proc_iterator *iterator, const struct twin_map *map)
{
    struct twini_proc *proc = twini_proc_of(iterator->base.pool);
    struct twin_map seen = *map;
    const void *results = map->results;
    pthread_mutex_lock(&proc->lock);
    int error =
        stage(proc, &seen.items, map->count * map->item_size, &iterator->staged_items, true);
    if (!error)
        error =
            stage(proc, &results, map->count * map->result_size, &iterator->staged_results, false);
    seen.results = (void *)results;
    if (!error)
        error = twini_map_copy_context(proc, map, &seen.context);
    if (!error) {
        iterator->seen = twini_arena_alloc_dirty(proc->pool->arena, sizeof seen);
        if (iterator->seen)
            *iterator->seen = seen;
        else if (map->context_size)
            twini_arena_free(proc->pool->arena, (void *)seen.context);
    }
    pthread_mutex_unlock(&proc->lock);
    return iterator->seen ? error : TWIN_ENOMEM;
}

/* ---- iterate ------------------------------------------------------------- */

static int fail(struct proc_iterator *iterator, int error, const struct twin_failure *failure)
{
    iterator->base.error = error;
    if (failure)
        iterator->base.failure = *failure;
    return error;
}

static int iterator_next(struct twin_iterator *base, const void **results, size_t *count,
                         int64_t deadline_ns)
{
    struct proc_iterator *iterator = (struct proc_iterator *)base;
    if (iterator->yielded == iterator->plan.chunks)
        return 0;
    int error = fill(iterator);
    if (error && iterator->submitted == iterator->yielded)
        return fail(iterator, error, NULL);
    size_t index = iterator->yielded, first = twini_plan_first(&iterator->plan, index);
    size_t items = twini_plan_items(&iterator->plan, index);
    struct twin_future **place = &iterator->futures[index % iterator->window];
    struct twini_wait wait = {
        .ready = twini_future_ready, .arg = *place, .only = *place, .deadline_ns = deadline_ns};
    if (!twini_future_is_final(*place) && (error = twini_proc_wait_for(base->pool, &wait)) != 0)
        return error;

    struct chunk_outcome outcome = {0};
    struct twin_failure failure = (*place)->failure;
    error = twin_future_result(*place, &outcome, 0);
    twin_future_release(*place);
    *place = NULL;
    iterator->yielded++;
    base->index = first;
    if (!error && outcome.code) {
        error = TWIN_ETASK;
        failure = (struct twin_failure){
            .kind = TWIN_FAILURE_TASK, .index = outcome.failed, .task_code = outcome.code};
    } else if (error) {
        failure.index = first;
    }
    if (error)
        return fail(iterator, error, &failure);
    char *there = (char *)iterator->map.results + first * iterator->map.result_size;
    if (iterator->staged_results)
        memcpy(there, (char *)iterator->staged_results + first * iterator->map.result_size,
               items * iterator->map.result_size);
    *results = there;
    *count = items;
    return 0;
}

static void iterator_release(struct twin_iterator *base)
{
    struct proc_iterator *iterator = (struct proc_iterator *)base;
    for (size_t i = iterator->yielded; i < iterator->submitted; i++)
        (void)twin_future_cancel(iterator->futures[i % iterator->window]);
    for (size_t i = iterator->yielded; i < iterator->submitted; i++) {
        struct twin_future *future = iterator->futures[i % iterator->window];
        (void)twin_future_result(future, NULL,
                                 -1); /* a running chunk still writes into the array */
        twin_future_release(future);
    }
    if (iterator->seen && iterator->map.context_size)
        twin_free((void *)iterator->seen->context);
    twin_free(iterator->seen);
    twin_free(iterator->staged_items);
    twin_free(iterator->staged_results);
    free(iterator->futures);
    free(iterator);
}

/* ---- begin a map --------------------------------------------------------- */

int twini_executor_map_proc(struct twin_pool *pool, const struct twin_map *map,
                            struct twin_iterator **made)
{
    struct proc_iterator *iterator = calloc(1, sizeof *iterator);
    if (!iterator)
        return TWIN_ENOMEM;
    iterator->base = (struct twin_iterator){.pool = pool,
                                            .strategy = pool->strategy,
                                            .next = iterator_next,
                                            .release = iterator_release};
    iterator->map = *map;
    iterator->plan = twini_plan_make(map->count, map->chunk, pool->options.workers, SIZE_MAX);
    iterator->window = iterator->plan.chunks < WINDOW ? iterator->plan.chunks : WINDOW;
    iterator->futures = calloc(iterator->window + 1, sizeof(struct twin_future *));
    int error = iterator->futures ? describe(iterator, map) : TWIN_ENOMEM;
    if (!error)
        error = fill(iterator);
    if (error) {
        iterator_release(&iterator->base);
        return error;
    }
    *made = &iterator->base;
    return 0;
}
