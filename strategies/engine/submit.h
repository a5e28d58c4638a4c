/* submit.h: the submitter's half of a call (call.h): write, publish, collect, take back. The lock of
 * struct twini_proc is held throughout (twini_proc_enter()). */
#ifndef TWINI_SUBMIT_H
#define TWINI_SUBMIT_H

#include "engine/call.h"
#include "engine/proc_runtime.h"

/* Lines, bits and futures for max_pending calls. Returns 0 or TWIN_ENOMEM. */
int twini_submit_init(struct twini_proc *proc);
void twini_submit_fini(struct twini_proc *proc);

/* Copies the call into a line and publishes it, without a ring; future gets the line. pre: the call
 * was admitted. Starts a worker on demand, if none may be free for it. Returns 0 or TWIN_ENOMEM. */
int twini_submit(struct twini_proc *proc, const struct twin_call *call,
                 struct twini_proc_future *future);

/* Tells spinning workers whether the caller is about to wait for a call that it has submitted. */
static inline void twini_hurry(struct twini_shared *shared, bool hurry)
{
    /* relaxed: advice; written only when it changes, for its line is everybody's */
    if (atomic_load_explicit(&shared->hurry, memory_order_relaxed) != hurry)
        atomic_store_explicit(&shared->hurry, hurry, memory_order_relaxed);
}

/* Gives the call's outcome to its future, if there is one, and those of the calls behind it. */
void twini_collect_from(struct twini_proc *proc, uint32_t line);
/* The same for all that were submitted; unless thorough, only until many stand in a row that have
 * not ended. */
void twini_collect_calls(struct twini_proc *proc, bool thorough);
/* The lock need not be held if nobody else cancels. */
static inline struct twini_call_word twini_future_word(const struct twini_proc *proc,
                                                       const struct twini_proc_future *future)
{
    return twini_call_look(&proc->shared->calls[future->line]);
}

/* Takes a call back that has not started. False: it has. */
bool twini_cancel_call(struct twini_proc *proc, struct twini_proc_future *future);
/* Says that a call which runs is to be stopped; the supervisor is to be told. False: it does not run
 * (any more). */
bool twini_stop_call(struct twini_proc *proc, struct twini_proc_future *future);
/* Takes everything back that has not started. */
void twini_cancel_calls(struct twini_proc *proc);
/* All workers are gone for good: what ran or waited is lost (EWORKER); cancelled, after terminate. */
void twini_abandon_calls(struct twini_proc *proc);

#endif
