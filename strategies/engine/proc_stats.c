/* proc_stats.c: what the counters of a proc pool say. Each worker has counted in its own block, of
 * which it is the only writer; the pool's numbers are their sums, made when somebody asks. */
#include "engine/proc_runtime.h"

/* relaxed, all: counters; exact when nothing is in flight */
static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint32_t get_short(const _Atomic uint32_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static bool is_working(const struct twini_worker_block *block)
{
    return atomic_load_explicit(&block->state, memory_order_relaxed) == TWINI_WORKING;
}

/* Busy and idle time up to now. A worker that turns while we read makes us read again; one that
 * keeps on turning is believed in the end, being wrong by one of its periods. */
static void read_times(const struct twini_worker_block *block, struct twin_worker_stats *stats)
{
    int64_t since_ns, before_ns;
    unsigned tries = 0;
    do {
        /* order: acquire, all but the last: the reads stay in this order */
        before_ns = atomic_load_explicit(&block->since_ns, memory_order_acquire);
        stats->busy_ns = atomic_load_explicit(&block->busy_ns, memory_order_acquire);
        stats->idle_ns = atomic_load_explicit(&block->idle_ns, memory_order_acquire);
        since_ns = atomic_load_explicit(&block->since_ns, memory_order_relaxed);
    } while (since_ns != before_ns && ++tries < 8);
    if (since_ns == 0 || !is_working(block)) /* has not begun, or has booked all when it left */
        return;
    int64_t period_ns = twini_now_ns() - (since_ns > 0 ? since_ns : -since_ns);
    if (period_ns > 0)
        *(since_ns > 0 ? &stats->idle_ns : &stats->busy_ns) += (uint64_t)period_ns;
}

static struct twin_worker_stats read_worker(const struct twini_shared *shared, unsigned number)
{
    const struct twini_worker_block *block = &shared->worker[number];
    struct twin_worker_stats stats = {
        .number = number,
        .pid = is_working(block) ? atomic_load_explicit(&block->pid, memory_order_relaxed) : 0,
        .tasks = get(&block->tasks),
        .chunks = get(&block->chunks),
        .claims = get(&block->claims),
        .steals = get(&block->steals),
        .parks = get(&block->parks),
        .spins = get(&block->spins),
        .restarts = get_short(&block->restarts),
        .stopped = get_short(&block->stopped),
        .recycled = get_short(&block->recycled)};
    read_times(block, &stats);
    return stats;
}

int twini_proc_worker_stats(struct twin_pool *pool, unsigned worker,
                            struct twin_worker_stats *stats)
{
    const struct twini_shared *shared = twini_proc_of(pool)->shared;
    if (worker >= twini_numbers(shared))
        return TWIN_EINVAL;
    *stats = read_worker(shared, worker);
    return 0;
}

static size_t count_in_flight(struct twini_proc *proc)
{
    twini_proc_collect(proc);
    size_t count = proc->in_flight;
    for (unsigned slot = 0; slot < TWINI_MAP_SLOTS; slot++)
        count += proc->map_future[slot] != NULL;
    return count;
}

void twini_proc_stats(struct twin_pool *pool, struct twin_stats *stats)
{
    struct twini_proc *proc = twini_proc_of(pool);
    const struct twini_shared *shared = proc->shared;
    pthread_mutex_lock(&proc->lock);
    for (uint32_t w = 0; w < twini_numbers(shared); w++) {
        struct twin_worker_stats worker = read_worker(shared, w);
        stats->tasks += worker.tasks;
        stats->chunks += worker.chunks;
        stats->claims += worker.claims;
        stats->steals += worker.steals;
        stats->parks += worker.parks;
        stats->spins += worker.spins;
        stats->restarts += worker.restarts;
        stats->stopped += worker.stopped;
        stats->recycled += worker.recycled;
        stats->workers += is_working(&shared->worker[w]);
    }
    if (shared->processes)
        stats->forks = 1 + get_short(&shared->forks);
    stats->queue_depth = count_in_flight(proc);
    stats->wakes = proc->wakes;
    stats->caller_parks = proc->caller_parks;
    stats->staged_bytes = proc->staged_bytes;
    stats->chunk = proc->last_chunk;
    pthread_mutex_unlock(&proc->lock);
}
