/* doorbell.h: park and wake on a sem_t. A bell has one possible waiter; anybody may ring. Rings are
 * kept (it is a semaphore), so a ring that comes before the wait is not lost; a ring too many only
 * makes the waiter look once more. It guards nothing: killing a waiter or a ringer loses at most
 * one wake, which the supervisor repeats. */
#ifndef TWINI_DOORBELL_H
#define TWINI_DOORBELL_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct twini_doorbell {
    sem_t semaphore;
};

void twini_doorbell_init(struct twini_doorbell *bell);
void twini_doorbell_ring(struct twini_doorbell *bell);
/* Waits until rung, or the deadline (monotonic ns; INT64_MAX: none). Returns whether it was rung.
 */
bool twini_doorbell_wait(struct twini_doorbell *bell, int64_t deadline_ns);
/* Tells the CPU that this is a spin loop. */
static inline void twini_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
