/* omp_runtime.c: what the OpenMP strategies stand on: the team, the scope, waiting, the end.
 *
 * A team belongs to the thread that opens the region and lives on in libgomp from region to region,
 * so "to open a pool" is to have run one region of its size. The threads stay libgomp's: closing
 * the pool does not end them, because omp_pause_resource_all() would end the program's own team as
 * well.
 *
 * libgomp ends the process when a thread cannot be created, so that is tried first with plain
 * threads.
 *
 * libgomp has no wait for one task and none with a deadline; what stands here instead polls: it
 * yields some times, then sleeps, 20 us at first and at most 1 ms. A waiter without a deadline
 * works meanwhile; one with a deadline only watches (a task that it began could outlast the
 * deadline), except in a team of one, where nobody else would.
 *
 * A child forked by a thread that has run a region hangs when it opens one (GCC PR 60035). The mark
 * below is a thread's own and is copied by fork; what it cannot see is a region of the program
 * itself.
 *
 * Source: libgomp team.c, task.c; OpenMP 4.5, 2.5 (parallel). */
#include "engine/omp_runtime.h"
#include "engine/arena.h"

#include <errno.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

static _Thread_local struct {
    bool used;
    unsigned long epoch; /* twini_fork_epoch when it was used last */
} region_mark;

void twini_omp_rest(void)
{
    /* Inside a region it fails and changes nothing; else the next region starts a new team. */
    if (!omp_in_parallel() && omp_pause_resource_all(omp_pause_soft) == 0)
        region_mark.used = false;
}

int twini_omp_enter(const struct twini_omp *omp)
{
    if (omp_get_level() != omp->level)
        return TWIN_ENESTED;
    return pthread_equal(omp->opener, pthread_self()) ? 0 : TWIN_ENOTSUP;
}

struct twini_omp_lane *twini_omp_lane(struct twini_omp *omp)
{
    return &omp->lanes[omp_get_thread_num()];
}

/* ---- the team ----------------------------------------------------------------------------- */

static void *wait_at_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Can so many threads be alive at once? 0 or an errno. */
static int try_threads(unsigned count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = calloc(count ? count : 1, sizeof *threads);
    if (!threads)
        return ENOMEM;
    unsigned started = 0;
    int error = 0;
    pthread_mutex_lock(&gate);
    while (started < count && error == 0) {
        error = pthread_create(&threads[started], NULL, wait_at_gate, &gate);
        started += error == 0;
    }
    pthread_mutex_unlock(&gate);
    while (started > 0)
        pthread_join(threads[--started], NULL); /* cannot fail: ours, and not joined before */
    free(threads);
    return error;
}

static void open_region(struct twini_omp *omp)
{
    omp->dynamic = omp_get_dynamic();
    if (omp->dynamic)
        omp_set_dynamic(0); /* workers was stated: it is not for libgomp to choose */
    region_mark.used = true;
    region_mark.epoch = twini_fork_epoch;
}

void twini_omp_end(struct twini_omp *omp)
{
    if (omp->dynamic)
        omp_set_dynamic(1);
}

static int break_with(struct twini_omp *omp, int error, struct twin_failure failure)
{
    omp->broken_failure = failure;
    omp->broken = error;
    errno = failure.sys_errno;
    return error;
}

/* The first region: starts the threads, and runs the initializer in each. */
static int start_team(struct twini_omp *omp)
{
    int (*initializer)(void *) = omp->pool->options.initializer;
    void *arg = omp->pool->options.initializer_arg;
    int workers = (int)omp->pool->options.workers, team = 0, code = 0, failed = workers;
    int error = omp_get_thread_limit() < workers ? EAGAIN : try_threads((unsigned)workers - 1);
    if (error)
        return break_with(omp, TWIN_ESYSTEM,
                          (struct twin_failure){.kind = TWIN_FAILURE_SYSTEM, .sys_errno = error});
    open_region(omp);
#pragma omp parallel default(none) shared(team, code, failed) firstprivate(initializer, arg)       \
    num_threads(workers)
    {
        twini_inside_task = true;
        int mine = initializer ? initializer(arg) : 0, number = omp_get_thread_num();
        twini_inside_task = false;
#pragma omp critical(twini_initializer)
        if (mine != 0 && number < failed) {
            failed = number;
            code = mine;
        }
        if (number == 0)
            team = omp_get_num_threads();
    }
    twini_omp_end(omp);
    if (team < workers) /* OMP_MAX_ACTIVE_LEVELS=0, or threads that others hold */
        return break_with(omp, TWIN_ESYSTEM,
                          (struct twin_failure){.kind = TWIN_FAILURE_SYSTEM, .sys_errno = EAGAIN});
    if (code)
        return break_with(omp, TWIN_ETASK,
                          (struct twin_failure){.kind = TWIN_FAILURE_TASK, .task_code = code});
    omp->team = (unsigned)team;
    return 0;
}

int twini_omp_begin(struct twini_omp *omp)
{
    if (omp->broken)
        return omp->broken;
    int error = omp->team ? 0 : start_team(omp);
    if (!error)
        open_region(omp);
    return error;
}

static int open_pool(struct twin_pool *pool)
{
    if (omp_get_level() > 0)
        return TWIN_ENESTED;
    if (pool->options.wait != TWIN_WAIT_ADAPTIVE || pool->options.bind != TWIN_BIND_NONE)
        return TWIN_ENOTSUP; /* libgomp reads them once, when the program starts */
    if (region_mark.used && region_mark.epoch != twini_fork_epoch)
        return TWIN_EFORKED;
    pool->arena = twini_arena_open(pool->options.shared_bytes);
    if (!pool->arena)
        return TWIN_ENOMEM;
    struct twini_omp *omp = calloc(1, sizeof *omp);
    size_t lanes_bytes = pool->options.workers * sizeof *omp->lanes;
    if (omp)
        omp->lanes = aligned_alloc(alignof(struct twini_omp_lane), lanes_bytes);
    if (!omp || !omp->lanes) {
        free(omp);
        return TWIN_ENOMEM;
    }
    for (unsigned lane = 0; lane < pool->options.workers; lane++)
        omp->lanes[lane] = (struct twini_omp_lane){0};
    omp->pool = pool;
    omp->lane_count = pool->options.workers;
    omp->users = 1;
    omp->opener = pthread_self();
    pool->engine = omp;
    int error = pool->on_demand ? 0 : start_team(omp);
    if (error)
        pool->strategy->free(pool);
    return error;
}

/* ---- scope -------------------------------------------------------------------------------- */

/* Thread 0 is the caller himself (a thread number, because GCC 11 runs `masked` on every
 * thread); the others run tasks in the barrier at the end of the region. */
static int run_scope(struct twini_omp *omp, int (*body)(struct twin_pool *, void *), void *arg)
{
    int code = 0;
#pragma omp parallel default(none) shared(code) firstprivate(omp, body, arg)                       \
    num_threads((int)omp->team)
    if (omp_get_thread_num() == 0) {
        omp->in_scope = true;
        omp->level = 1;
        twini_omp_launch_kept(omp, NULL);
        code = body(omp->pool, arg);
        twini_omp_complete(omp);
        omp->level = 0;
        omp->in_scope = false;
    }
    return code;
}

static int scope(struct twin_pool *pool, int (*body)(struct twin_pool *, void *), void *arg)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error || omp->in_scope)
        return error ? error : TWIN_ENESTED;
    error = twini_omp_begin(omp);
    if (error)
        return twini_pool_fail(pool, error, &omp->broken_failure);
    int code = run_scope(omp, body, arg);
    twini_omp_end(omp);
    if (code == 0)
        return 0;
    struct twin_failure failure = {.kind = TWIN_FAILURE_TASK, .task_code = code};
    return twini_pool_fail(pool, TWIN_ETASK, &failure);
}

/* ---- waiting ------------------------------------------------------------------------------ */

void twini_omp_relax(struct twini_omp *omp, unsigned *pause, int64_t deadline_ns)
{
    enum { YIELDS = 50, FIRST_NS = 20000, LONGEST_NS = 1000000, STEPS = 6 };
    unsigned step = (*pause)++;
    if (step < YIELDS) {
        (void)sched_yield(); /* cannot fail on Linux */
        return;
    }
    step = (step - YIELDS) / 8;
    int64_t sleep_ns = step >= STEPS ? LONGEST_NS : (int64_t)FIRST_NS << step;
    if (deadline_ns != INT64_MAX) {
        int64_t rest_ns = deadline_ns - twini_now_ns();
        if (rest_ns < sleep_ns)
            sleep_ns = rest_ns > 0 ? rest_ns : 0;
    }
    omp->caller_parks++;
    struct timespec nap = {.tv_nsec = sleep_ns};
    (void)nanosleep(&nap, NULL); /* interrupted: the caller looks again, earlier */
}

/* Runs a bit of what is left: his own call first, then others', oldest first. The caller is one of
 * the workers: if he only watched, calls that wait for each other could be one thread short. */
static bool work_a_bit(struct twini_omp *omp, struct twini_omp_job **own,
                       struct twini_omp_job **others)
{
    if (*own) {
        if (twini_omp_executor_run_next(omp, *own) || !twini_omp_job_step(*own))
            *own = NULL;
        return true;
    }
    if (*others) {
        if (!twini_omp_job_step(*others))
            *others = (*others)->next;
        return true;
    }
    return twini_omp_executor_step(omp);
}

int twini_omp_linger(struct twini_omp *omp, const struct twini_wait *wait)
{
    bool forever = wait->deadline_ns == INT64_MAX, works = forever || omp->team == 1;
    twini_omp_retire(&omp->flying, false); /* those before it are not worth a look each time */
    struct twini_omp_job *own = (struct twini_omp_job *)wait->only, *others = omp->flying.first;
    unsigned pause = 0;
    while (twini_omp_notice(omp->pool), !wait->ready(wait->arg)) {
        if (twini_omp_is_past(wait->deadline_ns))
            return TWIN_ETIMEOUT;
        if (!works || !work_a_bit(omp, &own, &others))
            twini_omp_relax(omp, &pause, wait->deadline_ns);
    }
    return 0;
}

static int wait_for(struct twin_pool *pool, const struct twini_wait *wait)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    if (omp->in_scope)
        return twini_omp_linger(omp, wait);
    (void)twini_omp_run_kept(omp, wait); /* an error is in the futures */
    twini_omp_notice(pool);
    return wait->ready(wait->arg) ? 0 : TWIN_ETIMEOUT;
}

static void look(struct twin_future *future)
{
    (void)future; /* whoever moves it moves the state itself */
}

static void land(struct twin_future *future)
{
    (void)future; /* results were computed in their place */
}

/* ---- the end ------------------------------------------------------------------------------ */

static int cancel(struct twin_future *future)
{
    struct twini_omp_job *job = (struct twini_omp_job *)future;
    int error = twini_omp_enter(job->omp);
    if (error)
        return error;
    if (twini_omp_job_cancel(job))
        return 0;
    return twini_future_is_final(future) ? TWIN_EDONE : TWIN_ENOTSUP;
}

static void drop_all(struct twini_omp *omp)
{
    twini_omp_drop(&omp->kept);
    twini_omp_drop(&omp->flying);
    twini_omp_drop(&omp->outrun);
    twini_omp_drop(&omp->queued);
}

static void cancel_all(struct twini_omp *omp)
{
    for (struct twini_omp_job *job = omp->kept.first; job; job = job->next)
        (void)twini_omp_job_cancel(job);
    for (struct twini_omp_job *job = omp->flying.first; job; job = job->next)
        (void)twini_omp_job_cancel(job);
    twini_omp_executor_fail(omp, TWIN_ECANCELLED);
}

static void cancel_pending(struct twin_pool *pool)
{
    if (twini_omp_enter(pool->engine) == 0)
        cancel_all(pool->engine);
}

/* In a scope it would end the pool under the body's feet: TWIN_ENESTED. */
static int shut_down(struct twin_pool *pool)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error || omp->in_scope)
        return error ? error : TWIN_ENESTED;
    (void)twini_omp_run_kept(omp, NULL); /* an error is in the futures */
    return 0;
}

static int terminate(struct twin_pool *pool)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error || omp->in_scope)
        return error ? error : TWIN_ENESTED;
    cancel_all(omp); /* and outside of a scope nothing runs */
    drop_all(omp);
    return 0;
}

static void free_pool(struct twin_pool *pool)
{
    struct twini_omp *omp = pool->engine;
    cancel_all(omp); /* if no shutdown came before: in a forked child */
    drop_all(omp);
    free(omp->queue);
    free(omp->lanes);
    pool->engine = NULL;
    twini_omp_release(omp);
}

/* Of kept calls, tasks and queue those without an outcome. The lists are the opener's. */
static size_t count_in_flight(const struct twini_omp *omp)
{
    if (!pthread_equal(pthread_self(), omp->opener))
        return 0;
    const struct twini_omp_list *lists[] = {&omp->kept, &omp->flying, &omp->queued};
    size_t count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const struct twini_omp_job *job = lists[i]->first; job; job = job->next)
            count += !twini_future_is_final(&job->future);
    return count;
}

static void read_stats(struct twin_pool *pool, struct twin_stats *stats)
{
    struct twini_omp *omp = pool->engine;
    for (unsigned i = 0; i < omp->lane_count; i++) {
        /* relaxed: counters order nothing */
        stats->tasks += atomic_load_explicit(&omp->lanes[i].tasks, memory_order_relaxed);
        stats->chunks += atomic_load_explicit(&omp->lanes[i].chunks, memory_order_relaxed);
        stats->claims += atomic_load_explicit(&omp->lanes[i].claims, memory_order_relaxed);
    }
    /* All calls are submitted by thread 0, so what it ran it ran inline. relaxed: as above */
    stats->inline_tasks =
        omp->inline_chunks + atomic_load_explicit(&omp->lanes[0].tasks, memory_order_relaxed);
    stats->caller_parks = omp->caller_parks;
    stats->chunk = omp->last_chunk;
    stats->workers = omp->team;
    stats->queue_depth = count_in_flight(omp);
}

static int read_worker_stats(struct twin_pool *pool, unsigned worker,
                             struct twin_worker_stats *stats)
{
    struct twini_omp *omp = pool->engine;
    if (worker >= pool->options.workers)
        return TWIN_EINVAL;
    /* relaxed: as above */
    stats->tasks = atomic_load_explicit(&omp->lanes[worker].tasks, memory_order_relaxed);
    stats->chunks = atomic_load_explicit(&omp->lanes[worker].chunks, memory_order_relaxed);
    stats->claims = atomic_load_explicit(&omp->lanes[worker].claims, memory_order_relaxed);
    return 0;
}

const struct twini_strategy twini_omp_strategy = {
    .open = open_pool,
    .map = twini_omp_map,
    .map_async = twini_omp_map_async,
    .apply = twini_omp_apply,
    .apply_async = twini_omp_apply_async,
    .scope = scope,
    .executor_submit = twini_omp_submit,
    .executor_map = twini_omp_executor_map,
    .look = look,
    .watch = twini_omp_watch,
    .notice = twini_omp_notice,
    .wait = wait_for,
    .cancel = cancel,
    .land = land,
    .free_future = twini_omp_free_future,
    .cancel_pending = cancel_pending,
    .shutdown = shut_down,
    .terminate = terminate,
    .free = free_pool,
    .stats = read_stats,
    .worker_stats = read_worker_stats,
    .resize = twini_omp_resize,
};
