/* one_thread.h: whether this process has no other thread, so that nothing needs a locked instruction.
 * Threads are started by this one, so the answer holds until it returns to its caller. */
#ifndef TWINI_ONE_THREAD_H
#define TWINI_ONE_THREAD_H

#include <stdbool.h>

#if __has_include(<sys/single_threaded.h>) /* glibc 2.32 */
#include <sys/single_threaded.h>
static inline bool twini_has_one_thread(void)
{
    return __libc_single_threaded;
}
#else
static inline bool twini_has_one_thread(void)
{
    return false;
}
#endif

#endif
