/* ceiling.c: the ceiling over the sacrificial child of unbounded.c.
 *
 * Processes are bound by RLIMIT_NPROC, threads by RLIMIT_AS (a thread's stack is reserved when it
 * is created). As root the child first becomes a user that nobody else is, since the kernel does
 * not hold root to RLIMIT_NPROC. The caller also never asks for more than the ceiling and one, so
 * that the machine is safe even where a limit does not bite (in a user namespace that maps no other
 * uid). Source: setrlimit(2), user_namespaces(7). */
#include "ceiling.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

enum { MOST_WORKERS = 4096, LEAST_WORKERS = 16, OUR_UID = 61977 };
#define SLACK_BYTES (64u << 20)

/* Counts the tasks of uid, or of all if uid is -1. */
static size_t count_tasks(uid_t uid)
{
    char path[300];
    size_t count = 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        struct stat status;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%s/task", entry->d_name);
        if (stat(path, &status) == 0 && (uid == (uid_t)-1 || status.st_uid == uid))
            count += status.st_nlink > 2 ? status.st_nlink - 2 : 1;
    }
    closedir(proc);
    return count;
}

size_t ceiling_workers(uint64_t worker_kib)
{
    const size_t used = count_tasks((uid_t)-1);
    const size_t pids = (size_t)memory_read_field("/proc/sys/kernel/pid_max", "%" SCNu64);
    const size_t memory = (size_t)(memory_available_kib() / 4 / worker_kib);
    size_t workers = MOST_WORKERS;
    if (pids > used && (pids - used) / 4 < workers)
        workers = (pids - used) / 4;
    if (memory < workers)
        workers = memory;
    return workers < LEAST_WORKERS ? LEAST_WORKERS : workers;
}

bool ceiling_bind_processes(size_t workers)
{
    if (geteuid() == 0 && (setgid(OUR_UID) != 0 || setuid(OUR_UID) != 0))
        return false;
    const rlim_t most = count_tasks(getuid()) + workers;
    const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    return setrlimit(RLIMIT_NPROC, &limit) == 0;
}

bool ceiling_bind_threads(size_t workers)
{
    pthread_attr_t attributes;
    size_t stack = 8u << 20;
    const uint64_t pages = memory_read_field("/proc/self/statm", "%" SCNu64);
    if (pthread_getattr_default_np(&attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &stack);
        (void)pthread_attr_destroy(&attributes);
    }
    const rlim_t most =
        pages * (rlim_t)sysconf(_SC_PAGESIZE) + workers * (rlim_t)stack + SLACK_BYTES;
    const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    return pages > 0 && setrlimit(RLIMIT_AS, &limit) == 0;
}
