/* run_crash.c: the experiments crash and soak: holders die by SIGKILL.
 *
 * crash kills one holder after the other, each while it holds a lease and everything else that can
 * be had is held by this process: so the next acquire can only succeed with the dead one's permit.
 * The time from the kill until it does is the recovery. Under bare it never does.
 *
 * soak kills workers at random moments, in whatever step of acquire, work or release they are, and
 * replaces them. Afterwards all N must be acquirable, and no slot may ever have been in two hands.
 * Under bare permits get lost: that is the finding, not an error of the program. */
#include "arm.h"
#include "child.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- one holder that dies ----------------------------------------------------------------------
 */

/* Forks a child that takes a lease, says so, and holds it until it is killed. -1: errno tells. */
static pid_t start_holder(struct target *target)
{
    int ready[2];
    char byte = 0;
    ssize_t got;
    pid_t pid;

    if (pipe(ready) != 0)
        return -1;
    pid = child_fork();
    if (pid == 0) {
        struct twin_lease lease;

        if (twin_connpool_acquire(target->pool, &lease, 1000000000) != 0 ||
            write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    do {
        got = pid > 0 ? read(ready[0], &byte, 1) : 0;
    } while (got < 0 && errno == EINTR);
    close(ready[0]);
    if (pid > 0 && got != 1) {
        child_wait(pid);
        return 0; /* it got no lease */
    }
    return pid;
}

struct crash {
    struct twin_lease *others; /* what this process holds meanwhile */
    int64_t *recovery_ns;
    unsigned recoveries, killed;
    int sys_errno;
};

/* Returns whether the permit came back. */
static bool kill_and_await(struct target *target, pid_t holder, int64_t timeout_ns,
                           int64_t *recovery_ns)
{
    struct twin_lease lease;
    int64_t killed_ns = twini_now_ns();
    bool back;

    kill(holder, SIGKILL); /* our own child, not waited for: it exists */
    back = twin_connpool_acquire(target->pool, &lease, timeout_ns) == 0;
    *recovery_ns = twini_now_ns() - killed_ns;
    if (back)
        twin_connpool_release(target->pool, &lease);
    child_wait(holder);
    return back;
}

/* Returns 1 to go on, 0 when no holder can get a lease any more, -1 on a system error. */
static int crash_once(struct target *target, struct crash *crash, int64_t timeout_ns)
{
    unsigned held = 0;
    pid_t holder = start_holder(target);

    if (holder <= 0) {
        crash->sys_errno = holder < 0 ? errno : 0;
        return holder < 0 ? -1 : 0;
    }
    while (held < target->options.connections &&
           twin_connpool_try_acquire(target->pool, &crash->others[held]) == 0)
        held++;
    crash->killed++;
    if (kill_and_await(target, holder, timeout_ns, &crash->recovery_ns[crash->recoveries]))
        crash->recoveries++;
    while (held > 0)
        twin_connpool_release(target->pool, &crash->others[--held]);
    return 1;
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static int print_crash(struct target *target, const struct arm_options *options,
                       struct crash *crash, unsigned before, int64_t elapsed_ns)
{
    unsigned after = target_acquirable(target);
    struct twin_connpool_stats stats;
    bool right;

    twin_connpool_stats(target->pool, &stats);
    qsort(crash->recovery_ns, crash->recoveries, sizeof *crash->recovery_ns, ascending);
    record_count("n_run", crash->killed);
    record_ns("elapsed_ns", elapsed_ns);
    record_count("killed_count", crash->killed);
    record_count("recovered_count", stats.recovered);
    record_count("acquirable_before", before);
    record_count("acquirable_after", after);
    record_count("permits_lost", before - after);
    if (crash->recoveries) {
        record_ns("recovery_ns", crash->recovery_ns[(crash->recoveries - 1) / 2]);
        record_ns("recovery_max_ns", crash->recovery_ns[crash->recoveries - 1]);
    }
    record_count("timed_out_count", stats.timed_out);
    record_count("forks", crash->killed);
    right =
        options->admission == ARM_BARE || (after == before && crash->recoveries == crash->killed);
    record_end(right ? "ok" : "wrong_result");
    return right ? ARM_OK : ARM_WRONG;
}

static int64_t crash_timeout_ns(const struct arm_options *options)
{
    if (options->timeout_ns >= 0)
        return options->timeout_ns;
    return options->admission == ARM_BARE ? 100000000 : 5000000000;
}

static int crash_with_target(struct target *target, const struct arm_options *options)
{
    struct crash crash = {.others = calloc(options->connections, sizeof(struct twin_lease)),
                          .recovery_ns = calloc(options->operations, sizeof(int64_t))};
    int64_t start_ns = twini_now_ns();
    unsigned before = target_acquirable(target);
    int status = ARM_FAILED, go_on = 1;

    if (!crash.others || !crash.recovery_ns) {
        status = record_failure("out of memory", 0);
    } else {
        for (unsigned k = 0; go_on > 0 && k < options->operations; k++)
            go_on = crash_once(target, &crash, crash_timeout_ns(options));
        status = go_on < 0
                     ? record_failure("cannot start a holder", crash.sys_errno)
                     : print_crash(target, options, &crash, before, twini_now_ns() - start_ns);
    }
    free(crash.others);
    free(crash.recovery_ns);
    return status;
}

static int with_target(const struct arm_options *options,
                       int (*run)(struct target *, const struct arm_options *))
{
    struct target target;
    int status;

    record_begin();
    if (options->backend == TWIN_OMP) {
        record_text("detail", "SIGKILL ends a process; a thread cannot be killed alone");
        record_end("unsupported");
        return ARM_OK;
    }
    status = target_open(&target, options);
    if (status)
        return record_failure(error_name(status), 0);
    status = run(&target, options);
    target_close(&target);
    return status;
}

int run_crash(const struct arm_options *options)
{
    return with_target(options, crash_with_target);
}

/* ---- many, at random ---------------------------------------------------------------------------
 */

struct soak {
    _Atomic unsigned stop;
    _Atomic uint64_t done;
    _Atomic uint64_t starved; /* a wait that took absurdly long: a permit is gone */
    _Atomic uint64_t failed;
};

#define STARVED_NS 2000000000

static _Noreturn void soak_worker(struct target *target, struct soak *soak)
{
    while (!atomic_load_explicit(&soak->stop, memory_order_relaxed)) {
        struct twin_lease lease;
        int status = twin_connpool_acquire(target->pool, &lease, STARVED_NS);

        if (status == TWIN_ETIMEOUT) {
            atomic_fetch_add_explicit(&soak->starved, 1, memory_order_relaxed);
            continue;
        }
        if (status == 0)
            status = twin_connpool_exec(target->pool, &lease, target->statement, NULL);
        if (status == 0)
            status = twin_connpool_release(target->pool, &lease);
        atomic_fetch_add_explicit(status ? &soak->failed : &soak->done, 1, memory_order_relaxed);
    }
    twin_connpool_close(target->pool);
    _exit(0);
}

static pid_t start_worker(struct target *target, struct soak *soak)
{
    pid_t pid = child_fork();

    if (pid == 0)
        soak_worker(target, soak);
    return pid;
}

static uint64_t next_random(uint64_t *state)
{
    /* xorshift64* : Vigna, "An experimental exploration of Marsaglia's xorshift generators" */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Returns how many were killed; fewer than asked for: errno tells why no worker could be started.
 */
static unsigned kill_at_random(struct target *target, struct soak *soak, pid_t *pids,
                               const struct arm_options *options)
{
    uint64_t random = options->seed * 2 + 1; /* any state but 0 */

    for (unsigned killed = 0; killed < options->operations; killed++) {
        unsigned victim = (unsigned)(next_random(&random) % options->workers);
        struct timespec pause_ns = {.tv_nsec = (long)(next_random(&random) % 400000)};

        nanosleep(&pause_ns, NULL); /* EINTR shortens it: as random as before */
        kill(pids[victim], SIGKILL);
        child_wait(pids[victim]);
        pids[victim] = start_worker(target, soak);
        if (pids[victim] < 0)
            return killed + 1;
    }
    return options->operations;
}

static int print_soak(struct target *target, const struct arm_options *options,
                      const struct soak *soak, unsigned killed, int64_t elapsed_ns)
{
    unsigned acquirable;
    struct twin_connpool_stats stats;
    struct twin_sim_stats sim = {0};
    bool right, kept = true;

    twin_connpool_reap(target->pool, NULL); /* bare: not supported, and so nothing comes back */
    acquirable = target_acquirable(target);
    twin_connpool_stats(target->pool, &stats);
    twin_sim_stats(target->sim, &sim);
    record_count("n_run", soak->done);
    record_ns("elapsed_ns", elapsed_ns);
    record_count("killed_count", killed);
    record_count("recovered_count", stats.recovered);
    record_count("reaped_count", stats.reaped);
    record_count("abandoned_count", sim.abandoned);
    record_count("holders_bound", options->connections);
    record_count("acquirable_after", acquirable);
    record_count("permits_lost", options->connections - acquirable);
    record_count("double_handouts", sim.double_handouts);
    record_count("starved_count", soak->starved);
    record_count("failed_count", soak->failed);
    record_count("forks", options->workers + killed);
    if (target->sqlite) {
        /* An operation that was committed may be killed before it was counted; never the reverse.
         */
        int64_t committed = target_committed(target);

        record_count("committed_count", (uint64_t)committed);
        kept = committed >= (int64_t)soak->done && committed <= (int64_t)(soak->done + killed);
    }
    right = kept && sim.double_handouts == 0 && soak->failed == 0 &&
            (options->admission == ARM_BARE ||
             (acquirable == options->connections && soak->starved == 0));
    record_end(right ? "ok" : "wrong_result");
    return right ? ARM_OK : ARM_WRONG;
}

static int soak_with_target(struct target *target, const struct arm_options *options)
{
    struct soak *soak = shared_pages(sizeof *soak);
    pid_t *pids = calloc(options->workers, sizeof *pids);
    int64_t start_ns = twini_now_ns();
    unsigned killed = 0;
    bool started = soak && pids;
    int status;

    for (unsigned i = 0; started && i < options->workers; i++)
        started = (pids[i] = start_worker(target, soak)) > 0;
    if (started)
        killed = kill_at_random(target, soak, pids, options);
    if (!started || killed < options->operations) {
        status = record_failure("cannot start a worker", errno);
        if (pids)
            child_kill_all(pids, options->workers);
    } else {
        atomic_store_explicit(&soak->stop, 1, memory_order_relaxed);
        for (unsigned i = 0; i < options->workers; i++)
            child_wait(pids[i]);
        status = print_soak(target, options, soak, killed, twini_now_ns() - start_ns);
    }
    free(pids);
    shared_pages_free(soak, sizeof *soak);
    return status;
}

int run_soak(const struct arm_options *options)
{
    return with_target(options, soak_with_target);
}
