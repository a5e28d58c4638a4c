/* follow.h: a child that dies with its parent. The death signal is set in the child, so the parent may be dead
 * before it: hence the second look. It follows the thread that forked. Source: prctl(2). */
#ifndef TWIN_BENCH_FOLLOW_H
#define TWIN_BENCH_FOLLOW_H

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

/* False: the parent is dead already, or the signal was refused; the child must leave. */
static inline bool follow_parent(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

#endif
