/* executor_proc.c: the executor on processes: workers on demand, one future per submit, and an
 * ordered iterator for map. Its twin is executor_omp.c.
 *
 * A worker is asked for when a call comes and no fewer are in flight than workers exist: so an
 * executor that is used for one call at a time has one worker. A map is a map_async that tells of each
 * chunk; its chunks are dealt to the workers in turn, so that the reader need not wait for the first
 * worker to come half way, and each pass over the same arrays finds the pages where they were. */
#include "map_proc.h"

#include <stdlib.h>
#include <string.h>

/* ---- submit -------------------------------------------------------------- */

/* report: begin executor */
/* An executor's pool wants a worker more when a call comes and none may be free for it: twini_submit(). */
int twini_executor_submit_proc(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                               struct twin_future **submitted)
{
    return twini_apply_async_proc(pool, call, may_wait, submitted);
}
/* report: end executor */

/* ---- map and its iterator ------------------------------------------------ */

struct proc_iterator {
    struct twin_iterator base;
    struct twini_plan plan;
    size_t at;                   /* next chunk to hand out */
    struct twin_future *future;  /* of the map as a whole */
    _Atomic unsigned char *told; /* in the arena; see struct twini_map_slot */
    char *results, *staged; /* the caller's array, and where workers write if they cannot see it */
    size_t result_size;
};

static int told_of_next(const struct proc_iterator *iterator)
{
    /* order: acquire; pairs with twini_chunk_tell(); the results are readable */
    return atomic_load_explicit(&iterator->told[iterator->at], memory_order_acquire);
}

static bool is_next_told(void *arg)
{
    const struct proc_iterator *iterator = arg;
    return told_of_next(iterator) != TWINI_CHUNK_OPEN || twini_future_is_final(iterator->future);
}

/* Fails once the map has ended: of what it failed with the first is this chunk's, for those before it
 * were good. */
static int fail(struct proc_iterator *iterator, int64_t deadline_ns)
{
    struct twin_future *future = iterator->future;
    struct twini_wait wait = {
        .ready = twini_future_ready, .arg = future, .only = future, .deadline_ns = deadline_ns};
    int error = twini_wait(iterator->base.pool, &wait);
    if (error)
        return error;
    iterator->base.failure = future->failure;
    if (future->failure.kind == TWIN_FAILURE_NONE)
        iterator->base.failure.index = iterator->base.index;
    return iterator->base.error = future->error;
}

static int iterator_next(struct twin_iterator *base, const void **results, size_t *count,
                         int64_t deadline_ns)
{
    struct proc_iterator *iterator = (struct proc_iterator *)base;
    if (iterator->at == iterator->plan.chunks)
        return 0;
    struct twini_wait wait = {.ready = is_next_told,
                              .arg = iterator,
                              .only = iterator->future,
                              .deadline_ns = deadline_ns};
    int error = is_next_told(iterator) ? 0 : twini_wait(base->pool, &wait);
    if (error)
        return error;
    size_t first = twini_plan_first(&iterator->plan, iterator->at);
    size_t items = twini_plan_items(&iterator->plan, iterator->at);
    base->index = first;
    if (told_of_next(iterator) != TWINI_CHUNK_DONE)
        return fail(iterator, deadline_ns);
    iterator->at++;
    *results = iterator->results + first * iterator->result_size;
    *count = items;
    if (iterator->staged)
        memcpy((char *)*results, iterator->staged + first * iterator->result_size,
               items * iterator->result_size);
    return 0;
}

static void iterator_release(struct twin_iterator *base)
{
    struct proc_iterator *iterator = (struct proc_iterator *)base;
    bool is_ours = base->pool->fork_epoch == twini_fork_epoch && !twini_inside_task;
    if (iterator->future && is_ours) {
        twini_map_drop_rest(iterator->future);
        /* waits for what runs: the arrays are the caller's again */
        (void)twin_future_result(iterator->future, NULL, -1);
    }
    twin_future_release(iterator->future);
    twin_free((void *)iterator->told);
    free(iterator);
}

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
    iterator->results = map->results;
    iterator->result_size = map->result_size;
    iterator->plan =
        twini_plan_make(map->count, map->chunk, pool->options.workers, TWINI_MOST_CHUNKS);
    struct twin_map cut = *map;
    cut.chunk = iterator->plan.chunk; /* the pool may be resized meanwhile */
    iterator->told = twini_arena_alloc(pool->arena, iterator->plan.chunks + 1);
    int error = iterator->told ? 0 : TWIN_ENOMEM;
    if (!error)
        error = twini_map_submit(pool, &cut, iterator->told, &iterator->future);
    if (error) {
        iterator_release(&iterator->base);
        return error;
    }
    iterator->staged = ((struct twini_map_future *)iterator->future)->staged_results;
    *made = &iterator->base;
    return 0;
}
