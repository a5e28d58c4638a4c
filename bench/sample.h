/* sample.h: one sample: a process run, its records turned into rows. */
#ifndef TWIN_BENCH_SAMPLE_H
#define TWIN_BENCH_SAMPLE_H

#include "session.h"

struct sample_place {
    unsigned round, position, repeat;
    bool once; /* the only round of its group: what is whole is marked single */
};

struct sample_outcome {
    enum session_end end; /* SESSION_DONE: go on */
    bool disturbed, timed_out;
    double took_s;
};

/* Runs one arm and appends its rows. */
struct sample_outcome sample_run(struct session *session, const struct plan_arm *arm,
                                 const struct sample_place *place);

/* Appends a row that says why the arm was not run. Returns 0, or -1 with errno. */
int sample_skip(struct session *session, const struct plan_arm *arm,
                const struct sample_place *place, const char *why);

#endif
