/* submit.c: the submitter's half of a batch: write, seal, collect, take back. The protocol stands
 * in batch.h; the lock of struct twini_proc is held throughout.
 *
 * Free batches are a stack: the one used last is the one whose lines are still in a cache. */
#include "engine/batch.h"
#include "engine/batch_word.h"

#include <string.h>

/* ---- seal ---------------------------------------------------------------- */

static size_t align16(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

/* Copies arguments inline, or into a block of the arena: [context][item][result]. */
static int write_call(struct twini_proc *proc, struct twini_call *to, const struct twin_call *call,
                      struct twini_proc_future *future)
{
    *to = (struct twini_call){.task = call->task, .context = (void *)call->context};
    size_t item_at = align16(call->context_size), result_at = item_at + align16(call->item_size);
    future->block = NULL;
    if (call->context_size == 0 && call->item_size <= TWINI_INLINE_BYTES &&
        (call->result_size == 0 || result_at + call->result_size <= TWINI_INLINE_BYTES)) {
        if (call->item_size)
            memcpy(to->u.bytes, call->item, call->item_size);
        to->result_offset = (uint16_t)(call->result_size ? result_at : 0);
        return 0;
    }
    size_t size = result_at + call->result_size;
    char *block = twini_arena_alloc_dirty(proc->pool->arena, size ? size : 1);
    if (!block)
        return TWIN_ENOMEM;
    if (call->context_size) {
        memcpy(block, call->context, call->context_size);
        to->context = block;
    }
    if (call->item_size)
        memcpy(block + item_at, call->item, call->item_size);
    proc->staged_bytes += size;
    future->block = block;
    to->block = block;
    to->u.offset[0] = item_at;
    to->u.offset[1] = result_at;
    return 0;
}

static void link_newest(struct twini_proc *proc, uint32_t number)
{
    struct twini_batch_account *account = &proc->account[number];
    account->previous = proc->newest;
    account->next = TWINI_NONE;
    if (proc->newest != TWINI_NONE)
        proc->account[proc->newest].next = number;
    else
        proc->oldest = number;
    proc->newest = number;
}

static void unlink_batch(struct twini_proc *proc, uint32_t number)
{
    struct twini_batch_account *account = &proc->account[number];
    if (account->previous != TWINI_NONE)
        proc->account[account->previous].next = account->next;
    else
        proc->oldest = account->next;
    if (account->next != TWINI_NONE)
        proc->account[account->next].previous = account->previous;
    else
        proc->newest = account->previous;
}

/* A place in the ring; false if 2 batches' worth of entries lie above a batch that nobody has
 * taken. */
static bool push(struct twini_proc *proc, uint32_t number)
{
    struct twini_shared *shared = proc->shared;
    uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_relaxed); /* ours */
    uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed); /* a hint */
    while (tail - head > shared->ring_mask) {
        uint32_t at = atomic_load_explicit(&shared->ring[head & shared->ring_mask],
                                           memory_order_relaxed); /* ours */
        if (twini_batch_look(&shared->batch[at]).state == TWINI_BATCH_SEALED)
            return false;
        if (atomic_compare_exchange_strong_explicit(&shared->head, &head, head + 1,
                                                    memory_order_relaxed, memory_order_relaxed))
            head++;
    }
    atomic_store_explicit(&shared->ring[tail & shared->ring_mask], number, memory_order_relaxed);
    /* order: seq_cst; pairs with acquire in twini_batch_work(), and stands before the look at who
     * sleeps */
    atomic_store_explicit(&shared->tail, tail + 1, memory_order_seq_cst);
    return true;
}

/* Seals a free batch that holds its first count calls, and pushes it. */
static bool seal(struct twini_proc *proc, uint32_t number, unsigned count)
{
    struct twini_batch *batch = &proc->shared->batch[number];
    struct twini_batch_word w = twini_batch_look(batch);
    w.state = TWINI_BATCH_SEALED;
    w.owner = 0;
    w.next = 0;
    w.end = count;
    /* order: seq_cst; pairs with acquire in twini_batch_look(): the calls are readable */
    atomic_store_explicit(&batch->word, twini_word_pack(w), memory_order_seq_cst);
    if (!push(proc, number)) {
        w.state = TWINI_BATCH_FREE; /* not reachable yet: see push() */
        atomic_store_explicit(&batch->word, twini_word_pack(w), memory_order_relaxed);
        return false;
    }
    link_newest(proc, number);
    proc->account[number].in_use = true;
    proc->account[number].collected = 0;
    return true;
}

/* Whether a batch of so many calls may take one more: one call only while a sleeping worker is due
 * to be rung for it; else so few that each worker finds two batches' worth, and nobody hoards what
 * others could run. */
static bool may_grow(struct twini_proc *proc, unsigned calls)
{
    if (calls == TWINI_BATCH_CALLS || (!proc->in_window && twini_any_parked(proc->shared)))
        return false;
    return (size_t)calls * 2 * proc->shared->workers < proc->in_flight;
}

/* Adds the call to the newest batch, if nobody has taken that one and the limit allows. */
static bool append(struct twini_proc *proc, const struct twini_call *call,
                   struct twini_proc_future *future)
{
    if (proc->newest == TWINI_NONE)
        return false;
    struct twini_batch *batch = &proc->shared->batch[proc->newest];
    struct twini_batch_word w = twini_batch_look(batch);
    if (w.state != TWINI_BATCH_SEALED || !may_grow(proc, w.end))
        return false;
    future->batch = proc->newest;
    future->index = w.end;
    batch->calls[w.end] = *call; /* at end: not visible before the word says so */
    proc->account[proc->newest].futures[w.end] = future;
    struct twini_batch_word to = w;
    to.end = w.end + 1;
    return twini_batch_move(batch, &w, to);
}

static bool start_batch(struct twini_proc *proc, const struct twini_call *call,
                        struct twini_proc_future *future)
{
    if (proc->free_count == 0)
        return false;
    uint32_t number = proc->free_batches[proc->free_count - 1];
    struct twini_shared *shared = proc->shared;
    if (number >= atomic_load_explicit(&shared->batches_used, memory_order_relaxed)) /* ours */
        /* order: release; pairs with acquire in take_anywhere() and twini_batch_repair() */
        atomic_store_explicit(&shared->batches_used, number + 1, memory_order_release);
    shared->batch[number].calls[0] = *call;
    future->batch = number;
    future->index = 0;
    proc->account[number].futures[0] = future;
    if (!seal(proc, number, 1))
        return false;
    proc->free_count--;
    return true;
}

static bool has_room(void *arg)
{
    struct twini_proc *proc = arg;
    return proc->broken ||
           (proc->in_flight < proc->pool->options.max_pending && proc->free_count > 0);
}

/* Rings a sleeper, but not for every call of a burst: a ring costs as much as a hundred short
 * tasks. None is due while a worker spins: it finds the call, and rings the next sleeper if it leaves more
 * behind. Nor (unless it is urgent) for some time after the last ring: until then no worker sleeps
 * for good (worker.c); if the one that was rung gets something to do, it ends that time itself
 * (twini_batch_pass_on()). So what is sealed without a ring is found by somebody awake, at the
 * latest when that time is over. */
void twini_batch_ring(struct twini_proc *proc, bool urgent)
{
    struct twini_shared *shared = proc->shared;
    proc->in_window = false;
    if (!twini_any_parked(shared))
        return;
    int64_t now = twini_now_ns();
    /* order: seq_cst; after the call was published; pairs with twini_batch_pass_on() */
    proc->in_window =
        !urgent && now < atomic_load_explicit(&shared->awake_until_ns, memory_order_seq_cst);
    if (proc->in_window || twini_any_spinner(shared)) /* in this order: spinners own their line */
        return;
    /* order: seq_cst; before the look who sleeps: who is missed there reads it before it sleeps */
    atomic_store_explicit(&shared->awake_until_ns, now + shared->ring_window_ns,
                          memory_order_seq_cst);
    proc->wakes += twini_ring_workers(shared, 1);
}

int twini_batch_submit(struct twini_proc *proc, const struct twin_call *call,
                       struct twini_proc_future *future)
{
    if (!has_room(proc)) {
        twini_batch_collect_all(proc);
        (void)twini_proc_wait(proc, has_room, proc, NULL, TWINI_TARGET_ANY, INT64_MAX);
    }
    if (proc->broken)
        return TWIN_EWORKER;
    struct twini_call copy;
    int error = write_call(proc, &copy, call, future);
    if (error)
        return error;
    while (!append(proc, &copy, future) && !start_batch(proc, &copy, future)) {
        /* the ring is full behind a batch that waits: any progress will do */
        (void)twini_proc_wait(proc, NULL, NULL, NULL, TWINI_TARGET_ANY, twini_deadline_ns(1000000));
        if (proc->broken)
            return TWIN_EWORKER;
    }
    proc->in_flight++;
    return 0;
}

/* ---- collect ------------------------------------------------------------- */

/* The call has its outcome; gives it to its future, and drops the engine's reference. */
static void deliver(struct twini_proc *proc, struct twini_proc_future *future, int error,
                    struct twini_call *call)
{
    struct twin_failure failure = {.kind = TWIN_FAILURE_NONE};
    if (error == TWIN_ETASK) {
        failure.kind = TWIN_FAILURE_TASK;
        failure.task_code = call->code;
    } else if (error == TWIN_EWORKER) {
        failure.kind = TWIN_FAILURE_WORKER;
        failure.pid = call->u.pid;
        failure.wait_status = call->code;
    } else if (error == 0 && future->base.result_size) {
        memcpy(future->base.result, twini_call_result(call), future->base.result_size);
    }
    twini_arena_free(proc->pool->arena, future->block);
    future->block = NULL;
    proc->in_flight--;
    twini_future_finish(&future->base, error, &failure);
    twini_future_drop(&future->base);
}

static void recycle(struct twini_proc *proc, uint32_t number)
{
    struct twini_batch *batch = &proc->shared->batch[number];
    struct twini_batch_word w = twini_batch_look(batch);
    /* order: relaxed; FREE keeps everybody else out, and seal() publishes anew */
    atomic_store_explicit(&batch->word,
                          twini_word_pack((struct twini_batch_word){.generation = w.generation + 1,
                                                                    .state = TWINI_BATCH_FREE}),
                          memory_order_relaxed);
    unlink_batch(proc, number);
    proc->account[number].in_use = false;
    proc->free_batches[proc->free_count++] = number;
}

void twini_batch_collect(struct twini_proc *proc, uint32_t number)
{
    struct twini_batch_account *account = &proc->account[number];
    struct twini_batch *batch = &proc->shared->batch[number];
    struct twini_batch_word w = twini_batch_look(batch);
    for (unsigned end = twini_batch_finished(w); account->collected < end; account->collected++) {
        struct twini_call *call = &batch->calls[account->collected];
        int error = call->outcome == TWINI_LOST ? TWIN_EWORKER : call->code ? TWIN_ETASK : 0;
        deliver(proc, account->futures[account->collected], error, call);
    }
    if (w.state == TWINI_BATCH_DONE)
        recycle(proc, number);
}

void twini_batch_collect_all(struct twini_proc *proc)
{
    unsigned untouched = 0;
    for (uint32_t number = proc->oldest, next; number != TWINI_NONE; number = next) {
        next = proc->account[number].next;
        /* Hand-out is oldest first: behind a few that nobody has taken there is nothing to collect.
         */
        if (twini_batch_look(&proc->shared->batch[number]).state == TWINI_BATCH_SEALED &&
            ++untouched > 4)
            return;
        twini_batch_collect(proc, number);
    }
}

/* ---- take back ----------------------------------------------------------- */

bool twini_batch_has_ended(const struct twini_proc *proc, const struct twini_proc_future *future)
{
    return twini_batch_finished(twini_batch_look(&proc->shared->batch[future->batch])) >
           future->index;
}

bool twini_batch_has_started(const struct twini_proc *proc, const struct twini_proc_future *future)
{
    struct twini_batch_word w = twini_batch_look(&proc->shared->batch[future->batch]);
    return w.state == TWINI_BATCH_RUNNING && w.next > future->index;
}

/* Cuts calls [first, end) off, if none of them has started. Returns how many there were; 0: too
 * late. */
static unsigned cut(struct twini_proc *proc, uint32_t number, unsigned first)
{
    struct twini_batch *batch = &proc->shared->batch[number];
    struct twini_batch_word w = twini_batch_look(batch), to;
    do {
        if ((w.state != TWINI_BATCH_SEALED && w.state != TWINI_BATCH_RUNNING) || first < w.next)
            return 0;
        to = w;
        to.end = first;
        if (w.state == TWINI_BATCH_SEALED && first == w.next)
            to.state = TWINI_BATCH_DONE;
    } while (!twini_batch_move(batch, &w, to));
    return w.end - first;
}

int twini_batch_cancel(struct twini_proc *proc, struct twini_proc_future *future)
{
    uint32_t number = future->batch;
    unsigned first = future->index, count = cut(proc, number, first);
    if (count == 0)
        return TWIN_EDONE;
    /* Those behind it go into batches of their own, in order. Room is certain: the calls that are
     * moved were in flight before, and a batch a call is what the stack was made for. */
    struct twini_batch *batch = &proc->shared->batch[number];
    struct twini_proc_future *futures[TWINI_BATCH_CALLS];
    struct twini_call calls[TWINI_BATCH_CALLS];
    memcpy(futures, &proc->account[number].futures[first], count * sizeof futures[0]);
    memcpy(calls, &batch->calls[first], count * sizeof calls[0]);
    twini_batch_collect(proc, number);
    deliver(proc, futures[0], TWIN_ECANCELLED, &calls[0]);
    for (unsigned i = 1; i < count; i++) {
        while (!append(proc, &calls[i], futures[i]) && !start_batch(proc, &calls[i], futures[i]))
            (void)twini_proc_wait(proc, NULL, NULL, NULL, TWINI_TARGET_ANY,
                                  twini_deadline_ns(1000000));
        twini_batch_ring(proc, false);
    }
    return 0;
}

void twini_batch_cancel_all(struct twini_proc *proc)
{
    for (uint32_t number = proc->oldest, next; number != TWINI_NONE; number = next) {
        struct twini_batch *batch = &proc->shared->batch[number];
        struct twini_batch_account *account = &proc->account[number];
        next = account->next;
        unsigned first = 0, count = 0;
        for (struct twini_batch_word w = twini_batch_look(batch);
             w.state != TWINI_BATCH_DONE && w.next < w.end && !count; w = twini_batch_look(batch)) {
            first = w.next;
            count = cut(proc, number, first);
        }
        for (unsigned i = first; i < first + count; i++)
            deliver(proc, account->futures[i], TWIN_ECANCELLED, &batch->calls[i]);
        twini_batch_collect(proc, number);
    }
}

void twini_batch_abandon(struct twini_proc *proc)
{
    while (proc->oldest != TWINI_NONE) {
        uint32_t number = proc->oldest;
        struct twini_batch *batch = &proc->shared->batch[number];
        struct twini_batch_word w = twini_batch_look(batch);
        if (w.state == TWINI_BATCH_RUNNING) {
            struct twini_call *lost = &batch->calls[w.next - 1];
            lost->outcome = TWINI_LOST;
            lost->code = 9; /* killed: the workers go with their supervisor */
            lost->u.pid =
                atomic_load_explicit(&proc->shared->worker[w.owner].pid, memory_order_relaxed);
        }
        unsigned end = w.end;
        if (w.state != TWINI_BATCH_DONE) {
            w.end = w.next;
            w.state = TWINI_BATCH_DONE;
            /* relaxed: no worker is left */
            atomic_store_explicit(&batch->word, twini_word_pack(w), memory_order_relaxed);
        }
        for (unsigned i = w.end; i < end; i++)
            deliver(proc, proc->account[number].futures[i], TWIN_ECANCELLED, &batch->calls[i]);
        twini_batch_collect(proc, number);
    }
}
