/* stress_killer.c: a random program of calls while workers are killed at random times.
 *
 *     stress_killer SECONDS [--seed=N] [--corrupt=result|run]
 *
 * A thread sends SIGKILL to a random worker every few milliseconds, also while pools open and close.
 * Held: each outcome is what the oracle computes, or TWIN_EWORKER with the pid of a worker that was
 * killed; nothing runs twice, and what succeeded ran once. --corrupt spoils one outcome before it is
 * checked, and then succeeds only if the check sees it: so the test is known to be able to fail.
 * A hang is the watchdog's (ctest). Source of the generator: SplitMix64, as in toolkit.c. */
#include "procfs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <twinpool/pool.h>
#include <unistd.h>

enum { WORKERS = 4, MOST_ITEMS = 300, MOST_PIDS = 1 << 22, CALLS_PER_POOL = 60 };

static uint64_t seed;
static enum { NO_LIE, LIE_ON_RESULT, LIE_ON_RUN } lie;

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- the killer --------------------------------------------------------------------------------
 */

static atomic_bool was_killed[MOST_PIDS]; /* by pid, which Linux keeps below 2^22 */
static atomic_bool over;
static atomic_int kills;

/* Kills a worker, and nobody else: the pidfd is taken before its parent is looked at again. */
static void kill_one(uint64_t *state)
{
    pid_t workers[WORKERS + 8], supervisor;
    if (children_of(getpid(), &supervisor, 1) == 0)
        return;
    size_t count = children_of(supervisor, workers, WORKERS + 8);
    if (count == 0)
        return;
    pid_t victim = workers[next_random(state) % count];
    int fd = (int)syscall(SYS_pidfd_open, victim, 0);
    if (fd < 0)
        return;
    count = children_of(supervisor, workers, WORKERS + 8);
    for (size_t i = 0; i < count; i++)
        if (workers[i] == victim) {
            /* order: seq_cst; before the kill, so before anybody can be told of it */
            atomic_store(&was_killed[victim], true);
            if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
                atomic_fetch_add(&kills, 1);
        }
    close(fd);
}

static void *kill_at_random(void *unused)
{
    uint64_t state = seed ^ 0x6b696c6c;
    (void)unused;
    while (!atomic_load(&over)) {
        long pause_ns = (long)(next_random(&state) % 8000000);
        nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
        kill_one(&state);
    }
    return NULL;
}

/* ---- what is checked ---------------------------------------------------------------------------
 */

/* Leaves at once: what is in flight is nobody's leak. */
static _Noreturn void fail(const char *what, long long got, long long wanted)
{
    if (lie != NO_LIE)
        printf("stress_killer: the lie was seen: %s\n", what);
    else
        printf("stress_killer: %s: %lld where %lld was promised; repeat with --seed=%llu\n", what,
               got, wanted, (unsigned long long)seed);
    (void)fflush(stdout);
    _exit(lie == NO_LIE);
}

static void must(int error, const char *what)
{
    if (error) {
        printf("stress_killer: %s: %s\n", what, twin_strerror(error));
        fail(what, error, 0);
    }
}

/* In shared memory of the pool: how often each item of the call in hand began. */
static atomic_int *runs;

struct job {
    atomic_int *runs;
    uint32_t salt, work;
};

static int compute(void *result, const void *item, void *context)
{
    const struct job *job = context;
    uint32_t index = *(const uint32_t *)item;
    if (job->runs)
        atomic_fetch_add(&job->runs[index], 1);
    uint64_t state = (uint64_t)job->salt << 32 | index, value = 0;
    for (uint32_t i = 0; i <= (index * 7919u) % job->work; i++)
        value += next_random(&state);
    *(uint64_t *)result = value;
    return 0;
}

static void check_result(uint64_t result, uint32_t index, const struct job *job)
{
    uint64_t expected;
    struct job alone = {NULL, job->salt, job->work};
    compute(&expected, &index, &alone);
    if (lie == LIE_ON_RESULT)
        result ^= 1;
    if (result != expected)
        fail("a result", (long long)result, (long long)expected);
}

static void check_death(int error, const struct twin_failure *failure, size_t count)
{
    if (error != TWIN_EWORKER)
        fail("an outcome", error, TWIN_EWORKER);
    if (failure->kind != TWIN_FAILURE_WORKER || failure->pid <= 0 || failure->pid >= MOST_PIDS ||
        !atomic_load(&was_killed[failure->pid]))
        fail("the pid of a killed worker", failure->pid, 0);
    if (!WIFSIGNALED(failure->wait_status) || WTERMSIG(failure->wait_status) != SIGKILL)
        fail("the status of a killed worker", failure->wait_status, SIGKILL);
    if (failure->index >= count)
        fail("the index of a lost item", (long long)failure->index, (long long)count);
}

/* succeeded: exactly once, else at most once. */
static void check_runs(uint32_t index, bool succeeded)
{
    int ran = atomic_load(&runs[index]) + (lie == LIE_ON_RUN);
    if (ran > 1 || (succeeded && ran != 1))
        fail("runs of an item", ran, 1);
}

/* ---- the program -------------------------------------------------------------------------------
 */

static struct {
    struct twin_pool *pool;
    struct twin_executor *executor;
    uint64_t state;
    struct job job;
    uint32_t items[MOST_ITEMS], count;
    uint64_t results[MOST_ITEMS];
    long calls, deaths;
} run;

static struct twin_map draw_map(void)
{
    return (struct twin_map){.task = compute,
                             .context = &run.job,
                             .context_size = sizeof run.job,
                             .items = run.items,
                             .item_size = sizeof run.items[0],
                             .results = run.results,
                             .result_size = sizeof run.results[0],
                             .count = run.count,
                             .chunk = next_random(&run.state) % 20};
}

static struct twin_call draw_call(uint32_t index)
{
    return (struct twin_call){.task = compute,
                              .context = &run.job,
                              .context_size = sizeof run.job,
                              .item = &run.items[index],
                              .item_size = sizeof run.items[0],
                              .result_size = sizeof run.results[0]};
}

static void check_map(int error, const struct twin_failure *failure)
{
    if (error)
        check_death(error, failure, run.count);
    for (uint32_t i = 0; i < run.count; i++) {
        check_runs(i, error == 0);
        if (!error)
            check_result(run.results[i], i, &run.job);
    }
    run.deaths += error != 0;
}

static void do_map(void)
{
    struct twin_map map = draw_map();
    struct twin_failure failure = {0};
    int error = twin_pool_map(run.pool, &map);
    must(twin_pool_failure(run.pool, &failure), "twin_pool_failure");
    check_map(error, &failure);
}

static void do_map_async(void)
{
    struct twin_map map = draw_map();
    struct twin_failure failure = {0};
    struct twin_future *future;
    must(twin_pool_map_async(run.pool, &map, &future), "twin_pool_map_async");
    int error = twin_future_result(future, NULL, -1);
    must(twin_future_failure(future, &failure), "twin_future_failure");
    twin_future_release(future);
    check_map(error, &failure);
}

static void do_apply(void)
{
    uint32_t most = run.count < 20 ? run.count : 20;
    for (uint32_t i = 0; i < most; i++) {
        struct twin_call call = draw_call(i);
        struct twin_failure failure = {0};
        int error = twin_pool_apply(run.pool, &call, &run.results[i]);
        must(twin_pool_failure(run.pool, &failure), "twin_pool_failure");
        check_runs(i, error == 0);
        if (error)
            check_death(error, &failure, 1);
        else
            check_result(run.results[i], i, &run.job);
        run.deaths += error != 0;
    }
}

static void do_submit(bool to_executor)
{
    static struct twin_future *futures[MOST_ITEMS];
    for (uint32_t i = 0; i < run.count; i++) {
        struct twin_call call = draw_call(i);
        must(to_executor ? twin_executor_submit(run.executor, &call, &futures[i])
                         : twin_pool_apply_async(run.pool, &call, &futures[i]),
             "submit");
    }
    for (uint32_t i = 0; i < run.count; i++) {
        struct twin_failure failure = {0};
        int error = twin_future_result(futures[i], &run.results[i], -1);
        must(twin_future_failure(futures[i], &failure), "twin_future_failure");
        twin_future_release(futures[i]);
        check_runs(i, error == 0);
        if (error)
            check_death(error, &failure, 1);
        else
            check_result(run.results[i], i, &run.job);
        run.deaths += error != 0;
    }
}

static void do_iterate(void)
{
    struct twin_map map = draw_map();
    struct twin_iterator *iterator;
    struct twin_failure failure = {0};
    uint32_t seen = 0;
    must(twin_executor_map(run.executor, &map, &iterator), "twin_executor_map");
    for (;;) {
        const void *results;
        size_t count;
        int error = twin_iterator_next(iterator, &results, &count, -1);
        if (error) {
            must(twin_iterator_failure(iterator, &failure), "twin_iterator_failure");
            check_death(error, &failure, run.count);
            run.deaths++;
            break;
        }
        if (count == 0) {
            if (seen != run.count)
                fail("items of an iterator", seen, run.count);
            break;
        }
        for (size_t i = 0; i < count; i++, seen++) {
            check_runs(seen, true);
            check_result(((const uint64_t *)results)[i], seen, &run.job);
        }
    }
    twin_iterator_release(iterator);
    for (uint32_t i = 0; i < run.count; i++)
        check_runs(i, false);
}

static void make_a_call(bool executor)
{
    switch (next_random(&run.state) % (executor ? 2 : 4)) {
    case 0:
        executor ? do_iterate() : do_map();
        break;
    case 1:
        do_submit(executor);
        break;
    case 2:
        do_map_async();
        break;
    default:
        do_apply();
    }
}

/* One pool, or one executor, and some calls on it. */
static void use_a_pool(bool executor)
{
    struct twin_pool_options options = {.workers = WORKERS};
    run.executor = NULL;
    if (executor) {
        must(twin_executor_open(&run.executor, &options), "twin_executor_open");
        run.pool = twin_executor_pool(run.executor);
    } else {
        must(twin_pool_open(&run.pool, &options), "twin_pool_open");
    }
    runs = twin_alloc(run.pool, MOST_ITEMS * sizeof *runs);
    if (!runs)
        fail("twin_alloc", errno, 0);
    for (int call = 0; call < CALLS_PER_POOL && !atomic_load(&over); call++, run.calls++) {
        run.count = 1 + (uint32_t)(next_random(&run.state) % MOST_ITEMS);
        run.job = (struct job){runs, (uint32_t)next_random(&run.state),
                               1 + (uint32_t)(next_random(&run.state) % 20000)};
        for (uint32_t i = 0; i < run.count; i++) {
            run.items[i] = i;
            atomic_store(&runs[i], 0);
        }
        make_a_call(executor);
    }
    twin_free(runs);
    must(executor ? twin_executor_close(run.executor) : twin_pool_close(run.pool), "close");
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;
    seed = (uint64_t)time(NULL) * 1000003u ^ (uint64_t)getpid();
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "--seed=", 7) == 0)
            seed = strtoull(argv[i] + 7, NULL, 0);
        else if (strcmp(argv[i], "--corrupt=result") == 0)
            lie = LIE_ON_RESULT;
        else if (strcmp(argv[i], "--corrupt=run") == 0)
            lie = LIE_ON_RUN;
        else
            seconds = 0;
    }
    if (!(seconds > 0)) {
        fprintf(stderr, "usage: stress_killer SECONDS [--seed=N] [--corrupt=result|run]\n");
        return 2;
    }
    printf("stress_killer: seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    pthread_t killer;
    run.state = seed;
    if (pthread_create(&killer, NULL, kill_at_random, NULL))
        return 2;
    double end = now() + seconds;
    for (int pool = 0; now() < end; pool++)
        use_a_pool(pool % 2);
    atomic_store(&over, true);
    pthread_join(killer, NULL);
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        fail("children left", 1, 0);
    printf("stress_killer: %ld calls, %d kills, %ld outcomes lost to them, all accounted for\n",
           run.calls, atomic_load(&kills), run.deaths);
    return lie != NO_LIE ||
           atomic_load(&kills) == 0; /* a lie was not seen, or nothing was tested */
}
