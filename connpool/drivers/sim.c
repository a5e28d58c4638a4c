/* sim.c: a driver without a database: service times, faults on demand, and a witness.
 *
 * The witness is one word for each slot in shared memory, apart from the pool's own: a statement
 * puts its process there with an exchange and takes it out at its end. Finding somebody alive there
 * is a slot in two hands, and is counted; finding a dead one is only what a kill left behind.
 *
 * Service times come from a counter for each slot and the seed (splitmix64), so a slot's k-th
 * statement takes the same time in every run, whoever executes it. Exponential service is what
 * queueing theory calls M: times without memory, many short and a few long ones.
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
#include "../internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <twinpool/connpool_sim.h>
#include <unistd.h>

struct sim_slot {
    alignas(CONNPOOL_LINE_BYTES) _Atomic uint64_t busy; /* the process whose statement runs, or 0 */
    _Atomic uint64_t statements;
};

struct sim_shared {
    alignas(CONNPOOL_LINE_BYTES) _Atomic uint64_t opened;
    _Atomic uint64_t executed;
    _Atomic uint64_t double_handouts;
    _Atomic uint64_t abandoned;
    _Atomic uint64_t foreign_uses;
    struct sim_slot slots[];
};

struct twin_sim {
    struct twin_sim_options options;
    struct sim_shared *shared;
    size_t shared_bytes;
};

struct sim_connection {
    struct twin_sim *sim;
    struct sim_slot *slot;
    uint64_t slot_number;
    uint64_t process;
    pid_t pid;
};

/* All counters here are relaxed: they are read when the work is over. */
static uint64_t count(_Atomic uint64_t *counter)
{
    return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) + 1;
}

static uint64_t splitmix64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static int64_t service_time_ns(const struct twin_sim *sim, uint64_t slot, uint64_t statement)
{
    uint64_t bits = splitmix64(sim->options.seed ^ splitmix64(slot << 40 ^ statement));
    double uniform = ((double)(bits >> 11) + 0.5) * 0x1p-53; /* in (0, 1) */

    if (sim->options.distribution == TWIN_SIM_FIXED)
        return sim->options.service_ns;
    return (int64_t)(-log(uniform) * (double)sim->options.service_ns);
}

static void serve(const struct twin_sim *sim, int64_t service_ns)
{
    int64_t end_ns;
    struct timespec until;

    if (service_ns <= 0)
        return;
    end_ns = twini_now_ns() + service_ns;
    if (sim->options.service == TWIN_SIM_SPIN) {
        while (twini_now_ns() < end_ns)
            ;
        return;
    }
    until.tv_sec = (time_t)(end_ns / 1000000000);
    until.tv_nsec = (long)(end_ns % 1000000000);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

/* ---- the driver --------------------------------------------------------------------------------
 */

static int sim_connect(void **result, unsigned slot, void *context)
{
    struct twin_sim *sim = context;
    struct sim_connection *connection;
    uint64_t nth = count(&sim->shared->opened);

    if (slot >= sim->options.connections)
        return TWIN_SIM_EFAULT;
    if (sim->options.fail_open_every && nth % sim->options.fail_open_every == 0)
        return TWIN_SIM_EFAULT;
    connection = malloc(sizeof *connection);
    if (!connection)
        return TWIN_SIM_EFAULT;
    *connection = (struct sim_connection){.sim = sim,
                                          .slot = &sim->shared->slots[slot],
                                          .slot_number = slot,
                                          .process = twini_process_self(),
                                          .pid = getpid()};
    *result = connection;
    return 0;
}

static void watch_begin(struct sim_connection *connection)
{
    struct sim_shared *shared = connection->sim->shared;
    /* order: acq_rel; on one word, two statements that overlap cannot both see it empty */
    uint64_t other = atomic_exchange_explicit(&connection->slot->busy, connection->process,
                                              memory_order_acq_rel);

    if (getpid() != connection->pid)
        count(&shared->foreign_uses);
    if (!other)
        return;
    count(twini_process_alive(other) ? &shared->double_handouts : &shared->abandoned);
}

static int sim_exec(void *handle, const char *statement, int64_t *value)
{
    struct sim_connection *connection = handle;
    struct twin_sim *sim = connection->sim;
    uint64_t nth;

    (void)statement;
    watch_begin(connection);
    nth = count(&connection->slot->statements);
    *value = service_time_ns(sim, connection->slot_number, nth);
    serve(sim, *value);
    count(&sim->shared->executed);
    /* order: release; pairs with the exchange in watch_begin() */
    atomic_store_explicit(&connection->slot->busy, 0, memory_order_release);
    if (sim->options.fail_exec_every && nth % sim->options.fail_exec_every == 0)
        return TWIN_SIM_EFAULT;
    return 0;
}

static int sim_ping(void *handle)
{
    struct sim_connection *connection = handle;

    return getpid() == connection->pid ? 0 : TWIN_SIM_EFAULT;
}

static void sim_disconnect(void *handle)
{
    struct sim_connection *connection = handle;

    if (getpid() != connection->pid)
        count(&connection->sim->shared->foreign_uses);
    free(connection);
}

const struct twin_connpool_driver twin_sim_driver = {
    .name = "sim",
    .open = sim_connect,
    .ping = sim_ping,
    .exec = sim_exec,
    .close = sim_disconnect,
};

/* ---- the server --------------------------------------------------------------------------------
 */

int twin_sim_open(struct twin_sim **result, const struct twin_sim_options *options)
{
    struct twin_sim *sim;

    if (!result)
        return TWIN_EINVAL;
    *result = NULL;
    if (!options || options->connections == 0 ||
        options->connections > TWIN_CONNPOOL_MAX_CONNECTIONS || options->service_ns < 0)
        return TWIN_EINVAL;
    sim = calloc(1, sizeof *sim);
    if (!sim)
        return TWIN_ENOMEM;
    sim->options = *options;
    sim->shared_bytes = sizeof *sim->shared + options->connections * sizeof(struct sim_slot);
    sim->shared =
        mmap(NULL, sim->shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sim->shared == MAP_FAILED) {
        free(sim);
        return TWIN_ENOMEM;
    }
    *result = sim;
    return 0;
}

int twin_sim_stats(const struct twin_sim *sim, struct twin_sim_stats *stats)
{
    if (!sim || !stats)
        return TWIN_EINVAL;
    stats->opened = atomic_load_explicit(&sim->shared->opened, memory_order_relaxed);
    stats->executed = atomic_load_explicit(&sim->shared->executed, memory_order_relaxed);
    stats->double_handouts =
        atomic_load_explicit(&sim->shared->double_handouts, memory_order_relaxed);
    stats->abandoned = atomic_load_explicit(&sim->shared->abandoned, memory_order_relaxed);
    stats->foreign_uses = atomic_load_explicit(&sim->shared->foreign_uses, memory_order_relaxed);
    return 0;
}

void twin_sim_close(struct twin_sim *sim)
{
    if (!sim)
        return;
    munmap(sim->shared, sim->shared_bytes);
    free(sim);
}
