/* workload_proc.c: a worker is a process. Its twin is workload_omp.c.
 *
 * The pool was opened before the fork, so all workers inherit the same slots. Each opens its own
 * connections, at its first lease of a slot. Records lie in shared memory. */
#include "child.h"
#include "process.h"
#include "workload.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- one operation ------------------------------------------------------------------------------
 */

static int operate(const struct workload *workload, struct worker_record *record, int64_t *wait_ns)
{
    struct twin_lease lease;
    int64_t asked_ns = twini_now_ns(), got_ns;
    int status = twin_connpool_acquire(workload->pool, &lease, workload->timeout_ns);

    got_ns = twini_now_ns();
    *wait_ns = got_ns - asked_ns;
    if (status)
        return status;
    holder_enters(workload->shared, workload->connections);
    status = twin_connpool_exec(workload->pool, &lease, workload->statement, NULL);
    holder_leaves(workload->shared);
    record->hold_ns += twini_now_ns() - got_ns;
    if (status) {
        twin_connpool_release(workload->pool, &lease);
        return status;
    }
    return twin_connpool_release(workload->pool, &lease);
}

/* ---- one worker ---------------------------------------------------------------------------------
 */

static void work(const struct workload *workload, struct worker_record *record)
{
    for (unsigned k = 0; k < workload->operations; k++) {
        int status = operate(workload, record, &record->wait_ns[k]);

        if (record->wait_ns[k] > record->longest_wait_ns)
            record->longest_wait_ns = record->wait_ns[k];
        if (status == 0)
            record->done++;
        else if (status == TWIN_ETIMEOUT)
            record->timed_out++;
        else
            record->failed++;
        if (status && status != TWIN_ETIMEOUT && !record->first_error)
            record->first_error = status;
    }
    record->end_ns = twini_now_ns();
}

/* ---- all start together -------------------------------------------------------------------------
 */

static void stand_at_gate(struct workload_shared *shared)
{
    /* order: release and acquire; pair with open_gate(). Yielding, not sleeping: it is short. */
    atomic_fetch_add_explicit(&shared->ready, 1, memory_order_release);
    while (!atomic_load_explicit(&shared->open, memory_order_acquire))
        sched_yield();
}

/* Returns -1 when a worker died on its way to the gate: the others would wait for it for ever. */
static int open_gate(struct workload *workload)
{
    while (atomic_load_explicit(&workload->shared->ready, memory_order_acquire) <
           workload->workers) {
        if (child_has_ended())
            return -1;
        sched_yield();
    }
    workload->start_ns = twini_now_ns();
    atomic_store_explicit(&workload->shared->open, 1, memory_order_release);
    return 0;
}

/* ---- all workers --------------------------------------------------------------------------------
 */

static _Noreturn void run_child(const struct workload *workload, unsigned i)
{
    stand_at_gate(workload->shared);
    work(workload, &workload->shared->workers[i]);
    twin_connpool_close(workload->pool);
    _exit(0);
}

int workload_proc(struct workload *workload)
{
    pid_t *pids = calloc(workload->workers, sizeof *pids);
    int status;

    if (!pids) {
        workload->sys_errno = errno;
        return -1;
    }
    for (unsigned i = 0; i < workload->workers; i++) {
        pids[i] = child_fork();
        if (pids[i] == 0)
            run_child(workload, i);
        if (pids[i] < 0) {
            workload->sys_errno = errno;
            child_kill_all(pids, i);
            free(pids);
            return -1;
        }
    }
    status = open_gate(workload);
    if (status != 0)
        child_kill_all(pids, workload->workers);
    else
        status = child_wait_all(pids, workload->workers);
    free(pids);
    return status;
}
