/* usage.h: what this process and all its living and reaped descendants have used so far.
 * getrusage() alone does not see workers that are still alive; those are read from /proc. */
#ifndef TWIN_BENCH_USAGE_H
#define TWIN_BENCH_USAGE_H

#include <stdint.h>

struct usage {
    uint64_t user_ns, sys_ns; /* of living descendants: in ticks of the kernel, mostly 10 ms */
    uint64_t cpu_ns; /* user + sys, exact for living descendants where schedstat is there */
    uint64_t minor_faults;
    uint64_t voluntary_switches, involuntary_switches;
    uint64_t max_rss_kib; /* largest of any one process */
};

/* Reads the counters. Never inside a timed stretch: it opens files. */
void usage_read(struct usage *usage);

/* Returns after - before, field by field; max_rss_kib is that of after. */
struct usage usage_since(const struct usage *before, const struct usage *after);

/* Prints it, as part of a record (record.h). */
void usage_record(const struct usage *usage);

#endif
