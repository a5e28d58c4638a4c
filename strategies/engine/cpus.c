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

/* Of two numbers of CPUs, 0 being no limit. */
static unsigned tighter(unsigned one, unsigned other)
{
    return !one || (other && other < one) ? other : one;
}

/* The tightest limit in group and each of its parents up to mount and controller. */
static unsigned from_tree(const char *mount, const char *controller, const char *group)
{
    const size_t longest_name = sizeof "/cpu.cfs_period_us";
    size_t top = strlen(mount) + strlen(controller), length = top + strlen(group);
    char path[length + longest_name];
    stpcpy(stpcpy(stpcpy(path, mount), controller), group);
    for (unsigned least = 0;;) {
        double limit[2], period[2];
        unsigned cpus = 0;
        if (read_numbers(path, length, "/cpu.max", limit) == 2)
            cpus = from_quota(limit[0], limit[1]);
        else if (read_numbers(path, length, "/cpu.cfs_quota_us", limit) &&
                 read_numbers(path, length, "/cpu.cfs_period_us", period))
            cpus = from_quota(limit[0], period[0]);
        least = tighter(least, cpus);
        char *slash = strrchr(path, '/');
        if (!slash || length <= top)
            return least;
        *slash = '\0';
        length = (size_t)(slash - path);
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

/* A line of /proc/self/cgroup, number:controllers:group. 0: no limit. */
static unsigned from_line(char *line, const char *mount)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return 0;
    *group++ = '\0';
    controllers++;
    if (strcmp(group, "/") == 0)
        group = "";
    if (*controllers == '\0') /* version 2, also where both are mounted */
        return from_tree(mount, "", group);
    return lists(controllers, "cpu") ? from_tree(mount, "/cpu", group) : 0;
}

unsigned twini_quota_cpus(const char *membership, const char *mount)
{
    char text[4200]; /* a path, and then some: a line that does not fit would end the reading */
    int fd = open(membership, O_RDONLY | O_CLOEXEC);
    unsigned least = 0;
    size_t held = 0;
    ssize_t got = 0;
    while (fd >= 0 && (got = read(fd, text + held, sizeof text - 1 - held)) > 0) {
        held += (size_t)got;
        text[held] = '\0';
        char *line = text, *end;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            least = tighter(least, from_line(line, mount));
        }
        held -= (size_t)(line - text);
        memmove(text, line, held);
    }
    if (fd >= 0)
        close(fd);
    text[held] = '\0';
    return tighter(least, from_line(text, mount));
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
