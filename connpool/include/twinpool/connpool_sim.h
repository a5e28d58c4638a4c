/* twinpool/connpool_sim.h: a driver without a database, for tests and measurements.
 *
 * It spends a service time, fails when told to, and watches the pool: a busy word for each slot in
 * shared memory sees when one slot is in two hands at once, and the count of it can be read. */
#ifndef TWINPOOL_CONNPOOL_SIM_H
#define TWINPOOL_CONNPOOL_SIM_H

#include <stdint.h>
#include <twinpool/connpool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum twin_sim_distribution { TWIN_SIM_FIXED, TWIN_SIM_EXPONENTIAL };
enum twin_sim_service {
    TWIN_SIM_SLEEP, /* as a client of a server on the network: the CPU is free meanwhile */
    TWIN_SIM_SPIN   /* as an embedded database that computes */
};

/* connections must be the pool's; each other 0 is the default. */
struct twin_sim_options {
    unsigned connections;
    enum twin_sim_distribution distribution;
    enum twin_sim_service service;
    int64_t service_ns;       /* mean; 0: none */
    uint64_t seed;            /* the k-th statement on slot s takes the same time in each run */
    unsigned fail_open_every; /* each k-th open fails with TWIN_SIM_EFAULT; 0: none */
    unsigned fail_exec_every; /* each k-th exec on a slot; 0: none */
};

#define TWIN_SIM_EFAULT 71 /* the driver code of a failure that was asked for */

struct twin_sim_stats {
    uint64_t opened;
    uint64_t executed;
    uint64_t double_handouts; /* a statement began on a slot while a living process ran one on it */
    uint64_t abandoned;       /* statements whose process died in the middle */
    uint64_t
        foreign_uses; /* a connection was used in another process than the one that opened it */
};

struct twin_sim;

/* Opens the simulated server; call it before fork.
 * Returns:    0; EINVAL; ENOMEM. */
int twin_sim_open(struct twin_sim **sim, const struct twin_sim_options *options);

/* Copies the counters of all processes. */
int twin_sim_stats(const struct twin_sim *sim, struct twin_sim_stats *stats);

/* Frees it in this process. After twin_connpool_close(). NULL is fine. */
void twin_sim_close(struct twin_sim *sim);

/* Its driver_context is the struct twin_sim. exec ignores the statement; the value is the service
 * time in ns. */
extern const struct twin_connpool_driver twin_sim_driver;

#ifdef __cplusplus
}
#endif
#endif
