/* environment.h: where and under what conditions a run was made: DIR/environment.txt. */
#ifndef TWIN_BENCH_ENVIRONMENT_H
#define TWIN_BENCH_ENVIRONMENT_H

#include <stdint.h>

struct environment {
    const char *mode, *backends, *only, *command_line;
    uint64_t seed, spins_per_ms;
    unsigned workers;
    const char *git; /* of the source tree; empty if unknown */
};

/* Writes key: value lines into path, by way of a temporary file. Returns 0, or -1 with errno. */
int environment_write(const char *path, const struct environment *environment);

/* Adds one line at the end, such as how the run ended. Returns 0, or -1 with errno. */
int environment_add(const char *path, const char *key, const char *value);

#endif
