/* apply_proc.c: apply on processes: one call in a worker, its result awaited. Its twin is
 * apply_omp.c.
 *
 * The call travels in a batch of one (apply_async and the executor fill larger ones: the worker's
 * half here serves them all). The caller spins for some microseconds, since a wake costs a hundred
 * times what a short task does, then sleeps. Nothing is allocated for arguments and results that
 * fit inline. */
#include "engine/batch.h"
#include "engine/batch_word.h"
#include "engine/worker.h"
#include "map_proc.h"

#include <string.h>

/* ---- claim, run ---------------------------------------------------------- */

bool twini_call_work(struct twini_worker *me, bool everywhere)
{
    uint32_t number;
    struct twini_batch_word word;
    /* report: begin apply */
    /* in a worker: the claim takes the batch and names its first call as running, in one swap */
    if (!twini_batch_claim(me, everywhere, &number, &word))
        return false;
    do {
        struct twini_call *call = &me->shared->batch[number].calls[word.next - 1];
        call->code = call->task(twini_call_result(call), twini_call_item(call), call->context);
        call->outcome = TWINI_RAN;
        twini_count(&me->block->tasks, 1);
    } while (twini_batch_next(me->shared, number, &word)); /* publishes one call, starts the next */
    return true;
}

/* ---- publish, wait ------------------------------------------------------- */

static int call_and_wait(struct twini_proc *proc, const struct twin_call *call,
                         struct twini_proc_future *future)
{
    /* in the caller: seal a batch of one, spin, ring if nobody has taken it, sleep */
    int error = twini_batch_submit(proc, call, future);
    if (!error)
        (void)twini_proc_wait(proc, twini_future_ready, future, future, 0, INT64_MAX);
    return error ? error : future->base.error;
}
/* report: end apply */

int twini_apply_proc(struct twin_pool *pool, const struct twin_call *call, void *result)
{
    struct twini_proc *proc = twini_proc_of(pool);
    struct twini_proc_future future = {.on_stack = true};
    int error = twini_future_init(&future.base, pool, call->result_size);
    if (error)
        return error;
    pthread_mutex_lock(&proc->lock);
    error = call_and_wait(proc, call, &future);
    pthread_mutex_unlock(&proc->lock);
    struct twin_failure failure = future.base.failure;
    if (!error && call->result_size)
        memcpy(result, future.base.result, call->result_size);
    twini_future_fini(&future.base);
    return error ? twini_pool_fail(pool, error, &failure) : 0;
}
