/* usage.c: resource use of a process tree, so that the workers' page faults and switches are
 * counted during the pool's life and not only after its death. Own threads and reaped children come
 * from getrusage(); living descendants from /proc/PID/{stat,status,schedstat}, found by
 * /proc/PID/task/TID/children. A descendant that ends between two reads moves from the second sum
 * into the first only when its parent and ours have reaped it: exact for a pool whose workers live
 * on, which is what is measured. Source: proc(5). */
#include "usage.h"
#include "record.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST_DEPTH 4 /* arm, supervisor, worker, and one to spare */

static uint64_t timeval_ns(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

static void add_rusage(struct usage *sum, int who)
{
    struct rusage r;
    if (getrusage(who, &r) != 0)
        return;
    sum->user_ns += timeval_ns(r.ru_utime);
    sum->sys_ns += timeval_ns(r.ru_stime);
    sum->cpu_ns += timeval_ns(r.ru_utime) + timeval_ns(r.ru_stime);
    sum->minor_faults += (uint64_t)r.ru_minflt;
    sum->voluntary_switches += (uint64_t)r.ru_nvcsw;
    sum->involuntary_switches += (uint64_t)r.ru_nivcsw;
    if ((uint64_t)r.ru_maxrss > sum->max_rss_kib)
        sum->max_rss_kib = (uint64_t)r.ru_maxrss;
}

static FILE *open_of(long pid, const char *what)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/%ld/%s", pid, what);
    return fopen(path, "re");
}

/* Fields 10, 14 and 15 of stat, counted after the name's closing bracket. Returns user + sys. */
static uint64_t add_stat(struct usage *sum, long pid)
{
    char line[1024];
    uint64_t faults = 0, user = 0, sys = 0;
    FILE *file = open_of(pid, "stat");
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) != NULL) {
        const char *rest = strrchr(line, ')');
        if (rest != NULL)
            (void)sscanf(
                rest, ") %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %*u %*u %" SCNu64 " %" SCNu64,
                &faults, &user, &sys);
    }
    fclose(file);
    const uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    sum->minor_faults += faults;
    sum->user_ns += user * tick_ns;
    sum->sys_ns += sys * tick_ns;
    return (user + sys) * tick_ns;
}

static void add_status(struct usage *sum, long pid)
{
    char line[256];
    uint64_t value;
    FILE *file = open_of(pid, "status");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &value) == 1)
            sum->voluntary_switches += value;
        else if (sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &value) == 1)
            sum->involuntary_switches += value;
        else if (sscanf(line, "VmHWM: %" SCNu64, &value) == 1 && value > sum->max_rss_kib)
            sum->max_rss_kib = value;
    }
    fclose(file);
}

static void add_process(struct usage *sum, long pid)
{
    uint64_t cpu_ns = add_stat(sum, pid);
    FILE *file = open_of(pid, "schedstat");
    if (file != NULL) {
        uint64_t exact_ns;
        if (fscanf(file, "%" SCNu64, &exact_ns) == 1)
            cpu_ns = exact_ns;
        fclose(file);
    }
    sum->cpu_ns += cpu_ns;
    add_status(sum, pid);
}

static void add_descendants(struct usage *sum, long pid, int depth);

static void add_children_of_thread(struct usage *sum, long pid, const char *tid, int depth)
{
    char what[64];
    long child;
    snprintf(what, sizeof what, "task/%.20s/children", tid);
    FILE *file = open_of(pid, what);
    if (file == NULL)
        return;
    while (fscanf(file, "%ld", &child) == 1) {
        add_process(sum, child);
        add_descendants(sum, child, depth + 1);
    }
    fclose(file);
}

static void add_descendants(struct usage *sum, long pid, int depth)
{
    char path[128];
    if (depth >= MOST_DEPTH)
        return;
    snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        if (entry->d_name[0] != '.')
            add_children_of_thread(sum, pid, entry->d_name, depth);
    closedir(tasks);
}

void usage_read(struct usage *usage)
{
    memset(usage, 0, sizeof *usage);
    add_rusage(usage, RUSAGE_SELF);
    add_rusage(usage, RUSAGE_CHILDREN);
    add_descendants(usage, (long)getpid(), 0);
}

struct usage usage_since(const struct usage *before, const struct usage *after)
{
    return (struct usage){
        .user_ns = after->user_ns - before->user_ns,
        .sys_ns = after->sys_ns - before->sys_ns,
        .cpu_ns = after->cpu_ns - before->cpu_ns,
        .minor_faults = after->minor_faults - before->minor_faults,
        .voluntary_switches = after->voluntary_switches - before->voluntary_switches,
        .involuntary_switches = after->involuntary_switches - before->involuntary_switches,
        .max_rss_kib = after->max_rss_kib,
    };
}

void usage_record(const struct usage *usage)
{
    record_number("user_ns", usage->user_ns);
    record_number("sys_ns", usage->sys_ns);
    record_number("cpu_ns", usage->cpu_ns);
    record_number("minor_faults", usage->minor_faults);
    record_number("voluntary_switches", usage->voluntary_switches);
    record_number("involuntary_switches", usage->involuntary_switches);
    record_number("max_rss_kib", usage->max_rss_kib);
}
