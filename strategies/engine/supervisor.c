/* supervisor.c: the process carrier. A single-threaded process, forked at open, that forks the
 * workers.
 *
 * Why a process of its own: replacements must see the memory of the day the pool was opened; nobody
 * may fork a process that has threads by then; and somebody must wait for workers without a handler
 * or a thread in the user's process. The only process that forks workers is this one.
 *
 * A death, step by step: waitid(WNOWAIT) tells it, so the pid is still taken; calls and ranges
 * are repaired; repairs + 1; the pid is given back; a replacement is forked; every sleeper is rung
 * (one who should have rung may be the dead one). Nothing is left when anyone is killed: the
 * supervisor watches the caller by pidfd (PR_SET_PDEATHSIG would follow the thread that opened the
 * pool, not the process), workers get SIGKILL when the supervisor goes, whose one thread is its
 * process. Source: pidfd_open(2), waitid(2), prctl(2), signalfd(2). */
#include "engine/awake.h"
#include "engine/call.h"
#include "engine/proc_runtime.h"
#include "engine/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_FAILED_STARTS = 3, MOST_FAILED_FORKS = 100, RETRY_MS = 10, LOOK_MS = 100 };

/* The supervisor's own, private to its process. */
struct supervisor {
    struct twini_shared *shared;
    pid_t pid, caller;
    sigset_t caller_mask;
    int caller_fd, signal_fd, event_fd;
    unsigned alive;
    unsigned failed_starts, failed_forks;
    bool starved; /* a worker is missing because fork failed: try again soon */
};

/* -1 where there are no pidfds (Linux before 5.3, valgrind, some sandboxes): then we look at
 * intervals. */
static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* ---- a worker process ---------------------------------------------------- */

/* A task that calls exit() must not run the caller's atexit handlers: this one runs first. */
static void leave_at_once(int status, void *unused)
{
    (void)unused;
    (void)fflush(stdout);
    _exit(status);
}

/* Handlers of the caller make no sense here; Ctrl-C is the caller's to decide. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now;
        if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL &&
            now.sa_handler != SIG_IGN) {
            now = (struct sigaction){.sa_handler = SIG_DFL};
            (void)sigaction(number, &now, NULL);
        }
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGINT, &ignore, NULL);
    (void)sigaction(SIGCHLD, &usual, NULL); /* ignored, children would vanish before waitid() */
}

static _Noreturn void be_worker(struct supervisor *me, unsigned number)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != me->pid)
        _exit(EXIT_FAILURE);
    close(me->signal_fd);
    close(me->event_fd);
    close(me->caller_fd);
    (void)on_exit(leave_at_once, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &me->caller_mask, NULL);
    (void)twini_worker_main(me->shared, number);
    _exit(EXIT_SUCCESS);
}

/* Returns 0 or errno. */
static int fork_worker(struct supervisor *me, unsigned number)
{
    struct twini_shared *shared = me->shared;
    struct twini_worker_block *block = &shared->worker[number];
    twini_doorbell_init(&block->bell); /* a killed sleeper leaves its semaphore in no good state */
    /* relaxed, both: seen by the child through fork, by others when it says that it works */
    atomic_fetch_and_explicit(&shared->parked[number / 64], ~((uint64_t)1 << (number % 64)),
                              memory_order_relaxed);
    atomic_store_explicit(&block->state, TWINI_STARTING, memory_order_relaxed);
    pid_t pid = fork();
    if (pid == 0)
        be_worker(me, number);
    if (pid < 0) {
        int error = errno;
        atomic_store_explicit(&block->state, TWINI_ABSENT, memory_order_relaxed);
        return error;
    }
    atomic_store_explicit(&block->pid, pid, memory_order_relaxed);
    me->alive++;
    return 0;
}

/* ---- births -------------------------------------------------------------- */

/* Forks workers that are wanted and have never been. */
static void start_wanted(struct supervisor *me)
{
    struct twini_shared *shared = me->shared;
    /* order: acquire; pairs with release in twini_proc_want() */
    uint32_t wanted = atomic_load_explicit(&shared->wanted, memory_order_acquire);
    uint32_t started = atomic_load_explicit(&shared->started, memory_order_relaxed); /* ours */
    for (; started < wanted; started++) {
        int error = fork_worker(me, started);
        if (error == 0) {
            atomic_store_explicit(&shared->started, started + 1, memory_order_relaxed);
            continue;
        }
        if (atomic_load_explicit(&shared->opened, memory_order_relaxed) == 0) {
            shared->open_errno = error;
            /* order: release; pairs with acquire in has_opened() */
            atomic_store_explicit(&shared->opened, 2, memory_order_release);
            twini_ring_all(shared);
        }
        me->starved = true;
        return;
    }
}

/* Forks replacements that could not be had before. */
static void replace_missing(struct supervisor *me)
{
    struct twini_shared *shared = me->shared;
    uint32_t started = atomic_load_explicit(&shared->started, memory_order_relaxed); /* ours */
    me->starved = false;
    for (uint32_t w = 0; w < started; w++) {
        if (atomic_load_explicit(&shared->worker[w].state, memory_order_relaxed) != TWINI_ABSENT)
            continue;
        if (fork_worker(me, w) != 0) {
            me->starved = true;
            me->failed_forks++;
            return;
        }
        me->failed_forks = 0;
        atomic_fetch_add_explicit(&shared->restarts, 1, memory_order_relaxed); /* a counter */
    }
    start_wanted(me);
}

/* ---- deaths -------------------------------------------------------------- */

static void forget_spinner(struct twini_shared *shared, unsigned number)
{
    for (unsigned i = 0; i < TWINI_SPIN_SLOTS; i++) {
        uint32_t owner = number + 1;
        /* relaxed: permission only */
        atomic_compare_exchange_strong_explicit(&shared->spinner[i], &owner, 0,
                                                memory_order_relaxed, memory_order_relaxed);
    }
}

static void bury(struct supervisor *me, unsigned number, pid_t pid, int status)
{
    struct twini_shared *shared = me->shared;
    struct twini_worker_block *block = &shared->worker[number];
    forget_spinner(shared, number);
    twini_call_repair(shared, number, pid, status, 0);
    twini_map_repair(shared, number, pid, status);
    /* order: release; pairs with acquire in work(): what was repaired is to be seen */
    atomic_fetch_add_explicit(&shared->repairs, 1, memory_order_release);
    me->alive--;
    /* order: acquire; pairs with the worker's release; it is dead, but said so before */
    int state = atomic_load_explicit(&block->state, memory_order_acquire);
    atomic_store_explicit(&block->pid, 0, memory_order_relaxed);
    if (state == TWINI_LEFT || state == TWINI_GIVEN_UP)
        return;
    me->failed_starts = state == TWINI_STARTING ? me->failed_starts + 1 : 0;
    atomic_store_explicit(&block->state,
                          me->failed_starts >= MOST_FAILED_STARTS ? TWINI_GIVEN_UP : TWINI_ABSENT,
                          memory_order_release); /* as the worker's own */
}

static void bury_all_dead(struct supervisor *me)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        int status = info.si_code == CLD_EXITED   ? info.si_status << 8
                     : info.si_code == CLD_DUMPED ? info.si_status | 0x80
                                                  : info.si_status;
        for (unsigned w = 0; w < twini_numbers(me->shared); w++)
            if (atomic_load_explicit(&me->shared->worker[w].pid, memory_order_relaxed) ==
                info.si_pid) /* ours */
                bury(me, w, info.si_pid, status);
        siginfo_t again;
        (void)waitid(P_PID, (id_t)info.si_pid, &again, WEXITED);
        info.si_pid = 0;
    }
}

static void kill_workers(struct supervisor *me)
{
    for (unsigned w = 0; w < twini_numbers(me->shared); w++) {
        pid_t pid =
            atomic_load_explicit(&me->shared->worker[w].pid, memory_order_relaxed); /* ours */
        if (pid > 0)
            (void)kill(pid, SIGKILL); /* not reaped yet, so it is still ours */
    }
}

/* After deaths: replacements, or the end of hope. */
static void mend(struct supervisor *me)
{
    struct twini_shared *shared = me->shared;
    if (atomic_load_explicit(&shared->opened, memory_order_relaxed) == 2)
        return; /* open failed: the caller will end us */
    replace_missing(me);
    bool hopeless = me->failed_forks >= MOST_FAILED_FORKS || !me->starved;
    if (me->alive == 0 && hopeless && atomic_load_explicit(&shared->started, memory_order_relaxed))
        /* order: release; pairs with acquire in is_alive() */
        atomic_store_explicit(&shared->broken, 1, memory_order_release);
    twini_ring_all(shared);
}

/* ---- the loop ------------------------------------------------------------ */

static void drain(int fd)
{
    char buffer[1024];
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
}

static _Noreturn void be_supervisor(struct supervisor *me)
{
    struct twini_shared *shared = me->shared;
    twini_inside_task = true; /* nothing of the caller's may be used here */
    me->pid = getpid();
    reset_signals();
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    me->signal_fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    if (me->signal_fd < 0) {
        shared->open_errno = errno;
        atomic_store_explicit(&shared->opened, 2, memory_order_release); /* as in start_wanted() */
        twini_ring_all(shared);
        _exit(EXIT_FAILURE);
    }
    start_wanted(me);
    for (;;) {
        struct pollfd fds[] = {{.fd = me->caller_fd, .events = POLLIN},
                               {.fd = me->signal_fd, .events = POLLIN},
                               {.fd = me->event_fd, .events = POLLIN}};
        int ready = poll(fds, 3, me->starved ? RETRY_MS : me->caller_fd < 0 ? LOOK_MS : -1);
        if (ready < 0 && errno != EINTR)
            break;
        if (fds[0].revents || getppid() != me->caller) /* the caller is gone */
            break;
        drain(me->signal_fd);
        drain(me->event_fd);
        bury_all_dead(me);
        /* order: acquire; pairs with release in stop() of proc_runtime.c */
        int phase = atomic_load_explicit(&shared->phase, memory_order_acquire);
        if (phase == TWINI_KILL)
            kill_workers(me);
        if (phase == TWINI_WORK)
            mend(me);
        else if (me->alive == 0)
            _exit(EXIT_SUCCESS);
    }
    kill_workers(me);
    _exit(EXIT_FAILURE);
}

/* ---- the caller's side --------------------------------------------------- */

static int start(struct twini_proc *proc)
{
    struct supervisor me = {.shared = proc->shared, .caller = getpid(), .signal_fd = -1};
    me.caller_fd = open_pidfd(me.caller);
    if (me.caller_fd < 0 && errno == EMFILE)
        return TWIN_ESYSTEM;
    me.event_fd = proc->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (proc->event_fd < 0)
        goto fail;
    (void)fflush(stdout); /* or the workers would write it again; its error is the user's to see */
    twini_omp_rest();
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &me.caller_mask); /* no handler runs in the child */
    pid_t pid = fork();
    if (pid == 0)
        be_supervisor(&me);
    int saved_errno = errno;
    (void)pthread_sigmask(SIG_SETMASK, &me.caller_mask, NULL);
    errno = saved_errno;
    if (pid < 0)
        goto fail;
    proc->supervisor = pid;
    proc->supervisor_fd = open_pidfd(pid);
    if (me.caller_fd >= 0)
        close(me.caller_fd);
    return 0;
fail:
    saved_errno = errno;
    if (me.caller_fd >= 0)
        close(me.caller_fd);
    errno = saved_errno;
    return TWIN_ESYSTEM; /* event_fd goes with fini() */
}

static void grow(struct twini_proc *proc)
{
    (void)eventfd_write(proc->event_fd, 1); /* EAGAIN: 2^64 - 2 events wait: it will look */
}

/* Whether the supervisor is gone; a pidfd tells, whoever may have reaped it. timeout_ms: -1 waits.
 */
static bool has_exited(struct twini_proc *proc, int timeout_ms)
{
    struct pollfd fd = {.fd = proc->supervisor_fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&fd, 1, proc->supervisor_fd < 0 && timeout_ms ? 1 : timeout_ms);
        if (ready > 0)
            return true;
        siginfo_t info = {0};
        if (proc->supervisor_fd < 0 &&
            (waitid(P_PID, (id_t)proc->supervisor, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
             info.si_pid != 0))
            return true;
        if (timeout_ms == 0)
            return false;
    }
}

/* The supervisor was killed, and its workers with it, a moment later: waits for that moment. */
static void await_orphans(struct twini_proc *proc)
{
    for (uint32_t w = 0; w < twini_numbers(proc->shared); w++) {
        pid_t pid = atomic_load_explicit(&proc->shared->worker[w].pid, memory_order_relaxed);
        struct pollfd one = {.fd = pid > 0 ? open_pidfd(pid) : -1, .events = POLLIN};
        if (one.fd >= 0) {
            (void)poll(&one, 1, 1000);
            close(one.fd);
        }
    }
}

static bool is_alive(struct twini_proc *proc)
{
    /* order: acquire; pairs with release in mend() */
    if (atomic_load_explicit(&proc->shared->broken, memory_order_acquire))
        return false;
    if (!has_exited(proc, 0))
        return true;
    await_orphans(proc);
    return false;
}

static void stop(struct twini_proc *proc)
{
    if (proc->supervisor == 0)
        return;
    grow(proc); /* any event: it reads the phase */
    (void)has_exited(proc, -1);
    siginfo_t info;
    int error;
    do /* ECHILD: the host ignores SIGCHLD, or has waited for any child; it is gone all the same */
        error = waitid(P_PID, (id_t)proc->supervisor, &info, WEXITED);
    while (error && errno == EINTR);
    proc->supervisor = 0;
}

static void fini(struct twini_proc *proc)
{
    if (proc->supervisor_fd >= 0)
        close(proc->supervisor_fd);
    if (proc->event_fd >= 0)
        close(proc->event_fd);
    proc->supervisor_fd = proc->event_fd = -1;
}

const struct twini_carrier twini_process_carrier = {
    .processes = true, .start = start, .grow = grow, .alive = is_alive, .stop = stop, .fini = fini};
