/* process.h: which process is this, and does that one still live? Safe against reused pids. */
#ifndef TWINI_CONNPOOL_PROCESS_H
#define TWINI_CONNPOOL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A process for all time: start time in clock ticks since boot << 22 | pid. It fits in one atomic
 * word, so that claiming by it is one instruction. Never 0. */
#define TWINI_PID_BITS 22

uint64_t twini_process_self(void);
bool twini_process_alive(uint64_t identity);

static inline pid_t twini_process_pid(uint64_t identity)
{
    return (pid_t)(identity & ((1u << TWINI_PID_BITS) - 1));
}

static inline int64_t twini_clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now); /* cannot fail for these clocks and a valid pointer */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
static inline int64_t twini_now_ns(void)
{
    return twini_clock_ns(CLOCK_MONOTONIC);
}
/* The same clock, as of the last tick: a few ns to read. */
static inline int64_t twini_coarse_ns(void)
{
    return twini_clock_ns(CLOCK_MONOTONIC_COARSE);
}

#endif
