/* cpus.c: how many CPUs this process may really use.
 *
 * The affinity mask alone is wrong in a container with a CPU quota: a pool sized by it is throttled
 * and 5 to 10 times slower. So the answer is the smaller of the mask and the tightest quota on the
 * way from our cgroup to the root (v2: cpu.max; v1: cpu.cfs_quota_us over cpu.cfs_period_us),
 * rounded up. Source: cgroups(7), the kernel's cgroup-v2.rst (cpu.max), sched-bwc.rst (v1). */
#include "engine/cpus.h"
#include "twinpool/pool.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CPUS = 4096 };

static unsigned from_environment(void)
{
    const char *text = getenv("TWINPOOL_CPUS");
    if (!text || !*text)
        return 0;
    char *end;
    unsigned long cpus = strtoul(text, &end, 10);
    return *end == '\0' && cpus >= 1 && cpus <= MOST_CPUS ? (unsigned)cpus : 0;
}

static unsigned from_affinity(void)
{
    unsigned cpus = 1;
    cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
    if (!set)
        return cpus;
    size_t bytes = CPU_ALLOC_SIZE(MOST_CPUS);
    if (sched_getaffinity(0, bytes, set) == 0 && CPU_COUNT_S(bytes, set) > 0)
        cpus = (unsigned)CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    return cpus;
}

/* CPUs that quota/period allows, rounded up; 0: no limit. */
static unsigned from_quota(double quota, double period)
{
    if (quota <= 0 || period <= 0 || quota / period >= MOST_CPUS)
        return 0;
    unsigned cpus = (unsigned)(quota / period);
    return cpus + (quota / period > cpus);
}

/* The numbers that the file in this folder (length bytes of path, which has room for the name) begins with,
 * two at most. Returns how many. Without stdio, whose buffers would be pages of each pool's price. */
static int read_numbers(char *path, size_t length, const char *name, double numbers[2])
{
    char text[64], *at = text, *end;
    strcpy(path + length, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    path[length] = '\0';
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    int count = 0;
    for (; count < 2; count++, at = end) {
        numbers[count] = strtod(at, &end);
        if (end == at)
            break;
    }
    return count;
}

/* The tightest limit in group and each of its parents up to mount. */
static unsigned from_tree(const char *mount, const char *group)
{
    char path[4352];
    unsigned least = 0;
    int length = snprintf(path, sizeof path, "%s%s", mount, group);
    if (length < 0 || (size_t)length + sizeof "/cpu.cfs_period_us" > sizeof path)
        return 0;
    for (;;) {
        double limit[2], period[2];
        unsigned cpus = 0;
        if (read_numbers(path, (size_t)length, "/cpu.max", limit) == 2)
            cpus = from_quota(limit[0], limit[1]);
        else if (read_numbers(path, (size_t)length, "/cpu.cfs_quota_us", limit) &&
                 read_numbers(path, (size_t)length, "/cpu.cfs_period_us", period))
            cpus = from_quota(limit[0], period[0]);
        if (cpus && (!least || cpus < least))
            least = cpus;
        char *slash = strrchr(path, '/');
        if (!slash || (size_t)length <= strlen(mount))
            return least;
        *slash = '\0';
        length = (int)(slash - path);
    }
}

/* Whether the list of names, separated by commas, has this one. */
static bool lists(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (; names; names = strchr(names, ',')) {
        names += *names == ',';
        if (strncmp(names, name, length) == 0 && (names[length] == ',' || names[length] == '\0'))
            return true;
    }
    return false;
}

unsigned twini_quota_cpus(const char *membership, const char *mount)
{
    char line[4200], mount_v1[4200];
    FILE *stream = fopen(membership, "re");
    if (!stream)
        return 0;
    snprintf(mount_v1, sizeof mount_v1, "%s/cpu", mount);
    unsigned least = 0;
    while (fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        if (strcmp(group, "/") == 0)
            group = "";
        unsigned cpus = 0;
        if (*controllers == '\0') /* version 2, also where both are mounted */
            cpus = from_tree(mount, group);
        else if (lists(controllers, "cpu"))
            cpus = from_tree(mount_v1, group);
        if (cpus && (!least || cpus < least))
            least = cpus;
    }
    fclose(stream);
    return least;
}

unsigned twin_usable_cpus(void)
{
    unsigned cpus = from_environment();
    if (cpus)
        return cpus;
    cpus = from_affinity();
    unsigned quota = twini_quota_cpus("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota && quota < cpus ? quota : cpus;
}
