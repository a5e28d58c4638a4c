/* hygiene_host.c: a host program with a life of its own: children it waits for, a handler for
 * SIGCHLD, threads, a held stdio lock, OpenMP beside the pool. Neither disturbs the other. */
#include "procfs.h"
#include "toolkit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3 };

/* Kills an idle worker and waits until another does its work. */
static void replace_a_worker(struct twin_pool *pool)
{
    uint64_t before = stats_of(pool).restarts;
    int64_t pid = 0;
    struct twin_call call = square_call(&(int32_t){0});
    call.task = name_process;
    succeeds(twin_pool_apply(pool, &call, &pid));
    cr_assert_eq(kill((pid_t)pid, SIGKILL), 0);
    while (stats_of(pool).restarts == before || stats_of(pool).workers < WORKERS)
        nap();
    square_chunks_of_3(pool);
}

/* ---- children ----------------------------------------------------------------------------------
 */

struct waiter {
    atomic_int stop, own_reaped, wrong;
};

enum { OWN_STATUS = 77 };

/* Waits for any child, as shells and init programs do; reaps our supervisor too. */
static void *wait_for_any(void *argument)
{
    struct waiter *waiter = argument;
    for (int status; !atomic_load(&waiter->stop);) {
        if (wait(&status) < 0)
            nap();
        else if (WIFEXITED(status) && WEXITSTATUS(status) == OWN_STATUS)
            atomic_fetch_add(&waiter->own_reaped, 1);
    }
    return NULL;
}

static void fork_own_child(void)
{
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        _exit(OWN_STATUS);
}

Test(hygiene_host, waits_for_any_child_in_a_loop, .timeout = WATCHDOG_SECONDS)
{
    enum { CYCLES = 20 };
    struct waiter waiter = {0};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, wait_for_any, &waiter), 0);
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
        fork_own_child();
        square_chunks_of_3(pool);
        if (cycle % 5 == 0)
            replace_a_worker(pool);
        succeeds(cycle % 2 ? twin_pool_terminate(pool) : twin_pool_shutdown(pool));
        succeeds(twin_pool_close(pool));
    }
    await_at_least(&waiter.own_reaped, CYCLES);
    atomic_store(&waiter.stop, 1);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(atomic_load(&waiter.own_reaped), CYCLES);
    assert_no_child();
}

static atomic_int reaped_in_handler;

static void reap_all(int number)
{
    int saved_errno = errno, status;
    (void)number;
    while (waitpid(-1, &status, WNOHANG) > 0)
        if (WIFEXITED(status) && WEXITSTATUS(status) == OWN_STATUS)
            atomic_fetch_add(&reaped_in_handler, 1);
    errno = saved_errno;
}

Test(hygiene_host, reaps_in_a_handler_of_sigchld, .timeout = WATCHDOG_SECONDS)
{
    enum { CYCLES = 10 };
    struct sigaction action = {.sa_handler = reap_all};
    cr_assert_eq(sigaction(SIGCHLD, &action, NULL), 0);
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
        fork_own_child();
        square_chunks_of_3(pool);
        replace_a_worker(pool);
        succeeds(twin_pool_close(pool));
    }
    await_at_least(&reaped_in_handler, CYCLES);
    cr_assert_eq(atomic_load(&reaped_in_handler), CYCLES);
    assert_no_child();
}

/* ---- threads and locks -------------------------------------------------------------------------
 */

struct holder {
    atomic_int holds, let_go;
};

/* As a thread in the middle of a long printf. */
static void *hold_stdout(void *argument)
{
    struct holder *holder = argument;
    flockfile(stdout);
    atomic_store(&holder->holds, 1);
    await_at_least(&holder->let_go, 1);
    funlockfile(stdout);
    return NULL;
}

static int print_nothing_new(void *result, const void *item, void *context)
{
    printf("%s", ""); /* takes the lock of a worker's own stdout */
    return square(result, item, context);
}

Test(hygiene_host, prints_while_a_worker_is_replaced, .timeout = WATCHDOG_SECONDS)
{
    struct holder holder = {0};
    struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, hold_stdout, &holder), 0);
    await_at_least(&holder.holds, 1);
    for (int i = 0; i < 2 * WORKERS; i++)
        replace_a_worker(pool);
    int32_t items[50];
    int64_t results[50];
    struct twin_map map = square_map(count_up(items, 50), results, 50);
    map.task = print_nothing_new;
    map.chunk = 1;
    succeeds(twin_pool_map(pool, &map));
    assert_squares(results, items, 50);
    atomic_store(&holder.let_go, 1);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    succeeds(twin_pool_close(pool));
}

static void *open_and_end(void *argument)
{
    *(struct twin_pool **)argument = open_pool(&arm_proc, WORKERS);
    return NULL;
}

Test(hygiene_host, opens_the_pool_on_a_thread_that_ends, .timeout = WATCHDOG_SECONDS)
{
    for (int cycle = 0; cycle < 3; cycle++) {
        struct twin_pool *pool = NULL;
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, open_and_end, &pool), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        pid_t family[WORKERS + 2];
        size_t members = descendants(family, WORKERS + 2);
        cr_assert_eq(members, WORKERS + 1);
        square_chunks_of_3(pool);
        for (size_t i = 0; i < members; i++)
            cr_assert(!is_gone(family[i]), "process %zu went with the thread", i);
        replace_a_worker(pool);
        succeeds(twin_pool_close(pool));
        assert_no_child();
    }
}

/* ---- OpenMP beside the pool --------------------------------------------------------------------
 */

static int64_t sum_in_parallel(int32_t value)
{
    int64_t sum = 0;
#pragma omp parallel for default(none) shared(value) reduction(+ : sum) num_threads(2)             \
    schedule(static)
    for (int32_t i = 0; i < 1000; i++)
        sum += value;
    return sum;
}

static int sum_task(void *result, const void *item, void *context)
{
    (void)context;
    *(int64_t *)result = sum_in_parallel(*(const int32_t *)item);
    return 0;
}

static void *sum_until_told(void *argument)
{
    atomic_int *rounds = argument;
    for (int32_t i = 0; atomic_load(&rounds[1]) == 0; i++) {
        if (sum_in_parallel(i) != 1000 * (int64_t)i)
            atomic_store(&rounds[2], 1);
        atomic_fetch_add(&rounds[0], 1);
    }
    return NULL;
}

Test(hygiene_host, runs_openmp_beside_and_inside, .timeout = WATCHDOG_SECONDS)
{
    atomic_int rounds[3] = {0}; /* done, stop, wrong */
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, sum_until_told, rounds), 0);
    await_at_least(&rounds[0], 1);
    for (int cycle = 0; cycle < 5; cycle++) {
        struct twin_pool *pool = open_pool(&arm_proc, WORKERS);
        int32_t items[20];
        int64_t results[20];
        struct twin_map map = square_map(count_up(items, 20), results, 20);
        map.task = sum_task;
        succeeds(twin_pool_map(pool, &map));
        for (int32_t i = 0; i < 20; i++)
            cr_assert_eq(results[i], 1000 * i);
        replace_a_worker(pool);
        cr_assert_eq(sum_in_parallel(cycle), 1000 * (int64_t)cycle);
        succeeds(twin_pool_close(pool));
    }
    atomic_store(&rounds[1], 1);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(atomic_load(&rounds[2]), 0);
}

/* ---- a filter of system calls ------------------------------------------------------------------
 */

/* Refuses membarrier(), which a worker asks for before it sleeps. */
static int refuse_barriers(void *unused)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    (void)unused;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0;
}

Test(hygiene_host, filters_what_its_workers_may_ask_for, .timeout = WATCHDOG_SECONDS)
{
    enum { TIMES = 2000 };
    struct twin_pool_options options = {.workers = 2, .initializer = refuse_barriers};
    struct twin_pool *pool;
    if (twin_pool_open(&pool, &options) == TWIN_ETASK)
        cr_skip_test("this host has no such filters");
    for (int32_t i = 0; i < TIMES; i++) {
        struct twin_call call = square_call(&i);
        struct twin_future *future;
        succeeds(twin_pool_apply_async(pool, &call, &future));
        while (twin_future_state(future) < TWIN_SUCCEEDED) { /* which wakes nobody */
        }
        twin_future_release(future);
    }
    succeeds(twin_pool_close(pool));
}
