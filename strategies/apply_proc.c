/* apply_proc.c: apply on processes: one call in a worker, its result awaited. Its twin is
 * apply_omp.c.
 *
 * The worker's half here serves apply_async and the executor as well. The caller spins for some
 * microseconds, since a wake costs a hundred times what a short task does, then sleeps. Nothing is
 * allocated for arguments and results that fit inline. */
#include "engine/awake.h"
#include "engine/fault.h"
#include "engine/submit.h"
#include "engine/worker.h"
#include "map_proc.h"

#include <string.h>

/* ---- claim, run ---------------------------------------------------------- */

bool twini_call_work(struct twini_worker *me)
{
    bool worked = false;
    /* report: begin apply */
    /* in a worker: the claim names the owner in the same swap */
    for (uint32_t line; !me->leaves && (line = twini_call_claim(me)) != TWINI_NO_LINE;
         worked = true) {
        struct twini_call *call = &me->shared->calls[line];
        int code = call->task(twini_call_result(call), twini_call_item(call), call->context);
        twini_worker_end_copy(me);
        call->code = code;
        twini_count(&me->block->tasks, 1);
        TWINI_FAULT("returned");
        me->leaves = !twini_call_finish(me, line); /* publishes the outcome */
        twini_worker_must_leave(me);
    }
    return worked;
}

/* ---- publish, wait ------------------------------------------------------- */

static int call_and_wait(struct twini_proc *proc, const struct twin_call *call,
                         struct twini_proc_future *future)
{
    /* in the caller: publish, spin, ring if nobody has taken it, sleep */
    twini_hurry(proc->shared, true);
    int error = twini_proc_admit(proc, true);
    if (!error)
        error = twini_submit(proc, call, future);
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
        twini_copy(result, future.base.result, call->result_size);
    twini_future_fini(&future.base);
    return error ? twini_pool_fail(pool, error, &failure) : 0;
}
