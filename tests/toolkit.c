/* toolkit.c: what the promises are told with.
 *
 * The three arms differ only in how a pool is opened and in three facts: whether memory is shared
 * with the workers, whether work starts by itself, and whether the caller is one of the workers.
 * All else that a promise needs to know of a backend would be a promise broken.
 *
 * Tasks must not assert: they run in workers, where a failed assertion of the test framework has
 * nowhere to go. They write to shared memory or return a code, and the test's own thread asserts.
 */
#include "toolkit.h"

#include "engine/control_runtime.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const struct arm arm_proc = {"proc", TWIN_PROC, twin_pool_open, twin_executor_open,
                             true,   true,      false};
const struct arm arm_omp = {"omp", TWIN_OMP, twin_pool_open, twin_executor_open, false,
                            false, true};
const struct arm arm_control = {
    "control", TWIN_PROC, twini_control_open, twini_control_executor_open, false, true, false};

/* ---- pools -------------------------------------------------------------------------------------
 */

struct twin_pool *open_pool_with(const struct arm *arm, const struct twin_pool_options *options)
{
    struct twin_pool *pool = NULL;
    succeeds(arm->open(&pool, options));
    cr_assert_not_null(pool);
    return pool;
}

struct twin_pool *open_pool(const struct arm *arm, unsigned workers)
{
    return open_pool_with(arm,
                          &(struct twin_pool_options){.backend = arm->backend, .workers = workers});
}

struct twin_executor *open_executor(const struct arm *arm, unsigned workers)
{
    struct twin_executor *executor = NULL;
    succeeds(arm->open_executor(
        &executor, &(struct twin_pool_options){.backend = arm->backend, .workers = workers}));
    cr_assert_not_null(executor);
    return executor;
}

unsigned helpers(const struct arm *arm, unsigned workers)
{
    return arm->caller_works ? workers - 1 : workers;
}

void *arena(struct twin_pool *pool, size_t bytes)
{
    void *block = twin_alloc(pool, bytes);
    cr_assert_not_null(block, "twin_alloc(%zu): %s", bytes, strerror(errno));
    return block;
}

struct twin_stats stats_of(struct twin_pool *pool)
{
    struct twin_stats stats = {0};
    succeeds(twin_pool_stats(pool, &stats));
    return stats;
}

struct twin_failure failure_of(struct twin_pool *pool)
{
    struct twin_failure failure = {0};
    succeeds(twin_pool_failure(pool, &failure));
    return failure;
}

struct twin_failure failure_of_future(struct twin_future *future)
{
    struct twin_failure failure = {0};
    succeeds(twin_future_failure(future, &failure));
    return failure;
}

/* ---- items and tasks ---------------------------------------------------------------------------
 */

int32_t *count_up(int32_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i] = (int32_t)i;
    return items;
}

int square(void *result, const void *item, void *context)
{
    (void)context;
    int64_t value = *(const int32_t *)item;
    *(int64_t *)result = value * value;
    return 0;
}

int square_chunk(void *results, const void *items, size_t count, void *context)
{
    for (size_t i = 0; i < count; i++)
        square((int64_t *)results + i, (const int32_t *)items + i, context);
    return 0;
}

void assert_squares(const int64_t *results, const int32_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = items[i];
        cr_assert(results[i] == value * value, "results[%zu] is %lld, not the square of %lld", i,
                  (long long)results[i], (long long)value);
    }
}

struct twin_map square_map(const int32_t *items, int64_t *results, size_t count)
{
    return (struct twin_map){.task = square,
                             .items = items,
                             .item_size = sizeof *items,
                             .results = results,
                             .result_size = sizeof *results,
                             .count = count};
}

struct twin_call square_call(const int32_t *item)
{
    return (struct twin_call){
        .task = square, .item = item, .item_size = sizeof *item, .result_size = sizeof(int64_t)};
}

int count_run(void *result, const void *item, void *context)
{
    int32_t index = *(const int32_t *)item;
    atomic_int *counters = context;
    /* order: relaxed; only the sum counts, and it is read after the pool's own completion */
    atomic_fetch_add_explicit(&counters[index], 1, memory_order_relaxed);
    return square(result, item, NULL);
}

int fail_some(void *result, const void *item, void *context)
{
    int32_t value = *(const int32_t *)item;
    const struct failing *failing = context;
    square(result, item, NULL);
    if (value < failing->lowest || (value - failing->lowest) % failing->step != 0)
        return 0;
    if (value == failing->lowest)
        nap();
    return FAILING_CODE(value);
}

int fail_some_chunk(void *results, const void *items, size_t count, void *context)
{
    for (size_t i = 0; i < count; i++) {
        int code = fail_some((int64_t *)results + i, (const int32_t *)items + i, context);
        if (code)
            return code;
    }
    return 0;
}

struct twin_future *submit_call(struct twin_pool *pool, const struct twin_call *call)
{
    struct twin_future *future = NULL;
    succeeds(twin_pool_apply_async(pool, call, &future));
    cr_assert_not_null(future);
    return future;
}

void square_chunks_of_3(struct twin_pool *pool)
{
    int32_t items[500];
    int64_t results[500];
    struct twin_map map = square_map(count_up(items, 500), results, 500);
    map.chunk = 3;
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, 500);
}

int name_process(void *result, const void *item, void *context)
{
    (void)item, (void)context;
    *(int64_t *)result = getpid();
    return 0;
}

/* ---- the gate ----------------------------------------------------------------------------------
 */

void nap(void)
{
    struct timespec pause = {.tv_nsec = 500 * 1000};
    nanosleep(&pause, NULL); /* may end early: every caller loops or does not mind */
}

void await_at_least(atomic_int *counter, int value)
{
    while (atomic_load(counter) < value)
        nap();
}

int kill_own_worker(void *result, const void *item, void *context)
{
    (void)result, (void)item, (void)context;
    return raise(SIGKILL);
}

int wait_at_gate(void *result, const void *item, void *context)
{
    struct gate *gate = context;
    int inside = atomic_fetch_add(&gate->inside, 1) + 1;
    int most = atomic_load(&gate->most_inside);
    while (most < inside && !atomic_compare_exchange_weak(&gate->most_inside, &most, inside))
        ;
    while (!atomic_load(&gate->opened))
        nap();
    atomic_fetch_sub(&gate->inside, 1);
    atomic_fetch_add(&gate->passed, 1);
    return item && result ? square(result, item, NULL) : 0;
}

struct twin_call gate_call(struct gate *gate, const int32_t *item)
{
    struct twin_call call = square_call(item);
    call.task = wait_at_gate;
    call.context = gate;
    return call;
}

int meet(void *result, const void *item, void *context)
{
    struct gate *gate = context;
    atomic_fetch_add(&gate->inside, 1);
    await_at_least(&gate->inside, *(const int32_t *)item);
    return square(result, item, NULL);
}

void gate_open(struct gate *gate)
{
    atomic_store(&gate->opened, 1);
}

/* ---- the process around us ---------------------------------------------------------------------
 */

size_t count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    cr_assert_not_null(directory);
    size_t count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

size_t count_mappings(bool shared_only)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    cr_assert_not_null(maps);
    char line[1024], rights[8];
    size_t count = 0;
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%*s %7s", rights) == 1 && (!shared_only || rights[3] == 's'))
            count++;
    fclose(maps);
    return count;
}

void assert_no_child(void)
{
    siginfo_t info = {0};
    int found = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    cr_assert(found == -1 && errno == ECHILD, "a child is left: pid %d", (int)info.si_pid);
}

void *shared_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(pages != MAP_FAILED, "mmap: %s", strerror(errno));
    return pages;
}

/* Runs the check in a forked child; returns 0, the line it reported, or 100 000 + the wait status
 * of a child that did not get so far. */
int in_child(int (*check)(const struct arm *, void *), const struct arm *arm, void *argument)
{
    int *line = shared_pages(sizeof *line);
    *line = -1;
    fflush(NULL);
    pid_t child = fork();
    cr_assert(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        *line = check(arm, argument);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        cr_assert(errno == EINTR, "waitpid: %s", strerror(errno));
    int answer = status == 0 ? *line : 100000 + status;
    munmap(line, sizeof *line);
    return answer;
}

/* ---- random numbers ----------------------------------------------------------------------------
 */

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t random_below(struct random *random, size_t bound)
{
    return (size_t)(random_next(random) % bound);
}

struct random random_seeded(const char *who)
{
    const char *given = getenv("TWIN_TEST_SEED");
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 0)
                          : (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
    fprintf(stderr, "%s: repeat with TWIN_TEST_SEED=%llu\n", who, (unsigned long long)seed);
    return (struct random){.state = seed};
}
