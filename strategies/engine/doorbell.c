/* doorbell.c: the one place where a process sleeps.
 * Source: POSIX sem_init(3) with pshared; sem_clockwait(3), because sem_timedwait() follows the wall
 * clock, which may jump. */
#include "engine/doorbell.h"

#include <errno.h>
#include <time.h>

void twini_doorbell_init(struct twini_doorbell *bell)
{
    (void)sem_init(&bell->semaphore, 1, 0); /* fails only for a value over SEM_VALUE_MAX */
}

void twini_doorbell_ring(struct twini_doorbell *bell)
{
    (void)sem_post(
        &bell->semaphore); /* EOVERFLOW: 2^31 rings wait already; one more says nothing new */
}

bool twini_doorbell_wait(struct twini_doorbell *bell, int64_t deadline_ns)
{
    int error;
    do {
        if (deadline_ns == INT64_MAX) {
            error = sem_wait(&bell->semaphore);
        } else {
            struct timespec deadline = {.tv_sec = deadline_ns / 1000000000,
                                        .tv_nsec = deadline_ns % 1000000000};
            error = sem_clockwait(&bell->semaphore, CLOCK_MONOTONIC, &deadline);
        }
    } while (error && errno == EINTR);
    return error == 0;
}
