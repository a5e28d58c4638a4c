/* worker.c: a worker's life: look for work, run it, wait.
 *
 * Work is looked for in a fixed order: single calls, then maps. Waiting is spin, then park.
 * Permission to spin is an owner word (who spins, not how many: a count would leak with a killed
 * spinner); there are fewer such words than CPUs, and nobody spins while more workers are awake than
 * there are CPUs. An idle worker sleeps on its own bell: an idle pool does nothing at all.
 *
 * Busy and idle time are booked at the turns from one to the other, by a clock that a waiting worker
 * reads anyway: a worker that finds work pays nothing for them. */
#include "engine/awake.h"
#include "engine/call.h"
#include "engine/fault.h"
#include "engine/plan.h"
#include "engine/worker_process.h"
#include "strategy.h"

#include <sched.h>
#include <stdio.h>
#include <stdio_ext.h>

enum { LOOKS = 32 };

static struct twini_view look_around(struct twini_shared *shared)
{
    return (struct twini_view){
        /* order: acquire; pairs with the release of who moved each; what it published is readable */
        .tail = atomic_load_explicit(&shared->tail, memory_order_acquire),
        .repairs = atomic_load_explicit(&shared->repairs, memory_order_acquire),
        .maps_opened = atomic_load_explicit(&shared->maps_opened, memory_order_acquire),
        .wanted = atomic_load_explicit(&shared->wanted, memory_order_acquire),
        .phase = atomic_load_explicit(&shared->phase, memory_order_acquire),
    };
}

static bool still_idle(struct twini_worker *me)
{
    struct twini_view now = look_around(me->shared);
    return now.tail == me->seen.tail && now.repairs == me->seen.repairs &&
           now.maps_opened == me->seen.maps_opened && now.wanted == me->seen.wanted &&
           now.phase == me->seen.phase;
}

/* Wakes whom it has to, runs what single calls there are, and what it can of one map. False: nothing was
 * there. */
static bool work(struct twini_worker *me)
{
    (void)twini_ring_due(me->shared, 2);
    bool called = twini_call_work(me);
    bool mapped = !me->leaves && twini_map_work(me);
    if (called || mapped) {
        me->has_run = true;
        me->ran_map = mapped;
    }
    return called || mapped;
}

/* ---- wait ---------------------------------------------------------------- */

/* Books the time since the last turn, and is idle or busy from now on. */
static void turn(struct twini_worker *me, bool idle, int64_t now_ns)
{
    struct twini_worker_block *block = me->block;
    /* relaxed, both: ours; readers want a number, not an order */
    int64_t since_ns = atomic_load_explicit(&block->since_ns, memory_order_relaxed);
    if (idle == (since_ns > 0))
        return;
    if (idle)
        twini_count(&block->busy_ns, (uint64_t)(now_ns + since_ns));
    else
        twini_count(&block->idle_ns, (uint64_t)(now_ns - since_ns));
    atomic_store_explicit(&block->since_ns, idle ? now_ns : -now_ns, memory_order_relaxed);
}

/* Whether the awake workers, and the caller unless he sleeps, have a CPU each. */
static bool has_cpu_to_spare(const struct twini_shared *shared)
{
    /* relaxed: advice on how to wait */
    bool caller_sleeps = atomic_load_explicit(&shared->target, memory_order_relaxed) != 0;
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_relaxed);
    return wanted + !caller_sleeps <= shared->cpus + twini_count_parked(shared);
}

static _Atomic uint32_t *get_spin_slot(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    if (shared->wait != TWIN_WAIT_SPIN && !has_cpu_to_spare(shared))
        return NULL;
    for (unsigned i = 0; i < shared->spin_slots; i++) {
        uint32_t free = 0;
        /* order: seq_cst; whoever seals looks for a spinner, who looks for what is sealed:
         * doorbell.c */
        if (atomic_compare_exchange_strong_explicit(&shared->spinner[i], &free, me->number + 1,
                                                    memory_order_seq_cst, memory_order_relaxed))
            return &shared->spinner[i];
    }
    return NULL;
}

/* Spins for a while. True: something changed, and the worker is busy. */
static bool spin(struct twini_worker *me, int64_t now_ns)
{
    struct twini_shared *shared = me->shared;
    if (shared->wait == TWIN_WAIT_BLOCK)
        return false;
    _Atomic uint32_t *slot = get_spin_slot(me);
    if (!slot)
        return false;
    bool changed = false;
    int64_t end_ns = now_ns + shared->spin_ns;
    twini_count(&me->block->spins, 1);
    TWINI_FAULT("spinning");
    do {
        for (int i = 0; i < LOOKS && !changed; i++) {
            now_ns = twini_relax_unless_hurried(shared);
            changed = twini_call_is_next(shared);
        }
        changed = changed || !still_idle(me);
    } while (!changed && now_ns < end_ns);
    atomic_store_explicit(slot, 0, memory_order_seq_cst); /* as above */
    changed = changed || !still_idle(me);
    if (changed)
        turn(me, false, now_ns);
    return changed;
}

/* A task's printf shows when its worker goes idle or leaves; an error of it stays stdio's. */
static void show_output(const struct twini_worker *me)
{
    if (me->shared->processes && (me->has_run || me->shared->initializer) && __fpending(stdout) > 0)
        (void)fflush(stdout);
}

/* Spins, then parks: whatever the policy and the others leave us. Who has run nothing yet parks at once.
 * Returns when there may be work. */
static void wait_for_work(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    show_output(me);
    int64_t now_ns = twini_now_ns();
    turn(me, true, now_ns);
    if ((me->has_run || shared->wait == TWIN_WAIT_SPIN) && spin(me, now_ns)) {
        me->counted_on = true;
        return;
    }
    if (shared->wait == TWIN_WAIT_SPIN) {
        if (twini_numbers(shared) >= shared->cpus)
            sched_yield();
        return;
    }
    twini_park(me, still_idle);
    turn(me, false, twini_now_ns());
}

/* How many calls and chunks until it is replaced: the first ones of a pool after a part of them, each
 * another, so that not all are replaced at once. */
static unsigned life(struct twini_worker *me)
{
    unsigned tasks = me->shared->tasks_per_worker;
    struct twini_worker_block *block = me->block;
    /* relaxed: written by whoever had the number before, who is dead */
    if (tasks == 0 || atomic_load_explicit(&block->tasks, memory_order_relaxed) +
                          atomic_load_explicit(&block->chunks, memory_order_relaxed))
        return tasks;
    uint64_t numbers = twini_numbers(me->shared);
    return 1 + (unsigned)((tasks - 1) * (uint64_t)(me->number + 1) / numbers);
}

/* What it has claimed and not run is anybody's from now on. */
static void leave(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    show_output(me);
    /* books the rest; relaxed: ours */
    turn(me, atomic_load_explicit(&me->block->since_ns, memory_order_relaxed) < 0, twini_now_ns());
    bool is_spent = shared->tasks_per_worker && me->left == 0 && me->leaves;
    /* order: release; pairs with acquire in the supervisor */
    atomic_store_explicit(&me->block->state, is_spent ? TWINI_SPENT : TWINI_LEFT,
                          memory_order_release);
    if (me->seen.phase != TWINI_WORK)
        return;
    /* order: release; pairs with acquire in look_around() */
    atomic_fetch_add_explicit(&shared->repairs, 1, memory_order_release);
    twini_ring_all(shared);
}

int twini_worker_main(struct twini_shared *shared, unsigned number)
{
    struct twini_worker me = {.shared = shared,
                              .block = &shared->worker[number],
                              .number = number,
                              .is_new = true,
                              .home = -1,
                              .fork_epoch = twini_fork_epoch};
    twini_inside_task = true;
    TWINI_FAULT("starting");
    if (shared->initializer) {
        int code = shared->initializer(shared->initializer_arg);
        twini_worker_end_copy(&me);
        if (code != 0) {
            /* order: release; pairs with acquire in the supervisor */
            atomic_store_explicit(&me.block->state, TWINI_GIVEN_UP, memory_order_release);
            return code;
        }
        if (shared->processes)
            twini_follow_supervisor(shared);
    }
    me.left = life(&me);
    /* relaxed: ours; what was not booked is lost with whoever had the number before */
    atomic_store_explicit(&me.block->since_ns, -twini_now_ns(), memory_order_relaxed);
    atomic_store_explicit(&me.block->state, TWINI_WORKING, memory_order_release); /* as above */
    /* order: acq_rel; whoever is the last sees that all others work */
    uint32_t good = atomic_fetch_add_explicit(&shared->good_starts, 1, memory_order_acq_rel) + 1;
    if (good >= atomic_load_explicit(&shared->wanted, memory_order_acquire) &&
        atomic_load_explicit(&shared->opened, memory_order_acquire) == 0)
        twini_ring_caller(shared, TWINI_TARGET_OPEN);
    for (;;) {
        me.seen = look_around(shared);
        if (me.seen.phase != TWINI_WORK || number >= me.seen.wanted)
            break;
        bool worked = work(&me);
        if (me.leaves)
            break;
        if (!worked)
            wait_for_work(&me);
    }
    leave(&me);
    return 0;
}
