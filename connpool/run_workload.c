/* run_workload.c: the experiments workload and lesson: run, check what was seen, print. */
#include "arm.h"
#include "lesson.h"

#include <stdio.h>

/* ---- workload ----------------------------------------------------------------------------------
 */

static void print_summary(const struct workload *workload, const struct workload_summary *summary)
{
    double seconds = (double)summary->elapsed_ns / 1e9;

    record_count("n_run", summary->done);
    record_ns("elapsed_ns", summary->elapsed_ns);
    record_count("most_holders", workload->shared->most_holders);
    record_count("holders_bound", workload->connections);
    record_count("bound_violations", workload->shared->bound_violations);
    record_ns("wait_p50_ns", summary->wait_p50_ns);
    record_ns("wait_p95_ns", summary->wait_p95_ns);
    record_ns("wait_p99_ns", summary->wait_p99_ns);
    record_ns("wait_max_ns", summary->wait_max_ns);
    record_ns("hold_mean_ns", summary->hold_mean_ns);
    record_ratio("ops_per_s", seconds > 0 ? (double)summary->done / seconds : 0);
    record_ratio("fairness", summary->fairness);
    record_ns("worker_longest_wait_min_ns", summary->worker_longest_wait_min_ns);
    record_ns("worker_longest_wait_max_ns", summary->wait_max_ns);
    for (unsigned i = 0; i < workload->workers; i++) {
        char key[48];

        snprintf(key, sizeof key, "worker_%u_longest_wait_ns", i);
        record_ns(key, workload->shared->workers[i].longest_wait_ns);
    }
}

static void print_stats(const struct twin_connpool_stats *stats)
{
    record_count("direct_count", stats->direct);
    record_count("waited_count", stats->waited);
    record_count("timed_out_count", stats->timed_out);
    record_count("recovered_count", stats->recovered);
    record_count("high_water", stats->high_water);
}

/* What must be true of any run, whatever its speed. Prints the witnesses' counts. */
static bool check_run(struct target *target, const struct workload *workload,
                      const struct workload_summary *summary)
{
    uint64_t asked = (uint64_t)workload->workers * workload->operations;
    struct twin_sim_stats sim = {0};
    bool right = workload->shared->bound_violations == 0 && summary->failed == 0 &&
                 summary->done + summary->timed_out == asked;

    if (target->sim) {
        twin_sim_stats(target->sim, &sim);
        record_count("double_handouts", sim.double_handouts);
        record_count("foreign_uses", sim.foreign_uses);
        record_count("connections_opened", sim.opened);
        right = right && sim.double_handouts == 0 && sim.foreign_uses == 0 &&
                sim.executed == summary->done;
    } else {
        int64_t committed = target_committed(target);

        record_count("committed_count", (uint64_t)committed);
        right = right && committed == (int64_t)summary->done;
    }
    if (summary->failed) {
        record_count("failed_count", summary->failed);
        record_text("detail", error_name(summary->first_error));
    }
    return right;
}

static int measure_workload(struct target *target, const struct arm_options *options,
                            struct workload *workload)
{
    struct workload_summary summary;
    struct twin_connpool_stats stats;
    bool right;
    int status = options->backend == TWIN_OMP ? workload_omp(workload) : workload_proc(workload);

    if (status != 0)
        return record_failure(workload->sys_errno ? "cannot start the workers" : "a worker died",
                              workload->sys_errno);
    if (workload_summarise(workload, &summary) != 0)
        return record_failure("out of memory", 0);
    twin_connpool_stats(target->pool, &stats);
    print_summary(workload, &summary);
    print_stats(&stats);
    right = check_run(target, workload, &summary);
    record_count("acquirable_after", target_acquirable(target));
    record_count("forks", options->backend == TWIN_OMP ? 0 : options->workers);
    record_count("distinct_workers", options->workers);
    record_end(right ? "ok" : "wrong_result");
    return right ? ARM_OK : ARM_WRONG;
}

int run_workload(const struct arm_options *options)
{
    struct target target;
    struct workload workload = {.connections = options->connections,
                                .workers = options->workers,
                                .operations = options->operations,
                                .timeout_ns = options->timeout_ns};
    int status;

    record_begin();
    status = target_open(&target, options);
    if (status)
        return record_failure(error_name(status), 0);
    workload.pool = target.pool;
    workload.statement = target.statement;
    if (workload_init(&workload) == 0)
        status = measure_workload(&target, options, &workload);
    else
        status = record_failure("no memory for the records", 0);
    workload_fini(&workload);
    target_close(&target);
    return status;
}

/* ---- lesson ------------------------------------------------------------------------------------
 */

int run_lesson(const struct arm_options *options)
{
    struct lesson lesson = {.backend = options->backend,
                            .semaphore = options->admission == ARM_BARE,
                            .atomic_pick = options->atomic_pick,
                            .connections = options->connections,
                            .workers = options->workers,
                            .operations = options->operations};
    struct lesson_outcome outcome;
    uint64_t asked = (uint64_t)options->workers * options->operations;

    record_begin();
    if (lesson_run(&lesson, &outcome) != 0)
        return record_failure("cannot run the workers", outcome.sys_errno);
    record_count("n_run", outcome.operations);
    record_ns("elapsed_ns", outcome.elapsed_ns);
    record_count("most_holders", outcome.most_holders);
    record_count("holders_bound", options->connections);
    record_count("bound_violations", outcome.bound_violations);
    record_count("double_handouts", outcome.double_handouts);
    record_count("beyond_pool", outcome.beyond_pool);
    record_ratio("ops_per_s", (double)outcome.operations * 1e9 / (double)outcome.elapsed_ns);
    /* Violations are what the lesson is about. Wrong is only what theory rules out. */
    bool right = outcome.operations == asked &&
                 !(lesson.semaphore && outcome.bound_violations > 0) &&
                 !(lesson.atomic_pick && outcome.double_handouts > 0);
    record_end(right ? "ok" : "wrong_result");
    return right ? ARM_OK : ARM_WRONG;
}
