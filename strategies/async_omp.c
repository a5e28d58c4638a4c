/* async_omp.c: apply_async and map_async on OpenMP: deferred tasks under one `taskwait`.
 *
 * In a scope each call becomes a task at once, and overlaps with the scope's body. Outside of one
 * there can be no tasks, so calls are kept and become tasks together, in a region of their own,
 * when somebody really waits. What libgomp cannot do stands on our own future: whoever moves it
 * from PENDING to RUNNING runs the call; a task that comes too late finds it taken and returns.
 *
 * Submit may take as long as a task. Past 64 outstanding tasks a thread libgomp runs a new one in
 * the submitter at once, until there is room for one, which it defers: with short calls submitter
 * and threads then meet at the team's lock for each. We ask for the same ourselves (`if` clause), at
 * the same limit, but until half of them are done; and for longer when the clock says that to run a
 * call takes less time than to defer it: the gate below. (A bare square: 1400 ns deferred, 37 run,
 * measured where a contended lock is a trip to the kernel.) Past max_pending too, so that memory is
 * bounded. A call that runs at once is never seen pending: it needs no list, no copy of its item and
 * no compare-and-swap.
 *
 * A map is a task a chunk. Each task claims the next chunk rather than a fixed one, so that a
 * caller who waits can claim too, and the tasks he has outrun find nothing. Claiming chunk 0 starts
 * the map; cancelling is claiming all of it before that, so one compare-and-swap decides.
 *
 * Source: OpenMP 4.5, 2.9.1 (task, if), 2.13.4 (taskwait); libgomp task.c (GOMP_task). */
#include "engine/omp_runtime.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct map_job {
    struct twini_omp_job job;
    _Atomic size_t left; /* chunks that are not done */
    struct twini_omp_chunks run;
};

/* ---- running a map -------------------------------------------------------------------------- */

/* Claims a chunk of the map and runs it. False when there is none. */
static bool map_step(struct map_job *map)
{
    struct twin_future *future = &map->job.future;
    size_t chunk;
    if (!twini_omp_chunk_claim(&map->run, &chunk))
        return false;
    if (chunk == 0)
        twini_future_start(future);
    twini_omp_chunk_run(&map->run, chunk);
    if (omp_get_thread_num() == 0)
        map->job.omp->inline_chunks++;
    /* order: acq_rel; pairs with itself in the other tasks; the last one sees all results */
    if (atomic_fetch_sub_explicit(&map->left, 1, memory_order_acq_rel) == 1) {
        struct twin_failure failure;
        int error = twini_omp_chunks_outcome(&map->run, map->run.plan.count, &failure);
        twini_future_finish(future, error, error ? &failure : NULL);
    }
    return true;
}

bool twini_omp_job_step(struct twini_omp_job *job)
{
    if (job->future.is_map)
        return map_step((struct map_job *)job);
    if (!twini_future_is_final(&job->future))
        twini_omp_job_run(job);
    return false;
}

bool twini_omp_job_cancel(struct twini_omp_job *job)
{
    if (!job->future.is_map)
        return twini_future_try_cancel(&job->future);
    struct map_job *map = (struct map_job *)job;
    size_t none = 0;
    /* relaxed: it decides who has the map, and publishes nothing */
    if (twini_future_is_final(&job->future) ||
        !atomic_compare_exchange_strong_explicit(&map->run.next, &none, map->run.plan.chunks,
                                                 memory_order_relaxed, memory_order_relaxed))
        return false;
    twini_future_finish(&job->future, TWIN_ECANCELLED, NULL);
    return true;
}

/* ---- tasks -------------------------------------------------------------------------------- */

/* Whether one more call may be in flight. Those that a waiter has outrun are not, though a task of
 * theirs comes yet: there are as few of them as libgomp has tasks. */
static bool has_room(struct twini_omp *omp)
{
    size_t most = omp->pool->options.max_pending;
    if (omp->flying.count >= most) {
        twini_omp_retire(&omp->outrun, true);
        twini_omp_retire(&omp->flying, true);
        twini_omp_set_aside(&omp->flying, &omp->outrun);
    }
    return omp->flying.count < most;
}

/* Outstanding tasks from which on libgomp runs a new one in the submitter. */
static uint64_t libgomps_limit(const struct twini_omp *omp)
{
    return (uint64_t)64 * omp->team;
}

/* Deferred tasks that have not ended. */
static uint64_t outstanding(struct twini_omp *omp)
{
    uint64_t ended = 0;
    for (unsigned lane = 0; lane < omp->team; lane++)
        /* relaxed: a count; late, it keeps the gate shut a little longer */
        ended += atomic_load_explicit(&omp->lanes[lane].ended, memory_order_relaxed);
    omp->gate.ended = ended;
    return omp->gate.deferred - ended;
}

/* Decides anew, at the end of a stretch of calls that were all deferred or all run. A call costs what
 * its stretch took a call: to defer one includes waiting for the team's lock. What is cheaper to run
 * than to defer is run, a while at a time, for the next calls may be longer ones. */
static bool is_to_be_shut(struct twini_omp *omp, int64_t now_ns)
{
    enum { WHILE_NS = 1000000 };
    struct twini_omp_gate *gate = &omp->gate;
    const uint64_t limit = libgomps_limit(omp);
    const int64_t gone_ns = now_ns - gate->since_ns;
    const int64_t each_ns = gone_ns / (int64_t)gate->passed;
    *(gate->shut ? &gate->run_ns : &gate->defer_ns) = each_ns;
    if (gate->shut)
        return outstanding(omp) >= limit / 2 ||
               (gate->run_ns < gate->defer_ns && gone_ns < WHILE_NS);
    /* run_ns is known when the limit was reached before: whoever keeps below it may submit calls that
     * wait for each other */
    return outstanding(omp) >= limit || (gate->run_ns && gate->run_ns < gate->defer_ns);
}

/* The lanes are the threads' own, and the clock costs as much as a short call: both are looked at only
 * when a few have been deferred, so that many threads are not all fed in vain, and when the limit seems
 * to be reached; then at the first and every LOOK_EVERY-th call that is run. */
static bool gate_is_open(struct twini_omp *omp)
{
    enum { LOOK_EVERY = 16, A_FEW = 64 };
    struct twini_omp_gate *gate = &omp->gate;
    gate->passed++;
    bool seems_full = gate->deferred - gate->ended >= libgomps_limit(omp);
    bool has_few = gate->run_ns && gate->passed == A_FEW;
    if (gate->shut ? gate->passed % LOOK_EVERY != 1 : !has_few && !seems_full)
        return !gate->shut;
    const int64_t now_ns = twini_now_ns();
    bool shut = is_to_be_shut(omp, now_ns);
    if (shut != gate->shut) {
        gate->shut = shut;
        gate->passed = 0;
        gate->since_ns = now_ns;
    }
    twini_omp_retire(&omp->flying, false);
    return !gate->shut;
}

/* A deferred task's last use of the job. */
static void end_task(struct twini_omp_job *job)
{
    struct twini_omp_lane *lane = twini_omp_lane(job->omp);
    twini_omp_job_let_go(job);
    twini_omp_count(&lane->ended);
}

static bool over(const struct twini_wait *wait)
{
    return wait && (wait->ready(wait->arg) || twini_omp_is_past(wait->deadline_ns));
}

static void launch_map(struct twini_omp *omp, struct map_job *map, const struct twini_wait *wait)
{
    bool deferred = has_room(omp);
    /* relaxed: a hint; tasks that find no chunk return */
    size_t claimed = atomic_load_explicit(&map->run.next, memory_order_relaxed);
    twini_omp_push(&omp->flying, &map->job);
    for (; claimed < map->run.plan.chunks && !over(wait); claimed++) {
        atomic_fetch_add_explicit(&map->job.tasks, 1, memory_order_relaxed); /* see below */
        omp->gate.deferred++;
#pragma omp task default(none) firstprivate(map) if (deferred)
        {
            if (!twini_omp_stopped(map->job.omp))
                map_step(map);
            end_task(&map->job);
        }
    }
}

/* A wait with a deadline: the caller asks again what came of it. */
static void watch(struct twini_omp *omp, const struct twini_wait *wait)
{
    (void)twini_omp_linger(omp, wait);
    /* relaxed: as in twini_omp_stopped() */
    atomic_store_explicit(&omp->stop, true, memory_order_relaxed);
}

/* report: begin async */
static void launch_call(struct twini_omp *omp, struct twini_omp_job *job, bool deferred)
{
    twini_omp_push(&omp->flying, job);
    atomic_store_explicit(&job->tasks, 1, memory_order_relaxed); /* the task's creation orders it */
    omp->gate.deferred++;
#pragma omp task default(none) firstprivate(job) if (deferred)
    {
        if (!twini_omp_stopped(job->omp))
            twini_omp_job_run(job);
        end_task(job);
    }
}

/* Still a task: one that the call itself creates and waits for are its own. */
static void run_at_once(struct twini_omp_job *job)
{
#pragma omp task default(none) firstprivate(job) if (0)
    twini_omp_job_run_at_once(job);
}

static void run_all_kept(struct twini_omp *omp, const struct twini_wait *bound)
{
#pragma omp parallel default(none) firstprivate(omp, bound) num_threads((int)omp->team)
    if (omp_get_thread_num() == 0) {
        twini_omp_launch_kept(omp, bound);
        if (bound)
            watch(omp, bound);
        twini_omp_complete(omp); /* taskwait */
    }
}
/* report: end async */

void twini_omp_launch_kept(struct twini_omp *omp, const struct twini_wait *wait)
{
    struct twini_omp_job *job;
    while (!over(wait) && (job = twini_omp_pop(&omp->kept)) != NULL)
        if (twini_future_is_final(&job->future))
            twini_future_drop(&job->future);
        else if (job->future.is_map)
            launch_map(omp, (struct map_job *)job, wait);
        else
            launch_call(omp, job, has_room(omp) && gate_is_open(omp));
    twini_omp_executor_launch(omp);
}

void twini_omp_complete(struct twini_omp *omp)
{
    twini_omp_executor_drain(omp);
#pragma omp taskwait
    twini_omp_retire(&omp->flying, true);
    twini_omp_retire(&omp->outrun, true);
    twini_omp_retire(&omp->queued, true);
    uint64_t deferred = omp->gate.deferred; /* all have ended; the next calls are others */
    omp->gate = (struct twini_omp_gate){
        .deferred = deferred, .ended = deferred, .since_ns = twini_now_ns()};
}

/* ---- kept calls --------------------------------------------------------------------------- */

/* After a region that was stopped: what flew and has no outcome goes back, before what was kept. */
static void keep_again(struct twini_omp *omp)
{
    struct twini_omp_list all = omp->flying;
    struct twini_omp_job *job;
    while ((job = twini_omp_pop(&omp->kept)) != NULL)
        twini_omp_push(&all, job);
    omp->kept = all;
    omp->flying = (struct twini_omp_list){0};
}

static void fail_kept(struct twini_omp *omp, int error)
{
    struct twini_omp_job *job;
    while ((job = twini_omp_pop(&omp->kept)) != NULL) {
        if (!twini_future_is_final(&job->future))
            twini_future_finish(&job->future, error, &omp->broken_failure);
        twini_future_drop(&job->future);
    }
    twini_omp_executor_fail(omp, error);
}

int twini_omp_run_kept(struct twini_omp *omp, const struct twini_wait *wait)
{
    if (!omp->kept.first && twini_omp_executor_idle(omp))
        return 0;
    int error = twini_omp_begin(omp);
    if (error) {
        fail_kept(omp, error);
        return error;
    }
    run_all_kept(omp, wait && wait->deadline_ns != INT64_MAX ? wait : NULL);
    /* relaxed: no task is left */
    atomic_store_explicit(&omp->stop, false, memory_order_relaxed);
    twini_omp_end(omp);
    keep_again(omp);
    return 0;
}

/* ---- submitting --------------------------------------------------------------------------- */

static void keep(struct twini_omp *omp, struct twini_omp_job *job)
{
    if (omp->kept.count >= omp->pool->options.max_pending)
        (void)twini_omp_run_kept(omp, NULL); /* an error is in the futures */
    twini_omp_push(&omp->kept, job);
}

static int refuse(struct twin_pool *pool)
{
    struct twin_failure failure = {.kind = TWIN_FAILURE_NONE};
    return twini_pool_fail(pool, TWIN_ENOMEM, &failure);
}

int twini_omp_apply_async(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                          struct twin_future **future)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    bool room = omp->in_scope ? has_room(omp) : omp->kept.count < pool->options.max_pending;
    if (!room && !may_wait)
        return TWIN_EAGAIN;
    bool at_once = omp->in_scope && !(room && gate_is_open(omp));
    struct twini_omp_job *job = twini_omp_job_make(omp, call, at_once);
    if (!job)
        return refuse(pool);
    if (at_once)
        run_at_once(job);
    else if (omp->in_scope)
        launch_call(omp, job, true);
    else
        keep(omp, job);
    *future = &job->future;
    return 0;
}

static struct map_job *map_make(struct twini_omp *omp, const struct twin_map *map)
{
    size_t bytes = (sizeof(struct map_job) + map->context_size + 63) / 64 * 64;
    struct map_job *made = aligned_alloc(alignof(struct map_job), bytes);
    if (!made)
        return NULL;
    (void)twini_future_init(&made->job.future, omp->pool, 0); /* without a result it cannot fail */
    made->job.future.is_map = true;
    made->job.omp = omp;
    made->job.small = made->job.unmarked = false;
    omp->users++;
    atomic_init(&made->job.tasks, 0);
    twini_omp_chunks_init(&made->run, omp, map);
    atomic_init(&made->left, made->run.plan.chunks);
    if (map->context_size)
        made->run.map.context = memcpy(made + 1, map->context, map->context_size);
    return made;
}

int twini_omp_map_async(struct twin_pool *pool, const struct twin_map *map,
                        struct twin_future **future)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    struct map_job *made = map_make(omp, map);
    if (!made)
        return refuse(pool);
    *future = &made->job.future;
    if (map->count == 0) {
        twini_future_finish(&made->job.future, 0, NULL);
        twini_future_drop(&made->job.future);
    } else if (omp->in_scope) {
        launch_map(omp, made, NULL);
    } else {
        keep(omp, &made->job);
    }
    return 0;
}
