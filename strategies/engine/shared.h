/* shared.h: everything that the caller, the supervisor and the workers of a proc pool share.
 *
 * One anonymous shared mapping, made before the first fork, holds it all: so a pointer into it
 * means the same everywhere, and nothing has a name that could be leaked. A struct here is what all
 * see; what only the caller's process knows is struct twini_proc (proc_runtime.h).
 *
 * The five truths. Everything else (head, tail, ranges of positions, targets) is a hint, and may be
 * stale:
 *   1. a call's word says whether the call waits, who runs it, or what became of it;
 *   2. a range's word says which chunks of a map a worker still has, and whether it runs one;
 *   3. each is moved by compare-and-swap alone, so claim and ownership are one instruction;
 *   4. only the supervisor speaks for a dead worker, after waitid() has told it and before the pid
 * is given back; then it bumps  repairs  and rings every sleeper;
 *   5. a call's line, or a map's slot, is used anew only when its last use was collected.
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
    TWINI_MOST_RUN = 64, /* positions that a worker claims at once */
    TWINI_MAP_SLOTS = 8,
    TWINI_HOMES = 1024, /* CPUs that a cpu_set_t knows */
    TWINI_MOST_WORKERS = 1024,
    TWINI_INLINE_BYTES = 32,
    TWINI_SPIN_SLOTS = 8
};

/* ---- single calls -------------------------------------------------------- */

enum twini_call_state {
    TWINI_CALL_UNUSED,
    TWINI_CALL_WAITING,   /* anybody's */
    TWINI_CALL_RUNNING,   /* the owner's */
    TWINI_CALL_STOPPED,   /* the owner's, who is to be killed: the caller has cancelled it */
    TWINI_CALL_OVERDUE,   /* the owner's, who is to be killed: its time is over */
    TWINI_CALL_DONE,      /* this and those below are outcomes: code is what the task returned */
    TWINI_CALL_LOST,      /* its worker died: pid, and code is the wait status */
    TWINI_CALL_CANCELLED, /* before it started, or its worker was killed for it */
    TWINI_CALL_TIMED_OUT  /* its worker was killed for it: as LOST */
};

/* The word of a call, unpacked. */
struct twini_call_word {
    uint32_t generation; /* counts the uses of this line */
    unsigned attempts;   /* 16 bits: how often it was lost and put back */
    unsigned owner;      /* 12 bits: worker number */
    unsigned state;      /* 4 bits: enum twini_call_state */
};

/* One call, its word and its data, in one cache line.
 * writer: the submitter while it is not in use, then the owner, or the supervisor for a dead one;
 * reader: whoever may write; of the word all. */
struct twini_call {
    alignas(TWINI_LINE) _Atomic uint64_t word;
    twin_task *task;
    void *context;
    int32_t code;
    uint16_t result_offset; /* of the result from the item, when inline */
    bool is_away;           /* item and result do not fit inline: u.away */
    union {
        alignas(16) unsigned char bytes[TWINI_INLINE_BYTES];
        struct {
            char *block;         /* of the arena */
            size_t item, result; /* offsets in it */
        } away;
        pid_t pid; /* of a lost call: the worker that died */
    } u;
};
static_assert(sizeof(struct twini_call) == TWINI_LINE, "one call, one cache line");

/* ---- maps: owner ranges of chunks ---------------------------------------- */

enum twini_range_state {
    TWINI_RANGE_CLOSED, /* the slot is not in use */
    TWINI_RANGE_IDLE,   /* the worker is outside; its chunks may be stolen */
    TWINI_RANGE_IN, /* inside, between chunks; what it has was just stolen and is not to be taken */
    TWINI_RANGE_BUSY,    /* inside, runs chunk next - 1; the rest may be stolen */
    TWINI_RANGE_STOPPED, /* BUSY, and to be killed: the caller has cancelled the map */
    TWINI_RANGE_OVERDUE  /* BUSY, and to be killed: the time of the chunk, or item, is over */
};

/* The range word, unpacked: chunks [next, end) wait. */
struct twini_range_word {
    unsigned next, end; /* 24 bits each */
    unsigned thief;     /* 12 bits: 0, or 1 + the worker that is taking the upper half away */
    unsigned state;     /* 4 bits */
};
enum { TWINI_MOST_CHUNKS = (1 << 24) - 1 };

/* What an iterator is told of a chunk. */
enum twini_chunk_state { TWINI_CHUNK_OPEN, TWINI_CHUNK_DONE, TWINI_CHUNK_FAILED };

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
    /* of an iterated map, whose chunks are dealt in turn: enum twini_chunk_state of each, by its index;
     * writers: who ran it, or the supervisor; reader: the caller. Of the arena; else NULL */
    _Atomic unsigned char *told;
    _Atomic unsigned width; /* workers that have a range in it */
    unsigned use;           /* counts the maps in this slot */
    size_t left_at_beat;    /* chunks; writer, reader: the caller: spare.c */
    /* writers: workers and supervisor, by compare-and-swap downwards: items at or above it need not
     * be computed any more. SIZE_MAX: none has failed. 0: give up. */
    alignas(TWINI_LINE) _Atomic size_t lowest_failed;
    _Atomic uint32_t thefts; /* counts those that have arrived: range.h; writers: thieves */
    _Atomic unsigned
        spare; /* workers that were not woken for it: spare.h; whoever wakes them clears it */
    _Atomic int64_t
        rung_ns; /* when the reader of an iterated map was rung last; writers: workers */
    /* writer: the supervisor (set once, death_pid last); reader: the caller */
    size_t death_index;
    int death_status, death_error; /* TWIN_EWORKER or TWIN_ETASKTIMEOUT */
    _Atomic pid_t death_pid;
};

/* ---- workers ------------------------------------------------------------- */

enum twini_worker_state {
    TWINI_ABSENT,
    TWINI_STARTING,
    TWINI_WORKING,
    TWINI_LEFT,    /* of its own will: the end, too many, or what it ran was to be stopped */
    TWINI_SPENT,   /* the same, after tasks_per_worker */
    TWINI_GIVEN_UP /* its initializer fails */
};

struct twini_worker_block {
    alignas(TWINI_LINE) struct twini_doorbell bell; /* waiter: the worker alone */
    _Atomic int state;                              /* enum; writers: worker, supervisor */
    _Atomic pid_t pid;                              /* writer: supervisor; 0: none */
    /* Has said that it sleeps, and may yet have to have the submitter fenced. writer: the worker; after its
     * death the supervisor, who fences in its stead */
    _Atomic bool owes_fence;
    /* The positions [run_first, run_end) that the worker has claimed, calls of which may wait yet;
     * and a call that waits again because the worker before was lost with it (1 + line; 0: none).
     * They belong to the number: they stay when the worker dies, until its successor has new ones.
     * writer: the worker, of again the supervisor after a death; readers: all */
    alignas(TWINI_LINE) _Atomic uint64_t run_first, run_end;
    _Atomic uint32_t again;
    /* writer: the worker; reader: the supervisor. The call that it runs, or is about to claim. */
    _Atomic uint32_t current;
    /* writer: the worker (relaxed: counters and post-mortem only); reader: caller, supervisor */
    alignas(TWINI_LINE) _Atomic(size_t) item; /* of a map: the item being computed */
    _Atomic uint64_t tasks, chunks, claims, steals, parks, spins;
    alignas(TWINI_LINE) _Atomic uint64_t busy_ns, idle_ns;
    _Atomic int64_t since_ns; /* > 0: idle since then, < 0: busy since - that; not in the above */
    /* writer: the supervisor, when it replaces the worker */
    _Atomic uint32_t restarts, stopped, recycled;
    /* the supervisor's own; here, because its private pages are copied at each fork */
    uint8_t cause;
    uint32_t born_after; /* so many failed starts */
};

/* ---- the whole ----------------------------------------------------------- */

enum twini_engine_phase { TWINI_WORK, TWINI_LEAVE, TWINI_KILL };

/* What the caller sleeps for: 0 nothing, TWINI_TARGET_ANY, a call, or a map slot. */
#define TWINI_TARGET_ANY        UINT64_MAX
#define TWINI_TARGET_CALL(line) (((uint64_t)1 << 62) | (line))
#define TWINI_TARGET_OPEN       ((uint64_t)1 << 60)
#define TWINI_TARGET_MAP(slot)  (((uint64_t)1 << 61) | (slot))

/* Who has promised to look for work soon (awake): 0 nobody, 1 + a worker that sleeps for a moment
 * only, or whoever was rung last. */
#define TWINI_AWAKE_RUNG UINT32_MAX

struct twini_shared {
    /* constant after open */
    uint32_t call_mask; /* lines for calls, less 1: a power of two, twice max_pending at least */
    uint32_t cpus;
    enum twin_wait_policy wait;
    bool processes; /* false: the control arm, whose workers are threads */
    int64_t spin_ns, nap_ns;
    unsigned spin_slots;
    int (*initializer)(void *);
    void *initializer_arg;
    int64_t task_timeout_ns;
    size_t worker_bytes;
    unsigned tasks_per_worker, retries;
    int event_fd; /* wakes the supervisor; -1: there is none */

    /* writer: the caller, seldom (phase last); repairs: the supervisor; readers: all */
    alignas(TWINI_LINE) _Atomic uint32_t wanted; /* workers that should exist: numbers below it */
    _Atomic uint32_t numbers;                    /* most that was ever wanted */
    _Atomic uint32_t maps_open;                  /* hint: bit s: slot s may have chunks */
    _Atomic uint32_t maps_opened;                /* counts up with each map */
    _Atomic uint32_t rings_due;                  /* workers still to be woken for maps: awake.c */
    _Atomic int phase;                           /* enum twini_engine_phase */
    _Atomic uint32_t repairs;                    /* a worker went: something may wait again */
    _Atomic uint32_t good_starts;                /* workers that have got to work */
    _Atomic bool hurry;                          /* advice: the caller waits for each call */
    /* the submitter does without a fence (barrier.h); workers clear it where that is refused */
    _Atomic bool has_barrier;

    /* writer: the submitter (under the caller's private lock); readers: workers */
    alignas(TWINI_LINE) _Atomic uint64_t tail; /* positions below it are filled */
    alignas(
        TWINI_LINE) _Atomic uint64_t head; /* positions below it are claimed. writers: workers */
    /* bit w: calls may wait in the run of number w, for whom somebody may have to be woken. writer: w */
    alignas(TWINI_LINE) _Atomic uint64_t long_runs[TWINI_MOST_WORKERS / 64];

    /* writer: the supervisor; readers: workers, caller */
    alignas(TWINI_LINE) _Atomic uint32_t forks;
    pid_t supervisor;      /* constant since the first worker was forked */
    _Atomic pid_t standby; /* a process that waits to be a worker: standby.h; 0: none */
    struct twini_doorbell standby_bell; /* waiter: the standby */
    /* 1 + the number that the standby is called for, until it has heard (it clears it) or is dead */
    _Atomic uint32_t standby_called;
    _Atomic int
        dozing; /* no task runs, so no time is watched: who claims one wakes the supervisor */
    _Atomic uint32_t started; /* workers forked so far, the first of their number */
    _Atomic int opened;       /* 0 not yet, 1 yes, 2 failed: open_errno or initializer */
    int open_errno;
    _Atomic int broken; /* no worker is left and none can be had */

    alignas(TWINI_LINE) _Atomic uint64_t target; /* writers: the caller sets, the ringer clears */
    struct twini_doorbell bell;                  /* waiter: the caller's one leading thread */

    /* who sleeps: awake.c. writers: workers when they go to sleep and wake, and whoever rings */
    alignas(TWINI_LINE) _Atomic uint32_t awake;
    _Atomic uint32_t spinner[TWINI_SPIN_SLOTS];                           /* 0 or 1 + worker */
    alignas(TWINI_LINE) _Atomic uint64_t parked[TWINI_MOST_WORKERS / 64]; /* bit w: may sleep */

    /* home.c: of each CPU: 0, or 1 + the worker that sleeps there; 1 + the submitter's CPU when he rang
     * last */
    _Atomic uint32_t home[TWINI_HOMES];
    _Atomic int submitter;

    struct twini_map_slot maps[TWINI_MAP_SLOTS];

    /* behind it: worker blocks and, for each map slot, ranges, TWINI_MOST_WORKERS of each (pages
     * that nobody touches take no memory); then the calls */
    struct twini_worker_block *worker;
    struct twini_range *ranges;
    struct twini_call *calls;
};

/* All of a worker's lie in one page: who looks through them for one worker has one page fault. */
static inline struct twini_range *twini_range_of(struct twini_shared *shared, unsigned slot,
                                                 unsigned worker)
{
    return &shared->ranges[(size_t)worker * TWINI_MAP_SLOTS + slot];
}

/* Asks for a line that will be written soon. PREFETCHW by name, because the compiler emits it only
 * for CPUs it is told to have; any x86-64 takes it, at worst as no operation. */
static inline void twini_fetch_to_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

static inline unsigned twini_width(const struct twini_map_slot *slot)
{
    /* relaxed: who is inside has seen it when he entered; to others it is advice */
    return atomic_load_explicit(&slot->width, memory_order_relaxed);
}

static inline unsigned twini_numbers(const struct twini_shared *shared)
{
    /* order: acquire; pairs with release in twini_proc_want(); blocks of its numbers are in use */
    return atomic_load_explicit(&shared->numbers, memory_order_acquire);
}

#endif
