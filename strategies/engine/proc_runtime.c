/* proc_runtime.c: the caller's side of a proc pool: memory, birth, size, the end. */
#include "engine/proc_runtime.h"
#include "engine/awake.h"
#include "engine/barrier.h"
#include "engine/submit.h"
#include "map_proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const int64_t spin_ns = 20000, nap_ns = 50000;

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
    /* not where workers sleep after each call */
    atomic_store_explicit(&shared->has_barrier,
                          options->wait != TWIN_WAIT_BLOCK && twini_barrier_join(),
                          memory_order_relaxed); /* nobody else is there */
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
    /* mapped after the shared block, which would else lie below a terabyte, and need page tables of its
     * own in each process */
    if (!error && !(pool->arena = twini_arena_open(pool->options.shared_bytes)))
        error = TWIN_ENOMEM;
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

/* ---- futures ------------------------------------------------------------- */

static void free_memory(struct twini_proc_future *future)
{
    if (future->reuse)
        twini_reuse_put(future->reuse, future);
    else if (!future->on_stack)
        free(future);
}

static struct twini_proc_future *init_future(struct twini_proc_future *future,
                                             struct twin_pool *pool, struct twini_reuse *reuse,
                                             size_t result_size)
{
    if (!future)
        return NULL;
    future->on_stack = false;
    future->block = NULL;
    future->reuse = reuse;
    if (twini_future_init(&future->base, pool, result_size)) {
        free_memory(future);
        return NULL;
    }
    return future;
}

struct twini_proc_future *twini_proc_call_future(struct twini_proc *proc, size_t result_size)
{
    return init_future(twini_reuse_get(proc->reuse), proc->pool, proc->reuse, result_size);
}

struct twini_map_future *twini_proc_map_future(struct twin_pool *pool)
{
    struct twini_map_future *future = malloc(sizeof *future);
    return future && init_future(&future->proc, pool, NULL, 0) ? future : NULL;
}

void twini_proc_free_future(struct twin_future *base)
{
    struct twini_proc_future *future = (struct twini_proc_future *)base;
    twini_future_fini(base);
    free_memory(future);
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
    proc->is_down = true;
}

int twini_proc_shutdown(struct twin_pool *pool)
{
    struct twini_proc *proc = twini_proc_of(pool);
    pthread_mutex_lock(&proc->lock);
    twini_proc_dismiss(proc);
    (void)twini_proc_wait(proc, twini_proc_is_quiet, proc, NULL, TWINI_TARGET_ANY, INT64_MAX);
    if (!proc->is_down)
        stop(proc, TWINI_LEAVE);
    pthread_mutex_unlock(&proc->lock);
    return 0;
}

int twini_proc_terminate(struct twin_pool *pool)
{
    struct twini_proc *proc = twini_proc_of(pool);
    pthread_mutex_lock(&proc->lock);
    if (!proc->is_down) { /* else a shutdown was faster */
        proc->terminated = true;
        twini_cancel_calls(proc);
        twini_map_give_up(proc);
        stop(proc, TWINI_KILL);
        twini_proc_break(proc);
        twini_proc_dismiss(proc);
    }
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
    /* a forked child's copies may count waiters that it has not */
    if (pool->fork_epoch == twini_fork_epoch) {
        pthread_cond_destroy(&proc->follower);
        pthread_mutex_destroy(&proc->lock);
    }
    twini_submit_fini(proc);
    free(proc);
    pool->engine = NULL;
}
