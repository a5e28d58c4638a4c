/* arm.h: the measured program twin_connpool_arm: its options, its records, its experiments. */
#ifndef TWIN_CONNPOOL_ARM_H
#define TWIN_CONNPOOL_ARM_H

#include "workload.h"

#include <stdbool.h>
#include <stdint.h>
#include <twinpool/connpool.h>
#include <twinpool/connpool_sim.h>

enum { ARM_OK = 0, ARM_FAILED = 1, ARM_USAGE = 2, ARM_WRONG = 3 }; /* exit codes */

enum arm_experiment { ARM_WORKLOAD, ARM_LESSON, ARM_CRASH, ARM_SOAK, ARM_PRICE };
enum arm_admission { ARM_RECOVERING, ARM_BARE, ARM_NONE };
enum arm_driver { ARM_SIM, ARM_SQLITE };

/* Filled by arm.c: no field is unset when an experiment sees it. */
struct arm_options {
    enum arm_experiment experiment;
    enum twin_backend backend;
    enum arm_admission admission;
    bool atomic_pick;
    enum arm_driver driver;
    unsigned connections, workers, operations;
    int64_t service_ns;
    uint64_t seed;
    int64_t timeout_ns; /* -1: for ever */
};

/* Each prints its record and returns an exit code. */
int run_workload(const struct arm_options *options);
int run_lesson(const struct arm_options *options);
int run_crash(const struct arm_options *options);
int run_soak(const struct arm_options *options);
int run_price(const struct arm_options *options);

/* ---- record.c: key=value lines, closed by end
 * ---------------------------------------------------- */

void record_begin(void); /* also notes CPU time and switches, for record_end() */
void record_text(const char *key, const char *value);
void record_count(const char *key, uint64_t value);
void record_ns(const char *key, int64_t value_ns);
void record_ratio(const char *key, double value);
void record_end(const char *outcome);
/* A record of a run that did not come about, and the exit code for it. */
int record_failure(const char *what, int sys_errno);
const char *error_name(int error);

/* ---- target.c: a pool and what is behind it
 * ------------------------------------------------------ */

struct target {
    struct twin_connpool *pool;
    struct twin_sim *sim;
    struct twin_sqlite *sqlite;
    struct twin_connpool_options options;
    const char *statement; /* one database operation */
};

/* Returns 0 or a twin_error. A database lies in a temporary directory that goes with the target. */
int target_open(struct target *target, const struct arm_options *options);
void target_close(struct target *target);
/* How many operations the database itself has seen committed; -1: it cannot tell. */
int64_t target_committed(struct target *target);
/* How many leases can be had at once now: takes them and gives them back. */
unsigned target_acquirable(struct target *target);

#endif
