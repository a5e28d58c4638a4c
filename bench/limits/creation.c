/* creation.c: what it costs to make a worker and to see it end. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../clock.h"
#include "limits.h"

static int reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0)
        if (errno != EINTR)
            return 1;
    return 0;
}

static int fork_and_wait(unsigned at_once)
{
    pid_t pids[2];
    for (unsigned i = 0; i < at_once; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(0);
        if (pids[i] < 0)
            return 1;
    }
    for (unsigned i = 0; i < at_once; i++)
        if (reap(pids[i]) != 0)
            return 1;
    return 0;
}

/* Variant two forks two and waits for both: what opening a pool of two cannot undercut. */
int limit_fork_wait(struct limit *limit)
{
    const unsigned at_once = strcmp(limit->variant, "two") == 0 ? 2 : 1;
    if (fork_and_wait(at_once) != 0)
        goto fail;
    const uint64_t start_ns = now_ns();
    for (size_t i = 0; i < limit->count; i++)
        if (fork_and_wait(at_once) != 0)
            goto fail;
    limit->warm_ns = now_ns() - start_ns;
    return 0;
fail:
    limit->detail = "fork or waitpid failed";
    return 1;
}

static void *nothing(void *arg)
{
    return arg;
}

int limit_thread_create(struct limit *limit)
{
    pthread_t thread;
    const uint64_t start_ns = now_ns();
    for (size_t i = 0; i < limit->count; i++)
        if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) {
            limit->detail = "pthread_create failed";
            return 1;
        }
    limit->warm_ns = now_ns() - start_ns;
    return 0;
}
