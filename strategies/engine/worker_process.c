/* worker_process.c: what makes a process of ours: signals, limits, whose death it follows.
 * Source: prctl(2), setrlimit(2). */
#include "engine/worker_process.h"
#include "engine/exit_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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

/* Lets the process take that much private memory on top of what it has (RLIMIT_DATA: RLIMIT_AS would
 * count the shared reservation). */
static void limit_memory(size_t bytes)
{
    char line[128];
    unsigned long long has_kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmData: %llu", &has_kib) == 1)
            break;
    if (status)
        (void)fclose(status);
    rlim_t most = (rlim_t)has_kib * 1024 + bytes;
    struct rlimit now;
    if (getrlimit(RLIMIT_DATA, &now) == 0 && most < now.rlim_cur) {
        now.rlim_cur = most;
        (void)setrlimit(RLIMIT_DATA, &now);
    }
}

void twini_follow_supervisor(const struct twini_shared *shared)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != shared->supervisor)
        _exit(EXIT_FAILURE);
}

void twini_reset_process(void)
{
    reset_signals();
    twini_exit_is_leave();
}

void twini_become_worker(const struct twini_supervision *of)
{
    twini_follow_supervisor(of->shared);
    close(of->signal_fd);
    close(of->caller_fd);
    if (of->shared->task_timeout_ns == 0) /* nobody to wake */
        close(of->event_fd);
    (void)pthread_sigmask(SIG_SETMASK, &of->caller_mask, NULL);
    if (of->shared->worker_bytes)
        limit_memory(of->shared->worker_bytes);
}
