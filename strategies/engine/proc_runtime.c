/* proc_runtime.c: the caller's side of a proc pool: memory, waiting, the end.
 *
 * Waiting: of the threads of the caller's process one leads: it alone sleeps on the shared bell,
 * the others on a condition variable that workers never see (a process-shared one hangs when a
 * waiter is killed). The leader says for what it wants to be rung, looks once more, then sleeps; it
 * wakes every 4 ms while it waits, because a supervisor that was killed cannot ring. An
 * idle pool waits for nothing. */
#include "engine/proc_runtime.h"
#include "engine/awake.h"
#include "engine/submit.h"
#include "map_proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const int64_t heartbeat_ns = 4000000, spin_ns = 20000, nap_ns = 50000, grace_ns = 500;

/* ---- memory -------------------------------------------------------------- */

static size_t place(size_t *at, size_t bytes)
{
    size_t here = *at;
    *at = (here + bytes + TWINI_LINE - 1) / TWINI_LINE * TWINI_LINE;
    return here;
}

/* Maps all of it. Pages that nobody touches take no memory. */
static int map_shared(struct twini_proc *proc, const struct twin_pool_options *options)
{
    size_t lines = 64;
    while (lines < 2 * options->max_pending)
        lines *= 2;
    size_t size = 0;
    place(&size, sizeof(struct twini_shared));
    size_t worker_at = place(&size, TWINI_MOST_WORKERS * sizeof(struct twini_worker_block));
    size_t ranges_at =
        place(&size, (size_t)TWINI_MAP_SLOTS * TWINI_MOST_WORKERS * sizeof(struct twini_range));
    size_t calls_at = place(&size, lines * sizeof(struct twini_call));
    char *start =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return TWIN_ENOMEM;
    struct twini_shared *shared = (void *)start;
    shared->call_mask = (uint32_t)lines - 1;
    shared->cpus = twin_usable_cpus();
    shared->wait = options->wait;
    shared->processes = proc->carrier->processes;
    shared->spin_ns = spin_ns;
    shared->nap_ns = options->wait == TWIN_WAIT_BLOCK ? 0 : nap_ns;
    /* one CPU is left to the caller, who submits */
    shared->spin_slots = shared->cpus > TWINI_SPIN_SLOTS ? TWINI_SPIN_SLOTS
                         : shared->cpus > 1              ? shared->cpus - 1
                                                         : 1;
    shared->initializer = options->initializer;
    shared->initializer_arg = options->initializer_arg;
    shared->task_timeout_ns = options->task_timeout_ns;
    shared->worker_bytes = options->worker_bytes;
    shared->tasks_per_worker = options->tasks_per_worker;
    shared->retries = options->retries;
    shared->event_fd = -1;
    shared->worker = (void *)(start + worker_at);
    shared->ranges = (void *)(start + ranges_at);
    shared->calls = (void *)(start + calls_at);
    twini_doorbell_init(&shared->bell);
    proc->shared = shared;
    proc->shared_size = size;
    return 0;
}

/* ---- open ---------------------------------------------------------------- */

static bool has_opened(void *arg)
{
    struct twini_proc *proc = arg;
    struct twini_shared *shared = proc->shared;
    /* order: acquire, all three; pair with the release of supervisor and workers */
    if (proc->broken || atomic_load_explicit(&shared->opened, memory_order_acquire) == 2)
        return true;
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_relaxed); /* ours */
    for (uint32_t w = 0; w < wanted; w++) {
        int state = atomic_load_explicit(&shared->worker[w].state, memory_order_acquire);
        if (state == TWINI_GIVEN_UP)
            return true;
        if (state != TWINI_WORKING)
            return false;
    }
    return true;
}

/* Waits until all workers work. 0, or why not. */
static int await_workers(struct twini_proc *proc)
{
    struct twini_shared *shared = proc->shared;
    pthread_mutex_lock(&proc->lock);
    (void)twini_proc_wait(proc, has_opened, proc, NULL, TWINI_TARGET_OPEN, INT64_MAX);
    pthread_mutex_unlock(&proc->lock);
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_relaxed); /* ours */
    for (uint32_t w = 0; w < wanted; w++)
        if (atomic_load_explicit(&shared->worker[w].state, memory_order_acquire) == TWINI_GIVEN_UP)
            return TWIN_ETASK;
    if (proc->broken)
        shared->open_errno = ECHILD;
    if (proc->broken || atomic_load_explicit(&shared->opened, memory_order_acquire) == 2) {
        errno = shared->open_errno;
        return TWIN_ESYSTEM;
    }
    /* relaxed: workers read it only to save a ring */
    atomic_store_explicit(&shared->opened, 1, memory_order_relaxed);
    return 0;
}

/* Bells first: whoever sees a number may ring it. */
static void set_wanted(struct twini_shared *shared, uint32_t count)
{
    uint32_t numbers = atomic_load_explicit(&shared->numbers, memory_order_relaxed); /* ours */
    for (; numbers < count; numbers++)
        twini_doorbell_init(&shared->worker[numbers].bell);
    /* order: release, both; pair with acquire in twini_numbers() and in the supervisor */
    atomic_store_explicit(&shared->numbers, numbers, memory_order_release);
    atomic_store_explicit(&shared->wanted, count, memory_order_release);
}

int twini_proc_open_on(struct twin_pool *pool, const struct twini_carrier *carrier)
{
    struct twini_proc *proc = calloc(1, sizeof *proc);
    if (!proc)
        return TWIN_ENOMEM;
    proc->pool = pool;
    proc->carrier = carrier;
    proc->supervisor_fd = proc->event_fd = -1;
    pthread_mutex_init(&proc->lock, NULL);
    pthread_cond_init(&proc->follower, NULL);
    pool->engine = proc;
    int error = map_shared(proc, &pool->options);
    if (!error)
        error = twini_submit_init(proc);
    if (!error) {
        set_wanted(proc->shared, pool->on_demand ? 0 : pool->options.workers);
        error = carrier->start(proc);
    }
    if (!error)
        error = await_workers(proc);
    if (error) {
        int saved_errno = errno;
        if (proc->shared) {
            atomic_store_explicit(&proc->shared->phase, TWINI_KILL, memory_order_release);
            carrier->stop(proc);
        }
        twini_proc_free(pool);
        errno = saved_errno;
    }
    return error;
}

int twini_proc_open(struct twin_pool *pool)
{
    return twini_proc_open_on(pool, &twini_process_carrier);
}

void twini_proc_want(struct twini_proc *proc, uint32_t count)
{
    struct twini_shared *shared = proc->shared;
    if (count > proc->pool->options.workers)
        count = proc->pool->options.workers;
    if (count <= atomic_load_explicit(&shared->wanted, memory_order_relaxed)) /* ours */
        return;
    set_wanted(shared, count);
    proc->carrier->grow(proc);
}

int twini_proc_resize(struct twin_pool *pool, unsigned workers)
{
    struct twini_proc *proc = twini_proc_of(pool);
    pthread_mutex_lock(&proc->lock);
    uint32_t wanted = atomic_load_explicit(&proc->shared->wanted, memory_order_relaxed); /* ours */
    pool->options.workers = workers;
    if (!pool->on_demand || wanted > workers) {
        set_wanted(proc->shared, workers);
        proc->carrier->grow(proc);
        twini_ring_all(proc->shared); /* who sleeps may be one too many */
    }
    pthread_mutex_unlock(&proc->lock);
    return 0;
}

/* ---- waiting ------------------------------------------------------------- */

void twini_proc_collect(struct twini_proc *proc)
{
    twini_collect_calls(proc, false);
    twini_map_collect(proc);
}

/* Nobody will ever work here again: gives everything in flight an outcome. Once. */
static void break_pool(struct twini_proc *proc)
{
    twini_proc_collect(proc);
    proc->broken = true;
    twini_abandon_calls(proc);
    twini_map_abandon(proc);
    pthread_cond_broadcast(&proc->follower);
}

/* Spins while the one call may end any moment, if a CPU is left over for the caller. Lock held, but
 * not while spinning. A worker that is awake takes the call within a fraction of a microsecond;
 * only if none has is one rung, for a ring too many leaves two workers awake and no CPU to spin
 * on. */
static void spin_for(struct twini_proc *proc, const struct twini_proc_future *only,
                     int64_t deadline_ns)
{
    struct twini_shared *shared = proc->shared;
    twini_hurry(shared, true);
    bool always = shared->wait == TWIN_WAIT_SPIN;
    unsigned parked = twini_count_parked(shared);
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_relaxed); /* ours */
    if (shared->wait == TWIN_WAIT_BLOCK || (!always && wanted >= shared->cpus + parked))
        return;
    bool rung = parked >= wanted;
    if (rung)
        proc->wakes += twini_ring_for_call(shared, true);
    pthread_mutex_unlock(&proc->lock);
    int64_t now = twini_now_ns(), ring_at = now + grace_ns;
    int64_t end = now + (always ? heartbeat_ns : shared->spin_ns);
    if (end > deadline_ns)
        end = deadline_ns;
    for (bool ended = false; !ended && now < end; now = twini_now_ns()) {
        for (int i = 0; i < 16 && !ended; i++) {
            twini_relax();
            ended = twini_call_has_ended(twini_future_word(proc, only));
        }
        if (!ended && !rung && now >= ring_at) {
            pthread_mutex_lock(&proc->lock);
            if (twini_any_unclaimed(shared))
                proc->wakes += twini_ring_for_call(shared, true);
            pthread_mutex_unlock(&proc->lock);
            rung = true;
        }
    }
    pthread_mutex_lock(&proc->lock);
}

static void collect_for(struct twini_proc *proc, const struct twini_proc_future *only,
                        bool thorough)
{
    if (only) {
        twini_collect_from(proc, only->line);
    } else {
        twini_collect_calls(proc, thorough);
        twini_map_collect(proc);
    }
}

/* Sleeps until rung, the deadline or the next heartbeat. Lock held at entry and at return. */
static void lead(struct twini_proc *proc, bool (*ready)(void *), void *arg,
                 const struct twini_proc_future *only, uint64_t target, int64_t deadline_ns)
{
    struct twini_shared *shared = proc->shared;
    proc->has_leader = true;
    if (only) {
        target = TWINI_TARGET_CALL(only->line);
        spin_for(proc, only, deadline_ns);
    }
    if (twini_any_unclaimed(shared))
        proc->wakes += twini_ring_for_call(shared, true);
    /* order: seq_cst; we say what we sleep for, then look once more: doorbell.c */
    atomic_store_explicit(&shared->target, target, memory_order_seq_cst);
    collect_for(proc, only, true);
    if (!ready || !ready(arg)) {
        int64_t beat = twini_now_ns() + heartbeat_ns;
        proc->caller_parks++;
        pthread_mutex_unlock(&proc->lock);
        bool rung = twini_doorbell_wait(&shared->bell, beat < deadline_ns ? beat : deadline_ns);
        pthread_mutex_lock(&proc->lock);
        if (!rung && !proc->broken && !proc->carrier->alive(proc))
            break_pool(proc);
    }
    atomic_store_explicit(&shared->target, 0,
                          memory_order_relaxed); /* relaxed: a ring too many at worst */
    proc->has_leader = false;
    pthread_cond_broadcast(&proc->follower);
}

static void follow(struct twini_proc *proc, int64_t deadline_ns)
{
    uint64_t target = atomic_load_explicit(&proc->shared->target, memory_order_relaxed);
    while (target && target != TWINI_TARGET_ANY &&
           /* order: seq_cst; as in lead(): the next look decides */
           !atomic_compare_exchange_weak_explicit(&proc->shared->target, &target, TWINI_TARGET_ANY,
                                                  memory_order_seq_cst, memory_order_relaxed)) {
    }
    int64_t beat = twini_now_ns() + heartbeat_ns;
    if (beat > deadline_ns)
        beat = deadline_ns;
    struct timespec until = {.tv_sec = beat / 1000000000, .tv_nsec = beat % 1000000000};
    (void)pthread_cond_clockwait(&proc->follower, &proc->lock, CLOCK_MONOTONIC, &until);
}

int twini_proc_wait(struct twini_proc *proc, bool (*ready)(void *), void *arg,
                    const struct twini_proc_future *only, uint64_t target, int64_t deadline_ns)
{
    for (bool waited = false;; waited = true) {
        collect_for(proc, only, false);
        if (ready ? ready(arg) : waited)
            return 0;
        if (deadline_ns != INT64_MAX && twini_now_ns() >= deadline_ns)
            return TWIN_ETIMEOUT;
        if (proc->has_leader)
            follow(proc, deadline_ns);
        else
            lead(proc, ready, arg, only, target, deadline_ns);
    }
}

/* ---- futures ------------------------------------------------------------- */

struct twini_proc_future *twini_proc_future_new(struct twin_pool *pool, size_t result_size)
{
    struct twini_proc_future *future = malloc(sizeof *future);
    if (!future)
        return NULL;
    future->on_stack = false;
    future->map = NULL;
    future->is_stopped = false;
    future->block = NULL;
    if (twini_future_init(&future->base, pool, result_size)) {
        free(future);
        return NULL;
    }
    return future;
}

void twini_proc_free_future(struct twin_future *base)
{
    struct twini_proc_future *future = (struct twini_proc_future *)base;
    twini_future_fini(base);
    if (future->on_stack)
        return;
    free(future->map);
    free(future);
}

void twini_proc_look(struct twin_future *future)
{
    struct twini_proc *proc = twini_proc_of(future->pool);
    pthread_mutex_lock(&proc->lock);
    if (!twini_future_is_final(future))
        twini_proc_collect(proc);
    if (!twini_future_is_final(future) && !future->is_map &&
        twini_call_has_owner(twini_future_word(proc, (struct twini_proc_future *)future)))
        (void)twini_future_start(future);
    pthread_mutex_unlock(&proc->lock);
}

int twini_proc_wait_for(struct twin_pool *pool, const struct twini_wait *wait)
{
    struct twini_proc *proc = twini_proc_of(pool);
    struct twini_proc_future *only = (struct twini_proc_future *)wait->only;
    uint64_t target = TWINI_TARGET_ANY;
    pthread_mutex_lock(&proc->lock);
    if (only && twini_future_is_final(&only->base)) {
        pthread_mutex_unlock(&proc->lock);
        return 0;
    }
    if (only && only->base.is_map) {
        target = TWINI_TARGET_MAP(only->line);
        only = NULL;
    }
    int error = twini_proc_wait(proc, wait->ready, wait->arg, only, target, wait->deadline_ns);
    pthread_mutex_unlock(&proc->lock);
    return error;
}

/* ---- the end ------------------------------------------------------------- */

bool twini_proc_is_quiet(void *arg)
{
    struct twini_proc *proc = arg;
    for (unsigned slot = 0; slot < TWINI_MAP_SLOTS; slot++)
        if (proc->slot_in_use[slot])
            return false;
    return proc->in_flight == 0;
}

static void stop(struct twini_proc *proc, int phase)
{
    /* order: release; pairs with acquire in workers and supervisor: nothing comes after what they
     * see */
    atomic_store_explicit(&proc->shared->phase, phase, memory_order_release);
    twini_ring_all(proc->shared);
    proc->carrier->stop(proc);
}

int twini_proc_shutdown(struct twin_pool *pool)
{
    struct twini_proc *proc = twini_proc_of(pool);
    pthread_mutex_lock(&proc->lock);
    twini_proc_dismiss(proc);
    (void)twini_proc_wait(proc, twini_proc_is_quiet, proc, NULL, TWINI_TARGET_ANY, INT64_MAX);
    stop(proc, TWINI_LEAVE);
    pthread_mutex_unlock(&proc->lock);
    return 0;
}

int twini_proc_terminate(struct twin_pool *pool)
{
    struct twini_proc *proc = twini_proc_of(pool);
    pthread_mutex_lock(&proc->lock);
    proc->terminated = true;
    twini_cancel_calls(proc);
    twini_map_give_up(proc);
    stop(proc, TWINI_KILL);
    break_pool(proc);
    twini_proc_dismiss(proc);
    pthread_mutex_unlock(&proc->lock);
    return 0;
}

void twini_proc_free(struct twin_pool *pool)
{
    struct twini_proc *proc = twini_proc_of(pool);
    proc->carrier->fini(proc);
    twini_arena_free(pool->arena, proc->stage);
    if (proc->shared)
        (void)munmap(proc->shared, proc->shared_size);
    pthread_cond_destroy(&proc->follower);
    pthread_mutex_destroy(&proc->lock);
    twini_submit_fini(proc);
    free(proc);
    pool->engine = NULL;
}
