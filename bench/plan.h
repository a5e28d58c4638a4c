/* plan.h: what is measured: groups of arms that run interleaved, for each mode.
 *
 * plan_tables.c  the tables, for people
 * plan.c         turns a table into the arms of one mode, for the launcher
 * Words: arm, one cell of the study (strategy, backend, sizes); group, the arms of one round;
 * prefix, a run of fewer items than n. */
#ifndef TWIN_BENCH_PLAN_H
#define TWIN_BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { SMOKE, QUICK, FULL, MODES };

enum program {
    ARM,
    BARE,
    UNBOUNDED,
    CONNPOOL,
    COURSE,
    TIMELINE,
    LIFE,
    PEER_GLIB,
    PEER_LIBUV,
    PEER_TBB,
    PEER_MPICH,
    PROGRAMS
};

#define NOT_HERE SIZE_MAX /* as run: this row is not in this mode */

/* A row: one strategy on one or more backends. Empty fields are the defaults. */
struct plan_row {
    const char *strategy;
    const char *backends; /* of seq proc omp control, bare, and the peers, separated by blanks */
    const char *form;     /* task or kernel */
    const char *memory;   /* in_place, copied (staged under proc, private under omp), private */
    const char *chunk;    /* auto, cpython, per_worker (n / workers), all (n), or items */
    const char *wait;     /* adaptive, block, spin */
    const char *variant;
    const char *extra;    /* more options, separated by blanks */
    unsigned workers;     /* 0: the usable CPUs */
    unsigned calls;       /* warm passes; 0: by strategy and size */
    size_t n[MODES];      /* 0: the group's */
    size_t run[MODES];    /* 0: all n; NOT_HERE */
    enum program program; /* 0: that of the backend if it has one, else the group's */
};

/* A group: rows that are compared with each other, round by round. */
struct plan_group {
    const char *family;
    const char *title;
    enum program program;
    bool seq; /* carries seq twice, as control and as what ratios are made to */
    uint64_t work_ns;
    size_t n[MODES];
    unsigned rounds[MODES]; /* 0: not in this mode */
    const struct plan_row *rows;
    size_t row_count;
};

extern const struct plan_group plan_groups[];
extern const size_t plan_group_count;

/* One arm of one mode, ready to run. The texts are those of the tables. */
struct plan_arm {
    enum program program;
    const char *family, *backend, *strategy, *form, *memory, *wait, *variant, *extra;
    char chunk[24];
    size_t n, n_run;
    unsigned workers, calls;
    bool warm_only;
    uint64_t work_ns;
    double estimate_s;   /* of one sample, before any was measured */
    unsigned deadline_s; /* of one sample */
};

/* The arms of one group in one mode, and how many rounds. */
struct plan_set {
    const struct plan_group *group;
    unsigned rounds;
    struct plan_arm *arms;
    size_t count;
};

struct plan {
    struct plan_set *sets;
    size_t count;
};

struct plan_choice {
    enum mode mode;
    unsigned workers;
    bool proc, omp; /* backends chosen; seq, bare and the peers always run */
    bool (*wanted)(const char *name, void *arg); /* NULL: all; name as from plan_name() */
    void *arg;
};

/* Builds the plan. Groups without a wanted arm are left out; seq comes along with any other arm.
 * Returns 0, or -1: out of memory. */
int plan_build(struct plan *plan, const struct plan_choice *choice);
void plan_free(struct plan *plan);

/* Writes family/backend/strategy, which is what --only is matched against, and what people read. */
void plan_name(const struct plan_arm *arm, char *name, size_t size);

/* Returns the mode of that name, or MODES. */
enum mode plan_mode(const char *name);
extern const char *const plan_mode_names[MODES];

#endif
