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
    int signal_fd;        /* the supervisor's own: tells of children */
};

/* -1 where there are no pidfds (Linux before 5.3, valgrind, some sandboxes): then we look at
 * intervals. */
static inline int twini_open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* In the forked child, all signals blocked: what the supervisor does until the end. */
_Noreturn void twini_supervise(struct twini_supervision *of);

#endif
