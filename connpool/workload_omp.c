/* workload_omp.c: a worker is an OpenMP thread. Its twin is workload_proc.c.
 *
 * All workers are threads of the one process that opened the pool, and share its connections: N in
 * all, where W processes may open up to W times N. Records lie in the same kind of memory. */
#include "process.h"
#include "workload.h"

#include <errno.h>
#include <omp.h>
#include <stdlib.h>

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

static void open_gate(struct workload *workload)
{
#pragma omp barrier
#pragma omp single
    workload->start_ns = twini_now_ns();
    /* the barrier at the end of single lets all go */
}

/* ---- all workers --------------------------------------------------------------------------------
 */

int workload_omp(struct workload *workload)
{
    int team = 0;

#pragma omp parallel default(none) shared(workload, team) num_threads(workload->workers)
    {
#pragma omp single
        team = omp_get_num_threads();
        if ((unsigned)team == workload->workers) { /* the same answer for the whole team */
            open_gate(workload);
            work(workload, &workload->shared->workers[omp_get_thread_num()]);
        }
    }
    if ((unsigned)team != workload->workers) {
        workload->sys_errno = EAGAIN; /* the runtime gave fewer threads than asked for */
        return -1;
    }
    return 0;
}
