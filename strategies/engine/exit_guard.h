/* exit_guard.h: what exit() does in a process of ours: a task that calls it ends that process, and runs no
 * handler that the program has registered.
 *
 * Handlers run in the reverse order of their registration. So one of ours is registered just before the
 * fork, and leaves at once; in the caller it is taken back just after. Not in the child: another thread of
 * the caller may have held the C library's lock at the fork (as atexit() and dlopen() do), which nobody
 * would ever give back there.
 * Source: __cxa_atexit, __cxa_finalize of the Linux Standard Base; glibc also hands the status over. */
#ifndef TWINI_EXIT_GUARD_H
#define TWINI_EXIT_GUARD_H

#include <stdbool.h>

/* One for each who forks, and on his stack; its address is the key by which the handler is found again. */
struct twini_exit_guard {
    bool is_over;
};

/* Before the fork, in the caller. False: no memory. */
bool twini_exit_guard(struct twini_exit_guard *guard);
/* After it. */
void twini_exit_unguard(struct twini_exit_guard *guard);
/* In the child: it, and whoever it forks, leave at once by exit(). */
void twini_exit_is_leave(void);
/* Leaves: what the task has printed is shown first. */
_Noreturn void twini_leave(int status);

#endif
