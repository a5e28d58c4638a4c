/* workload.h: "a process performs a database operation", told twice.
 *
 * W workers share N connections, W > N. Each does K operations: acquire, work, release. What is
 * seen is recorded by the workload itself, in shared memory, and not taken from the pool: the wait
 * before and the hold of each operation, and how many held a connection at the same time. */
#ifndef TWIN_CONNPOOL_WORKLOAD_H
#define TWIN_CONNPOOL_WORKLOAD_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <twinpool/connpool.h>

/* One for each worker; that worker alone writes it, the caller reads it afterwards. */
struct worker_record {
    alignas(64) uint64_t done;
    uint64_t timed_out;
    uint64_t failed; /* any other error */
    int first_error;
    int64_t longest_wait_ns;
    int64_t hold_ns;  /* in all */
    int64_t end_ns;   /* when its last operation ended, on the monotonic clock */
    int64_t *wait_ns; /* of each operation; operations of them */
};

struct workload_shared {
    alignas(64) _Atomic unsigned holders; /* the witness: workers between acquire and release */
    _Atomic unsigned most_holders;
    _Atomic uint64_t bound_violations;  /* times that a worker was one too many */
    alignas(64) _Atomic unsigned ready; /* workers that stand at the gate */
    _Atomic unsigned open;
    struct worker_record workers[];
};

struct workload {
    struct twin_connpool *pool;
    unsigned connections, workers, operations;
    int64_t timeout_ns;
    const char *statement;
    struct workload_shared *shared;
    size_t shared_bytes;
    int64_t start_ns;
    int sys_errno; /* why it could not run */
};

/* Both return 0, or -1 when workers could not be started, or died: sys_errno tells (0: died). */
int workload_proc(struct workload *workload);
int workload_omp(struct workload *workload);

/* workload.c: what is the same for both. */
int workload_init(struct workload *workload);
void workload_fini(struct workload *workload);
void holder_enters(struct workload_shared *shared, unsigned connections);
void holder_leaves(struct workload_shared *shared);

struct workload_summary {
    uint64_t done, timed_out, failed;
    int first_error;
    int64_t elapsed_ns;
    int64_t wait_p50_ns, wait_p95_ns, wait_p99_ns, wait_max_ns;
    int64_t hold_mean_ns;
    int64_t worker_longest_wait_min_ns; /* the luckiest worker's longest wait */
    double fairness; /* Jain's index of operations per second over workers: 1 all alike, 1/W one */
};

int workload_summarise(const struct workload *workload, struct workload_summary *summary);

#endif
