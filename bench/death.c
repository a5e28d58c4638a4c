/* death.c: what a death costs: n times a worker is killed by SIGKILL in the middle of a call. Timed from the
 * kill: until that call's future has failed, and until as many calls as there are workers, which all wait
 * for each other, have met: then the dead one has been replaced. Backend bare does the same without a
 * pool: processes asleep on semaphores, one of them killed, waited for, and forked anew by their parent:
 * until it was waited for, and until all have met. */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "follow.h"
#include "life.h"
#include "record.h"

enum { MOST_DEATHS = 10000, MOST_WORKERS = 64 };
#define LONGEST_NS 5000000000 /* for what takes microseconds when all is well */
#define GAP_NS     20000000u  /* between deaths: crashes are no steady state */

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
            sleep_ns(50000);
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
        return life_fail("apply_async", rc);
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
    return right ? 0 : life_wrong("the future of the lost call does not say who died of what");
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
    return rc != 0 || outcome != 0 ? life_fail("meeting", rc != 0 ? rc : outcome) : 0;
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
        sleep_ns(GAP_NS);
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

/* ---- without a pool ------------------------------------------------------------------------- */

/* In shared memory. */
struct bare {
    struct meeting meeting;
    sem_t calls; /* to the meeting, one for each who survives */
    sem_t met;   /* by each who was there */
};

static void answer(struct bare *bare)
{
    int64_t result;
    if (meet(&result, NULL, &bare->meeting) != 0)
        _exit(EXIT_FAILED);
    sem_post(&bare->met);
}

/* Forks one who goes to the meeting: when he is called, again and again; or at once, and is the next to be
 * killed. */
static pid_t fork_bare(struct bare *bare, bool survives)
{
    const pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    if (!follow_parent(parent))
        _exit(EXIT_FAILED);
    while (survives)
        if (sem_wait(&bare->calls) == 0)
            answer(bare);
    answer(bare);
    for (;;)
        pause();
}

/* Waits until one more has met. False: he has not come in time. */
static bool has_met(struct bare *bare)
{
    const struct timespec until = {.tv_sec = (time_t)((now_ns() + 2 * LONGEST_NS) / 1000000000u)};
    while (sem_clockwait(&bare->met, CLOCK_MONOTONIC, &until) != 0)
        if (errno != EINTR)
            return false;
    return true;
}

/* Forks the one who is missing, calls those who live, and sleeps until all have met. Returns his pid, or -1:
 * he could not be forked, or somebody is lost. */
static pid_t meet_bare(struct bare *bare)
{
    const unsigned all = bare->meeting.expected;
    atomic_store_explicit(&bare->meeting.arrived, 0, memory_order_relaxed);
    pid_t pid = fork_bare(bare, false);
    for (unsigned i = 1; i < all; i++)
        sem_post(&bare->calls);
    for (unsigned i = 0; i < all && pid > 0; i++)
        if (!has_met(bare))
            pid = -1;
    return pid;
}

static int bare_deaths(size_t count, unsigned workers)
{
    struct bare *bare =
        mmap(NULL, sizeof *bare, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bare == MAP_FAILED || sem_init(&bare->calls, 1, 0) != 0 || sem_init(&bare->met, 1, 0) != 0)
        return life_fail("mmap", TWIN_ENOMEM);
    bare->meeting.expected = workers;
    uint64_t sum_ns = 0;
    pid_t pid = 1;
    for (unsigned i = 1; i < workers && pid > 0; i++)
        pid = fork_bare(bare, true);
    if (pid > 0)
        pid = meet_bare(bare);
    for (size_t i = 0; i < count && pid > 0; i++) {
        siginfo_t info;
        sleep_ns(GAP_NS);
        const uint64_t killed_ns = now_ns();
        (void)kill(pid, SIGKILL);
        while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0)
            continue;
        failed_ns[i] = now_ns() - killed_ns;
        pid = meet_bare(bare);
        whole_ns[i] = now_ns() - killed_ns;
        sum_ns += failed_ns[i];
    }
    if (pid < 0)
        return life_fail("a bare process", TWIN_ESYSTEM);
    print_deaths(count, sum_ns);
    return 0;
}

int life_death(struct life *life)
{
    if (life->backend == OMP || life->backend == CONTROL)
        return life_fail("a thread cannot be killed alone", TWIN_ENOTSUP);
    if (life->n > MOST_DEATHS || life->workers > MOST_WORKERS)
        return life_fail("too many deaths or workers", TWIN_EINVAL);
    if (life->backend == BARE)
        return bare_deaths(life->n, life->workers);
    const int rc = life_open(life);
    if (rc != 0)
        return life_fail("open", rc);
    struct meeting *meeting = twin_alloc(life->pool, sizeof *meeting);
    const int status = meeting != NULL ? deaths(life, meeting) : life_fail("alloc", TWIN_ENOMEM);
    twin_free(meeting);
    (void)twin_pool_close(life->pool);
    return status;
}
