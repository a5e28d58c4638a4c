/* peer.h: what the peers have in common: other people's pools, doing the work of the study.
 *
 * A peer is a small program, written as a user of that library would write it. It gets the options
 * of twin_arm that apply to it, works on the same values, is checked by the same checksum and
 * prints the same records, so that the launcher and the report treat it as one arm more. peer.c
 * holds all of that; a peer_*.c holds only how its library is used.
 * Words: way, one thing that the library can do, under the name of the strategy that it is the peer
 * of: map, a whole array; apply, a call awaited; apply_async, calls in flight, awaited at the end. */
#ifndef TWIN_BENCH_PEER_H
#define TWIN_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workloads/square.h"

/* What a pass works on; the first three change between passes. */
struct peer_run {
    const int32_t *items;
    int64_t *results;
    size_t count;
    unsigned workers;
};

/* Each returns 0, or -1: the library refused. */
struct peer_way {
    const char *strategy;
    int (*open)(const struct peer_run *run); /* timed apart; count is the most of a pass */
    int (*pass)(const struct peer_run *run); /* timed: squares each item into its result */
    void (*close)(void);
};

struct peer {
    const char *program, *version;
    const struct peer_way *ways; /* the last one has no strategy */
    bool apart; /* workers are no descendants of this process: their use is not counted */
};

/* Reads the command line, measures, prints. Returns an exit status, as twin_arm's. */
int peer_main(int argc, char **argv, const struct peer *peer);

#endif
