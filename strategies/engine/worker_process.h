/* worker_process.h: how a process that was forked becomes the supervisor, or a worker. */
#ifndef TWINI_WORKER_PROCESS_H
#define TWINI_WORKER_PROCESS_H

#include "engine/supervisor.h"

/* In the supervisor, and so in all whom it forks: no handler of the caller's, no Ctrl-C; exit() runs nobody's
 * atexit handlers. */
void twini_reset_process(void);
/* In a process that the supervisor has forked: leaves to the supervisor what is its own, and dies with it. */
void twini_become_worker(const struct twini_supervision *of);
/* Again after the initializer: who changes his user or group is not signalled any more (prctl(2),
 * PR_SET_PDEATHSIG). */
void twini_follow_supervisor(const struct twini_shared *shared);

#endif
