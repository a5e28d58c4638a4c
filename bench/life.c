/* life.c: twin_life, what a pool costs beside its work: opening and closing, doing nothing, and the
 * death of a worker.
 *
 * open_close  n pools, each opened and closed.
 * idle        a pool that has worked and then has nothing to do for n seconds: how often its
 *             workers (and its supervisor) were switched in. The caller's own sleep is not counted.
 * death       n times a worker is killed by SIGKILL in the middle of a call. Timed from the kill:
 *             until that call's future has failed, and until as many calls as there are workers,
 *             which all wait for each other, have met: then the dead one has been replaced.
 *             Backend bare: a process that sleeps, killed and waited for by its parent, who forks another:
 *             until it was waited for, and until the other one runs.
 * Exit status: 0 measured (also when the backend cannot), 1 a call failed, 2 usage, 3 wrong. */
#include <argp.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <twinpool/pool.h>

#include "clock.h"
#include "engine/control_runtime.h"
#include "option.h"
#include "record.h"
#include "usage.h"
#include "workloads/square.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_WRONG = 3, MOST_DEATHS = 10000, MOST_WORKERS = 64 };
enum backend { PROC, OMP, CONTROL, BARE };
#define LONGEST_NS 5000000000 /* for what takes microseconds when all is well */
#define SETTLE_NS  500000000u /* libgomp spins for some milliseconds before it sleeps */
#define GAP_NS     20000000u  /* between deaths: crashes are no steady state */

struct life {
    int (*measure)(struct life *life);
    enum backend backend;
    size_t n;
    unsigned workers;
    struct twin_pool *pool;
};

/* ---- parts ---------------------------------------------------------------------------------- */

static int fail(const char *what, int rc)
{
    char text[160];
    const bool cannot = rc == TWIN_ENOTSUP;
    snprintf(text, sizeof text, "%s: %s", what, twin_strerror(rc));
    record_text("outcome", cannot ? "unsupported" : "partial_limit");
    record_text(cannot ? "detail" : "limit", text);
    record_end();
    return cannot ? 0 : EXIT_FAILED;
}

static int wrong(const char *what)
{
    record_text("outcome", "wrong_result");
    record_text("detail", what);
    record_end();
    return EXIT_WRONG;
}

static int open_pool(struct life *life)
{
    if (life->backend == BARE)
        return TWIN_ENOTSUP;
    const struct twin_pool_options options = {
        .backend = life->backend == OMP ? TWIN_OMP : TWIN_PROC, .workers = life->workers};
    return life->backend == CONTROL ? twini_control_open(&life->pool, &options)
                                    : twin_pool_open(&life->pool, &options);
}

static void sleep_for(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    while (nanosleep(&left, &left) != 0)
        continue;
}

/* ---- open and close ------------------------------------------------------------------------- */

static int open_close(struct life *life)
{
    uint64_t start_ns = 0;
    for (size_t i = 0; i <= life->n; i++) { /* the first one is not timed */
        if (i == 1)
            start_ns = now_ns();
        int rc = open_pool(life);
        if (rc != 0)
            return fail("open", rc);
        rc = twin_pool_close(life->pool);
        if (rc != 0)
            return fail("close", rc);
    }
    const uint64_t took_ns = now_ns() - start_ns;
    record_text("phase", "warm");
    record_number("n_run", life->n);
    record_number("elapsed_ns", took_ns);
    record_end();
    return 0;
}

/* ---- idle ----------------------------------------------------------------------------------- */

static uint64_t own_switches(void)
{
    struct rusage own = {0};
    (void)getrusage(RUSAGE_THREAD, &own);
    return (uint64_t)(own.ru_nvcsw + own.ru_nivcsw);
}

/* Switches of everything in this process tree but the calling thread: read again if that was switched
 * meanwhile. */
static uint64_t others_switches(void)
{
    struct usage all;
    uint64_t own;
    do {
        own = own_switches();
        usage_read(&all);
    } while (own_switches() != own);
    return all.voluntary_switches + all.involuntary_switches - own;
}

/* A map and a call, so that the pool has worked in both of its ways. */
static int work_once(struct life *life)
{
    enum { ITEMS = 100000 };
    static int32_t items[ITEMS];
    static int64_t results[ITEMS];
    const struct twin_map map = {.kernel = square_kernel,
                                 .items = items,
                                 .item_size = sizeof *items,
                                 .results = results,
                                 .result_size = sizeof *results,
                                 .count = ITEMS};
    const struct twin_call call = {.task = square_task,
                                   .item = items,
                                   .item_size = sizeof *items,
                                   .result_size = sizeof *results};
    square_fill(items, ITEMS, 1);
    int rc = twin_pool_map(life->pool, &map);
    if (rc == 0)
        rc = twin_pool_apply(life->pool, &call, results);
    if (rc != 0)
        return fail("work", rc);
    return square_checksum(results, ITEMS) == square_expected(items, ITEMS)
               ? 0
               : wrong("the checksum of the results is not that of the squares");
}

static int idle(struct life *life)
{
    int rc = open_pool(life);
    if (rc != 0)
        return fail("open", rc);
    const int status = work_once(life);
    if (status == 0) {
        sleep_for(SETTLE_NS);
        const uint64_t start_ns = now_ns();
        const uint64_t before = others_switches();
        sleep_for((uint64_t)life->n * 1000000000u);
        const uint64_t switches = others_switches() - before;
        record_text("phase", "warm");
        record_number("n_run", life->n);
        record_number("elapsed_ns", now_ns() - start_ns);
        record_number("idle_switches", switches);
        record_end();
    }
    (void)twin_pool_close(life->pool);
    return status;
}

/* ---- death ---------------------------------------------------------------------------------- */

/* In shared memory. */
struct meeting {
    _Atomic pid_t victim;     /* written by the worker that waits for its death */
    _Atomic unsigned arrived; /* calls that have come to the meeting */
    unsigned expected;
};

static int await_death(void *result, const void *item, void *context)
{
    struct meeting *meeting = context;
    (void)item;
    *(int64_t *)result = 0;
    /* order: release; pairs with the caller's acquire: who reads the pid finds us in the call */
    atomic_store_explicit(&meeting->victim, getpid(), memory_order_release);
    for (;;)
        pause();
    return 0;
}

/* Waits for the others, so it needs as many workers as there are calls. It yields: a worker that has just been
 * forked may be on this CPU. */
static int meet(void *result, const void *item, void *context)
{
    struct meeting *meeting = context;
    const uint64_t until_ns = now_ns() + LONGEST_NS;
    (void)item;
    *(int64_t *)result = 1;
    /* order: relaxed: a counter; nothing is published by it */
    atomic_fetch_add_explicit(&meeting->arrived, 1, memory_order_relaxed);
    while (atomic_load_explicit(&meeting->arrived, memory_order_relaxed) < meeting->expected)
        if (now_ns() > until_ns)
            return 1;
        else
            sched_yield();
    return 0;
}

static struct twin_call call_of(twin_task *task, const struct meeting *meeting)
{
    static const int32_t nothing;
    return (struct twin_call){.task = task,
                              .context = meeting,
                              .item = &nothing,
                              .item_size = sizeof nothing,
                              .result_size = sizeof(int64_t)};
}

/* Returns the pid of the worker that runs the call, 0 when none did in time. */
static pid_t victim_of(struct meeting *meeting)
{
    const uint64_t until_ns = now_ns() + LONGEST_NS;
    pid_t pid;
    while ((pid = atomic_load_explicit(&meeting->victim, memory_order_acquire)) == 0)
        if (now_ns() > until_ns)
            return 0;
        else
            sleep_for(50000);
    return pid;
}

/* Kills the worker in its call. Returns 0 and how long it took until its future had failed as it
 * should. */
static int kill_one(struct life *life, struct meeting *meeting, uint64_t *killed_ns,
                    uint64_t *failed_ns)
{
    const struct twin_call call = call_of(await_death, meeting);
    struct twin_failure failure = {0};
    struct twin_future *future;
    atomic_store_explicit(&meeting->victim, 0, memory_order_relaxed);
    int rc = twin_pool_apply_async(life->pool, &call, &future);
    if (rc != 0)
        return fail("apply_async", rc);
    const pid_t pid = victim_of(meeting);
    *killed_ns = now_ns();
    if (pid > 0)
        (void)kill(pid, SIGKILL);
    rc = twin_future_result(future, NULL, LONGEST_NS);
    *failed_ns = now_ns() - *killed_ns;
    (void)twin_future_failure(future, &failure);
    twin_future_release(future);
    const bool right = rc == TWIN_EWORKER && failure.kind == TWIN_FAILURE_WORKER &&
                       failure.pid == pid && WIFSIGNALED(failure.wait_status) &&
                       WTERMSIG(failure.wait_status) == SIGKILL;
    return right ? 0 : wrong("the future of the lost call does not say who died of what");
}

/* Holds a meeting of all workers. Returns 0 when all came. */
static int meet_all(struct life *life, struct meeting *meeting)
{
    const struct twin_call call = call_of(meet, meeting);
    struct twin_future *futures[MOST_WORKERS];
    int rc = 0, outcome = 0;
    unsigned sent = 0;
    meeting->expected = life->workers;
    atomic_store_explicit(&meeting->arrived, 0, memory_order_relaxed);
    while (sent < life->workers && rc == 0) {
        rc = twin_pool_apply_async(life->pool, &call, &futures[sent]);
        sent += rc == 0;
    }
    for (unsigned i = 0; i < sent; i++) {
        const int one = twin_future_result(futures[i], NULL, 2 * LONGEST_NS);
        outcome = outcome != 0 ? outcome : one;
        twin_future_release(futures[i]);
    }
    return rc != 0 || outcome != 0 ? fail("meeting", rc != 0 ? rc : outcome) : 0;
}

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *p50, const char *most, uint64_t *times_ns, size_t count)
{
    qsort(times_ns, count, sizeof *times_ns, by_time);
    record_number(p50, times_ns[(count - 1) / 2]);
    record_number(most, times_ns[count - 1]);
}

static uint64_t failed_ns[MOST_DEATHS], whole_ns[MOST_DEATHS];

static void print_deaths(size_t count, uint64_t sum_ns)
{
    record_text("phase", "warm");
    record_number("n_run", count);
    record_number("elapsed_ns", sum_ns);
    print_times("failed_p50_ns", "failed_max_ns", failed_ns, count);
    print_times("whole_p50_ns", "whole_max_ns", whole_ns, count);
    record_end();
}

static int deaths(struct life *life, struct meeting *meeting)
{
    uint64_t sum_ns = 0, killed_ns = 0;
    int status = meet_all(life, meeting);
    for (size_t i = 0; i < life->n && status == 0; i++) {
        sleep_for(GAP_NS);
        status = kill_one(life, meeting, &killed_ns, &failed_ns[i]);
        if (status == 0)
            status = meet_all(life, meeting);
        whole_ns[i] = now_ns() - killed_ns;
        sum_ns += failed_ns[i];
    }
    if (status == 0)
        print_deaths(life->n, sum_ns);
    return status;
}

/* Forks a process that says that it runs, and sleeps. Returns its pid when it does, or -1. The parent sleeps
 * meanwhile: the child may be on his CPU. */
static pid_t fork_sleeper(sem_t *runs)
{
    const pid_t pid = fork();
    if (pid == 0) {
        sem_post(runs);
        for (;;)
            pause();
    }
    while (pid > 0 && sem_wait(runs) != 0)
        continue;
    return pid;
}

static int bare_deaths(size_t count)
{
    sem_t *runs =
        mmap(NULL, sizeof *runs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (runs == MAP_FAILED || sem_init(runs, 1, 0) != 0)
        return fail("mmap", TWIN_ENOMEM);
    uint64_t sum_ns = 0;
    pid_t pid = fork_sleeper(runs);
    for (size_t i = 0; i < count && pid > 0; i++) {
        siginfo_t info;
        sleep_for(GAP_NS);
        const uint64_t killed_ns = now_ns();
        (void)kill(pid, SIGKILL);
        while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0)
            continue;
        failed_ns[i] = now_ns() - killed_ns;
        pid = fork_sleeper(runs);
        whole_ns[i] = now_ns() - killed_ns;
        sum_ns += failed_ns[i];
    }
    if (pid < 0)
        return fail("fork", TWIN_ESYSTEM);
    (void)kill(pid, SIGKILL);
    print_deaths(count, sum_ns);
    return 0;
}

static int death(struct life *life)
{
    if (life->backend == OMP || life->backend == CONTROL)
        return fail("a thread cannot be killed alone", TWIN_ENOTSUP);
    if (life->n > MOST_DEATHS || life->workers > MOST_WORKERS)
        return fail("too many deaths or workers", TWIN_EINVAL);
    if (life->backend == BARE)
        return bare_deaths(life->n);
    const int rc = open_pool(life);
    if (rc != 0)
        return fail("open", rc);
    struct meeting *meeting = twin_alloc(life->pool, sizeof *meeting);
    const int status = meeting != NULL ? deaths(life, meeting) : fail("alloc", TWIN_ENOMEM);
    twin_free(meeting);
    (void)twin_pool_close(life->pool);
    return status;
}

/* ---- command line --------------------------------------------------------------------------- */

enum key { KEY_STRATEGY = 256, KEY_BACKEND, KEY_N, KEY_WORKERS, KEY_SEED };

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0, "open_close, idle or death", 0},
    {"backend", KEY_BACKEND, "NAME", 0, "proc, omp, control, or bare (death)", 0},
    {"n", KEY_N, "COUNT", 0, "pools, seconds or deaths (10)", 0},
    {"workers", KEY_WORKERS, "COUNT", 0, "workers (2)", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "accepted, of no use here", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const strategies[] = {"open_close", "idle", "death", NULL};
    static int (*const measures[])(struct life *) = {open_close, idle, death};
    static const char *const backends[] = {"proc", "omp", "control", "bare", NULL};
    struct life *life = state->input;
    switch (key) {
    case KEY_STRATEGY:
        life->measure = measures[option_choice(state, "strategy", text, strategies)];
        break;
    case KEY_BACKEND:
        life->backend = option_choice(state, "backend", text, backends);
        break;
    case KEY_N:
        life->n = option_number(state, "n", text, 1, 1000000);
        break;
    case KEY_WORKERS:
        life->workers = (unsigned)option_number(state, "workers", text, 1, 1024);
        break;
    case KEY_SEED:
        (void)option_number(state, "seed", text, 0, UINT64_MAX);
        break;
    case ARGP_KEY_ARG:
        option_no_argument(state, text);
        break;
    case ARGP_KEY_END:
        if (life->measure == NULL)
            argp_failure(state, EXIT_USAGE, 0, "--strategy is missing; --help lists the options");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Measures what a pool costs beside its work, and prints a record."};
    struct life life = {.n = 10, .workers = 2};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &life);
    return life.measure(&life);
}
