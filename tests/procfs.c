/* procfs.c: what the kernel tells of processes. Source: proc(5). */
#include "procfs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The state letter and the parent of a process; 'X' if it is not there. */
static char state_of(pid_t pid, pid_t *parent)
{
    char path[64], line[512];
    *parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 'X';
    size_t size = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[size] = '\0';
    const char *after = strrchr(line, ')'); /* the name may hold anything, parentheses too */
    char state = 'X';
    int ppid = 0;
    if (after && sscanf(after + 1, " %c %d", &state, &ppid) == 2)
        *parent = ppid;
    return state;
}

size_t children_of(pid_t parent, pid_t *children, size_t most)
{
    size_t count = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *entry; count < most && (entry = readdir(proc));) {
        pid_t pid = (pid_t)atoi(entry->d_name), its_parent;
        if (pid <= 0)
            continue;
        char state = state_of(pid, &its_parent);
        if (its_parent == parent && state != 'Z' && state != 'X')
            children[count++] = pid;
    }
    closedir(proc);
    return count;
}

size_t descendants(pid_t *found, size_t most)
{
    size_t children = children_of(getpid(), found, most), count = children;
    for (size_t i = 0; i < children; i++)
        count += children_of(found[i], found + count, most - count);
    return count;
}

bool is_gone(pid_t pid)
{
    pid_t parent;
    char state = state_of(pid, &parent);
    return state == 'X' || state == 'Z';
}

bool goes_away(pid_t pid)
{
    for (int i = 0; i < 10000; i++) {
        if (is_gone(pid))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

/* Adds up the numbers after the lines of a file that hold a word. */
static uint64_t add_up(const char *path, const char *word)
{
    char line[512];
    uint64_t sum = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        const char *number = strstr(line, word) ? strchr(line, ':') : NULL;
        if (number)
            sum += strtoull(number + 1, NULL, 10);
    }
    fclose(file);
    return sum;
}

uint64_t context_switches(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return add_up(path, "ctxt_switches");
}

size_t resident_kib(void)
{
    return (size_t)add_up("/proc/self/status", "VmRSS");
}

size_t count_shm_mappings(void)
{
    char line[1024];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "/dev/shm/") != NULL;
    if (maps)
        fclose(maps);
    return count;
}

bool is_stress(void)
{
    const char *asked = getenv("TWIN_STRESS");
    return asked && strcmp(asked, "0") != 0;
}
