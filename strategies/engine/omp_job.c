/* omp_job.c: single calls of the OpenMP twin: where they come from, how one is run, when it goes.
 *
 * Jobs come from slabs that the pool keeps, not from malloc: libgomp's threads free their tasks
 * into the submitter's malloc arena, so that each of his mallocs waits for its lock. Submit and
 * release of a call in a scope cost 250 ns with malloc, about 100 with slabs (2 threads; a bare
 * task 16 to 22). The price: slabs go back when the pool and the last of its futures are gone, so a
 * pool holds what its largest crowd of futures took.
 *
 * Invariants: lists, slabs and reference counts are the caller's alone; a thread of the team only
 * runs a job and lets go of it. A job is given up when no task points at it and it has an outcome.
 * struct twini_omp lives as long as any of its jobs. */
#include "engine/omp_runtime.h"

#include <stdlib.h>
#include <string.h>

/* Item and context of a small call, together. They make a job an odd number of cache lines, so that
 * the first lines of many jobs fall into all sets of a cache. */
enum { SMALL_BYTES = 32, SLAB_JOBS = 64 };

/* A cache line of its own for each field that others write, and none shared between jobs. */
struct small_job {
    alignas(64) struct twini_omp_job job;
    unsigned char payload[SMALL_BYTES];
};

struct twini_omp_slab {
    struct small_job jobs[SLAB_JOBS];
    struct twini_omp_slab *next;
};

/* ---- memory ------------------------------------------------------------------------------- */

static struct twini_omp_job *take_small(struct twini_omp *omp)
{
    if (!omp->spare) {
        struct twini_omp_slab *slab = aligned_alloc(alignof(struct twini_omp_slab), sizeof *slab);
        if (!slab)
            return NULL;
        slab->next = omp->slabs;
        omp->slabs = slab;
        for (unsigned i = SLAB_JOBS; i-- > 0;) {
            slab->jobs[i].job.next = omp->spare;
            omp->spare = &slab->jobs[i].job;
        }
    }
    struct twini_omp_job *job = omp->spare;
    omp->spare = job->next;
    job->small = true;
    return job;
}

static void give_back(struct twini_omp *omp, struct twini_omp_job *job)
{
    if (!job->small) {
        free(job);
        return;
    }
    job->next = omp->spare;
    omp->spare = job;
}

void twini_omp_release(struct twini_omp *omp)
{
    if (--omp->users > 0)
        return;
    while (omp->slabs) {
        struct twini_omp_slab *slab = omp->slabs;
        omp->slabs = slab->next;
        free(slab);
    }
    free(omp);
}

struct twini_omp_job *twini_omp_job_make(struct twini_omp *omp, const struct twin_call *call,
                                         bool at_once)
{
    size_t item_size = at_once ? 0 : call->item_size;
    size_t context_at = (item_size + 15) / 16 * 16;
    size_t payload = context_at + call->context_size;
    struct twini_omp_job *job = payload <= SMALL_BYTES ? take_small(omp) : NULL;
    if (!job) {
        job = malloc(sizeof *job + payload);
        if (!job)
            return NULL;
        job->small = false;
    }
    if (twini_future_init(&job->future, omp->pool, call->result_size) != 0) {
        give_back(omp, job);
        return NULL;
    }
    omp->users++;
    atomic_init(&job->tasks, 0);
    job->unmarked = false;
    job->omp = omp;
    job->task = call->task;
    job->item = item_size ? memcpy(job + 1, call->item, item_size) : call->item;
    job->context = (void *)call->context;
    if (call->context_size)
        job->context = memcpy((char *)(job + 1) + context_at, call->context, call->context_size);
    return job;
}

void twini_omp_free_future(struct twin_future *future)
{
    struct twini_omp_job *job = (struct twini_omp_job *)future;
    struct twini_omp *omp = job->omp;
    twini_future_fini(future);
    give_back(omp, job);
    twini_omp_release(omp);
}

/* ---- running ------------------------------------------------------------------------------ */

/* Runs a call that has been started, on the thread whose lane it is. */
static inline void run(struct twini_omp_job *job, struct twini_omp_lane *lane)
{
    bool outer = twini_inside_task;
    twini_inside_task = true;
    int code = job->task(job->future.result, job->item, job->context);
    twini_inside_task = outer;
    twini_omp_count(&lane->tasks);
    struct twin_failure failure = {.kind = TWIN_FAILURE_TASK, .task_code = code};
    twini_future_finish(&job->future, code ? TWIN_ETASK : 0, code ? &failure : NULL);
}

void twini_omp_job_run(struct twini_omp_job *job)
{
    if (twini_future_start(&job->future))
        run(job, twini_omp_lane(job->omp));
}

void twini_omp_job_run_at_once(struct twini_omp_job *job)
{
    /* relaxed, both: nobody else knows of the call yet, so there is nobody to win it from */
    atomic_store_explicit(&job->future.state, TWIN_RUNNING, memory_order_relaxed);
    run(job, &job->omp->lanes[0]);
    atomic_store_explicit(&job->future.references, 1, memory_order_relaxed); /* the owner's */
}

void twini_omp_job_let_go(struct twini_omp_job *job)
{
    /* order: release; pairs with acquire in is_retired(); the caller may give the job back.
     * A single call has one task, and so no need for a read-modify-write (7 ns). */
    if (job->future.is_map)
        atomic_fetch_sub_explicit(&job->tasks, 1, memory_order_release);
    else
        atomic_store_explicit(&job->tasks, 0, memory_order_release);
}

/* ---- lists -------------------------------------------------------------------------------- */

void twini_omp_push(struct twini_omp_list *list, struct twini_omp_job *job)
{
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->count++;
}

struct twini_omp_job *twini_omp_pop(struct twini_omp_list *list)
{
    struct twini_omp_job *job = list->first;
    if (!job)
        return NULL;
    list->first = job->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    return job;
}

static bool is_retired(struct twini_omp_job *job)
{
    /* order: acquire; pairs with release in twini_omp_job_let_go() */
    return atomic_load_explicit(&job->tasks, memory_order_acquire) == 0 &&
           twini_future_is_final(&job->future);
}

/* twini_future_drop() without a read-modify-write: under omp both references are given up by the
 * caller's thread. */
static void drop_engines(struct twin_future *future)
{
    unsigned references = atomic_load_explicit(&future->references, memory_order_relaxed);
    if (references == 1)
        twini_omp_free_future(future);
    else
        atomic_store_explicit(&future->references, references - 1, memory_order_relaxed);
}

void twini_omp_retire(struct twini_omp_list *list, bool all)
{
    struct twini_omp_list rest = {0};
    while (list->first && (all || is_retired(list->first))) {
        struct twini_omp_job *job = twini_omp_pop(list);
        if (is_retired(job))
            drop_engines(&job->future);
        else
            twini_omp_push(&rest, job);
    }
    if (all)
        *list = rest;
}

void twini_omp_set_aside(struct twini_omp_list *list, struct twini_omp_list *outrun)
{
    struct twini_omp_list rest = {0};
    struct twini_omp_job *job;
    while ((job = twini_omp_pop(list)) != NULL)
        twini_omp_push(twini_future_is_final(&job->future) ? outrun : &rest, job);
    *list = rest;
}

void twini_omp_drop(struct twini_omp_list *list)
{
    struct twini_omp_job *job;
    while ((job = twini_omp_pop(list)) != NULL)
        twini_future_drop(&job->future);
}
