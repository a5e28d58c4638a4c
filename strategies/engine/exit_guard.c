/* exit_guard.c: see exit_guard.h. */
#include "engine/exit_guard.h"

#include <stdio.h>
#include <unistd.h>

extern int __cxa_atexit(void (*handler)(void *), void *arg, void *key);
extern void __cxa_finalize(void *key);

static bool is_ours; /* this process */

_Noreturn void twini_leave(int status)
{
    (void)fflush(stdout);
    _exit(status);
}

/* Also called when it is taken back. */
static void leave_if_ours(void *guard, int status)
{
    if (is_ours && !((const struct twini_exit_guard *)guard)->is_over)
        twini_leave(status);
}

bool twini_exit_guard(struct twini_exit_guard *guard)
{
    void (*with_status)(void) = (void (*)(void))leave_if_ours; /* as glibc calls it */
    guard->is_over = false;
    return __cxa_atexit((void (*)(void *))with_status, guard, guard) == 0;
}

void twini_exit_unguard(struct twini_exit_guard *guard)
{
    guard->is_over = true;
    __cxa_finalize(guard);
}

void twini_exit_is_leave(void)
{
    is_ours = true;
}
