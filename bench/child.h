/* child.h: runs one program in a process group of its own, with a deadline, and hears what it says.
 */
#ifndef TWIN_BENCH_CHILD_H
#define TWIN_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child_result {
    char *out; /* stdout, with a closing NUL; the caller frees it */
    size_t out_length;
    char err[512]; /* the last of stderr, with a closing NUL */
    int status;    /* as from waitpid(); meaningless if not started */
    bool started, timed_out, interrupted;
    uint64_t wall_ns;
    uint64_t own_cpu_ns; /* used by it and all its descendants that were reaped */
};

/* Called once: makes this process the one that inherits orphans, so that none is left, and catches
 * SIGINT, SIGTERM and SIGHUP. Returns 0, or -1 with errno. */
int child_setup(void);

/* Returns true once one of these signals came. */
bool child_interrupted(void);

/* Runs argv (argv[0] is the path) to its end, its deadline, or an interruption; then kills what is
 * left of its process group and reaps all. Returns 0, or -1 with errno when it could not be
 * started. The caller frees result->out either way. */
int child_run(char *const argv[], unsigned deadline_s, struct child_result *result);

#endif
