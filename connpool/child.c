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
