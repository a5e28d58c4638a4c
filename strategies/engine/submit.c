/* submit.c: the submitter's half of a call: write, publish, collect, take back.
 *
 * Which lines are in use, and for whom, only the submitter knows: a bit and a pointer for each, so
 * that a line is touched only to fill it and to collect it. There are twice as many lines as calls
 * may be in flight: a position whose line is still in use is left out, and never more are left out
 * than used. */
#include "engine/submit.h"

#include <stdlib.h>
#include <string.h>

/* AHEAD: lines that are fetched before they are needed, theirs being the CPU of a worker. GIVE_UP:
 * hand-out is oldest first: behind so many that have not ended there is little to collect. */
enum { AHEAD = 8, GIVE_UP = 16, MOST_COLLECTED = 1024 };

/* ---- lines --------------------------------------------------------------- */

int twini_submit_init(struct twini_proc *proc)
{
    size_t lines = (size_t)proc->shared->call_mask + 1;
    proc->in_use = calloc((lines + 63) / 64, sizeof *proc->in_use);
    proc->futures = malloc(lines * sizeof(struct twini_proc_future *));
    proc->reuse = twini_reuse_open(sizeof(struct twini_proc_future));
    return proc->in_use && proc->futures && proc->reuse ? 0 : TWIN_ENOMEM;
}

void twini_submit_fini(struct twini_proc *proc)
{
    free(proc->in_use);
    free(proc->futures);
    twini_reuse_close(proc->reuse);
}

static bool is_in_use(const struct twini_proc *proc, uint32_t line)
{
    return proc->in_use[line / 64] >> line % 64 & 1;
}

static void flip_use(struct twini_proc *proc, uint32_t line)
{
    proc->in_use[line / 64] ^= (uint64_t)1 << line % 64;
}

/* The first position from here on whose line is in use; tail if there is none. */
static uint64_t next_in_use(const struct twini_proc *proc, uint64_t at)
{
    uint32_t mask = proc->shared->call_mask;
    while (at < proc->tail) {
        uint64_t bits = proc->in_use[(at & mask) / 64] >> (at & mask) % 64;
        if (bits) {
            at += (unsigned)__builtin_ctzll(bits);
            return at < proc->tail ? at : proc->tail;
        }
        at = (at | 63) + 1;
    }
    return proc->tail;
}

/* Where a walk over all lines in use begins. */
static uint64_t first_in_use(struct twini_proc *proc)
{
    uint64_t lines = (uint64_t)proc->shared->call_mask + 1;
    proc->oldest = next_in_use(proc, proc->oldest);
    if (proc->tail - proc->oldest > lines) /* it shares its line with newer positions */
        proc->oldest = proc->tail - lines;
    return next_in_use(proc, proc->oldest);
}

/* ---- publish ------------------------------------------------------------- */

static size_t align16(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

/* What does not fit inline: a block of the arena: [context][item][result]. */
static int write_away(struct twini_proc *proc, struct twini_call *to, const struct twin_call *call,
                      struct twini_proc_future *future)
{
    size_t item_at = align16(call->context_size), result_at = item_at + align16(call->item_size);
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
    to->is_away = true;
    to->u.away.block = block;
    to->u.away.item = item_at;
    to->u.away.result = result_at;
    return 0;
}

static int write_call(struct twini_proc *proc, struct twini_call *to, const struct twin_call *call,
                      struct twini_proc_future *future)
{
    to->task = call->task;
    to->context = (void *)call->context;
    size_t result_at = align16(call->item_size);
    if (call->context_size || call->item_size > TWINI_INLINE_BYTES ||
        (call->result_size && result_at + call->result_size > TWINI_INLINE_BYTES))
        return write_away(proc, to, call, future);
    to->is_away = false;
    to->result_offset = (uint16_t)(call->result_size ? result_at : 0);
    if (call->item_size)
        twini_copy(to->u.bytes, call->item, call->item_size);
    return 0;
}

/* Starts one more worker if all there are may have a call already. (Whether one sleeps or spins at
 * the moment does not tell: several calls may count on it.) Lock held. */
static void start_worker_if_needed(struct twini_proc *proc)
{
    uint32_t wanted = atomic_load_explicit(&proc->shared->wanted, memory_order_relaxed); /* ours */
    if (wanted >= proc->pool->options.workers || wanted > proc->in_flight)
        return;
    twini_collect_calls(proc, false);
    if (wanted <= proc->in_flight)
        twini_proc_want(proc, wanted + 1);
}

int twini_submit(struct twini_proc *proc, const struct twin_call *call,
                 struct twini_proc_future *future)
{
    struct twini_shared *shared = proc->shared;
    if (proc->pool->on_demand)
        start_worker_if_needed(proc);
    while (is_in_use(proc, (uint32_t)proc->tail & shared->call_mask))
        proc->tail++;
    uint32_t line = (uint32_t)proc->tail & shared->call_mask;
    struct twini_call *to = &shared->calls[line];
    twini_fetch_to_write(&shared->calls[(line + AHEAD) & shared->call_mask]);
    int error = write_call(proc, to, call, future);
    if (error)
        return error;
    future->line = line;
    proc->futures[line] = future;
    flip_use(proc, line);
    proc->in_flight++;
    proc->tail++;
    struct twini_call_word w = {
        .state = TWINI_CALL_WAITING,
        /* relaxed: the last to move it was a worker that we collected */
        .generation =
            twini_call_unpack(atomic_load_explicit(&to->word, memory_order_relaxed)).generation +
            1};
    /* order: release; pairs with acquire in twini_call_look(): the call is readable */
    atomic_store_explicit(&to->word, twini_call_pack(w), memory_order_release);
    /* order: release; the word is before it. What makes the look at who sleeps come after it stands
     * in twini_ring_for_call(). */
    atomic_store_explicit(&shared->tail, proc->tail, memory_order_release);
    return 0;
}

/* ---- collect ------------------------------------------------------------- */

static int outcome(const struct twini_call *call, unsigned state, struct twin_failure *failure)
{
    *failure = (struct twin_failure){.kind = TWIN_FAILURE_NONE};
    switch (state) {
    case TWINI_CALL_CANCELLED:
        return TWIN_ECANCELLED;
    case TWINI_CALL_LOST:
    case TWINI_CALL_TIMED_OUT:
        failure->kind = TWIN_FAILURE_WORKER;
        failure->pid = call->u.pid;
        failure->wait_status = call->code;
        return state == TWINI_CALL_LOST ? TWIN_EWORKER : TWIN_ETASKTIMEOUT;
    default:
        failure->kind = TWIN_FAILURE_TASK;
        failure->task_code = call->code;
        return TWIN_ETASK;
    }
}

/* The call has its outcome; gives it to its future, and drops the engine's reference. */
static void deliver(struct twini_proc *proc, uint32_t line, unsigned state)
{
    struct twini_call *call = &proc->shared->calls[line];
    struct twini_proc_future *future = proc->futures[line];
    struct twin_failure failure;
    bool succeeded = state == TWINI_CALL_DONE && call->code == 0;
    int error = succeeded ? 0 : outcome(call, state, &failure);
    if (succeeded && future->base.result_size)
        twini_copy(future->base.result, twini_call_result(call), future->base.result_size);
    if (future->block) {
        twini_arena_recycle(proc->pool->arena, future->block);
        future->block = NULL;
    }
    flip_use(proc, line);
    proc->in_flight--;
    twini_future_finish(&future->base, error, error ? &failure : NULL);
    twini_future_drop(&future->base);
}

static bool collect_line(struct twini_proc *proc, uint32_t line)
{
    struct twini_call_word w = twini_call_look(&proc->shared->calls[line]);
    if (!twini_call_has_ended(w))
        return false;
    deliver(proc, line, w.state);
    return true;
}

void twini_collect_from(struct twini_proc *proc, uint32_t line)
{
    uint32_t mask = proc->shared->call_mask;
    for (unsigned i = 0; i < MOST_COLLECTED && is_in_use(proc, line); i++) {
        __builtin_prefetch(&proc->shared->calls[(line + AHEAD) & mask]);
        if (!collect_line(proc, line))
            return;
        line = (line + 1) & mask;
    }
}

void twini_collect_calls(struct twini_proc *proc, bool thorough)
{
    uint32_t mask = proc->shared->call_mask;
    unsigned not_ended = 0;
    for (uint64_t at = first_in_use(proc); at < proc->tail; at = next_in_use(proc, at + 1)) {
        __builtin_prefetch(&proc->shared->calls[(at + AHEAD) & mask]);
        if (collect_line(proc, (uint32_t)at & mask))
            not_ended = 0;
        else if (++not_ended == GIVE_UP && !thorough)
            return;
    }
}

/* ---- take back ----------------------------------------------------------- */

bool twini_cancel_call(struct twini_proc *proc, struct twini_proc_future *future)
{
    struct twini_call *call = &proc->shared->calls[future->line];
    struct twini_call_word seen = twini_call_look(call), to;
    do {
        if (seen.state != TWINI_CALL_WAITING)
            return false;
        to = seen;
        to.state = TWINI_CALL_CANCELLED;
    } while (!twini_call_move(call, &seen, to));
    deliver(proc, future->line, TWINI_CALL_CANCELLED);
    return true;
}

bool twini_stop_call(struct twini_proc *proc, struct twini_proc_future *future)
{
    struct twini_call *call = &proc->shared->calls[future->line];
    struct twini_call_word seen = twini_call_look(call), to;
    while (seen.state == TWINI_CALL_RUNNING) {
        to = seen;
        to.state = TWINI_CALL_STOPPED;
        if (twini_call_move(call, &seen, to))
            return true;
    }
    return twini_call_has_owner(seen);
}

void twini_cancel_calls(struct twini_proc *proc)
{
    for (uint64_t at = first_in_use(proc); at < proc->tail; at = next_in_use(proc, at + 1)) {
        uint32_t line = (uint32_t)at & proc->shared->call_mask;
        if (!collect_line(proc, line))
            (void)twini_cancel_call(proc, proc->futures[line]);
    }
}

void twini_abandon_calls(struct twini_proc *proc)
{
    for (uint64_t at = first_in_use(proc); at < proc->tail; at = next_in_use(proc, at + 1)) {
        uint32_t line = (uint32_t)at & proc->shared->call_mask;
        struct twini_call *call = &proc->shared->calls[line];
        struct twini_call_word w = twini_call_look(call);
        if (twini_call_has_owner(w)) {
            call->code = 9; /* killed: the workers go with their supervisor */
            call->u.pid =
                atomic_load_explicit(&proc->shared->worker[w.owner].pid, memory_order_relaxed);
            deliver(proc, line, TWINI_CALL_LOST);
        } else if (twini_call_has_ended(w) || proc->terminated) {
            deliver(proc, line, twini_call_has_ended(w) ? w.state : TWINI_CALL_CANCELLED);
        } else { /* nobody's, and nobody is left */
            call->code = call->u.pid = 0;
            deliver(proc, line, TWINI_CALL_LOST);
        }
    }
}
