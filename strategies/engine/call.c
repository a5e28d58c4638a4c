/* call.c: the worker's and the supervisor's half of a call; the protocol stands in call.h. What is
 * costly here is not instructions but cache lines that travel between CPUs: a call's line twice,
 * there and back, and each fetched ahead; the head once a run. */
#include "engine/call.h"
#include "engine/awake.h"
#include "engine/fault.h"
#include "engine/plan.h"
#include "engine/watch.h"

enum { AHEAD = 4, VISIT_EVERY = 16, SHORT = 32, LINGERS = 64 };
static const int64_t short_ns = 2000;

int64_t twini_relax_unless_hurried(struct twini_shared *shared)
{
    twini_relax();
    int64_t now = twini_now_ns(), end = now + short_ns;
    /* relaxed: advice */
    while (!atomic_load_explicit(&shared->hurry, memory_order_relaxed) &&
           (now = twini_now_ns()) < end)
        twini_relax();
    return now;
}

/* ---- worker: claim ------------------------------------------------------- */

static bool take(struct twini_worker *me, uint32_t line)
{
    struct twini_call *call = &me->shared->calls[line];
    struct twini_call_word seen = twini_call_look(call), to = seen;
    if (seen.state != TWINI_CALL_WAITING)
        return false;
    /* order: relaxed; the claim publishes it to the supervisor */
    atomic_store_explicit(&me->block->current, line, memory_order_relaxed);
    to.state = TWINI_CALL_RUNNING;
    to.owner = me->number;
    TWINI_FAULT("naming");
    if (!twini_call_move(call, &seen, to))
        return false;
    TWINI_FAULT("claimed");
    me->running = to;
    twini_wake_watcher(me->shared);
    twini_pass_on(me);
    return true;
}

/* Tells those who look whether to wake somebody that calls may wait in our run, too; or that none do. Not
 * told of are runs of one call, which is begun at once, and those that were taken when nobody slept: who
 * went to sleep later has looked into them. */
static void tell_of_run(struct twini_worker *me, bool is_long)
{
    _Atomic uint64_t *bits = &me->shared->long_runs[me->number / 64];
    uint64_t bit = (uint64_t)1 << (me->number % 64);
    if (me->told == is_long)
        return;
    me->told = is_long;
    /* order: release; before the swap of head; pairs with acquire in twini_any_waiting() */
    if (is_long)
        atomic_fetch_or_explicit(bits, bit, memory_order_release);
    else
        atomic_fetch_and_explicit(bits, ~bit, memory_order_release);
}

/* Long runs only behind a long queue: 2 for each worker that has a CPU should be left; the others look into
 * runs, too. None at all while somebody sleeps though there is a CPU for him. (Who spins needs none left: he
 * sees that tail moves; and behind a long queue he spins in name only, without a CPU.) */
static uint64_t run_length(const struct twini_shared *shared, uint64_t waiting, uint64_t parked)
{
    /* relaxed: advice */
    uint64_t awake = atomic_load_explicit(&shared->wanted, memory_order_relaxed) - parked;
    uint64_t length = waiting / (2 * (awake < shared->cpus ? awake : shared->cpus) + 1);
    if (length <= 1 || (parked && awake < shared->cpus))
        return 1;
    return length < TWINI_MOST_RUN ? length : TWINI_MOST_RUN;
}

/* A new run, the old one being used up. False: head has reached tail. */
static bool take_run(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    /* order: acquire, both; runs that were published before head passed them, and calls that were
     * written before tail did, are readable */
    uint64_t head = atomic_load_explicit(&shared->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_acquire);
    if (head < tail && tail - head < SHORT) {
        twini_relax_unless_hurried(shared);
        tail = atomic_load_explicit(&shared->tail, memory_order_acquire);
    }
    while (head < tail) {
        uint64_t parked = twini_count_parked(shared);
        uint64_t end = head + run_length(shared, tail - head, parked);
        twini_fetch_to_write(&shared->calls[head & shared->call_mask]);
        /* order: relaxed; the swap below publishes both */
        atomic_store_explicit(&me->block->run_first, head, memory_order_relaxed);
        atomic_store_explicit(&me->block->run_end, end, memory_order_relaxed);
        tell_of_run(me, parked && end - head > 1);
        TWINI_FAULT("run_published");
        if (atomic_compare_exchange_strong_explicit(&shared->head, &head, end, memory_order_seq_cst,
                                                    memory_order_acquire)) {
            TWINI_FAULT("run_claimed");
            me->at = head;
            me->end = end;
            twini_count(&me->block->claims, 1);
            return true;
        }
    }
    tell_of_run(me, false);
    return false;
}

/* The call that waits again because the worker of this number was lost with it. */
static uint32_t take_again(struct twini_worker *me, unsigned number)
{
    /* order: acquire; pairs with release in twini_call_repair() */
    uint32_t again = atomic_load_explicit(&me->shared->worker[number].again, memory_order_acquire);
    return again && take(me, again - 1) ? again - 1 : TWINI_NO_LINE;
}

/* One call that stands in the run of this number, from its end; or that is its  again . */
static uint32_t take_from(struct twini_worker *me, unsigned number)
{
    struct twini_shared *shared = me->shared;
    struct twini_worker_block *block = &shared->worker[number];
    uint32_t again = take_again(me, number);
    if (again != TWINI_NO_LINE)
        return again;
    /* relaxed: published by the swap of head, which we have read; any other two values are places
     * to look at as well */
    uint64_t first = atomic_load_explicit(&block->run_first, memory_order_relaxed);
    uint64_t at = atomic_load_explicit(&block->run_end, memory_order_relaxed);
    if (at > first + TWINI_MOST_RUN)
        first = at - TWINI_MOST_RUN;
    while (at > first) {
        uint32_t line = (uint32_t)--at & shared->call_mask;
        if (take(me, line))
            return line;
    }
    return TWINI_NO_LINE;
}

static uint32_t steal(struct twini_worker *me, unsigned victim)
{
    uint32_t line = take_from(me, victim);
    if (line != TWINI_NO_LINE) {
        twini_count(&me->block->steals, 1);
        twini_count(&me->block->claims, 1);
    }
    return line;
}

static uint32_t take_from_run(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    while (me->at < me->end) {
        uint32_t line = (uint32_t)me->at++ & shared->call_mask;
        if (me->at + AHEAD < me->end)
            twini_fetch_to_write(&shared->calls[(me->at + AHEAD) & shared->call_mask]);
        if (take(me, line))
            return line;
    }
    return TWINI_NO_LINE;
}

/* What the worker before left: first the call that it was lost with (so that  again  is free when
 * we are lost with another one), then its run. */
static uint32_t inherit(struct twini_worker *me)
{
    me->is_new = false;
    /* relaxed, all: the supervisor, who forked us, has seen them */
    me->at = atomic_load_explicit(&me->block->run_first, memory_order_relaxed);
    me->end = atomic_load_explicit(&me->block->run_end, memory_order_relaxed);
    me->told =
        atomic_load_explicit(&me->shared->long_runs[me->number / 64], memory_order_relaxed) >>
            me->number % 64 &
        1;
    return take_again(me, me->number);
}

/* Who spun has seen a call at head, maybe before tail tells. Head is not moved: take_run() will. */
static uint32_t take_next(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    uint32_t line = (uint32_t)atomic_load_explicit(&shared->head, memory_order_relaxed) &
                    shared->call_mask; /* relaxed: where to look is a hint */
    return take(me, line) ? line : TWINI_NO_LINE;
}

/* Who spins for each call comes back with the next one before a worker has gone idle: so it waits where
 * that will be, for a moment. */
static uint32_t linger(struct twini_worker *me)
{
    uint32_t line = TWINI_NO_LINE;
    for (int i = 0; i < LINGERS && line == TWINI_NO_LINE; i++) {
        twini_relax();
        line = take_next(me);
    }
    me->lingers = false;
    return line;
}

uint32_t twini_call_claim(struct twini_worker *me)
{
    uint32_t line = me->is_new ? inherit(me) : me->counted_on ? take_next(me) : TWINI_NO_LINE;
    unsigned numbers = twini_numbers(me->shared);
    while (line == TWINI_NO_LINE) {
        line = take_from_run(me);
        if (line != TWINI_NO_LINE)
            break;
        /* now and then somebody else's first: its owner may run one call for ever */
        if (++me->runs % VISIT_EVERY == 0)
            line = steal(me, (unsigned)(me->runs / VISIT_EVERY) % numbers);
        if (line == TWINI_NO_LINE && !take_run(me))
            break;
    }
    for (unsigned i = 1; i <= numbers && line == TWINI_NO_LINE; i++)
        line = steal(me, (me->number + i) % numbers);
    return line == TWINI_NO_LINE && me->lingers ? linger(me) : line;
}

bool twini_call_is_next(struct twini_shared *shared)
{
    /* relaxed: where to look is a hint */
    uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
    return twini_call_look(&shared->calls[head & shared->call_mask]).state == TWINI_CALL_WAITING;
}

/* ---- worker: publish ----------------------------------------------------- */

/* Whether the caller may be spinning for a call, on another CPU. */
static bool may_spin(const struct twini_shared *shared)
{
    /* relaxed: advice */
    return shared->wait != TWIN_WAIT_BLOCK && shared->cpus > 1 &&
           atomic_load_explicit(&shared->hurry, memory_order_relaxed);
}

bool twini_call_finish(struct twini_worker *me, uint32_t line)
{
    struct twini_call *call = &me->shared->calls[line];
    struct twini_call_word seen = me->running, to = seen;
    to.state = TWINI_CALL_DONE;
    while (!twini_call_move(call, &seen, to)) { /* once at most: nobody else moves it then */
    }
    TWINI_FAULT("published");
    bool slept = twini_ring_caller(me->shared, TWINI_TARGET_CALL(line));
    me->lingers = !slept && may_spin(me->shared);
    return seen.state == TWINI_CALL_RUNNING;
}

/* ---- supervisor ---------------------------------------------------------- */

bool twini_call_repair(struct twini_shared *shared, unsigned worker, pid_t pid, int status)
{
    struct twini_worker_block *block = &shared->worker[worker];
    uint32_t line = atomic_load_explicit(&block->current, memory_order_relaxed); /* it is dead */
    struct twini_call *call = &shared->calls[line];
    struct twini_call_word seen = twini_call_look(call), to;
    if (!twini_call_is_of(seen, worker))
        return false;
    do { /* fails only when the caller cancels it meanwhile */
        to = seen;
        if (seen.state == TWINI_CALL_RUNNING && seen.attempts < shared->retries) {
            to.state = TWINI_CALL_WAITING;
            to.attempts = seen.attempts + 1;
            /* order: release; pairs with acquire in take_from() */
            atomic_store_explicit(&block->again, line + 1, memory_order_release);
            continue;
        }
        to.state = seen.state == TWINI_CALL_STOPPED   ? TWINI_CALL_CANCELLED
                   : seen.state == TWINI_CALL_OVERDUE ? TWINI_CALL_TIMED_OUT
                                                      : TWINI_CALL_LOST;
        call->code = status;
        call->u.pid = pid;
    } while (!twini_call_move(call, &seen, to));
    return seen.state != TWINI_CALL_RUNNING;
}
