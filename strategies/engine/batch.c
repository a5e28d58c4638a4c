/* batch.c: the worker's and the supervisor's half of a batch; the protocol stands in batch.h.
 *
 * Hand-out goes through a ring of batch numbers. Ring, head and tail are hints: an entry may name a
 * batch that is long done, or in use again; the word decides. Head only grows, and only past
 * entries that were seen not sealed, so that no sealed batch lies below it, with one exception: a
 * batch that the supervisor sealed again. For that  repairs  counts up, and each worker then looks
 * everywhere once. */
#include "engine/batch.h"
#include "engine/batch_word.h"
#include "engine/worker.h"

/* ---- worker: claim ------------------------------------------------------- */

bool twini_batch_any_waits(const struct twini_shared *shared)
{
    /* order: head relaxed, a hint; tail seq_cst, after the caller's own move: doorbell.c */
    uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_seq_cst);
    for (uint64_t at = head; at < tail; at++) {
        /* relaxed: any batch number is fine, the word decides */
        uint32_t number =
            atomic_load_explicit(&shared->ring[at & shared->ring_mask], memory_order_relaxed);
        if (twini_batch_look(&shared->batch[number]).state == TWINI_BATCH_SEALED)
            return true;
    }
    return false;
}

void twini_batch_pass_on(struct twini_worker *me)
{
    struct twini_shared *shared = me->shared;
    if (!me->was_rung && !me->was_spinning)
        return;
    if (me->was_rung)
        /* order: seq_cst; before the look for more; pairs with the load in twini_batch_ring() */
        atomic_store_explicit(&shared->awake_until_ns, 0, memory_order_seq_cst);
    if (twini_batch_any_waits(shared))
        (void)twini_ring_workers(shared, 1);
    me->was_rung = me->was_spinning = false;
}

static bool claim(struct twini_worker *me, uint32_t number, struct twini_batch_word *w)
{
    struct twini_batch *batch = &me->shared->batch[number];
    *w = twini_batch_look(batch);
    while (w->state == TWINI_BATCH_SEALED) {
        struct twini_batch_word to = *w;
        to.state = TWINI_BATCH_RUNNING;
        to.owner = me->number;
        to.next = w->next + 1;
        if (twini_batch_move(batch, w, to)) {
            *w = to;
            twini_count(&me->block->claims, 1);
            twini_batch_pass_on(me);
            return true;
        }
    }
    return false;
}

static bool claim_anywhere(struct twini_worker *me, uint32_t *number, struct twini_batch_word *w)
{
    /* order: acquire; pairs with release in start_batch(); the batch is initialised */
    uint32_t used = atomic_load_explicit(&me->shared->batches_used, memory_order_acquire);
    for (*number = 0; *number < used; ++*number)
        if (claim(me, *number, w))
            return true;
    return false;
}

bool twini_batch_claim(struct twini_worker *me, bool everywhere, uint32_t *number,
                       struct twini_batch_word *w)
{
    if (everywhere)
        return claim_anywhere(me, number, w);
    struct twini_shared *shared = me->shared;
    /* order: head relaxed, a hint; tail acquire, pairs with release in push(): entries are readable
     */
    uint64_t first = atomic_load_explicit(&shared->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_acquire);
    for (uint64_t at = first; at < tail; at++) {
        /* relaxed: any batch number is fine, the word decides */
        *number = atomic_load_explicit(&shared->ring[at & shared->ring_mask], memory_order_relaxed);
        if (twini_batch_look(&shared->batch[*number]).state != TWINI_BATCH_SEALED)
            continue;
        uint64_t expected = first;
        if (at > first)
            /* relaxed: a hint; only ever moved forward, past entries seen not sealed */
            atomic_compare_exchange_strong_explicit(&shared->head, &expected, at,
                                                    memory_order_relaxed, memory_order_relaxed);
        if (claim(me, *number, w))
            return true;
        first = at;
    }
    if (tail > first)
        atomic_compare_exchange_strong_explicit(&shared->head, &first, tail, memory_order_relaxed,
                                                memory_order_relaxed);
    return false;
}

bool twini_batch_next(struct twini_shared *shared, uint32_t number, struct twini_batch_word *w)
{
    struct twini_batch *batch = &shared->batch[number];
    unsigned current = w->next - 1;
    struct twini_batch_word to;
    do { /* fails only when the submitter has cut calls off the end meanwhile */
        to = *w;
        if (w->next == w->end)
            to.state = TWINI_BATCH_DONE;
        else
            to.next = w->next + 1; /* ends this call and starts the next in one step */
    } while (!twini_batch_move(batch, w, to));
    *w = to;
    twini_ring_caller(shared, TWINI_TARGET_CALL(number, current));
    return to.state == TWINI_BATCH_RUNNING;
}

/* ---- supervisor: repair -------------------------------------------------- */

void twini_batch_repair(struct twini_shared *shared, unsigned worker, pid_t pid, int status)
{
    uint32_t used = atomic_load_explicit(&shared->batches_used, memory_order_acquire);
    for (uint32_t i = 0; i < used; i++) {
        struct twini_batch *batch = &shared->batch[i];
        struct twini_batch_word w = twini_batch_look(batch);
        if (w.state != TWINI_BATCH_RUNNING || w.owner != worker)
            continue;
        struct twini_call *lost = &batch->calls[w.next - 1];
        lost->outcome = TWINI_LOST;
        lost->code = status;
        lost->u.pid = pid;
        struct twini_batch_word to;
        do { /* fails only when the submitter cuts meanwhile */
            to = w;
            to.state = w.next == w.end ? TWINI_BATCH_DONE : TWINI_BATCH_SEALED;
        } while (!twini_batch_move(batch, &w, to));
    }
}
