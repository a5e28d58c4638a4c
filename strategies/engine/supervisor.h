/* supervisor.h: the process that forks the workers, and speaks for the dead ones. */
#ifndef TWINI_SUPERVISOR_H
#define TWINI_SUPERVISOR_H

#include "engine/shared.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

struct twini_supervision {
    struct twini_shared *shared;
    pid_t caller;
    sigset_t caller_mask; /* as it was in the thread that opened the pool */
    int caller_fd;        /* pidfd of the caller, or -1 */
    int event_fd;         /* wakes the supervisor */
};

/* -1 where there are no pidfds (Linux before 5.3, valgrind, some sandboxes): then we look at
 * intervals. */
static inline int twini_open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* In the forked child, all signals blocked: what the supervisor does until the end. */
_Noreturn void twini_supervise(struct twini_supervision *of);

/* In a worker: is to die with its supervisor. Again after the initializer: who changes his user or group
 * is not signalled any more (prctl(2), PR_SET_PDEATHSIG). */
void twini_follow_supervisor(const struct twini_shared *shared);

#endif
