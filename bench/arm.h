/* arm.h: the measured program: one strategy, one backend, one process, one sample.
 *
 * arm.c          order of events, the records
 * arm_options.c  command line
 * arm_setup.c    opens the pool or executor, reserves and fills the arrays, sets the affinity
 * arm_passes.c   the strategies, each a pass over the items: what is timed
 * Words: pass, one timed run over all items; first and warm are passes; cold is open + first +
 * close. */
#ifndef TWIN_BENCH_ARM_H
#define TWIN_BENCH_ARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <twinpool/pool.h>

#include "usage.h"
#include "workloads/square.h"

enum arm_backend { ARM_SEQ, ARM_PROC, ARM_OMP, ARM_CONTROL };
enum arm_memory { ARM_IN_PLACE, ARM_STAGED, ARM_PRIVATE };
enum arm_affinity { ARM_ANYWHERE, ARM_PACKED, ARM_SPREAD };

/* What one pass measured. Times are from the call. */
struct pass {
    uint64_t elapsed_ns;      /* until the last result */
    uint64_t return_ns;       /* until the call, or the last submission, returned */
    uint64_t first_result_ns; /* until the caller held the first result; 0 unknown */
    uint64_t caller_units;    /* own work done by the caller meanwhile */
    uint64_t caller_busy_ns;  /* time spent on it */
    struct twin_stats stats;  /* difference over the pass */
    struct usage usage;       /* difference over the pass */
};

struct strategy;

struct arm {
    /* from the command line */
    const struct strategy *strategy;
    enum arm_backend backend;
    size_t n;     /* items asked for */
    size_t n_run; /* items run */
    unsigned workers;
    const char *chunk_text; /* auto, cpython, or a number */
    size_t chunk;
    bool kernel;
    enum arm_memory memory;
    enum twin_wait_policy wait;
    uint64_t work_ns;
    uint64_t spins_per_ms; /* 0: calibrate here */
    size_t batch;          /* of spawn; 0: the library's default */
    uint64_t seed;
    unsigned calls; /* warm passes; the one of median time is reported */
    bool warm_only; /* a short warm-up instead of a first pass: for passes that take seconds */
    uint64_t idle_ns;
    enum arm_affinity affinity;
    bool overlap;   /* the caller works while it waits */
    bool untouched; /* the results are not poisoned before the first pass */
    bool scoped;    /* calls that are awaited are made inside twin_pool_scope() too */

    /* made by arm_open() and arm_arrays() */
    struct twin_pool *pool;
    struct twin_executor *executor;
    int32_t *items;
    int64_t *results;
    size_t count; /* items of the pass at hand */
    struct square_work work;
    struct twin_future **ring; /* futures in flight: RING_SLOTS */
    size_t spawned;            /* workers started by the last spawn pass */
};

enum { RING_SLOTS = 4096 };

struct strategy {
    const char *name;
    int (*pass)(struct arm *arm, struct pass *pass); /* 0 or a twin_error */
    bool executor;                                   /* needs an executor instead of a pool */
    bool pool;                                       /* needs either */
    bool async;                                      /* the caller may overlap */
};

/* Reads the command line. Ends the program with status 2 on a usage error. */
void arm_options(struct arm *arm, int argc, char **argv);

/* Returns the strategy of that name, NULL if there is none; and all names, for messages. */
const struct strategy *strategy_find(const char *name);
const char *strategy_names(void);

/* Runs one pass over the first arm->count items and fills in its times. */
int arm_pass(struct arm *arm, struct pass *pass);

/* Counts how many different workers run the strategy's tasks, by an extra untimed pass over at most
 * 200 items that returns thread ids. 0 when unknown. */
size_t arm_distinct_workers(struct arm *arm);

/* Opens what the strategy needs. Returns 0 or a twin_error. */
int arm_open(struct arm *arm);
int arm_close(struct arm *arm);

/* Reserves and fills items and results. Returns 0 or TWIN_ENOMEM. */
int arm_arrays(struct arm *arm);
void arm_arrays_free(struct arm *arm);

/* Binds the process before open, and the caller after it. Returns false where there is one CPU and
 * spread asks for two. */
bool arm_affinity_before(const struct arm *arm);
bool arm_affinity_after(const struct arm *arm);

#endif
