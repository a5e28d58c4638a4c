/* session.h: one run of the plan: samples made, judged, written down. */
#ifndef TWIN_BENCH_SESSION_H
#define TWIN_BENCH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"
#include "progress.h"

enum session_end { SESSION_DONE, SESSION_INTERRUPTED, SESSION_BROKEN };

struct session {
    /* set by the launcher */
    const struct plan *plan;
    uint64_t seed, spins_per_ms;
    double budget_s;               /* for repetitions, and to cut groups that run away */
    char *programs[PROGRAMS];      /* paths, by enum program */
    const char *missing[PROGRAMS]; /* not NULL: why arms of that program are skipped */
    char *python;                  /* path of python3, NULL if there is none */
    int samples_fd, timeline_fd;
    const char *environment_path; /* gets a line for whatever was cut short */
    /* made by session_run() */
    struct progress progress;
    bool wrong_result;
    uint64_t rows, samples, disturbed, repeated;
};

/* Runs everything. SESSION_BROKEN: a row could not be written (errno tells), the rest is not run.
 */
enum session_end session_run(struct session *session);

#endif
