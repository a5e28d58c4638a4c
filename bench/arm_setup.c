/* arm_setup.c: what stands around a pass: pool or executor, arrays, affinity.
 *
 * Arrays: in_place comes from twin_alloc() of the pool at hand; staged (proc) and private (omp,
 * seq) from malloc(). spawn has no pool, so its arrays are one anonymous shared mapping of our own:
 * forked workers write their results there, and a fork need not copy page tables of private memory.
 * Affinity: packed binds everything to the first usable CPU. spread binds the caller to the first
 * and the workers to the others, by forking or creating them under the other mask; the pool, which
 * then sees those others alone, is told of the first if each worker has one. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arm.h"
#include "engine/control_runtime.h"

static struct twin_pool_options options_of(const struct arm *arm)
{
    return (struct twin_pool_options){
        .backend = arm->backend == ARM_OMP ? TWIN_OMP : TWIN_PROC,
        .workers = arm->workers,
        .wait = arm->wait,
        .max_pending = RING_SLOTS,
    };
}

static int open_executor(struct arm *arm, const struct twin_pool_options *options)
{
    const int rc = arm->backend == ARM_CONTROL
                       ? twini_control_executor_open(&arm->executor, options)
                       : twin_executor_open(&arm->executor, options);
    if (rc == 0)
        arm->pool = twin_executor_pool(arm->executor);
    return rc;
}

int arm_open(struct arm *arm)
{
    const struct twin_pool_options options = options_of(arm);
    if (!arm->strategy->pool)
        return 0;
    if (arm->strategy->executor)
        return open_executor(arm, &options);
    return arm->backend == ARM_CONTROL ? twini_control_open(&arm->pool, &options)
                                       : twin_pool_open(&arm->pool, &options);
}

int arm_close(struct arm *arm)
{
    const int rc =
        arm->executor != NULL ? twin_executor_close(arm->executor) : twin_pool_close(arm->pool);
    arm->executor = NULL;
    arm->pool = NULL;
    return rc;
}

static void *reserve(struct arm *arm, size_t bytes)
{
    if (arm->backend != ARM_SEQ && arm->pool == NULL) {
        void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return block == MAP_FAILED ? NULL : block;
    }
    return arm->memory == ARM_IN_PLACE && arm->pool != NULL ? twin_alloc(arm->pool, bytes)
                                                            : malloc(bytes);
}

static void give_back(struct arm *arm, void *block, size_t bytes, bool spawn)
{
    if (block == NULL)
        return;
    if (spawn)
        (void)munmap(block, bytes);
    else if (arm->memory == ARM_IN_PLACE && arm->backend != ARM_SEQ)
        twin_free(block);
    else
        free(block);
}

int arm_arrays(struct arm *arm)
{
    arm->items = reserve(arm, arm->n_run * sizeof *arm->items);
    arm->results = reserve(arm, arm->n_run * sizeof *arm->results);
    arm->ring = calloc(RING_SLOTS, sizeof *arm->ring);
    if (arm->items == NULL || arm->results == NULL || arm->ring == NULL)
        return TWIN_ENOMEM;
    square_fill(arm->items, arm->n_run, arm->seed);
    return 0;
}

void arm_arrays_free(struct arm *arm)
{
    const bool spawn = arm->backend != ARM_SEQ && !arm->strategy->pool;
    give_back(arm, arm->items, arm->n_run * sizeof *arm->items, spawn);
    give_back(arm, arm->results, arm->n_run * sizeof *arm->results, spawn);
    free(arm->ring);
    arm->items = NULL;
    arm->results = NULL;
    arm->ring = NULL;
}

/* Splits the mask of this process into its first CPU and the others. Returns how many others. */
static int split_mask(cpu_set_t *first, cpu_set_t *others)
{
    int found = 0;
    CPU_ZERO(first);
    if (sched_getaffinity(0, sizeof *others, others) != 0)
        return -1;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && !found; cpu++)
        if (CPU_ISSET(cpu, others)) {
            CPU_SET(cpu, first);
            CPU_CLR(cpu, others);
            found = 1;
        }
    return CPU_COUNT(others);
}

static cpu_set_t callers_cpu; /* where spread puts the caller, once the workers are there */

/* Else a pool of one worker takes itself to share one CPU with its caller, and never spins. */
static bool tell_cpus(int count)
{
    char text[16];
    snprintf(text, sizeof text, "%d", count);
    return setenv("TWINPOOL_CPUS", text, 0) == 0; /* what the user says stands */
}

bool arm_affinity_before(const struct arm *arm)
{
    cpu_set_t others;
    if (arm->affinity == ARM_ANYWHERE)
        return true;
    const int count = split_mask(&callers_cpu, &others);
    const bool packed = arm->affinity == ARM_PACKED;
    if (count < (packed ? 0 : 1))
        return false;
    if (!packed && arm->workers <= (unsigned)count && !tell_cpus(count + 1))
        return false;
    return sched_setaffinity(0, sizeof others, packed ? &callers_cpu : &others) == 0;
}

bool arm_affinity_after(const struct arm *arm)
{
    return arm->affinity != ARM_SPREAD ||
           sched_setaffinity(0, sizeof callers_cpu, &callers_cpu) == 0;
}
