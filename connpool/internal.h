/* internal.h: the pool's memory, and what its parts say to each other.
 *
 * struct connpool_shared lies in MAP_SHARED|MAP_ANONYMOUS memory, mapped at open and inherited by
 * fork, so nothing has a name and nothing is left behind. One 64-byte line for each writer.
 * struct twin_connpool is private to each process: a fork copies it. struct connpool_process lies
 * on pages that the kernel zeroes in a forked child (MADV_WIPEONFORK): that is how a child finds
 * out, without a system call, that it is one, and how it forgets its parent's connections.
 *
 * A slot's word is {epoch, client}: the only authority on who holds it. client 0 is free. Each take
 * raises the epoch, so a lease {slot, epoch} is good for exactly one release. */
#ifndef TWINI_CONNPOOL_INTERNAL_H
#define TWINI_CONNPOOL_INTERNAL_H

#include "bell.h"
#include "process.h"

#include <assert.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <twinpool/connpool.h>

#define CONNPOOL_MAGIC      0x74776e70636f6e31u /* "twnpcon1" */
#define CONNPOOL_LINE_BYTES 64

/* Client numbers fit a pid (bare) or an entry's index + 1 (recovering). */
#define CLIENT_MASK ((UINT64_C(1) << TWINI_PID_BITS) - 1)

static inline uint64_t word_client(uint64_t word)
{
    return word & CLIENT_MASK;
}
static inline uint64_t word_epoch(uint64_t word)
{
    return word >> TWINI_PID_BITS;
}
static inline uint64_t word_make(uint64_t epoch, uint64_t client)
{
    return epoch << TWINI_PID_BITS | client;
}

/* Counters are written by the holder alone (between its take and its free), so they need no
 * read-modify-write; readers may be a step behind. */
struct slot {
    alignas(CONNPOOL_LINE_BYTES) _Atomic uint64_t word; /* takers, holder, reaper / all */
    _Atomic int64_t since_ns;                           /* holder, 0 when free / picture */
    _Atomic uint64_t direct;                            /* holder / stats */
    _Atomic uint64_t waited;                            /* holder / stats */
    _Atomic uint64_t released;                          /* holder / stats */
};

struct client {
    alignas(CONNPOOL_LINE_BYTES) _Atomic uint64_t owner; /* claimer, reaper / all: a process or 0 */
    _Atomic uintptr_t thread;         /* the one thread of owner that may set intent */
    _Atomic uint32_t intent;          /* that thread -> 1, releaser, reaper -> 0 / reaper */
    _Atomic uint32_t last_slot;       /* owner / owner: where to look first */
    _Atomic int64_t waiting_since_ns; /* owner, reaper / picture; 0 when not waiting */
};

struct connpool_shared {
    /* Written at open, then read only, but for the rarely rising high_water. */
    uint64_t magic;
    unsigned connections;
    unsigned clients;
    _Atomic unsigned high_water;
    /* Bare: what each acquire and each release changes. Recovering: read by each, changed only when
     * somebody waits. */
    alignas(CONNPOOL_LINE_BYTES) sem_t permits; /* bare */
    struct bell bell;                           /* recovering */
    _Atomic unsigned closed;                    /* shutdown 0 -> 1 / all */
    /* Who looks for the dead. */
    alignas(CONNPOOL_LINE_BYTES) _Atomic uint64_t reaper; /* the process that reaps, or 0 */
    _Atomic int64_t next_look_ns;                         /* not before this, but on demand */
    _Atomic unsigned clients_seen;                        /* entries at or above were never used */
    /* Only touched when somebody waits or dies. */
    alignas(CONNPOOL_LINE_BYTES) _Atomic uint64_t timed_out;
    _Atomic uint64_t recovered;
    _Atomic uint64_t reaped;
    _Atomic unsigned bare_waiting;
    _Atomic uint64_t wait_log2_ns[TWIN_CONNPOOL_WAIT_BUCKETS];
    alignas(CONNPOOL_LINE_BYTES) struct slot slots[]; /* connections, then clients entries */
};

static_assert(sizeof(struct slot) == CONNPOOL_LINE_BYTES, "a slot is a cache line");
static_assert(sizeof(struct client) == CONNPOOL_LINE_BYTES, "a client is a cache line");
static_assert(offsetof(struct connpool_shared, reaper) -
                      offsetof(struct connpool_shared, permits) ==
                  CONNPOOL_LINE_BYTES,
              "semaphore, bell and closed share one line");

struct connection {
    void *handle;    /* the slot's holder / the slot's next holder in this process */
    int64_t used_ns; /* likewise */
};

struct connpool_process {
    _Atomic uint64_t identity; /* 0 in a fresh child, until its first call */
    _Atomic unsigned waiting;  /* threads of this process inside a wait */
    struct connection connections[];
};

struct admission;

struct twin_connpool {
    struct connpool_shared *shared;
    struct client *clients;
    struct connpool_process *process;
    const struct admission *admission;
    struct twin_connpool_driver driver;
    void *driver_context;
    int64_t ping_idle_ns;
    uint64_t opener; /* the process that opened the pool */
    size_t shared_bytes;
    size_t process_bytes;
};

/* One way to let clients in. All are called with valid arguments. */
struct admission {
    /* Returns a slot, or a twin_error. timeout_ns as in twin_connpool_acquire(). */
    int (*acquire)(struct twin_connpool *pool, int64_t timeout_ns);
    /* Frees the slot if it still has this word; else TWIN_EDONE. The holder is this process. */
    int (*release)(struct twin_connpool *pool, unsigned slot, uint64_t word);
    /* A word's client is the number of an entry, whose owner holds; otherwise a pid. */
    bool has_entries;
    unsigned (*waiting)(struct twin_connpool *pool);
    /* Takes back what dead processes held; returns how many slots. NULL: cannot. */
    unsigned (*reap)(struct twin_connpool *pool);
    /* Gives back all that this process holds: it is about to go. */
    void (*leave)(struct twin_connpool *pool);
};

extern const struct admission twini_admission_recovering, twini_admission_bare;

/* What the short way through acquire and release seldom needs is out of line, and at its end where
 * that can be: so it leaves its registers to the short way. */
#define TWINI_SELDOM __attribute__((noinline))

/* ---- small steps of the fast path, here so that they are compiled into it ---------------------
 */

static inline uint64_t twini_client_number(const struct twin_connpool *pool,
                                           const struct client *client)
{
    return (uint64_t)(client - pool->clients) + 1;
}

static inline struct client *twini_client_of(const struct twin_connpool *pool, uint64_t word)
{
    return &pool->clients[word_client(word) - 1];
}

static inline void twini_client_idle(struct client *client)
{
    /* order: release; pairs with the acquire in twini_client_declare() */
    atomic_store_explicit(&client->intent, 0, memory_order_release);
}

static inline bool twini_permit_try(struct connpool_shared *shared)
{
    return sem_trywait(&shared->permits) == 0; /* its only other answer here is EAGAIN */
}

static inline void twini_permit_post(struct connpool_shared *shared)
{
    sem_post(&shared->permits); /* fails only past SEM_VALUE_MAX, 2^31: out of reach */
}

static inline unsigned twini_permits(struct connpool_shared *shared)
{
    int value;

    sem_getvalue(&shared->permits, &value); /* cannot fail on a semaphore that is one */
    return (unsigned)value;
}

/* ---- the rest, by file ----------------------------------------------------------------------- */

/* connpool.c */
uint64_t twini_identity_slow(struct twin_connpool *pool);

static inline uint64_t twini_identity(struct twin_connpool *pool)
{
    /* relaxed: each process reads what it wrote itself, or the kernel's zero */
    uint64_t identity = atomic_load_explicit(&pool->process->identity, memory_order_relaxed);

    return identity ? identity : twini_identity_slow(pool);
}

/* Which process holds by this word: all of its identity, or the pid alone. */
static inline uint64_t twini_holder(const struct twin_connpool *pool, uint64_t word)
{
    /* relaxed: of a lease that is alive the owner does not change; of another it is for pictures */
    return pool->admission->has_entries
               ? atomic_load_explicit(&twini_client_of(pool, word)->owner, memory_order_relaxed)
               : word_client(word);
}

/* Whether this process does. */
static inline bool twini_is_mine(struct twin_connpool *pool, uint64_t word)
{
    uint64_t self = twini_identity(pool);

    return twini_holder(pool, word) ==
           (pool->admission->has_entries ? self : (uint64_t)twini_process_pid(self));
}

/* slots.c */
unsigned twini_slots_active(struct connpool_shared *shared);
void twini_high_water_update(struct connpool_shared *shared);

/* permit.c: the only place that waits on the semaphore, and what all waits have in common */
bool twini_permit_wait(struct connpool_shared *shared, int64_t deadline_ns);
int64_t twini_deadline_ns(int64_t now_ns, int64_t timeout_ns);
void twini_wait_begin(struct twin_connpool *pool, int *cancel_state);
void twini_wait_end(struct twin_connpool *pool, int cancel_state);
void twini_wait_record(struct connpool_shared *shared, int64_t waited_ns);

/* client.c */
/* An entry with its intent declared, or NULL: all are in use by the living. */
struct client *twini_client_find(struct twin_connpool *pool);
void twini_client_unbind(struct client *client);

/* Where this thread found an entry last; only a hint, of whichever pool. Its address is the thread.
 */
extern _Thread_local unsigned twini_client_hint;

/* Sets intent if the entry is this thread's and idle. */
static inline bool twini_client_declare(struct client *client, uint64_t self)
{
    /* relaxed: only this thread can have written these two together */
    if (atomic_load_explicit(&client->owner, memory_order_relaxed) != self ||
        atomic_load_explicit(&client->thread, memory_order_relaxed) !=
            (uintptr_t)&twini_client_hint)
        return false;
    /* order: acquire; pairs with the release in twini_client_idle(), perhaps of another thread */
    if (atomic_load_explicit(&client->intent, memory_order_acquire) != 0)
        return false;
    /* order: release; it comes before the look at the slots in the order of this thread, and that
     * is all the reaper needs: what a dead process did is complete when it is seen dead */
    atomic_store_explicit(&client->intent, 1, memory_order_release);
    return true;
}

/* As twini_client_find(), but only where this thread found one last; NULL is no answer. */
static inline struct client *twini_client_again(struct twin_connpool *pool)
{
    unsigned hint = twini_client_hint;
    struct client *client = &pool->clients[hint < pool->shared->clients ? hint : 0];
    /* relaxed: as in twini_identity() */
    uint64_t self = atomic_load_explicit(&pool->process->identity, memory_order_relaxed);

    return self && twini_client_declare(client, self) ? client : NULL;
}

/* reaper.c */
unsigned twini_reap(struct twin_connpool *pool);
unsigned twini_reap_if_due(struct twin_connpool *pool, int64_t now_ns);
void twini_recover(struct twin_connpool *pool, struct client *client);

#endif
