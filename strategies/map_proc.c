/* map_proc.c: map on processes. Its twin is map_omp.c.
 *
 * The chunks are dealt out as ranges, one for each worker, before anybody is woken; whoever runs
 * out steals. (Claims from one shared counter would be simpler, but then every worker touches every
 * page, and each first touch of a page by a process costs about a microsecond: measured, three
 * times the time of the first map.) The protocol of the ranges is in engine/range.h.
 *
 * Memory in place is used where it is. Anything else is copied through the arena: engine/map_stage.c. */
#include "map_proc.h"
#include "engine/awake.h"
#include "engine/call.h"
#include "engine/fault.h"
#include "engine/populate.h"
#include "engine/range.h"
#include "engine/spare.h"
#include "engine/theft.h"
#include "engine/watch.h"
#include "engine/worker.h"

#include <sched.h>

/* ---- claim, run ---------------------------------------------------------- */

/* Computes one chunk, unless a lower item has failed already; returns whether all of it is there.
 * Items below the lowest failed one are always computed, so the index that is reported does not
 * depend on who was faster. */
static bool run_chunk(struct twini_worker *me, struct twini_map_slot *slot, struct twini_range *own,
                      size_t chunk)
{
    struct twini_plan plan = {slot->map.count, slot->chunk, slot->chunks};
    size_t first = twini_plan_first(&plan, chunk), items = twini_plan_items(&plan, chunk), failed;
    /* relaxed: a hint that saves work */
    if (first >= atomic_load_explicit(&slot->lowest_failed, memory_order_relaxed))
        return false;
    if (me->shared->processes) {
        const struct twin_map *map = &slot->map;
        size_t gap = slot->told ? slot->chunk * (twini_width(slot) - 1) : 0;
        twini_populate((const char *)map->items + first * map->item_size, items * map->item_size,
                       gap * map->item_size);
        twini_populate((char *)map->results + first * map->result_size, items * map->result_size,
                       gap * map->result_size);
    }
    int code = twini_plan_run(&slot->map, (void *)slot->map.context, first, items, &me->block->item,
                              &failed);
    twini_worker_end_copy(me);
    twini_count(&me->block->chunks, 1);
    if (code != 0 && failed < own->failed_index) {
        own->failed_index = failed; /* published when the range goes IDLE */
        own->failed_code = code;
        twini_map_lower(slot, failed);
    }
    return code == 0;
}

/* Tells the iterator. To wake its reader for each of many short chunks would take him, or us, from a
 * CPU each time: the first one rings, and then those that come late enough. The others are seen by a
 * later ring, at the end, or by the reader's heartbeat. */
static void tell(struct twini_shared *shared, unsigned number, size_t chunk, bool is_done)
{
    enum { RING_EVERY_NS = 1000000 };
    struct twini_map_slot *slot = &shared->maps[number];
    if (!slot->told)
        return;
    twini_chunk_tell(slot, chunk, is_done ? TWINI_CHUNK_DONE : TWINI_CHUNK_FAILED);
    TWINI_FAULT("chunk_told");
    int64_t now_ns = twini_now_ns();
    /* relaxed, both: advice */
    if (now_ns - atomic_load_explicit(&slot->rung_ns, memory_order_relaxed) < RING_EVERY_NS)
        return;
    atomic_store_explicit(&slot->rung_ns, now_ns, memory_order_relaxed);
    twini_ring_caller(shared, TWINI_TARGET_MAP(number));
}

/* What it costs to take a chunk over: its pages, now and for the owner later (theft.h). */
static double theft_ns(const struct twini_worker *me, const struct twini_map_slot *slot)
{
    size_t each = slot->map.item_size + slot->map.result_size;
    return me->shared->processes ? 2 * twini_populate_ns((double)slot->chunk * (double)each) : 0;
}

/* Takes somebody else's chunks, as many as is worth it, and the first of them to run. While none is, it
 * waits: until there are none, or a call is to be run. Where more workers are awake than there are CPUs
 * others first get a chance to begin with their own, and there is no wait. */
static bool steal(struct twini_worker *me, unsigned number, struct twini_pace *pace, size_t *chunk)
{
    struct twini_shared *shared = me->shared;
    struct twini_map_slot *slot = &shared->maps[number];
    bool crowded = twini_width(slot) > shared->cpus && !twini_spare_any(slot);
    twini_pace_book(pace, twini_now_ns());
    double cost_ns = crowded ? 0 : theft_ns(me, slot);
    if (crowded)
        (void)sched_yield(); /* cannot fail on Linux */
    pace->waits_since_ns = 0;
    for (;;) {
        size_t owners, left = twini_ranges_left(shared, number, &owners);
        double owner_ns = twini_owner_ns(pace, owners, left, twini_now_ns());
        if (twini_range_steal(shared, number, me->number,
                              twini_theft_share(pace, owner_ns, cost_ns)))
            break;
        if (left == 0 || twini_any_waiting(shared))
            return false;
        (void)sched_yield();
    }
    twini_count(&me->block->steals, 1);
    pace->since_ns = twini_now_ns();
    pace->stolen = true;
    return twini_range_next(twini_range_of(shared, number, me->number), false, chunk) ==
           TWINI_RANGE_RUN;
}

static bool work_in_slot(struct twini_worker *me, unsigned number)
{
    struct twini_shared *shared = me->shared;
    struct twini_map_slot *slot = &shared->maps[number];
    /* report: begin map */
    struct twini_range *own = twini_range_of(shared, number, me->number);
    size_t chunk;
    if (!twini_range_enter(own, &chunk)) /* the claim: owner, chunk and state in one swap */
        return false;
    twini_pass_on(me);
    bool worked = false;
    struct twini_pace pace = {.since_ns = twini_now_ns()};
    struct twini_spare_watch watch = {0};
    twini_spare_watch(&watch, slot);
    /* SIZE_MAX: entered without chunks of its own */
    enum twini_range_step step = chunk == SIZE_MAX ? TWINI_RANGE_NONE_LEFT : TWINI_RANGE_RUN;
    while (step == TWINI_RANGE_RUN ||
           (step == TWINI_RANGE_NONE_LEFT && steal(me, number, &pace, &chunk))) {
        twini_wake_watcher(shared);
        twini_count(&me->block->claims, 1);
        TWINI_FAULT("chunk_claimed");
        size_t index = twini_chunk_at(slot, chunk);
        bool is_done = run_chunk(me, slot, own, index);
        TWINI_FAULT("chunk_returned");
        tell(shared, number, index, is_done);
        worked = true;
        pace.chunks++;
        twini_spare_look(&watch, shared, slot);
        /* publishes one chunk, claims the next */
        step = twini_range_next(own, twini_worker_must_leave(me), &chunk);
    }
    if (step == TWINI_RANGE_LEAVE)
        me->leaves = true;
    else
        twini_range_leave(own);
    /* report: end map */
    return worked;
}

bool twini_map_work(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    /* order: acquire; pairs with release in twini_map_begin(); a hint all the same */
    uint32_t open = atomic_load_explicit(&shared->maps_open, memory_order_acquire);
    for (; open; open &= open - 1) {
        unsigned number = (unsigned)__builtin_ctz(open);
        size_t owners;
        if (twini_ranges_left(shared, number, &owners) == 0)
            continue;
        bool worked = work_in_slot(me, number);
        if (twini_ranges_are_over(shared, number))
            twini_ring_caller(shared, TWINI_TARGET_MAP(number));
        if (worked)
            return true;
    }
    return false;
}

/* ---- publish ------------------------------------------------------------- */

static bool close_slot(struct twini_shared *shared, unsigned number)
{
    for (unsigned w = 0; w < twini_width(&shared->maps[number]); w++)
        if (!twini_range_close(twini_range_of(shared, number, w)))
            return false;
    return true;
}

static int find_slot(struct twini_proc *proc)
{
    for (unsigned number = 0; number < TWINI_MAP_SLOTS; number++)
        if (!proc->slot_in_use[number] && close_slot(proc->shared, number))
            return (int)number;
    return -1;
}

static bool has_slot(void *arg)
{
    struct twini_proc *proc = arg;
    return proc->broken || find_slot(proc) >= 0;
}

int twini_map_begin(struct twini_proc *proc, const struct twin_map *map,
                    _Atomic unsigned char *told, bool will_wait, unsigned *chosen)
{
    struct twini_shared *shared = proc->shared;
    int found;
    while ((found = find_slot(proc)) < 0 && !proc->broken)
        (void)twini_proc_wait(proc, has_slot, proc, NULL, TWINI_TARGET_ANY,
                              twini_deadline_ns(1000000));
    if (proc->broken)
        return TWIN_EWORKER;
    unsigned number = *chosen = (unsigned)found, workers = proc->pool->options.workers;
    struct twini_map_slot *slot = &shared->maps[number];
    struct twini_plan plan = twini_plan_make(map->count, map->chunk, workers, TWINI_MOST_CHUNKS);
    proc->slot_in_use[number] = true;
    proc->last_chunk = plan.chunk;
    twini_proc_want(proc, plan.chunks < workers ? (uint32_t)plan.chunks : workers);
    slot->map = *map;
    slot->chunk = plan.chunk;
    slot->chunks = plan.chunks;
    slot->told = told;
    /* relaxed: as below */
    atomic_store_explicit(&slot->rung_ns, 0, memory_order_relaxed);
    slot->use++;
    /* relaxed: as below */
    atomic_store_explicit(&slot->width, workers, memory_order_relaxed);
    /* relaxed: twini_range_open() publishes all of it */
    atomic_store_explicit(&slot->lowest_failed, SIZE_MAX, memory_order_relaxed);
    atomic_store_explicit(&slot->death_pid, 0, memory_order_relaxed);
    for (unsigned w = 0; w < workers; w++)
        twini_range_of(shared, number, w)->failed_index = SIZE_MAX;
    unsigned dealt = twini_spare_dealt(shared, plan.chunks, workers, will_wait);
    slot->left_at_beat =
        plan.chunks > dealt ? plan.chunks - dealt : 0; /* each has begun with one */
    atomic_store_explicit(&slot->spare, workers - dealt, memory_order_relaxed);
    proc->beat_ns = twini_now_ns(); /* it has a whole one to end a chunk */
    for (unsigned w = 0; w < workers; w++)
        twini_range_open(twini_range_of(shared, number, w),
                         twini_plan_part(plan.chunks, dealt, w < dealt ? w : dealt),
                         twini_plan_part(plan.chunks, dealt, w < dealt ? w + 1 : dealt));
    /* order: seq_cst; pairs with acquire in twini_map_work(), and stands before the look at who
     * sleeps */
    atomic_fetch_or_explicit(&shared->maps_open, 1u << number, memory_order_seq_cst);
    atomic_fetch_add_explicit(&shared->maps_opened, 1, memory_order_seq_cst);
    proc->wakes +=
        twini_ring_for_map(shared, plan.chunks < dealt ? (unsigned)plan.chunks : dealt, !will_wait);
    return 0;
}

/* ---- giving up ----------------------------------------------------------- */

void twini_map_give_up(struct twini_proc *proc)
{
    for (unsigned number = 0; number < TWINI_MAP_SLOTS; number++)
        if (proc->slot_in_use[number])
            twini_map_lower(&proc->shared->maps[number], 0);
}

bool twini_map_stop(struct twini_proc *proc, unsigned number)
{
    struct twini_shared *shared = proc->shared;
    bool runs = false;
    twini_map_lower(&shared->maps[number], 0);
    for (unsigned w = 0; w < twini_width(&shared->maps[number]); w++)
        runs = twini_range_stop(twini_range_of(shared, number, w)) || runs;
    return runs;
}

void twini_map_drop_all(struct twini_proc *proc)
{
    for (unsigned number = 0; number < TWINI_MAP_SLOTS; number++)
        for (unsigned w = 0; w < twini_width(&proc->shared->maps[number]); w++)
            twini_range_drop(twini_range_of(proc->shared, number, w));
}

/* ---- wait ---------------------------------------------------------------- */

unsigned twini_map_beat(struct twini_proc *proc)
{
    unsigned woken = 0;
    for (unsigned number = 0; number < TWINI_MAP_SLOTS; number++)
        if (proc->slot_in_use[number])
            woken += twini_spare_beat(proc->shared, number);
    return woken;
}

bool twini_map_has_ended(struct twini_proc *proc, unsigned number)
{
    return twini_ranges_are_over(proc->shared, number);
}

int twini_map_end(struct twini_proc *proc, unsigned number, struct twin_failure *failure)
{
    struct twini_shared *shared = proc->shared;
    struct twini_map_slot *slot = &shared->maps[number];
    *failure = (struct twin_failure){.kind = TWIN_FAILURE_NONE, .index = SIZE_MAX};
    for (unsigned w = 0; w < twini_width(&shared->maps[number]); w++) {
        struct twini_range *range = twini_range_of(shared, number, w);
        if (range->failed_index < failure->index)
            *failure = (struct twin_failure){.kind = TWIN_FAILURE_TASK,
                                             .index = range->failed_index,
                                             .task_code = range->failed_code};
    }
    /* order: acquire; pairs with release in twini_map_repair() */
    pid_t dead = atomic_load_explicit(&slot->death_pid, memory_order_acquire);
    if (dead && slot->death_index < failure->index)
        *failure = (struct twin_failure){.kind = TWIN_FAILURE_WORKER,
                                         .index = slot->death_index,
                                         .pid = dead,
                                         .wait_status = slot->death_status};
    /* relaxed, both: hints */
    if (atomic_fetch_and_explicit(&shared->maps_open, ~(1u << number), memory_order_relaxed) ==
        1u << number)
        atomic_store_explicit(&shared->rings_due, 0, memory_order_relaxed);
    proc->slot_in_use[number] = false;
    (void)close_slot(shared, number); /* or when it is used next */
    if (failure->kind == TWIN_FAILURE_NONE) {
        failure->index = 0;
        return 0;
    }
    return failure->kind == TWIN_FAILURE_TASK ? TWIN_ETASK : slot->death_error;
}

struct slot_wait {
    struct twini_proc *proc;
    unsigned slot;
};

static bool slot_ready(void *arg)
{
    struct slot_wait *wait = arg;
    return wait->proc->broken || twini_map_has_ended(wait->proc, wait->slot);
}

int twini_map_run(struct twini_proc *proc, const struct twin_map *map, struct twin_failure *failure)
{
    struct slot_wait wait = {.proc = proc};
    int error = twini_map_begin(proc, map, NULL, true, &wait.slot);
    if (error) {
        *failure = (struct twin_failure){.kind = TWIN_FAILURE_WORKER};
        return error;
    }
    (void)twini_proc_wait(proc, slot_ready, &wait, NULL, TWINI_TARGET_MAP(wait.slot), INT64_MAX);
    error = twini_map_end(proc, wait.slot, failure);
    if (error || !proc->broken)
        return error;
    failure->kind = TWIN_FAILURE_WORKER; /* some of it was never run */
    return TWIN_EWORKER;
}

int twini_map_proc(struct twin_pool *pool, const struct twin_map *map)
{
    struct twini_proc *proc = twini_proc_of(pool);
    struct twin_failure failure = {.kind = TWIN_FAILURE_NONE};
    pthread_mutex_lock(&proc->lock);
    struct twin_map seen = *map;
    int error = twini_map_copy_context(proc, map, &seen.context);
    if (!error)
        error = twini_map_is_in_place(proc, map) ? twini_map_run(proc, &seen, &failure)
                                                 : twini_map_by_windows(proc, &seen, &failure);
    if (map->context_size)
        twini_arena_free(proc->pool->arena, (void *)seen.context);
    pthread_mutex_unlock(&proc->lock);
    return error ? twini_pool_fail(pool, error, &failure) : 0;
}
