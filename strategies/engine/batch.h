/* batch.h: how single calls travel. A batch holds 1 to 64 calls; its word is the single truth.
 *
 *   FREE -> SEALED    submitter: a call is written, then the word (release); batch pushed on the
 * ring SEALED -> SEALED  submitter appends one more call while nobody has taken the batch (end + 1)
 *   SEALED -> RUNNING a worker takes it: owner and running call in one compare-and-swap
 *   RUNNING -> RUNNING the owner, a call ended: next + 1, which publishes its result and starts the
 * next RUNNING -> DONE   the owner, after the last one any -> end'       the submitter cuts [end',
 * end) off, calls that have not started (cancel) RUNNING -> SEALED | DONE  the supervisor, the
 * owner being dead: call next - 1 is lost, the rest waits DONE -> FREE      submitter, after every
 * outcome was collected; generation + 1
 *
 * So at most one call is lost with a worker, and it is known which. Appending while sealed, not
 * while running, keeps a worker from hoarding: see twini_batch_submit(). */
#ifndef TWINI_BATCH_H
#define TWINI_BATCH_H

#include "engine/proc_runtime.h"

struct twini_worker;

/* ---- submitter: lock held ------------------------------------------------ */

/* Copies the call into a batch and seals it, without a ring; future gets batch and index. Waits
 * while max_pending calls are in flight. Returns 0, TWIN_ENOMEM, TWIN_EWORKER (the pool is
 * broken). */
int twini_batch_submit(struct twini_proc *proc, const struct twin_call *call,
                       struct twini_proc_future *future);
/* Wakes a worker for what was submitted, if one is due; urgent: somebody waits for it. */
void twini_batch_ring(struct twini_proc *proc, bool urgent);
/* Gives the outcomes of one batch, or of all, to their futures; recycles what is collected. */
void twini_batch_collect(struct twini_proc *proc, uint32_t batch);
void twini_batch_collect_all(struct twini_proc *proc);
/* Whether the call has an outcome to collect. The lock need not be held if nobody else cancels. */
bool twini_batch_has_ended(const struct twini_proc *proc, const struct twini_proc_future *future);
bool twini_batch_has_started(const struct twini_proc *proc, const struct twini_proc_future *future);
/* Takes a call back. Returns 0, or TWIN_EDONE when it has started. */
int twini_batch_cancel(struct twini_proc *proc, struct twini_proc_future *future);
/* Takes everything back that has not started. */
void twini_batch_cancel_all(struct twini_proc *proc);
/* All workers are gone for good: what ran is lost (EWORKER), what waited is cancelled. */
void twini_batch_abandon(struct twini_proc *proc);

/* ---- anybody ---------------------------------------------------------------- */

/* Whether a sealed batch waits, where the hints tell. */
bool twini_batch_any_waits(const struct twini_shared *shared);

/* ---- worker -------------------------------------------------------------- */

/* Claims a sealed batch: its first waiting call, w.next - 1, is ours to run now. False if none was
 * found. everywhere: looks beyond the hints, through every batch. */
bool twini_batch_claim(struct twini_worker *me, bool everywhere, uint32_t *number,
                       struct twini_batch_word *w);
/* Before we run something: others must be able to count on somebody who is awake. Whoever may have
 * been rung ends the time in which calls are sealed without a ring; who spun has given that up
 * before. Then, if there is more, the next sleeper is rung. */
void twini_batch_pass_on(struct twini_worker *me);
/* The call that ran has its outcome: publishes it, and starts the next one. False: that was the
 * last. */
bool twini_batch_next(struct twini_shared *shared, uint32_t number, struct twini_batch_word *w);

/* ---- supervisor ---------------------------------------------------------- */

/* Repairs what a dead worker held. */
void twini_batch_repair(struct twini_shared *shared, unsigned worker, pid_t pid, int status);

#endif
