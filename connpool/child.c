/* child.c: children that die with their parent.
 *
 * PR_SET_PDEATHSIG is set in the child, so the parent may be dead before it: hence the second look
 * at getppid(). It follows the thread that forked, which here is always the main thread. */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t child_fork(void)
{
    pid_t parent = getpid();
    pid_t pid;

    fflush(NULL); /* else the child would print the parent's buffer once more */
    pid = fork();
    if (pid != 0)
        return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_DFL); /* fails for bad signal numbers only */
    signal(SIGTERM, SIG_DFL);
    return 0;
}

int child_wait(pid_t pid)
{
    int status;
    pid_t ended;

    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended == pid ? status : -1;
}

static bool forget(pid_t *pids, size_t count, pid_t ended)
{
    for (size_t i = 0; i < count; i++) {
        if (pids[i] == ended) {
            pids[i] = 0;
            return true;
        }
    }
    return false;
}

int child_wait_all(pid_t *pids, size_t count)
{
    size_t left = count;

    while (left > 0) {
        int status;
        pid_t ended = waitpid(-1, &status, 0);

        if (ended < 0 && errno == EINTR)
            continue;
        if (ended < 0)
            return -1;
        if (!forget(pids, count, ended))
            continue;
        left--;
        if (status != 0) {
            child_kill_all(pids, count);
            return -1;
        }
    }
    return 0;
}

bool child_has_ended(void)
{
    siginfo_t ended = {0};

    return waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0;
}

void child_kill_all(const pid_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL); /* ESRCH cannot be: it is our child, not yet waited for */
    for (size_t i = 0; i < count; i++)
        if (pids[i] > 0)
            child_wait(pids[i]);
}

void *shared_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

void shared_pages_free(void *pages, size_t bytes)
{
    if (pages)
        munmap(pages, bytes);
}
