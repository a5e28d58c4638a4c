/* executor.c: argument checks and life cycle of the executor, and the iterators' public face: what
 * pool.c is for the pool. An executor is a pool that starts its workers on demand. */
#include "engine/plan.h"
#include "strategy.h"

#include <stdlib.h>

/* ---- executor ------------------------------------------------------------ */

struct twin_executor {
    struct twin_pool *pool;
};

int twini_executor_open_with(struct twin_executor **executor,
                             const struct twin_pool_options *options,
                             const struct twini_strategy *strategy)
{
    if (!executor)
        return TWIN_EINVAL;
    *executor = malloc(sizeof **executor);
    if (!*executor)
        return TWIN_ENOMEM;
    int error = twini_pool_open_with(&(*executor)->pool, options, strategy, true);
    if (error) {
        free(*executor);
        *executor = NULL;
    }
    return error;
}

int twin_executor_open(struct twin_executor **executor, const struct twin_pool_options *options)
{
    return twini_executor_open_with(executor, options, twini_choose(options));
}

static int submit(struct twin_executor *executor, const struct twin_call *call, bool may_wait,
                  struct twin_future **future)
{
    struct twin_pool *pool = twin_executor_pool(executor);
    int error = twini_before_submit(pool, call, future);
    return error ? error : pool->strategy->executor_submit(pool, call, may_wait, future);
}

int twin_executor_submit(struct twin_executor *executor, const struct twin_call *call,
                         struct twin_future **future)
{
    return submit(executor, call, true, future);
}

int twin_executor_try_submit(struct twin_executor *executor, const struct twin_call *call,
                             struct twin_future **future)
{
    return submit(executor, call, false, future);
}

int twin_executor_map(struct twin_executor *executor, const struct twin_map *map,
                      struct twin_iterator **iterator)
{
    if (!iterator)
        return TWIN_EINVAL;
    *iterator = NULL;
    if (!executor)
        return TWIN_EINVAL;
    int error = twini_enter(executor->pool);
    if (!error)
        error = twini_check_map_on(executor->pool, map);
    return error ? error : executor->pool->strategy->executor_map(executor->pool, map, iterator);
}

int twin_iterator_next(struct twin_iterator *iterator, const void **results, size_t *count,
                       int64_t timeout_ns)
{
    if (!iterator || !results || !count)
        return TWIN_EINVAL;
    *results = NULL;
    *count = 0;
    if (twini_inside_task)
        return TWIN_ENESTED;
    if (iterator->pool->fork_epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    if (iterator->error)
        return iterator->error;
    int error = iterator->next(iterator, results, count, twini_deadline_ns(timeout_ns));
    twini_run_due(iterator->pool);
    return error;
}

int twin_iterator_index(struct twin_iterator *iterator, size_t *index)
{
    if (!iterator || !index)
        return TWIN_EINVAL;
    *index = iterator->index;
    return 0;
}

int twin_iterator_failure(struct twin_iterator *iterator, struct twin_failure *failure)
{
    if (!iterator || !failure)
        return TWIN_EINVAL;
    *failure = iterator->failure;
    return 0;
}

void twin_iterator_release(struct twin_iterator *iterator)
{
    if (iterator)
        iterator->release(iterator);
}

int twin_executor_shutdown(struct twin_executor *executor, int cancel_pending)
{
    if (!executor)
        return TWIN_EINVAL;
    if (cancel_pending && twini_enter(executor->pool) == 0)
        executor->pool->strategy->cancel_pending(executor->pool);
    return twin_pool_shutdown(executor->pool);
}

int twin_executor_close(struct twin_executor *executor)
{
    if (!executor)
        return 0;
    int error = twin_pool_close(executor->pool);
    if (!twini_is_refusal(error))
        free(executor);
    return error;
}

struct twin_pool *twin_executor_pool(struct twin_executor *executor)
{
    return executor ? executor->pool : NULL;
}
