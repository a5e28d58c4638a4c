/* environment.c: the conditions of a run, one "key: value" per line, unknown values left out.
 * Nothing here names a person or a host: what matters is the kind of machine. */
#include "environment.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void say(FILE *file, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(FILE *file, const char *key, const char *format, ...)
{
    va_list values;
    fprintf(file, "%s: ", key);
    va_start(values, format);
    vfprintf(file, format, values);
    va_end(values);
    fputc('\n', file);
}

/* Says the first line of a file, if it is there. */
static void say_line_of(FILE *file, const char *key, const char *path)
{
    char line[512];
    FILE *from = fopen(path, "re");
    if (from == NULL)
        return;
    if (fgets(line, sizeof line, from) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        say(file, key, "%s", line);
    }
    fclose(from);
}

/* Says the value of a "field : value" line of a file. */
static void say_field_of(FILE *file, const char *key, const char *path, const char *field)
{
    char line[4096];
    FILE *from = fopen(path, "re");
    if (from == NULL)
        return;
    while (fgets(line, sizeof line, from) != NULL) {
        if (strncmp(line, field, strlen(field)) != 0)
            continue;
        const char *value = strchr(line, ':');
        if (value == NULL)
            continue;
        value += 1 + strspn(value + 1, " \t");
        say(file, key, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    fclose(from);
}

static void say_affinity(FILE *file)
{
    cpu_set_t set;
    char list[1024];
    size_t length = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && length + 8 < sizeof list; cpu++)
        if (CPU_ISSET(cpu, &set))
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%zu",
                                       length > 0 ? " " : "", cpu);
    say(file, "affinity", "%s", list);
}

static void say_machine(FILE *file)
{
    struct utsname kernel;
    say_field_of(file, "cpu_model", "/proc/cpuinfo", "model name");
    say(file, "cpus_online", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    say_affinity(file);
    say_line_of(file, "cgroup_quota", "/sys/fs/cgroup/cpu.max");
    say_line_of(file, "cgroup_v1_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    say_line_of(file, "cgroup_memory_max", "/sys/fs/cgroup/memory.max");
    say_line_of(file, "cgroup_pids_max", "/sys/fs/cgroup/pids.max");
    say_field_of(file, "memory_total", "/proc/meminfo", "MemTotal");
    say_field_of(file, "memory_available", "/proc/meminfo", "MemAvailable");
    say(file, "page_bytes", "%ld", sysconf(_SC_PAGESIZE));
    say_line_of(file, "huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled");
    say_line_of(file, "huge_pages_shared", "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    say_line_of(file, "pid_max", "/proc/sys/kernel/pid_max");
    say_line_of(file, "threads_max", "/proc/sys/kernel/threads-max");
    say_line_of(file, "clock_source",
                "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    say_line_of(file, "load_at_start", "/proc/loadavg");
    if (uname(&kernel) == 0)
        say(file, "kernel", "%s %s %s", kernel.sysname, kernel.release, kernel.machine);
}

static void say_software(FILE *file)
{
    static const char *const prefixes[] = {"OMP_", "GOMP_", "TWINPOOL_"};
    say(file, "glibc", "%s", gnu_get_libc_version());
#if defined(__clang__)
    say(file, "compiler", "%s", __VERSION__);
#else
    say(file, "compiler", "gcc %s", __VERSION__);
#endif
    say(file, "compiler_flags", "%s", TWIN_BENCH_FLAGS);
    say(file, "build_type", "%s", TWIN_BENCH_BUILD_TYPE);
    say(file, "openmp", "%s", TWIN_BENCH_OPENMP);
    for (char **variable = environ; *variable != NULL; variable++)
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            if (strncmp(*variable, prefixes[i], strlen(prefixes[i])) == 0)
                say(file, "variable", "%s", *variable);
}

static void say_run(FILE *file, const struct environment *environment)
{
    char date[32];
    struct tm utc;
    const time_t now = time(NULL);
    if (gmtime_r(&now, &utc) != NULL && strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0)
        say(file, "date", "%s", date);
    say(file, "mode", "%s", environment->mode);
    say(file, "backends", "%s", environment->backends);
    if (*environment->only != '\0')
        say(file, "only", "%s", environment->only);
    say(file, "seed", "%" PRIu64, environment->seed);
    say(file, "workers", "%u", environment->workers);
    say(file, "spins_per_ms", "%" PRIu64, environment->spins_per_ms);
    if (*environment->git != '\0')
        say(file, "source", "%s", environment->git);
    say(file, "command", "%s", environment->command_line);
}

int environment_write(const char *path, const struct environment *environment)
{
    char temporary[4096];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return -1;
    }
    FILE *file = fopen(temporary, "we");
    if (file == NULL)
        return -1;
    say_run(file, environment);
    say_machine(file);
    say_software(file);
    const int failed = ferror(file);
    if (fclose(file) != 0 || failed || rename(temporary, path) != 0) {
        const int error = errno;
        (void)unlink(temporary);
        errno = error;
        return -1;
    }
    return 0;
}

int environment_add(const char *path, const char *key, const char *value)
{
    FILE *file = fopen(path, "ae");
    if (file == NULL)
        return -1;
    say(file, key, "%s", value);
    return fclose(file);
}
