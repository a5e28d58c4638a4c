/* worker.c: a worker's life: look for work, run it, wait.
 *
 * Work is looked for in a fixed order: single calls, maps, and, after a repair, everywhere. Waiting
 * is spin, then park. Permission to spin is an owner word (who spins, not how many: a count would
 * leak with a killed spinner); there are fewer such words than CPUs, and nobody spins while more
 * workers are awake than there are CPUs. An idle worker sleeps on its own bell: an idle pool does
 * nothing at all. */
#include "engine/worker.h"
#include "engine/plan.h"
#include "strategy.h"

#include <sched.h>
#include <stdio.h>
#include <stdio_ext.h>

/* What a waiting worker watches: changes whenever there may be something to do. */
struct view {
    uint64_t tail, repairs;
    uint32_t maps_opened;
    int phase;
};

static struct view look_around(struct twini_shared *shared)
{
    return (struct view){
        /* order: acquire; pairs with the submitter's release of each; what it published is readable
         */
        .tail = atomic_load_explicit(&shared->tail, memory_order_acquire),
        .repairs = atomic_load_explicit(&shared->repairs, memory_order_acquire),
        .maps_opened = atomic_load_explicit(&shared->maps_opened, memory_order_acquire),
        .phase = atomic_load_explicit(&shared->phase, memory_order_acquire),
    };
}

static bool same(struct view a, struct view b)
{
    return a.tail == b.tail && a.repairs == b.repairs && a.maps_opened == b.maps_opened &&
           a.phase == b.phase;
}

/* Runs one batch, or what it can of one map. False: nothing was there. */
static bool work(struct twini_worker *me)
{
    /* order: acquire; pairs with the supervisor's increment after its repairs */
    uint64_t repairs = atomic_load_explicit(&me->shared->repairs, memory_order_acquire);
    if (twini_call_work(me, repairs != me->repairs_seen) || twini_map_work(me))
        return true;
    me->repairs_seen = repairs; /* only now: the whole ring was seen empty since */
    return false;
}

/* ---- wait ---------------------------------------------------------------- */

/* Whether the awake workers, and the caller unless he sleeps, have a CPU each. */
static bool has_cpu_to_spare(const struct twini_shared *shared)
{
    /* relaxed: advice on how to wait */
    bool caller_sleeps = atomic_load_explicit(&shared->target, memory_order_relaxed) != 0;
    return shared->workers - twini_count_parked(shared) + !caller_sleeps <= shared->cpus;
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

/* Spins for a while. True: something changed. */
static bool spin(struct twini_worker *me, struct view seen)
{
    struct twini_shared *shared = me->shared;
    if (shared->wait == TWIN_WAIT_BLOCK)
        return false;
    _Atomic uint32_t *slot = get_spin_slot(me);
    if (!slot)
        return false;
    bool changed = false;
    int64_t end = twini_now_ns() + shared->spin_ns;
    do {
        for (int i = 0; i < 32 && !changed; i++) {
            twini_relax();
            changed = !same(seen, look_around(shared));
        }
    } while (!changed && twini_now_ns() < end);
    atomic_store_explicit(slot, 0, memory_order_seq_cst); /* as above */
    return changed || !same(seen, look_around(shared));
}

/* Until when a sleeper sleeps: not for good while calls may be sealed without a ring
 * (twini_batch_ring()). */
static int64_t sleep_end(struct twini_shared *shared)
{
    /* order: seq_cst; after our parked bit; a stale value is older than a ring for somebody else */
    int64_t until = atomic_load_explicit(&shared->awake_until_ns, memory_order_seq_cst);
    return until && twini_now_ns() < until ? until : INT64_MAX;
}

static void park(struct twini_worker *me, struct view seen)
{
    struct twini_shared *shared = me->shared;
    _Atomic uint64_t *bits = &shared->parked[me->number / 64];
    uint64_t bit = (uint64_t)1 << (me->number % 64);
    /* order: seq_cst; we say that we sleep, then look once more: doorbell.c */
    atomic_fetch_or_explicit(bits, bit, memory_order_seq_cst);
    /* From here on we may be rung, and be the one that others count on: also when we do not get to
     * sleep, and when our sleep ends with the time that they count on. Nothing is run before the
     * bit is cleared again: a ring would go to a worker that is busy. */
    me->was_rung = true;
    int64_t end = sleep_end(shared);
    if (same(seen, look_around(shared))) {
        twini_count(&me->block->parks, 1);
        (void)twini_doorbell_wait(&me->block->bell, end);
    }
    atomic_fetch_and_explicit(bits, ~bit, memory_order_seq_cst);
}

/* Spins, then parks: whatever the policy and the others leave us. Returns when there may be work.
 */
static void wait_for_work(struct twini_worker *me, struct view seen)
{
    struct twini_shared *shared = me->shared;
    /* a task's printf shows when its worker goes idle; an error of it stays stdio's */
    if (shared->processes && __fpending(stdout) > 0)
        (void)fflush(stdout);
    me->was_spinning = spin(me, seen);
    if (me->was_spinning)
        return;
    if (shared->wait == TWIN_WAIT_SPIN) {
        if (shared->workers >= shared->cpus)
            sched_yield();
        return;
    }
    park(me, seen);
}

int twini_worker_main(struct twini_shared *shared, unsigned number)
{
    struct twini_worker me = {.shared = shared, .block = &shared->worker[number], .number = number};
    twini_inside_task = true;
    if (shared->initializer) {
        int code = shared->initializer(shared->initializer_arg);
        if (code != 0) {
            /* order: release; pairs with acquire in the supervisor */
            atomic_store_explicit(&me.block->state, TWINI_GIVEN_UP, memory_order_release);
            return code;
        }
    }
    /* whoever was here before may have died looking: look everywhere */
    me.repairs_seen = UINT64_MAX;
    atomic_store_explicit(&me.block->state, TWINI_WORKING, memory_order_release); /* as above */
    if (atomic_load_explicit(&shared->opened, memory_order_acquire) == 0)
        twini_ring_caller(shared, TWINI_TARGET_OPEN);
    for (;;) {
        struct view seen = look_around(shared);
        if (work(&me))
            continue;
        if (seen.phase != TWINI_WORK)
            break;
        wait_for_work(&me, seen);
    }
    if (shared->processes)
        (void)fflush(stdout);
    atomic_store_explicit(&me.block->state, TWINI_LEFT, memory_order_release); /* as above */
    return 0;
}
