/* lesson.h: what a semaphore does for a pool, and what it does not, in four experiments. */
#ifndef TWIN_CONNPOOL_LESSON_H
#define TWIN_CONNPOOL_LESSON_H

#include <stdbool.h>
#include <stdint.h>
#include <twinpool/pool.h>

struct lesson {
    enum twin_backend backend;
    bool semaphore;   /* else nobody waits: who finds no free slot connects all the same */
    bool atomic_pick; /* else: look, then take, as if nobody else did */
    unsigned connections, workers, operations;
};

struct lesson_outcome {
    uint64_t operations;
    uint64_t bound_violations; /* times that a worker was one holder too many */
    uint64_t double_handouts;  /* times that a slot was taken that another still held */
    uint64_t beyond_pool;      /* connections made without a slot */
    unsigned most_holders;
    int64_t elapsed_ns;
    int sys_errno;
};

/* Returns 0, or -1: workers could not be started (sys_errno), or died. */
int lesson_run(const struct lesson *lesson, struct lesson_outcome *outcome);

#endif
