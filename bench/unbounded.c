/* unbounded.c: twin_unbounded, the course's crash reproduced safely: a worker per number, all at
 * once.
 *
 * A sacrificial child, in a process group of its own and under the ceiling of ceiling.c, calls
 * twin_spawn_map() without a bound. Each worker waits at a pipe before it squares its number, so
 * all that were started are alive together. This process watches: when no more come, it reads the
 * memory, closes the pipe's other end, which lets all of them go at once, and times how long it
 * takes until none is left. Should it die itself, the pipe closes too, and the child dies with it.
 * Under omp libgomp ends the process when a thread cannot be created; to count how far it came,
 * pthread_create() is wrapped here, and a failing call waits a moment for this process to look.
 * How it ends is the result: outcome partial_limit, with the limit that bound it. */
#include <argp.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <twinpool/pool.h>

#include "ceiling.h"
#include "clock.h"
#include "follow.h"
#include "memory.h"
#include "option.h"
#include "record.h"
#include "workloads/square.h"

enum { FORK_KIB = 76, THREAD_KIB = 24, LOOK_MS = 2 };
#define STALL_NS 300000000u
#define MOST_NS  20000000000u

/* Shared by this process and the sacrificial child. */
struct shared {
    _Atomic size_t started;    /* written by the child; relaxed: a count, nothing rests on it */
    _Atomic int create_errno;  /* why a thread could not be created */
    _Atomic int looked;        /* the watcher has read the memory */
    _Atomic int rc, sys_errno; /* what twin_spawn_map() returned */
    _Atomic int returned;
};

static struct shared *shared; /* set before the fork */
static int hold_fd;           /* workers wait here until it is closed elsewhere */

/* ---- the sacrificial child ------------------------------------------------------------------ */

static int held_square(void *result, const void *item, void *context)
{
    char nothing;
    while (read(hold_fd, &nothing, 1) < 0 && errno == EINTR)
        continue;
    return square_task(result, item, context);
}

/* libgomp's way to a thread leads through here. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                   void *(*start)(void *), void *restrict arg)
{
    typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    create *real;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    const int error = real != NULL ? real(thread, attributes, start, arg) : EAGAIN;
    if (error == 0) {
        atomic_fetch_add_explicit(&shared->started, 1, memory_order_relaxed);
        return 0;
    }
    atomic_store_explicit(&shared->create_errno, error, memory_order_relaxed);
    for (int i = 0; i < 1000; i++) {
        if (atomic_load_explicit(&shared->looked, memory_order_relaxed))
            break;
        (void)poll(NULL, 0, 1);
    }
    return error;
}

static void on_progress(size_t started, void *arg)
{
    (void)arg;
    atomic_store_explicit(&shared->started, started, memory_order_relaxed);
}

struct request {
    bool omp;
    uint64_t n, workers, seed;
    size_t ceiling;
    int32_t *values;
    int64_t *results;
};

static void sacrifice(const struct request *request, size_t count)
{
    const struct twin_spawn_options options = {.backend = request->omp ? TWIN_OMP : TWIN_PROC,
                                               .batch = SIZE_MAX,
                                               .progress = request->omp ? NULL : on_progress};
    const struct twin_map map = {.task = held_square,
                                 .items = request->values,
                                 .item_size = sizeof *request->values,
                                 .results = request->results,
                                 .result_size = sizeof *request->results,
                                 .count = count};
    struct twin_spawn_report report = {0};
    const int rc = twin_spawn_map(&options, &map, &report);
    atomic_store_explicit(&shared->rc, rc, memory_order_relaxed);
    atomic_store_explicit(&shared->sys_errno, report.failure.sys_errno, memory_order_relaxed);
    atomic_store_explicit(&shared->returned, 1, memory_order_relaxed);
}

static _Noreturn void child(const struct request *request, size_t count, pid_t watcher, int err)
{
    const bool bound = request->omp ? ceiling_bind_threads(request->ceiling)
                                    : ceiling_bind_processes(request->ceiling);
    /* A change of uid clears the death signal, so it comes after. */
    if (setpgid(0, 0) != 0 || !follow_parent(watcher) || dup2(err, STDERR_FILENO) < 0)
        _exit(1);
    if (!bound)
        fputs("no limit could be set; the count alone binds\n", stderr);
    sacrifice(request, count);
    _exit(0);
}

/* ---- the watcher ---------------------------------------------------------------------------- */

struct sight {
    size_t most_alive;
    uint64_t before_kib, least_kib, start_ns, stopped_ns, cleanup_ns;
    int status;
    bool timed_out;
    char said[256];
};

/* Watches until no more workers come: the count stands still, creation failed, or the child is
 * gone. */
static void watch(pid_t pid, struct sight *sight)
{
    uint64_t changed_ns = now_ns();
    for (;;) {
        const uint64_t now = now_ns();
        const size_t started = atomic_load_explicit(&shared->started, memory_order_relaxed);
        siginfo_t info = {0};
        if (started != sight->most_alive)
            changed_ns = now;
        sight->most_alive = started;
        const bool gone =
            waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
        if (gone || now - changed_ns > STALL_NS || now - sight->start_ns > MOST_NS ||
            atomic_load_explicit(&shared->create_errno, memory_order_relaxed) != 0)
            break;
        (void)poll(NULL, 0, LOOK_MS);
    }
    sight->stopped_ns = changed_ns;
    sight->least_kib = memory_available_kib();
}

static bool anyone_left(pid_t group)
{
    return kill(-group, 0) == 0 || errno != ESRCH;
}

/* Lets them go, and waits until none is left; kills them when that takes too long. */
static void clean_up(pid_t pid, int hold_write, struct sight *sight)
{
    const uint64_t start_ns = now_ns();
    pid_t reaped = 0;
    close(hold_write);
    atomic_store_explicit(&shared->looked, 1, memory_order_relaxed);
    while (reaped == 0 || anyone_left(pid)) {
        if (reaped == 0)
            reaped = waitpid(pid, &sight->status, WNOHANG);
        if (now_ns() - start_ns > MOST_NS) {
            sight->timed_out = true;
            (void)kill(-pid, SIGKILL);
        }
        (void)poll(NULL, 0, 1);
    }
    sight->cleanup_ns = now_ns() - start_ns;
}

/* Keeps the first line with anything in it: libgomp's own begins with an empty one. */
static void read_said(int fd, char *said, size_t size)
{
    char text[512];
    const ssize_t got = read(fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    const char *line = text + strspn(text, "\n");
    snprintf(said, size, "%.*s", (int)strcspn(line, "\n"), line);
}

/* ---- the record ----------------------------------------------------------------------------- */

static void print_limit(const struct request *request, const struct sight *sight)
{
    const int error = atomic_load_explicit(&shared->create_errno, memory_order_relaxed) != 0
                          ? atomic_load_explicit(&shared->create_errno, memory_order_relaxed)
                          : atomic_load_explicit(&shared->sys_errno, memory_order_relaxed);
    const bool ours = sight->most_alive + sight->most_alive / 50 + 2 >= request->ceiling;
    char text[160];
    snprintf(text, sizeof text, "%s%s%s",
             sight->timed_out ? "time limit"
             : ours           ? "our_ceiling"
                              : "the system's",
             error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    record_text("limit", text);
    if (sight->said[0] != '\0')
        record_text("detail", sight->said);
    else if (WIFSIGNALED(sight->status))
        record_text("detail", strsignal(WTERMSIG(sight->status)));
    else
        record_text("detail",
                    twin_strerror(atomic_load_explicit(&shared->rc, memory_order_relaxed)));
}

static void print_sight(const struct request *request, const struct sight *sight)
{
    const bool whole = sight->most_alive >= request->n && WIFEXITED(sight->status) &&
                       WEXITSTATUS(sight->status) == 0;
    const uint64_t used_kib =
        sight->before_kib > sight->least_kib ? sight->before_kib - sight->least_kib : 0;
    record_text("phase", "warm");
    record_text("outcome", whole ? "ok" : "partial_limit");
    record_number("n_run", sight->most_alive);
    record_number("elapsed_ns", sight->stopped_ns - sight->start_ns);
    record_number("most_alive", sight->most_alive);
    record_number("ceiling", request->ceiling);
    if (sight->most_alive > 0)
        record_fraction("kib_per_worker", (double)used_kib / (double)sight->most_alive);
    record_number("cleanup_ns", sight->cleanup_ns);
    record_text("ended_by", WIFSIGNALED(sight->status)        ? "signal"
                            : WEXITSTATUS(sight->status) != 0 ? "exit"
                                                              : "return");
    if (!whole)
        print_limit(request, sight);
    record_end();
}

/* ---- one run -------------------------------------------------------------------------------- */

static void *shared_pages(size_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

static int fail(const char *what)
{
    fprintf(stderr, "twin_unbounded: %s: %s\n", what, strerror(errno));
    return 1;
}

static int measure(struct request *request)
{
    int hold[2], err[2];
    struct sight sight = {0};
    request->ceiling = ceiling_workers(request->omp ? THREAD_KIB : FORK_KIB);
    const size_t count = request->n < request->ceiling + 1 ? request->n : request->ceiling + 1;
    shared = shared_pages(sizeof *shared);
    request->values = shared_pages(count * sizeof *request->values);
    request->results = shared_pages(count * sizeof *request->results);
    if (shared == NULL || request->values == NULL || request->results == NULL)
        return fail("shared memory");
    if (pipe(hold) != 0 || pipe(err) != 0)
        return fail("pipe");
    square_fill(request->values, count, request->seed);
    hold_fd = hold[0];
    sight.before_kib = memory_available_kib();
    sight.start_ns = now_ns();
    const pid_t watcher = getpid(), pid = fork();
    if (pid == 0) {
        close(hold[1]);
        close(err[0]);
        child(request, count, watcher, err[1]);
    }
    if (pid < 0)
        return fail("fork");
    (void)setpgid(pid, pid);
    close(err[1]);
    watch(pid, &sight);
    clean_up(pid, hold[1], &sight);
    read_said(err[0], sight.said, sizeof sight.said);
    print_sight(request, &sight);
    return 0;
}

enum key { KEY_STRATEGY = 256, KEY_BACKEND, KEY_N, KEY_WORKERS, KEY_SEED };

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0, "spawn_unbounded", 0},
    {"backend", KEY_BACKEND, "NAME", 0, "proc or omp", 0},
    {"n", KEY_N, "COUNT", 0, "numbers, a worker for each", 0},
    {"workers", KEY_WORKERS, "COUNT", 0, "accepted and ignored: there is no bound", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "seed of the values", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const strategies[] = {"spawn_unbounded", NULL};
    static const char *const backends[] = {"proc", "omp", NULL};
    struct request *request = state->input;
    switch (key) {
    case KEY_STRATEGY:
        (void)option_choice(state, "strategy", text, strategies);
        break;
    case KEY_BACKEND:
        request->omp = option_choice(state, "backend", text, backends) == 1;
        break;
    case KEY_N:
        request->n = option_number(state, "n", text, 1, UINT64_MAX / 2);
        break;
    case KEY_WORKERS:
        break;
    case KEY_SEED:
        request->seed = option_number(state, "seed", text, 0, UINT64_MAX);
        break;
    case ARGP_KEY_ARG:
        option_no_argument(state, text);
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
        .doc = "Starts a worker for each number, all at once, under a ceiling, and says how far it "
               "came."};
    struct request request = {.n = 1000000, .seed = 1};
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    return measure(&request);
}
