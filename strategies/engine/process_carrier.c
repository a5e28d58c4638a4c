/* process_carrier.c: workers that are processes: the caller's side. He forks the supervisor, who
 * forks the workers; wakes it by an event; knows by a pidfd when it is gone, whoever has reaped it.
 * Source: pidfd_open(2), eventfd(2). */
#include "engine/exit_guard.h"
#include "engine/proc_runtime.h"
#include "engine/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

/* Where standard input, output or error was closed, its number is not for us: the host may open it
 * again, on top of ours. */
static int above_stdio(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return higher;
}

static int start(struct twini_proc *proc)
{
    struct twini_supervision me = {.shared = proc->shared, .caller = getpid()};
    int saved_errno;
    me.caller_fd = twini_open_pidfd(me.caller);
    if (me.caller_fd < 0 && errno == EMFILE)
        return TWIN_ESYSTEM;
    me.event_fd = proc->event_fd = proc->shared->event_fd =
        above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (proc->event_fd < 0)
        goto fail;
    if (__fpending(stdout) > 0) /* or the workers would write it again */
        (void)fflush(stdout);   /* its error is the user's to see */
    twini_omp_rest();
    struct twini_exit_guard guard;
    errno = ENOMEM;
    if (!twini_exit_guard(&guard))
        goto fail;
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &me.caller_mask); /* no handler runs in the child */
    pid_t pid = fork();
    if (pid == 0)
        twini_supervise(&me);
    saved_errno = errno;
    (void)pthread_sigmask(SIG_SETMASK, &me.caller_mask, NULL);
    twini_exit_unguard(&guard);
    errno = saved_errno;
    if (pid < 0)
        goto fail;
    proc->supervisor = pid;
    proc->supervisor_fd = above_stdio(twini_open_pidfd(pid));
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

static void await_orphan(const _Atomic pid_t *orphan)
{
    pid_t pid = atomic_load_explicit(orphan, memory_order_relaxed); /* who wrote it is dead */
    struct pollfd one = {.fd = pid > 0 ? twini_open_pidfd(pid) : -1, .events = POLLIN};
    if (one.fd >= 0) {
        (void)poll(&one, 1, 1000);
        close(one.fd);
    }
}

/* The supervisor was killed, and its workers with it, a moment later: waits for that moment. */
static void await_orphans(struct twini_proc *proc)
{
    for (uint32_t w = 0; w < twini_numbers(proc->shared); w++)
        await_orphan(&proc->shared->worker[w].pid);
    await_orphan(&proc->shared->standby);
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
    grow(proc);                            /* any event: it reads the phase */
    (void)kill(proc->supervisor, SIGCONT); /* whoever stopped it: we could wait for ever */
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
