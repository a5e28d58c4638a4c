/* awake.c: who sleeps, and who wakes whom.
 *
 * Lost wake-ups are ruled out as usual (Dekker): a sleeper first says that it will sleep (parked
 * bit, target word), then looks for work once more, then waits; a ringer first publishes the work,
 * then looks who sleeps. Both sides are sequentially consistent. Who clears the bit rings: so a
 * sleeper is rung once, and a dead one's bit harms nobody. The submitter fences only when it finds
 * somebody asleep: where nobody is, the first to go to sleep has a barrier executed on the
 * submitter's CPU after it said so (barrier.h). Who comes next need not: whoever was first has yet
 * to look for work, and if he dies before the barrier, the supervisor has it executed and rings all.
 *
 * A ring costs as much as a hundred short tasks, so a burst of calls must not ring for each. None is
 * due while somebody is  awake : has promised to look once more, and to clear that word before it
 * sleeps for good. It is whoever was rung last; then, of those who go to sleep, one at a time, who
 * takes a nap first: a sleep that ends by itself. (Who has run nothing yet, and finds that word 0,
 * sleeps at once: the next submitter rings.) If the one that others count on (so does a spinner) finds
 * work instead, it clears the word and, if there is more, rings the next (twini_pass_on()). So what is
 * submitted without a ring is found by somebody awake, at the latest when the nap is over. A promise
 * that dies with its worker is cleared by the supervisor, who rings all. */
#include "engine/awake.h"
#include "engine/barrier.h"
#include "engine/call.h"
#include "engine/fault.h"
#include "engine/home.h"
#include "engine/plan.h"
#include "strategy.h"

#include <sched.h>

/* How long to sleep when the barrier was refused: who submits may not have seen us. */
enum { UNSURE_NS = 50000 };

/* ---- who sleeps ---------------------------------------------------------- */

unsigned twini_count_parked(const struct twini_shared *shared)
{
    unsigned count = 0;
    for (unsigned i = 0; i < (twini_numbers(shared) + 63) / 64; i++)
        /* order: seq_cst; after tail was read: call.c */
        count += (unsigned)__builtin_popcountll(
            atomic_load_explicit(&shared->parked[i], memory_order_seq_cst));
    return count;
}

bool twini_any_spinner(const struct twini_shared *shared)
{
    for (unsigned i = 0; i < shared->spin_slots; i++)
        /* order: seq_cst; after the work was published: see the head of the file */
        if (atomic_load_explicit(&shared->spinner[i], memory_order_seq_cst))
            return true;
    return false;
}

static bool waits_in(const struct twini_shared *shared, uint64_t at, uint64_t end)
{
    for (; at < end; at++)
        if (twini_call_look(&shared->calls[at & shared->call_mask]).state == TWINI_CALL_WAITING)
            return true;
    return false;
}

static bool waits_in_run(const struct twini_shared *shared, unsigned number)
{
    const struct twini_worker_block *block = &shared->worker[number];
    /* relaxed, both: published by the swap of head, which we have read; a newer run is of calls that we
     * have looked at, or that were submitted since */
    uint64_t first = atomic_load_explicit(&block->run_first, memory_order_relaxed);
    uint64_t end = atomic_load_explicit(&block->run_end, memory_order_relaxed);
    return end <= first + TWINI_MOST_RUN && waits_in(shared, first, end);
}

bool twini_any_waiting(const struct twini_shared *shared)
{
    /* order: head acquire; the long runs before it were told of; tail seq_cst, after the reader's own
     * move of a word */
    uint64_t head = atomic_load_explicit(&shared->head, memory_order_acquire);
    if (waits_in(shared, head, atomic_load_explicit(&shared->tail, memory_order_seq_cst)))
        return true;
    for (unsigned i = 0; i < (twini_numbers(shared) + 63) / 64; i++) {
        /* order: acquire; pairs with tell_of_run() of call.c; the run is readable */
        uint64_t bits = atomic_load_explicit(&shared->long_runs[i], memory_order_acquire);
        for (; bits; bits &= bits - 1)
            if (waits_in_run(shared, i * 64 + (unsigned)__builtin_ctzll(bits)))
                return true;
    }
    return false;
}

/* ---- ring ---------------------------------------------------------------- */

bool twini_ring_caller(struct twini_shared *shared, uint64_t target)
{
    /* order: seq_cst; after the publishing compare-and-swap: see the head of the file */
    uint64_t wanted = atomic_load_explicit(&shared->target, memory_order_seq_cst);
    if (wanted == 0 || (wanted != TWINI_TARGET_ANY && wanted != target))
        return false;
    /* order: relaxed; the ring itself (a semaphore) orders what follows */
    if (!atomic_compare_exchange_strong_explicit(&shared->target, &wanted, 0, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    TWINI_FAULT("ringing_caller");
    twini_doorbell_ring(&shared->bell);
    return true;
}

unsigned twini_ring_workers(struct twini_shared *shared, unsigned count)
{
    unsigned rung = 0, words = (twini_numbers(shared) + 63) / 64;
    for (unsigned i = 0; i < words && rung < count; i++) {
        /* order: seq_cst; after the work was published: see the head of the file */
        uint64_t bits = atomic_load_explicit(&shared->parked[i], memory_order_seq_cst);
        while (bits && rung < count) {
            uint64_t bit = bits & -bits;
            bits &= ~bit;
            /* order: seq_cst, as above; the winner rings */
            if (atomic_fetch_and_explicit(&shared->parked[i], ~bit, memory_order_seq_cst) & bit) {
                TWINI_FAULT("ringing");
                twini_doorbell_ring(&shared->worker[i * 64 + (unsigned)__builtin_ctzll(bit)].bell);
                rung++;
            }
        }
    }
    return rung;
}

void twini_ring_caller_anyway(struct twini_shared *shared)
{
    /* order: relaxed; he looks now, and needs no other ring */
    atomic_store_explicit(&shared->target, 0, memory_order_relaxed);
    twini_doorbell_ring(&shared->bell);
}

void twini_ring_all_workers(struct twini_shared *shared)
{
    /* order: relaxed; all of them look now, whoever promised what */
    atomic_store_explicit(&shared->awake, 0, memory_order_relaxed);
    for (unsigned i = 0; i < twini_numbers(shared); i++)
        twini_doorbell_ring(&shared->worker[i].bell);
}

void twini_ring_all(struct twini_shared *shared)
{
    twini_ring_caller_anyway(shared);
    twini_ring_all_workers(shared);
}

/* Rings one, who is from now on the one that is awake; if there is none to ring, then whoever goes
 * to sleep next takes the promise over. */
static unsigned ring_next(struct twini_shared *shared)
{
    /* relaxed: advice where not to sleep */
    if (!twini_inside_task)
        atomic_store_explicit(&shared->submitter, sched_getcpu() + 1, memory_order_relaxed);
    if (shared->nap_ns)
        /* order: seq_cst; before the look who sleeps: who is missed there reads it before it
         * sleeps */
        atomic_store_explicit(&shared->awake, TWINI_AWAKE_RUNG, memory_order_seq_cst);
    return twini_ring_workers(shared, 1);
}

unsigned twini_ring_parked(struct twini_shared *shared, bool urgent)
{
    /* order: seq_cst; tail was moved before, and who sleeps is read after it */
    atomic_thread_fence(memory_order_seq_cst);
    if (!twini_any_parked(shared) || twini_any_spinner(shared))
        return 0;
    /* order: seq_cst; after tail was moved; pairs with the clearing of the word, which is before
     * the look at tail */
    if (!urgent && atomic_load_explicit(&shared->awake, memory_order_seq_cst))
        return 0;
    return ring_next(shared);
}

void twini_pass_on(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    if (!me->counted_on)
        return;
    me->counted_on = false;
    /* order: seq_cst; before the look for more; pairs with the load in twini_ring_for_call(). It
     * may be the promise of another one: at worst somebody is rung too early. */
    atomic_store_explicit(&shared->awake, 0, memory_order_seq_cst);
    if (twini_any_waiting(shared) && twini_any_parked(shared) && !twini_any_spinner(shared))
        (void)ring_next(shared);
}

/* ---- maps ---------------------------------------------------------------- */

unsigned twini_ring_due(struct twini_shared *shared, unsigned most)
{
    /* order: relaxed; who was rung for a map sees what was due then, as the ring orders it */
    uint32_t due = atomic_load_explicit(&shared->rings_due, memory_order_relaxed), some;
    do {
        some = due < most ? due : most;
        if (some == 0)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&shared->rings_due, &due, due - some,
                                                    memory_order_relaxed, memory_order_relaxed));
    unsigned rung = twini_ring_workers(shared, some);
    if (rung < some) /* the others are awake */
        atomic_store_explicit(&shared->rings_due, 0, memory_order_relaxed);
    return rung;
}

unsigned twini_ring_for_map(struct twini_shared *shared, unsigned count, bool all)
{
    atomic_fetch_add_explicit(&shared->rings_due, count, memory_order_relaxed); /* as above */
    return twini_ring_due(shared, all ? TWINI_MOST_WORKERS : 1);
}

/* ---- park ---------------------------------------------------------------- */

/* Takes the promise, if nobody else who sleeps has it. Who has run nothing yet makes none of its own: where
 * nobody counts on it, more work is not to be expected at once. */
static bool may_nap(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    if (shared->nap_ns == 0)
        return false;
    /* order: seq_cst, both; after our parked bit */
    uint32_t awake = atomic_load_explicit(&shared->awake, memory_order_seq_cst);
    if (awake == 0 && !me->has_run)
        return false;
    return awake == me->number + 1 ||
           ((awake == 0 || awake == TWINI_AWAKE_RUNG) &&
            atomic_compare_exchange_strong_explicit(&shared->awake, &awake, me->number + 1,
                                                    memory_order_seq_cst, memory_order_relaxed));
}

/* Returns whether it was rung. */
static bool sleep_until(struct twini_worker *me, int64_t deadline_ns)
{
    if (me->shared->wait != TWIN_WAIT_BLOCK)
        twini_choose_cpu(me);
    return twini_doorbell_wait(&me->block->bell, deadline_ns);
}

static bool nap(struct twini_worker *me)
{
    uint32_t mine = me->number + 1;
    if (sleep_until(me, twini_now_ns() + me->shared->nap_ns))
        return true;
    /* order: seq_cst; before the last look */
    atomic_compare_exchange_strong_explicit(&me->shared->awake, &mine, 0, memory_order_seq_cst,
                                            memory_order_relaxed);
    return false;
}

bool twini_make_submitter_fence(struct twini_shared *shared)
{
    /* relaxed, both: twini_ring_for_call() tells why */
    if (!atomic_load_explicit(&shared->has_barrier, memory_order_relaxed) || twini_barrier())
        return true;
    atomic_store_explicit(&shared->has_barrier, false, memory_order_relaxed);
    return false;
}

void twini_park(struct twini_worker *me, bool (*still_idle)(struct twini_worker *me))
{
    struct twini_shared *shared = me->shared;
    _Atomic uint64_t *bits = &shared->parked[me->number / 64];
    uint64_t bit = (uint64_t)1 << (me->number % 64);
    /* relaxed: read when we are dead, and told before the bit is, which is seq_cst */
    atomic_store_explicit(&me->block->owes_fence, true, memory_order_relaxed);
    /* order: seq_cst; we say that we sleep, then look once more: see the head of the file */
    bool first = atomic_fetch_or_explicit(bits, bit, memory_order_seq_cst) == 0;
    TWINI_FAULT("parked");
    bool sure = !first || twini_make_submitter_fence(shared);
    /* order: release; after the barrier */
    atomic_store_explicit(&me->block->owes_fence, false, memory_order_release);
    /* order: seq_cst; what still_idle() reads is read after it */
    atomic_thread_fence(memory_order_seq_cst);
    /* From here on we may be rung, and be the one that others count on: also when we do not get to
     * sleep. Nothing is run before the bit is cleared again: a ring would go to a worker that is
     * busy. */
    me->counted_on = true;
    TWINI_FAULT("parking");
    bool naps = may_nap(me);
    TWINI_FAULT("promising");
    if (still_idle(me)) {
        twini_count(&me->block->parks, 1);
        if (!naps || (!nap(me) && still_idle(me)))
            (void)sleep_until(me, sure ? INT64_MAX : twini_now_ns() + UNSURE_NS);
    }
    atomic_fetch_and_explicit(bits, ~bit, memory_order_seq_cst);
}
