/* apply_omp.c: one call, its result awaited: `task` + `taskwait`.
 *
 * A `taskwait` waits for all tasks of the one that says it, so in a scope it would wait for every
 * call that was submitted before. Hence the undeferred task around the pair: it is a parent of its
 * own, its only child is the call, and taskwait waits for that alone. It costs nothing that could
 * be measured (1021 against 1051 ns).
 *
 * libgomp's taskwait runs the child itself when no thread has taken it yet. With two threads that
 * is nearly always so: apply under OpenMP is mostly no hand-off at all. stats.inline_tasks tells.
 *
 * Outside of a scope the call opens a region, because tasks exist only inside of one.
 *
 * Source: OpenMP 4.5, 2.9.1 (task, if), 2.13.4 (taskwait); libgomp task.c. */
#include "engine/omp_runtime.h"

#include <omp.h>

struct apply {
    struct twini_omp *omp;
    const struct twin_call *call;
    void *result;
    int code;
};

/* In the task; any thread of the team. */
static void run(struct apply *apply)
{
    bool outer = twini_inside_task;
    twini_inside_task = true;
    apply->code = apply->call->task(apply->result, apply->call->item, (void *)apply->call->context);
    twini_inside_task = outer;
    twini_omp_count(&twini_omp_lane(apply->omp)->tasks);
}

/* report: begin apply */
static void apply_and_wait(struct apply *apply)
{
#pragma omp task default(none) firstprivate(apply) if (0)
    {
#pragma omp task default(none) firstprivate(apply)
        run(apply);
#pragma omp taskwait
    }
}

static void apply_in_region(struct apply *apply, int team)
{
#pragma omp parallel default(none) firstprivate(apply) num_threads(team)
    if (omp_get_thread_num() == 0)
        apply_and_wait(apply);
}
/* report: end apply */

int twini_omp_apply(struct twin_pool *pool, const struct twin_call *call, void *result)
{
    struct twini_omp *omp = pool->engine;
    struct apply apply = {.omp = omp, .call = call, .result = result};
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    if (omp->in_scope) {
        apply_and_wait(&apply);
    } else {
        error = twini_omp_begin(omp);
        if (error)
            return twini_pool_fail(pool, error, &omp->broken_failure);
        apply_in_region(&apply, (int)omp->team);
        twini_omp_end(omp);
    }
    if (apply.code == 0)
        return 0;
    struct twin_failure failure = {.kind = TWIN_FAILURE_TASK, .task_code = apply.code};
    return twini_pool_fail(pool, TWIN_ETASK, &failure);
}
