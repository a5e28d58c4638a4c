/* life.h: what twin_life measures, and how a measure tells what went wrong. */
#ifndef TWIN_BENCH_LIFE_H
#define TWIN_BENCH_LIFE_H

#include <stddef.h>
#include <stdint.h>

#include <twinpool/pool.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_WRONG = 3 };
enum life_backend { PROC, OMP, CONTROL, BARE };

struct life {
    int (*measure)(struct life *life);
    enum life_backend backend;
    size_t n;
    unsigned workers;
    struct twin_pool *pool;
};

/* Print the record of a measure that came to nothing. Return the exit status. */
int life_fail(const char *what, int rc);
int life_wrong(const char *what);

/* Opens a pool on the backend. Returns 0 or a TWIN_ code. */
int life_open(struct life *life);

/* n times a worker is killed: death.c. Returns the exit status. */
int life_death(struct life *life);

#endif
