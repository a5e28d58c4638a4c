/* barrier.h: half of a Dekker handshake for free. Where one side acts often and the other seldom,
 * the frequent side's fence can be left out if the seldom side has one executed in its stead:
 *
 *   often:   store what is new;             look who sleeps
 *   seldom:  say that one sleeps;  barrier; look for what is new
 *
 * After the barrier either the store is visible, or the look has still to come. A fence costs the
 * often side some 20 ns, which is waiting for its stores; a barrier costs the seldom side about
 * 1.5 us and interrupts the other CPU.
 * Source: membarrier(2), GLOBAL_EXPEDITED, which also works between processes (Linux 4.16). */
#ifndef TWINI_BARRIER_H
#define TWINI_BARRIER_H

#include <stdbool.h>

/* The calling process is to be reached by barriers of others from now on. False: it cannot be, and
 * must use fences. */
bool twini_barrier_join(void);
/* Has every running thread of the processes that joined pass a full fence. False: it was refused, for
 * instance by a filter of system calls. */
bool twini_barrier(void);

#endif
