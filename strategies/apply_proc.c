/* apply_proc.c: apply on processes: one call in a worker, its result awaited. Its twin is
 * apply_omp.c.
 *
 * The call travels in a batch of one; the worker's half (claim and run) is run() in engine/batch.c.
 * The caller spins for some microseconds, since a wake costs a hundred times what a short task
 * does, then sleeps. Nothing is allocated for arguments and results that fit inline. */
#include "engine/batch.h"
#include "map_proc.h"

#include <string.h>

/* ---- publish and wait
 * ---------------------------------------------------------------------------- */

int twini_apply_proc(struct twin_pool *pool, const struct twin_call *call, void *result)
{
    struct twini_proc *proc = twini_proc_of(pool);
    struct twini_proc_future future = {.on_stack = true};
    int error = twini_future_init(&future.base, pool, call->result_size);
    if (error)
        return error;
    pthread_mutex_lock(&proc->lock);
    error = twini_batch_submit(proc, call, &future);
    if (!error)
        (void)twini_proc_wait(proc, twini_future_ready, &future, &future, 0, INT64_MAX);
    pthread_mutex_unlock(&proc->lock);
    struct twin_failure failure = future.base.failure;
    if (!error)
        error = future.base.error;
    if (!error && call->result_size)
        memcpy(result, future.base.result, call->result_size);
    twini_future_fini(&future.base);
    return error ? twini_pool_fail(pool, error, &failure) : 0;
}
