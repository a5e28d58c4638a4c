/* load.h: what else the machine was doing while a sample ran. */
#ifndef TWIN_BENCH_LOAD_H
#define TWIN_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct load {
    uint64_t at_ns, busy_ns, steal_ns; /* since boot, all CPUs */
};

struct disturbance {
    double foreign_share; /* CPU time that was not ours / wall time */
    double steal_share;
    bool disturbed;
};

/* Reads /proc/stat. Where it cannot, busy_ns stays 0 and nothing is ever called disturbed. */
void load_read(struct load *load);

/* Judges what was between two reads, given the CPU time that was ours. */
struct disturbance load_judge(const struct load *before, const struct load *after, uint64_t own_ns);

#endif
