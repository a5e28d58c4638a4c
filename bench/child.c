/* child.c: one measured process from fork to last reaped descendant.
 *
 * The child gets a process group of its own and dies with the launcher (PR_SET_PDEATHSIG,
 * re-checked after it is set, as the launcher may be gone by then). The launcher is a child
 * subreaper, so whatever a measured program leaves behind becomes its own child, is killed and
 * reaped: nothing survives a sample. Signals are blocked but inside ppoll(), so none is lost
 * between a look and a wait. Invariant: child_run() returns with no child of this process alive.
 * Source: prctl(2), pidfd_open(2), signal-safety(7). */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "follow.h"

enum { MOST_OUTPUT = 4 << 20 };

static volatile sig_atomic_t interrupted;
static sigset_t while_waiting; /* the mask inside ppoll() */

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

int child_setup(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(&action.sa_mask);
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaddset(&blocked, signals[i]);
        if (sigaction(signals[i], &action, NULL) != 0)
            return -1;
    }
    if (sigprocmask(SIG_BLOCK, &blocked, &while_waiting) != 0)
        return -1;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigdelset(&while_waiting, signals[i]);
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool child_interrupted(void)
{
    /* Blocked means pending: a look must count these too. */
    sigset_t pending;
    if (sigpending(&pending) == 0 &&
        (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
         sigismember(&pending, SIGHUP) == 1))
        interrupted = 1;
    return interrupted != 0;
}

/* ---- the child's side ----------------------------------------------------------------------- */

static _Noreturn void become(char *const argv[], int out, int err, pid_t launcher)
{
    const int nothing = open("/dev/null", O_RDONLY);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (setpgid(0, 0) == 0 && follow_parent(launcher) && nothing >= 0 && dup2(nothing, 0) == 0 &&
        dup2(out, 1) == 1 && dup2(err, 2) == 2 &&
        sigprocmask(SIG_SETMASK, &while_waiting, NULL) == 0)
        execv(argv[0], argv);
    static const char text[] = "cannot execute\n";
    (void)!write(err, text, sizeof text - 1);
    _exit(127);
}

/* ---- the launcher's side -------------------------------------------------------------------- */

struct pipes {
    int out[2], err[2];
};

static void pipes_close(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        if (pipes->out[i] >= 0)
            close(pipes->out[i]);
        if (pipes->err[i] >= 0)
            close(pipes->err[i]);
        pipes->out[i] = pipes->err[i] = -1;
    }
}

static int hear_out(int fd, struct child_result *result, size_t *room)
{
    if (result->out_length + 1 >= *room) {
        if (*room >= MOST_OUTPUT)
            return 0;
        char *larger = realloc(result->out, *room * 2);
        if (larger == NULL)
            return 0;
        result->out = larger;
        *room *= 2;
    }
    const ssize_t got = read(fd, result->out + result->out_length, *room - 1 - result->out_length);
    if (got > 0)
        result->out_length += (size_t)got;
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Keeps the last of what was said on stderr. */
static int hear_err(int fd, char *err, size_t size)
{
    char text[512];
    const ssize_t got = read(fd, text, sizeof text - 1);
    if (got <= 0)
        return got < 0 && (errno == EINTR || errno == EAGAIN);
    const size_t length = strlen(err), more = (size_t)got;
    const size_t kept = length + more < size ? length : more < size - 1 ? size - 1 - more : 0;
    memmove(err, err + (length - kept), kept);
    const size_t taken = more < size - 1 - kept ? more : size - 1 - kept;
    memcpy(err + kept, text + (more - taken), taken);
    err[kept + taken] = '\0';
    return 1;
}

/* Listens until the process has ended and both pipes are empty, or time is up, or a signal came. */
static void listen_to(int pidfd, struct pipes *pipes, uint64_t until_ns, size_t room,
                      struct child_result *result)
{
    struct pollfd polls[3] = {{.fd = pipes->out[0], .events = POLLIN},
                              {.fd = pipes->err[0], .events = POLLIN},
                              {.fd = pidfd, .events = POLLIN}};
    while (polls[0].fd >= 0 || polls[1].fd >= 0 || polls[2].fd >= 0) {
        const uint64_t now = now_ns();
        const bool ended = polls[2].fd < 0;
        if (now >= until_ns) {
            result->timed_out = !ended;
            return;
        }
        /* Once it has ended, only what is in the pipes counts: a descendant may hold them open. */
        const uint64_t left_ns = ended ? 0 : until_ns - now;
        const struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000u),
                                      .tv_nsec = (long)(left_ns % 1000000000u)};
        const int ready = ppoll(polls, 3, &left, &while_waiting);
        if (child_interrupted()) {
            result->interrupted = true;
            return;
        }
        if (ready == 0 && ended)
            return;
        if (polls[0].revents != 0 && !hear_out(polls[0].fd, result, &room))
            polls[0].fd = -1;
        if (polls[1].revents != 0 && !hear_err(polls[1].fd, result->err, sizeof result->err))
            polls[1].fd = -1;
        if (ready > 0 && polls[2].revents != 0)
            polls[2].fd = -1;
    }
}

static uint64_t children_cpu_ns(void)
{
    struct rusage r;
    if (getrusage(RUSAGE_CHILDREN, &r) != 0)
        return 0;
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000u;
}

/* Kills direct children that left the group, orphans that came to us among them. */
static void kill_children(void)
{
    char path[64], text[4096], *at = text, *end;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)getpid(), (long)getpid());
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end)
        kill((pid_t)pid, SIGKILL);
}

/* Kills the group and everything that became ours, until nothing is left. */
static void reap_all(pid_t group, int *status)
{
    bool known = false;
    for (;;) {
        int ended;
        kill(-group, SIGKILL);
        if (known)
            kill_children();
        const pid_t pid = waitpid(-1, &ended, 0);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            return;
        if (pid == group) {
            *status = ended;
            known = true;
        }
    }
}

static pid_t start(char *const argv[], struct pipes *pipes)
{
    const pid_t launcher = getpid();
    if (pipe2(pipes->out, O_CLOEXEC) != 0 || pipe2(pipes->err, O_CLOEXEC) != 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0)
        become(argv, pipes->out[1], pipes->err[1], launcher);
    if (pid < 0)
        return -1;
    (void)setpgid(pid,
                  pid); /* both sides do it: whoever comes first; EACCES after the exec is fine */
    close(pipes->out[1]);
    close(pipes->err[1]);
    pipes->out[1] = pipes->err[1] = -1;
    return pid;
}

int child_run(char *const argv[], unsigned deadline_s, struct child_result *result)
{
    struct pipes pipes = {{-1, -1}, {-1, -1}};
    size_t room = 1 << 16;
    memset(result, 0, sizeof *result);
    result->out = calloc(1, room);
    if (result->out == NULL)
        return -1;
    const uint64_t cpu_ns = children_cpu_ns(), start_ns = now_ns();
    const pid_t pid = start(argv, &pipes);
    const int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pid > 0) {
        result->started = true;
        if (pidfd >= 0)
            listen_to(pidfd, &pipes, start_ns + (uint64_t)deadline_s * 1000000000u, room, result);
        reap_all(pid, &result->status);
        result->wall_ns = now_ns() - start_ns;
        result->own_cpu_ns = children_cpu_ns() - cpu_ns;
        result->out[result->out_length] = '\0';
    }
    if (pidfd >= 0)
        close(pidfd);
    pipes_close(&pipes);
    return pid > 0 && pidfd >= 0 ? 0 : -1;
}
