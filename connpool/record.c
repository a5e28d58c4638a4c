/* record.c: prints a measurement as bench/samples.h wants it: key=value lines, closed by end. */
#include "arm.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static struct rusage self_before, children_before;

/* getrusage() fails for bad arguments only. */
void record_begin(void)
{
    getrusage(RUSAGE_SELF, &self_before);
    getrusage(RUSAGE_CHILDREN, &children_before);
}

void record_text(const char *key, const char *value)
{
    printf("%s=%s\n", key, value);
}

void record_count(const char *key, uint64_t value)
{
    printf("%s=%llu\n", key, (unsigned long long)value);
}

void record_ns(const char *key, int64_t value_ns)
{
    printf("%s=%lld\n", key, (long long)value_ns);
}

void record_ratio(const char *key, double value)
{
    printf("%s=%.6g\n", key, value);
}

static int64_t time_ns(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000000 + (int64_t)time->tv_usec * 1000;
}

static int64_t spent_ns(const struct timeval *before, const struct timeval *after)
{
    return time_ns(after) - time_ns(before);
}

static void print_usage_since_begin(void)
{
    struct rusage self, children;

    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    record_ns("user_ns", spent_ns(&self_before.ru_utime, &self.ru_utime) +
                             spent_ns(&children_before.ru_utime, &children.ru_utime));
    record_ns("sys_ns", spent_ns(&self_before.ru_stime, &self.ru_stime) +
                            spent_ns(&children_before.ru_stime, &children.ru_stime));
    record_count("voluntary_switches", (uint64_t)(self.ru_nvcsw - self_before.ru_nvcsw +
                                                  children.ru_nvcsw - children_before.ru_nvcsw));
    record_count("involuntary_switches",
                 (uint64_t)(self.ru_nivcsw - self_before.ru_nivcsw + children.ru_nivcsw -
                            children_before.ru_nivcsw));
    record_count("minor_faults", (uint64_t)(self.ru_minflt - self_before.ru_minflt +
                                            children.ru_minflt - children_before.ru_minflt));
}

void record_end(const char *outcome)
{
    print_usage_since_begin();
    printf("phase=warm\noutcome=%s\nend\n", outcome);
}

int record_failure(const char *what, int sys_errno)
{
    if (sys_errno)
        printf("detail=%s: %s\n", what, strerror(sys_errno));
    else
        printf("detail=%s\n", what);
    record_end("skipped");
    fprintf(stderr, "twin_connpool_arm: %s%s%s\n", what, sys_errno ? ": " : "",
            sys_errno ? strerror(sys_errno) : "");
    return ARM_FAILED;
}

const char *error_name(int error)
{
    switch (error) {
#define ERROR_CASE(name, value, text)                                                              \
    case TWIN_E##name:                                                                             \
        return text;
        TWIN_ERRORS(ERROR_CASE)
#undef ERROR_CASE
    default:
        return "unknown error";
    }
}
