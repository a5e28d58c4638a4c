/* test_connpool_kit.c: see test_connpool_kit.h. */
#include "test_connpool_kit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- the witness driver ------------------------------------------------------------------------
 */

struct witness {
    struct board *board;
    pid_t pid;
};

static int witness_open(void **connection, unsigned slot, void *context)
{
    struct witness *witness = malloc(sizeof *witness);

    (void)slot;
    if (!witness)
        return 1;
    witness->board = context;
    witness->pid = getpid();
    witness->board->opened++;
    *connection = witness;
    return 0;
}

static int witness_exec(void *connection, const char *statement, int64_t *value)
{
    struct witness *witness = connection;
    struct board *board = witness->board;
    unsigned running = atomic_fetch_add(&board->running, 1) + 1;
    unsigned most = board->most_running;

    while (running > most && !atomic_compare_exchange_weak(&board->most_running, &most, running))
        ;
    if (statement)
        sleep_ns(atoll(statement) * 1000);
    board->running--;
    *value = witness->pid;
    return witness->pid == getpid() ? 0 : 1;
}

static void witness_close(void *connection)
{
    struct witness *witness = connection;

    witness->board->closed++;
    free(witness);
}

const struct twin_connpool_driver witness_driver = {
    .name = "witness", .open = witness_open, .exec = witness_exec, .close = witness_close};

/* ---- rigs ---------------------------------------------------------------------------------------
 */

static struct board *new_board(void)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    cr_assert(board != MAP_FAILED);
    return board;
}

struct rig rig_options(const struct twin_connpool_options *options)
{
    struct rig rig = {.board = new_board()};
    struct twin_connpool_options copy = *options;

    if (!copy.driver_context)
        copy.driver_context = rig.board;
    cr_assert_eq(twin_connpool_open(&rig.pool, &copy), 0);
    return rig;
}

struct rig rig_witness(unsigned connections, enum twin_admission admission)
{
    struct twin_connpool_options options = {
        .driver = &witness_driver, .connections = connections, .admission = admission};

    return rig_options(&options);
}

struct rig rig_sim(unsigned connections, enum twin_admission admission, int64_t service_ns)
{
    struct twin_sim_options sim_options = {.connections = connections, .service_ns = service_ns};
    struct twin_connpool_options options = {
        .driver = &twin_sim_driver, .connections = connections, .admission = admission};
    struct twin_sim *sim;
    struct rig rig;

    cr_assert_eq(twin_sim_open(&sim, &sim_options), 0);
    options.driver_context = sim;
    rig = rig_options(&options);
    rig.sim = sim;
    return rig;
}

void rig_close(struct rig *rig)
{
    cr_expect_eq(twin_connpool_close(rig->pool), 0);
    twin_sim_close(rig->sim);
    munmap(rig->board, sizeof *rig->board);
}

/* ---- children and threads -----------------------------------------------------------------------
 */

pid_t child_start(int (*body)(struct rig *), struct rig *rig)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(getppid() == parent ? body(rig) : 99);
    }
    cr_assert_gt(pid, 0);
    return pid;
}

int child_status(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        cr_assert_eq(errno, EINTR);
    return status;
}

int child_exit(pid_t pid)
{
    int status = child_status(pid);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool child_killed(pid_t pid)
{
    int status = child_status(pid);

    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

struct thread_call {
    int (*body)(struct rig *);
    struct rig *rig;
    _Atomic unsigned ready;
    unsigned count;
    _Atomic int failed;
};

static void *thread_main(void *argument)
{
    struct thread_call *call = argument;

    call->ready++;
    await_at_least(&call->ready, call->count);
    if (call->body(call->rig) != 0)
        call->failed++;
    return NULL;
}

int in_threads(unsigned count, int (*body)(struct rig *), struct rig *rig)
{
    struct thread_call call = {.body = body, .rig = rig, .count = count};
    pthread_t *threads = calloc(count, sizeof *threads);

    for (unsigned i = 0; i < count; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, thread_main, &call), 0);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return call.failed;
}

int in_processes(unsigned count, int (*body)(struct rig *), struct rig *rig)
{
    pid_t *pids = calloc(count, sizeof *pids);
    int failed = 0;

    for (unsigned i = 0; i < count; i++)
        pids[i] = child_start(body, rig);
    for (unsigned i = 0; i < count; i++)
        failed += child_exit(pids[i]) != 0;
    free(pids);
    return failed;
}

/* ---- time ---------------------------------------------------------------------------------------
 */

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_ns(int64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000),
                            .tv_nsec = (long)(ns % 1000000000)};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

void await_at_least(_Atomic unsigned *flag, unsigned value)
{
    while (*flag < value)
        sleep_ns(MS / 5);
}

void await_waiting(struct twin_connpool *pool, unsigned waiting)
{
    struct twin_connpool_picture picture;

    do {
        sleep_ns(MS / 5);
        twin_connpool_picture(pool, &picture);
    } while (picture.waiting < waiting);
}

unsigned acquirable(struct twin_connpool *pool, int64_t timeout_ns)
{
    struct twin_connpool_picture picture;
    struct twin_lease *leases;
    unsigned got = 0;

    twin_connpool_picture(pool, &picture);
    leases = calloc(picture.total + 1, sizeof *leases);
    while (got < picture.total && twin_connpool_acquire(pool, &leases[got], timeout_ns) == 0)
        got++;
    /* and never one more */
    cr_expect_neq(twin_connpool_try_acquire(pool, &leases[got]), 0);
    for (unsigned i = 0; i < got; i++)
        cr_expect_eq(twin_connpool_release(pool, &leases[i]), 0);
    free(leases);
    return got;
}
