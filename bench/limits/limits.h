/* limits.h: what the machine itself charges for the parts that strategies are made of.
 *
 * A limit is a function that runs count operations and says how long they took. None of them uses
 * twinpool: they are the lines that strategies are compared with and the unit prices of the
 * anatomy. */
#ifndef TWIN_BENCH_LIMITS_H
#define TWIN_BENCH_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_CALLS = 1000 };

struct limit {
    size_t count;        /* in: operations (items, bytes for memcpy and first_touch) */
    unsigned workers;    /* in */
    const char *variant; /* in: same_cpu, two_cpus, idle_20ms; two; or empty */
    uint64_t seed;       /* in */
    unsigned calls;      /* in: warm calls of a loop, the median of which counts */
    bool warm_only;      /* in: a short warm-up of a loop instead of a whole first call */
    uint64_t first_ns;   /* out: all operations, the first time; 0: not of interest */
    uint64_t warm_ns;    /* out: all operations, once warm */
    const char *detail;  /* out: why it failed */
};

/* Each returns 0 measured, 1 failed (detail says why), 2 not possible on this machine, 3 wrong. */
typedef int limit_run(struct limit *limit);

limit_run limit_for;    /* parallel for, static, over count squares */
limit_run limit_task;   /* task + taskwait, one at a time */
limit_run limit_tasks;  /* tasks deferred, one taskwait at the end */
limit_run limit_region; /* an empty parallel region */

limit_run limit_sem;   /* sem_t round trip between two processes */
limit_run limit_semop; /* uncontended sem_wait + sem_post */
limit_run limit_spin;  /* round trip over a shared word, both spinning */
limit_run limit_slot;  /* item there, square back, in one cache line, both spinning */

limit_run limit_fork_wait; /* fork + _exit + waitpid, one after another; variant two: in pairs */
limit_run limit_thread_create; /* pthread_create + join */

limit_run limit_memcpy;      /* count bytes from one touched block to another */
limit_run limit_first_touch; /* count bytes of new shared pages, touched */
limit_run limit_page_fault;  /* count bytes of present shared pages, touched by a fresh child */

/* Binds the calling process to usable CPU number index (0, 1). Returns 0, or 2: there is no such.
 */
int limit_bind(unsigned index);

#endif
