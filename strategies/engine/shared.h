/* shared.h: everything that the caller, the supervisor and the workers of a proc pool share.
 *
 * One anonymous shared mapping, made before the first fork, holds it all: so a pointer into it
 * means the same everywhere, and nothing has a name that could be leaked. A struct here is what all
 * see; what only the caller's process knows is struct twini_proc (proc_runtime.h).
 *
 * The five truths. Everything else (head, tail, open masks, targets) is a hint, and may be stale:
 *   1. a batch's word says who owns the batch, which of its calls runs, and which are still to run;
 *   2. a range's word says which chunks of a map a worker still has, and whether it runs one;
 *   3. each is moved by compare-and-swap alone, so claim and ownership are one instruction;
 *   4. only the supervisor speaks for a dead worker, after waitid() has told it and before the pid
 * is given back; then it bumps  repairs  and rings every sleeper;
 *   5. a word is used anew only when all of its last use was collected.
 * No lock is in here: a worker that is killed anywhere can hold nothing that others need.
 *
 * Every block is aligned to a cache line and names its writer. */
#ifndef TWINI_SHARED_H
#define TWINI_SHARED_H

#include "engine/doorbell.h"
#include "twinpool/pool.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TWINI_LINE 64
enum {
    TWINI_BATCH_CALLS = 64,
    TWINI_MAP_SLOTS = 8,
    TWINI_MOST_WORKERS = 1024,
    TWINI_INLINE_BYTES = 32,
    TWINI_SPIN_SLOTS = 8
};

/* ---- batches: the unit of hand-out of single calls ----------------------- */

enum twini_outcome { TWINI_NO_OUTCOME, TWINI_RAN, TWINI_LOST };

/* One call, position-independent, so that it can be moved to another batch.
 * writer: the submitter until the batch is sealed, then the owner of the batch, or the supervisor
 * for a dead one; reader: whoever may write. */
struct twini_call {
    twin_task *task;
    void *context;
    void *block;            /* NULL: item and result are inline; else in this block of the arena */
    uint16_t result_offset; /* of the result from the item, when inline */
    uint8_t outcome;        /* enum twini_outcome */
    uint8_t unused;
    int32_t code; /* what the task returned; of a lost call, the wait status */
    union {
        alignas(16) unsigned char bytes[TWINI_INLINE_BYTES];
        size_t offset[2]; /* of item and result in block */
        pid_t pid;        /* of a lost call: the worker that died */
    } u;
};
static_assert(sizeof(struct twini_call) == TWINI_LINE, "one call, one cache line");

enum twini_batch_state {
    TWINI_BATCH_FREE,    /* the submitter's: not in use, or being filled */
    TWINI_BATCH_SEALED,  /* anybody's: calls [next, end) wait, those before have an outcome */
    TWINI_BATCH_RUNNING, /* the owner's: call next - 1 runs, [next, end) wait */
    TWINI_BATCH_DONE     /* all calls before end have an outcome; to be collected */
};

/* The batch word, unpacked. */
struct twini_batch_word {
    unsigned generation; /* 20 bits */
    unsigned owner;      /* 12 bits: worker number */
    unsigned state;      /* 4 bits */
    unsigned next, end;  /* 8 bits each */
};

struct twini_batch {
    alignas(TWINI_LINE) _Atomic uint64_t word;
    struct twini_call calls[TWINI_BATCH_CALLS];
};
static_assert(sizeof(struct twini_batch) == 65 * TWINI_LINE, "a line for the word, a line a call");

/* ---- maps: owner ranges of chunks ---------------------------------------- */

enum twini_range_state {
    TWINI_RANGE_CLOSED, /* the slot is not in use */
    TWINI_RANGE_IDLE,   /* the worker is outside; its chunks may be stolen */
    TWINI_RANGE_IN, /* inside, between chunks; what it has was just stolen and is not to be taken */
    TWINI_RANGE_BUSY /* inside, runs chunk next - 1; the rest may be stolen */
};

/* The range word, unpacked: chunks [next, end) wait. */
struct twini_range_word {
    unsigned next, end; /* 25 bits each */
    unsigned thief;     /* 12 bits: 0, or 1 + the worker that is taking the upper half away */
    unsigned state;     /* 2 bits */
};
enum { TWINI_MOST_CHUNKS = 1 << 24 };

/* A worker's part of a map slot. */
struct twini_range {
    alignas(TWINI_LINE) _Atomic uint64_t word; /* writers: owner, thieves, supervisor, caller */
    _Atomic uint64_t stolen;                   /* writer: owner, before it takes from a victim: the
                                                  range that it will have (next << 32 | end) */
    /* writer: the owner, before it goes IDLE; reader: the caller, after all are IDLE */
    size_t failed_index;
    int failed_code;
};

struct twini_map_slot {
    /* writer: the caller while all ranges are CLOSED; readers: workers that are inside */
    alignas(TWINI_LINE) struct twin_map map; /* context and arrays are addresses that workers see */
    size_t chunk, chunks;
    /* writers: workers and supervisor, by compare-and-swap downwards: items at or above it need not
     * be computed any more. SIZE_MAX: none has failed. 0: give up. */
    alignas(TWINI_LINE) _Atomic size_t lowest_failed;
    /* writer: the supervisor (set once, death_pid last); reader: the caller */
    size_t death_index;
    int death_status;
    _Atomic pid_t death_pid;
};

/* ---- workers ------------------------------------------------------------- */

enum twini_worker_state { TWINI_ABSENT, TWINI_STARTING, TWINI_WORKING, TWINI_LEFT, TWINI_GIVEN_UP };

struct twini_worker_block {
    alignas(TWINI_LINE) struct twini_doorbell bell; /* waiter: the worker alone */
    _Atomic int state;                              /* enum; writers: worker, supervisor */
    _Atomic pid_t pid;                              /* writer: supervisor; 0: none */
    /* writer: the worker (relaxed: counters and post-mortem only); reader: caller, supervisor */
    alignas(TWINI_LINE) _Atomic(size_t) item; /* of a map: the item being computed */
    _Atomic uint64_t tasks, chunks, claims, steals, parks;
};

/* ---- the whole ----------------------------------------------------------- */

enum twini_engine_phase { TWINI_WORK, TWINI_LEAVE, TWINI_KILL };

/* What the caller sleeps for: 0 nothing, TWINI_TARGET_ANY, a call, or a map slot. */
#define TWINI_TARGET_ANY                UINT64_MAX
#define TWINI_TARGET_CALL(batch, index) (((uint64_t)1 << 62) | (uint64_t)(batch) << 8 | (index))
#define TWINI_TARGET_OPEN               ((uint64_t)1 << 60)
#define TWINI_TARGET_MAP(slot)          (((uint64_t)1 << 61) | (slot))

struct twini_shared {
    /* constant after open */
    uint32_t workers, batches, ring_mask;
    uint32_t cpus;
    enum twin_wait_policy wait;
    bool processes; /* false: the control arm, whose workers are threads */
    int64_t spin_ns, ring_window_ns;
    unsigned spin_slots;
    int (*initializer)(void *);
    void *initializer_arg;

    /* writer: the submitter (under the caller's private lock); readers: workers, who spin here */
    alignas(TWINI_LINE) _Atomic uint64_t tail; /* ring positions below it are filled */
    _Atomic uint32_t maps_open;                /* hint: bit s: slot s may have chunks */
    _Atomic uint32_t maps_opened;              /* counts up with each map */
    _Atomic int phase;                         /* enum twini_engine_phase */
    _Atomic uint32_t wanted;                   /* workers that should exist */
    _Atomic uint32_t batches_used;             /* batches at or above were never used */
    _Atomic int64_t awake_until_ns;            /* calls may be sealed without a ring until then */

    alignas(TWINI_LINE) _Atomic uint64_t head; /* hint: no sealed batch is below. writers: all */

    /* writer: the supervisor; readers: workers, caller */
    alignas(TWINI_LINE) _Atomic uint64_t
        repairs; /* a batch or range may wait where hints do not tell */
    _Atomic uint32_t restarts;
    _Atomic uint32_t started; /* workers forked so far, the first of their number */
    _Atomic int opened;       /* 0 not yet, 1 yes, 2 failed: open_errno or initializer */
    int open_errno;
    _Atomic int broken; /* no worker is left and none can be had */

    alignas(TWINI_LINE) _Atomic uint64_t target; /* writers: the caller sets, the ringer clears */
    struct twini_doorbell bell;                  /* waiter: the caller's one leading thread */

    alignas(TWINI_LINE) _Atomic uint64_t parked[TWINI_MOST_WORKERS / 64]; /* bit w: may sleep */

    alignas(TWINI_LINE) _Atomic uint32_t spinner[TWINI_SPIN_SLOTS]; /* 0 or 1 + worker */

    struct twini_map_slot maps[TWINI_MAP_SLOTS];

    /* behind it, at the offsets that twini_shared_layout() computes: worker blocks, ranges, ring,
     * batches */
    struct twini_worker_block *worker;
    struct twini_range *ranges; /* slot s, worker w: ranges[s * workers + w] */
    _Atomic uint32_t *ring;
    struct twini_batch *batch;
};

static inline struct twini_range *twini_range_of(struct twini_shared *shared, unsigned slot,
                                                 unsigned worker)
{
    return &shared->ranges[(size_t)slot * shared->workers + worker];
}

/* ---- who is awake -------------------------------------------------------- */

/* Wakes the caller if it sleeps for this target (or for any). Called after what it waits for was
 * published by a sequentially consistent compare-and-swap. */
void twini_ring_caller(struct twini_shared *shared, uint64_t target);
/* Wakes up to count parked workers. Returns how many. */
unsigned twini_ring_workers(struct twini_shared *shared, unsigned count);
/* Wakes everybody, asleep or not: after a repair. */
void twini_ring_all(struct twini_shared *shared);
/* Whether a worker is (about to be) asleep, or spins for work. */
bool twini_any_parked(const struct twini_shared *shared);
unsigned twini_count_parked(const struct twini_shared *shared);
bool twini_any_spinner(const struct twini_shared *shared);

#endif
