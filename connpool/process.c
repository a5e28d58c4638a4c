/* process.c: identity and liveness of processes.
 *
 * A pid alone is no identity: 32768 of them wrap in two seconds. With the start time of
 * /proc/PID/stat (a tick is 10 ms) it is one. PID_MAX_LIMIT is 2^22 and 2^42 ticks are 1300 years,
 * so both fit into one 64-bit word.
 *
 * Dead means: no thread of it can run any more. A zombie is dead, unless only its first thread has
 * ended (state Z, but more than one thread). When /proc cannot be read, kill(pid, 0) decides, and
 * doubt counts as alive: a slot that comes back late is better than one handed out twice.
 * Source: proc(5), kill(2). */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct vital {
    char state;
    long threads;
    unsigned long long start_ticks;
};

static ssize_t read_retried(int fd, char *text, size_t size)
{
    ssize_t got;

    do {
        got = read(fd, text, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

static bool read_vital(pid_t pid, struct vital *vital)
{
    char path[32], text[1024];
    int fd;
    ssize_t got;
    const char *rest;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    got = read_retried(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    rest = strrchr(text, ')'); /* the name before it may hold anything, also spaces and ')' */
    return rest && sscanf(rest + 1,
                          " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld"
                          " %*s %llu",
                          &vital->state, &vital->threads, &vital->start_ticks) == 3;
}

uint64_t twini_process_self(void)
{
    struct vital vital;
    uint64_t pid = (uint64_t)getpid();

    if (!read_vital((pid_t)pid, &vital))
        vital.start_ticks = 0; /* no /proc: the pid must do */
    return (uint64_t)vital.start_ticks << TWINI_PID_BITS | pid;
}

bool twini_process_alive(uint64_t identity)
{
    struct vital vital;
    pid_t pid = twini_process_pid(identity);
    uint64_t start_ticks = identity >> TWINI_PID_BITS;

    if (kill(pid, 0) != 0 && errno == ESRCH)
        return false; /* the common case of death, at the price of one system call */
    if (!read_vital(pid, &vital))
        return kill(pid, 0) == 0 || errno != ESRCH;
    if (start_ticks && vital.start_ticks != start_ticks)
        return false; /* somebody else has the pid now */
    return !((vital.state == 'Z' || vital.state == 'X') && vital.threads <= 1);
}
