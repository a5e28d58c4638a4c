/* hygiene_limits.c: what open costs and what becomes of it when the system refuses something: an
 * error at the call, everything undone, and a pool again once the limit is lifted. And thousands of
 * pools leave nothing behind. */
#include "procfs.h"
#include "toolkit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* ---- thousands of pools ------------------------------------------------------------------------
 */

static void cycle_once(const struct arm *arm, unsigned workers)
{
    struct twin_pool *pool = open_pool(arm, workers);
    int64_t result = 0;
    struct twin_call call = square_call(&(int32_t){5});
    succeeds(twin_pool_apply(pool, &call, &result));
    cr_assert_eq(result, 25);
    succeeds(twin_pool_close(pool));
}

static void cycle(const struct arm *arm)
{
    const int cycles = is_stress() ? 10000 : 500;
    for (int i = 0; i < 100; i++) /* what libc and libgomp keep is kept by now */
        cycle_once(arm, 1);
    size_t fds = count_fds(), shared = count_mappings(true), all = count_mappings(false);
    size_t resident = resident_kib();
    for (int i = 0; i < cycles; i++)
        cycle_once(arm, 1);
    assert_no_child();
    cr_assert_eq(count_fds(), fds, "%zu descriptors, %zu before", count_fds(), fds);
    cr_assert_eq(count_mappings(true), shared);
    cr_assert_lt(count_mappings(false), all + 20, "%zu mappings, %zu before", count_mappings(false),
                 all);
    /* 200 bytes lost in each of 10 000 cycles would show; a sanitizer keeps what is freed */
    if (!SANITIZED)
        cr_assert_lt(resident_kib(), resident + 2048, "%zu KiB, %zu before", resident_kib(),
                     resident);
}

Test(hygiene_limits, thousands_of_pools_leave_nothing_proc, .timeout = 300)
{
    cycle(&arm_proc);
}

Test(hygiene_limits, thousands_of_pools_leave_nothing_omp, .timeout = 300)
{
    cycle(&arm_omp);
}

Test(hygiene_limits, thousands_of_pools_leave_nothing_control, .timeout = 300)
{
    cycle(&arm_control);
}

/* ---- limits ------------------------------------------------------------------------------------
 */

/* Opens and closes a pool of 4 with one resource's soft limit, in a child. True in *opened: it
 * could be had. Returns 0, or the line of what did not hold. */
struct trial {
    __rlimit_resource_t resource;
    rlim_t soft;
    bool *opened;
};

static int open_under(const struct arm *arm, void *argument)
{
    const struct trial *trial = argument;
    struct twin_pool *pool = NULL;
    struct rlimit before, now;
    HOLDS(arm->open(&pool, &(struct twin_pool_options){.workers = 4}) == 0); /* libc warms up */
    HOLDS(twin_pool_close(pool) == 0);
    size_t fds = count_fds(), mappings = count_mappings(true);
    HOLDS(getrlimit(trial->resource, &before) == 0);
    now = before;
    now.rlim_cur = trial->soft;
    HOLDS(setrlimit(trial->resource, &now) == 0);
    pool = (struct twin_pool *)&now;
    errno = 0;
    int error = arm->open(&pool, &(struct twin_pool_options){.workers = 4});
    int its_errno = errno;
    HOLDS(setrlimit(trial->resource, &before) == 0);
    *trial->opened = error == 0;
    if (error) {
        HOLDS(error == TWIN_ENOMEM || (error == TWIN_ESYSTEM && its_errno != 0));
        HOLDS(pool == NULL);
        HOLDS(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    } else {
        HOLDS(twin_pool_close(pool) == 0);
    }
    HOLDS(count_fds() == fds);
    HOLDS(count_mappings(true) == mappings);

    int64_t result = 0;
    struct twin_call call = square_call(&(int32_t){6});
    HOLDS(arm->open(&pool, &(struct twin_pool_options){.workers = 4}) == 0);
    HOLDS(twin_pool_apply(pool, &call, &result) == 0 && result == 36);
    HOLDS(twin_pool_close(pool) == 0);
    return 0;
}

/* Raises a limit, by one or by doubling, until a pool can be had; returns how often it could not. */
static int climb(__rlimit_resource_t resource, rlim_t from, rlim_t step, bool doubles)
{
    bool *opened = shared_pages(sizeof *opened);
    for (int refusals = 0;; refusals++) {
        rlim_t more = doubles ? step << refusals : step * (rlim_t)refusals;
        struct trial trial = {resource, from + more, opened};
        int line = in_child(open_under, &arm_proc, &trial);
        cr_assert_eq(line, 0, "limit %llu: line %d", (unsigned long long)trial.soft, line);
        if (*opened)
            return refusals;
    }
}

Test(hygiene_limits, each_missing_descriptor_is_an_error_at_open, .timeout = WATCHDOG_SECONDS)
{
    /* without . and .., and the descriptor that looks */
    cr_assert_gt(climb(RLIMIT_NOFILE, count_fds() - 3, 1, false), 0);
}

static rlim_t address_space(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;
    cr_assert(statm && fscanf(statm, "%lu", &pages) == 1);
    fclose(statm);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

Test(hygiene_limits, too_little_address_space_is_an_error_at_open, .timeout = WATCHDOG_SECONDS)
{
    if (SANITIZED)
        skip("a sanitizer needs the whole address space");
    cr_assert_gt(climb(RLIMIT_AS, address_space(), 64 << 10, true), 0);
}

/* As a user of his own, who may have one process more each time. */
static int open_as_somebody(const struct arm *arm, void *argument)
{
    (void)argument;
    uid_t uid = 100000 + (uid_t)getpid(); /* other runs of this test have users of their own */
    struct rlimit limit;
    HOLDS(getrlimit(RLIMIT_NPROC, &limit) == 0);
    HOLDS(setgid(uid) == 0 && setuid(uid) == 0);
    size_t fds = count_fds(), mappings = count_mappings(true);
    int refusals = 0;
    for (rlim_t most = 1; most <= 8; most++) {
        struct twin_pool *pool = (struct twin_pool *)&limit;
        limit.rlim_cur = most; /* we, the supervisor and 4 workers are 6 */
        HOLDS(setrlimit(RLIMIT_NPROC, &limit) == 0);
        errno = 0;
        int error = arm->open(&pool, &(struct twin_pool_options){.workers = 4});
        HOLDS(error == 0 || (error == TWIN_ESYSTEM && errno == EAGAIN && !pool));
        HOLDS(error == 0 || (waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD));
        HOLDS(twin_pool_close(pool) == 0);
        HOLDS(count_fds() == fds);
        HOLDS(count_mappings(true) == mappings);
        HOLDS((error == 0) == (most >= 6));
        refusals += error != 0;
    }
    HOLDS(refusals == 5);
    return 0;
}

/* What a worker has at its start is read there. */
static int open_without_proc(const struct arm *arm, void *empty_folder)
{
    struct twin_pool *pool;
    HOLDS(chroot(empty_folder) == 0 && chdir("/") == 0);
    errno = 0;
    HOLDS(arm->open(&pool, &(struct twin_pool_options){.worker_bytes = 8 << 20}) == TWIN_ESYSTEM);
    HOLDS(errno == ENOENT && !pool);
    HOLDS(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    HOLDS(arm->open(&pool, NULL) == 0 && twin_pool_close(pool) == 0);
    return 0;
}

Test(hygiene_limits, a_memory_ceiling_without_proc_is_an_error_at_open, .timeout = WATCHDOG_SECONDS)
{
    if (geteuid() != 0)
        skip("needs root, to have a root directory without /proc");
    char folder[] = "/tmp/twin-root-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    int line = in_child(open_without_proc, &arm_proc, folder);
    char command[64]; /* coverage leaves its files there */
    snprintf(command, sizeof command, "rm -rf -- %s", folder);
    cr_assert(system(command) == 0 && line == 0, "line %d", line);
}

/* An executor starts its workers when they are needed: then none can be had. */
static int submit_as_somebody(const struct arm *arm, void *argument)
{
    struct rlimit none = {0};
    uid_t uid = 100000 + (uid_t)getpid();
    pid_t supervisor;
    (void)argument;
    HOLDS(setgid(uid) == 0 && setuid(uid) == 0);
    struct twin_executor *executor = open_executor(arm, 2);
    HOLDS(children_of(getpid(), &supervisor, 1) == 1);
    HOLDS(prlimit(supervisor, RLIMIT_NPROC, &none, NULL) == 0);
    struct twin_future *future;
    struct twin_call call = square_call(&(int32_t){7});
    HOLDS(twin_executor_submit(executor, &call, &future) == 0);
    HOLDS(twin_future_result(future, NULL, -1) == TWIN_EWORKER);
    twin_future_release(future);
    HOLDS(twin_executor_submit(executor, &call, &future) == TWIN_EWORKER);
    HOLDS(twin_executor_close(executor) == 0);
    return 0;
}

Test(hygiene_limits, an_executor_without_a_single_fork_says_so, .timeout = WATCHDOG_SECONDS)
{
    if (geteuid() != 0)
        skip("needs root, to become a user with a process limit of his own");
    cr_assert_eq(in_child(submit_as_somebody, &arm_proc, NULL), 0);
}

Test(hygiene_limits, a_fork_that_fails_at_each_worker_is_an_error_at_open,
     .timeout = WATCHDOG_SECONDS)
{
    if (geteuid() != 0)
        skip("needs root, to become a user with a process limit of his own");
    cr_assert_eq(in_child(open_as_somebody, &arm_proc, NULL), 0);
}
