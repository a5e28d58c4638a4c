/* call.h: how single calls travel. Each has a line of its own in shared memory, whose word is the
 * single truth about it:
 *
 *   any outcome, UNUSED -> WAITING   the submitter: the line is written, then the word (release)
 *   WAITING -> RUNNING{w}            worker w: claim and ownership in one compare-and-swap
 *   RUNNING -> DONE                  w: the call ended
 *   WAITING -> CANCELLED             the caller takes it back
 *   RUNNING -> STOPPED               the caller cancels what runs: the supervisor kills w
 *   RUNNING -> OVERDUE               the supervisor, its time being over; then it kills w
 *   STOPPED, OVERDUE -> DONE         w ended it first all the same; it runs nothing more, and leaves
 *   RUNNING -> WAITING | LOST        the supervisor, w being dead: once more, or given up
 *   STOPPED -> CANCELLED, OVERDUE -> TIMED_OUT    the same
 *
 * Lines are used in the order of positions: position p is line p modulo their number; a position
 * whose line is still in use is left out. Where to look: every waiting call stands in [head, tail),
 * or in the run that some worker's number has published, or is that number's  again . A worker
 * publishes a run before it claims it from head, and claims from an empty one only; so a dead
 * worker's run is still there, for its successor and for everybody who has nothing else to do. In a
 * run as in [head, tail) there may be calls that do not wait any more: the word decides.
 *
 * A worker owns one call at a time, named by  current  before the claim: what is lost with it is
 * known at once. Nobody hoards: a run's calls are anybody's until they run; and if it is taken while
 * others sleep, a bit of long_runs tells that calls wait in it, so that they are woken for those, too. Runs
 * only spare workers the shared head. */
#ifndef TWINI_CALL_H
#define TWINI_CALL_H

#include "engine/worker.h"

#define TWINI_NO_LINE UINT32_MAX

/* ---- the word ------------------------------------------------------------ */

static inline uint64_t twini_call_pack(struct twini_call_word w)
{
    return (uint64_t)w.generation << 32 | (uint64_t)(w.attempts & 0xffff) << 16 |
           (uint64_t)w.owner << 4 | w.state;
}

static inline struct twini_call_word twini_call_unpack(uint64_t bits)
{
    return (struct twini_call_word){.generation = (uint32_t)(bits >> 32),
                                    .attempts = bits >> 16 & 0xffff,
                                    .owner = bits >> 4 & 0xfff,
                                    .state = bits & 0xf};
}

static inline struct twini_call_word twini_call_look(const struct twini_call *call)
{
    /* order: acquire; pairs with the release of whoever moved the word; the call is readable */
    return twini_call_unpack(atomic_load_explicit(&call->word, memory_order_acquire));
}

/* Moves the word from what was seen; on failure *seen is what it is now.
 * order: seq_cst; publishes the outcome (pairs with acquire in twini_call_look()), and stands
 * before the look at who sleeps (Dekker: awake.c). */
static inline bool twini_call_move(struct twini_call *call, struct twini_call_word *seen,
                                   struct twini_call_word to)
{
    uint64_t expected = twini_call_pack(*seen);
    if (atomic_compare_exchange_strong_explicit(&call->word, &expected, twini_call_pack(to),
                                                memory_order_seq_cst, memory_order_acquire))
        return true;
    *seen = twini_call_unpack(expected);
    return false;
}

static inline bool twini_call_has_ended(struct twini_call_word w)
{
    return w.state >= TWINI_CALL_DONE;
}

static inline bool twini_call_has_owner(struct twini_call_word w)
{
    return w.state == TWINI_CALL_RUNNING || w.state == TWINI_CALL_STOPPED ||
           w.state == TWINI_CALL_OVERDUE;
}

/* ---- the data ------------------------------------------------------------ */

static inline void *twini_call_item(struct twini_call *call)
{
    return call->is_away ? call->u.away.block + call->u.away.item : (char *)call->u.bytes;
}

static inline void *twini_call_result(struct twini_call *call)
{
    return call->is_away ? call->u.away.block + call->u.away.result
                         : (char *)call->u.bytes + call->result_offset;
}

/* ---- worker -------------------------------------------------------------- */

/* Claims a call: of its run, of a new run, or of somebody else's. Returns its line, which is then
 * RUNNING and the worker's, or TWINI_NO_LINE. */
uint32_t twini_call_claim(struct twini_worker *me);
/* Publishes the outcome. False: the call was to be stopped: the worker must leave, and run nothing
 * more, because it may be killed any moment. */
bool twini_call_finish(struct twini_worker *me, uint32_t line);
/* Whether the next position holds a waiting call: what a spinning worker watches. */
bool twini_call_is_next(struct twini_shared *shared);

/* Between two looks at a queue that is short. Each look takes its lines from the submitter, which in
 * a stream of calls would cost him more than the rest of a submission: unless he waits, we wait a
 * little, and he gets some dozen calls ahead. Returns the time, which it has to look at anyway. */
int64_t twini_relax_unless_hurried(struct twini_shared *shared);

/* ---- supervisor ---------------------------------------------------------- */

/* Whether a call is the worker's. */
static inline bool twini_call_is_of(struct twini_call_word w, unsigned worker)
{
    return twini_call_has_owner(w) && w.owner == worker;
}

/* Gives the call that a dead worker owned, if any, its outcome, or puts it back if it was lost less
 * than retries times. True: the worker was killed for it. */
bool twini_call_repair(struct twini_shared *shared, unsigned worker, pid_t pid, int status);

#endif
