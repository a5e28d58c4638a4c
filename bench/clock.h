/* clock.h: the one clock of bench/, CLOCK_MONOTONIC in nanoseconds, and a sleep by it. */
#ifndef TWIN_BENCH_CLOCK_H
#define TWIN_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Returns nanoseconds since some fixed moment. The call cannot fail with this clock and pointer. */
static inline uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Sleeps so long, whatever signals come meanwhile. */
static inline void sleep_ns(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    while (nanosleep(&left, &left) != 0)
        continue;
}

#endif
