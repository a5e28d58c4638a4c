/* twinpool/connpool.h: a pool of at most N connections, shared by processes and their threads.
 *
 * A process opens the pool and forks; every process of the family, and every thread of each, then
 * asks the same N slots. More workers than connections wait their turn. A process that is killed
 * while it holds a slot does not take it along: others notice, and the slot comes back.
 *
 * Words used throughout:
 *   slot        the right to run one connection; there are N, in shared memory
 *   lease       a slot in use: who acquires gets a lease, and gives it back with release
 *   permit      the right to a slot, not yet to which: what the semaphore of TWIN_ADMIT_BARE counts
 *   connection  what the driver opened for a slot in *this* process. Real connections do not cross
 *               fork, so each process opens its own, at first use; threads of a process share it,
 *               one after the other. In use at once: at most N in all processes together.
 *   client      one lease in flight, from the moment it is asked for until it is given back
 *
 * Rules that hold for every function unless its comment says otherwise:
 *   Units     time-outs are nanoseconds on the monotonic clock, -1 waits for ever, 0 only looks.
 *   Returns   0, or a negative enum twin_error (twinpool/pool.h).
 *   Safety    any thread of the process that opened the pool, or of a process forked from it since,
 *             may call; not a signal handler. All processes must see each other in one /proc.
 *   The library never prints, exits, installs a signal handler or starts a thread. */
#ifndef TWINPOOL_CONNPOOL_H
#define TWINPOOL_CONNPOOL_H

#include <stdint.h>
#include <sys/types.h>
#include <twinpool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TWIN_CONNPOOL_MAX_CONNECTIONS 4096u
#define TWIN_CONNPOOL_MAX_CLIENTS     65536u
#define TWIN_CONNPOOL_WAIT_BUCKETS    48

/* How a client gets in. */
enum twin_admission {
    TWIN_ADMIT_RECOVERING, /* each free slot is a permit, a reaper: survives SIGKILL at any point */
    TWIN_ADMIT_BARE,       /* the textbook's semaphore: a killed holder takes its permit along */
    TWIN_ADMIT_FAIR        /* first come, first served. Not yet: TWIN_ENOTSUP */
};

/* What a kind of connection is made of. All but ping and reset must be there. Each returns 0 or a
 * code of its own (not a twin_error), which the caller finds in twin_lease.driver_code. The pool
 * calls them in the process that uses the connection, never two at a time for one connection, and
 * never on a connection that was opened before a fork: the child forgets those without closing. */
struct twin_connpool_driver {
    const char *name;
    int (*open)(void **connection, unsigned slot, void *context);
    int (*ping)(void *connection);  /* at acquire, after ping_idle_ns; failing: opened anew */
    int (*reset)(void *connection); /* at release; failing: closed, and opened anew when needed */
    int (*exec)(void *connection, const char *statement, int64_t *value);
    void (*close)(void *connection);
};

/* connections and driver must be given; each other 0 is the default. */
struct twin_connpool_options {
    const struct twin_connpool_driver *driver;
    void *driver_context; /* handed to driver->open; must stay valid until close */
    unsigned connections; /* 1..TWIN_CONNPOOL_MAX_CONNECTIONS */
    unsigned clients;     /* most that hold or wait at once, in all processes; 0: 1024 */
    enum twin_admission admission;
    int64_t ping_idle_ns; /* ping a connection that was idle longer than this; 0: never */
};

/* A lease. Plain data: copying it does not copy the right. Zeroed is no lease. */
struct twin_lease {
    uint64_t epoch;      /* which use of the slot this is; stale when the slot's has moved on */
    int64_t acquired_ns; /* monotonic clock, some ms coarse: for diagnosis, not for measuring */
    uint32_t slot;       /* 0..connections - 1 */
    int driver_code;     /* what the driver's last call on it returned */
};

struct twin_connpool;

/* Counters since open, over all processes. Exact when nothing is in flight and nobody was killed. */
struct twin_connpool_stats {
    uint64_t direct;      /* leases got without waiting */
    uint64_t waited;      /* leases got after waiting */
    uint64_t released;    /* leases given back */
    uint64_t timed_out;   /* acquires that gave up: TWIN_ETIMEOUT */
    uint64_t recovered;   /* slots taken back from dead processes */
    uint64_t reaped;      /* clients of dead processes cleared, whether they held a slot or not */
    unsigned connections; /* N */
    unsigned active;      /* leases held now */
    unsigned waiting;     /* clients that wait now (bare: drifts when a waiter is killed) */
    unsigned high_water;  /* most slots seen in use at once: a statistic, not a proof */
    uint64_t wait_log2_ns[TWIN_CONNPOOL_WAIT_BUCKETS]; /* [k]: waits of 2^k to 2^(k+1) ns */
};

/* Why there was no connection to be had. */
struct twin_connpool_picture {
    unsigned total;    /* N */
    unsigned active;   /* leases held */
    unsigned waiting;  /* clients that wait */
    pid_t longest_pid; /* who holds a lease longest; 0 when nobody holds one */
    unsigned longest_slot;
    int64_t longest_age_ns;
};

/* Opens a pool. Call it before forking the processes that are to share it.
 * Ownership:  *pool is the caller's, to be ended by twin_connpool_close() in each process.
 * Blocks:     no. No connection is opened yet.
 * Returns:    0; EINVAL (connections or clients 0 or out of range, no driver, driver incomplete,
 *             unknown admission); ENOTSUP TWIN_ADMIT_FAIR; ENOMEM; ESYSTEM (errno tells). On error
 *             *pool is NULL. */
int twin_connpool_open(struct twin_connpool **pool, const struct twin_connpool_options *options);

/* Waits for a free slot and takes it, with this process's connection open and ready.
 * Who waits also looks, every few milliseconds, whether a holder has died (recovering).
 * Ownership:  the lease is the calling process's; any of its threads may use and release it. A
 *             thread that ends without release has leaked it until its process ends.
 * Blocks:     until a slot is free, timeout_ns have passed (not less), or the pool is shut down.
 *             EINTR is retried; not a cancellation point.
 * Returns:    0; ETIMEOUT (see twin_connpool_picture()); ECLOSED; ENOMEM all clients are taken;
 *             ETASK the driver could not open: driver_code says why, and the slot is free again;
 *             ESYSTEM. On error *lease is no lease.
 * Progress:   lock-free while a slot is free. Order of waiters is the kernel's: not first come,
 *             first served. */
int twin_connpool_acquire(struct twin_connpool *pool, struct twin_lease *lease, int64_t timeout_ns);

/* Takes a slot if one is free: twin_connpool_acquire() with time-out 0, not counted as timed out.
 * Blocks:     no.
 * Returns:    0; EAGAIN none is free; ECLOSED, ENOMEM, ETASK, ESYSTEM: as
 *             twin_connpool_acquire(). */
int twin_connpool_try_acquire(struct twin_connpool *pool, struct twin_lease *lease);

/* Executes one statement on the lease's connection. value may be NULL; what it gets is the driver's.
 * Blocks:     as long as the driver does.
 * Returns:    0; ETASK with lease->driver_code; EINVAL, EDONE, EFORKED as twin_connpool_release(). */
int twin_connpool_exec(struct twin_connpool *pool, struct twin_lease *lease, const char *statement,
                       int64_t *value);

/* Returns what the driver opened (for sqlite see twin_sqlite_handle()), or NULL if the lease is not
 * valid. It may be used until release. */
void *twin_connpool_connection(struct twin_connpool *pool, const struct twin_lease *lease);

/* Gives a lease back, once, and wakes one waiter. The lease is zeroed.
 * Returns:    0; EDONE it was given back before, or the slot has moved on (nothing is changed);
 *             EFORKED another process holds it; EINVAL not a lease of this pool.
 * Safety:     may be called by another thread of the process than the one that acquired. */
int twin_connpool_release(struct twin_connpool *pool, struct twin_lease *lease);

/* Looks for dead holders now, without waiting for somebody to need their slots.
 * recovered may be NULL.
 * Blocks:     no; reads /proc once for each process that uses the pool.
 * Returns:    0, also when another process is at it already; ENOTSUP for TWIN_ADMIT_BARE. */
int twin_connpool_reap(struct twin_connpool *pool, unsigned *recovered);

/* Copies the counters. Safe beside everything. */
int twin_connpool_stats(struct twin_connpool *pool, struct twin_connpool_stats *stats);

/* Shows who holds and who waits at this moment: what to log after TWIN_ETIMEOUT. */
int twin_connpool_picture(struct twin_connpool *pool, struct twin_connpool_picture *picture);

/* Ends admission in all processes: later and blocked acquires return ECLOSED. Then waits until the
 * leases in flight are back (those of dead processes are taken back). May be called again.
 * Returns:    0; ETIMEOUT some are still held. */
int twin_connpool_shutdown(struct twin_connpool *pool, int64_t timeout_ns);

/* Closes this process's connections and gives back the leases it still holds, then frees the pool
 * here. In the process that opened it, admission ends for all first, as by
 * twin_connpool_shutdown(); what others hold stays valid. NULL is fine.
 * Safety:     threads of this process that wait in acquire are woken (opener) and waited for; none
 *             may start a call beside it. A forked child that does not close harms nobody. */
int twin_connpool_close(struct twin_connpool *pool);

#ifdef __cplusplus
}
#endif
#endif
