/* call_model.h: the protocol of single calls (engine/call.h, awake.c, supervisor.c) as a state
 * machine: one caller, two workers, a supervisor; a step is one access to shared memory, in the
 * order of the code. What is private to one of them moves along with its next step.
 *
 * Sequential consistency is enough: the moves of the code on which something depends are seq_cst.
 * But for two, which the submitter makes without a fence: a call's word and tail stay in its store
 * buffer until it fences, a worker's barrier (engine/barrier.h) has them drained, or they drain by
 * themselves, one after the other. The buffer holds one call's.
 * Times are left out: a nap or a spin may end at any moment, nobody has a heartbeat. A bell keeps one
 * ring, where the code's counts: fewer wakes, so nothing rests on rings that are left over. A call's
 * number stands for the generation of its line. What was tidied up (a variable that nobody reads any
 * more is 0) keeps states few. */
#ifndef TWIN_TESTS_CALL_MODEL_H
#define TWIN_TESTS_CALL_MODEL_H

#include "model/search.h"

enum { WORKERS = 2, MOST_LINES = 4, MOST_CALLS = 4, RUNG = 255 };

/* Known-bad protocols. */
enum variant {
    AS_BUILT,
    NO_RING_AFTER_REPAIR, /* the supervisor repairs and replaces, and rings nobody */
    CLAIM_BEFORE_PUBLISH, /* a run is published when head has already passed it */
    NAME_AFTER_CLAIM,     /* current is written after the claim */
    REUSE_UNCOLLECTED,    /* a line is filled anew while its call is in flight */
    RUN_ON_WHEN_STOPPED,  /* a worker that was to be killed claims the next call */
    LOOK_BEFORE_PARKED,   /* a sleeper says that it sleeps after its last look */
    PROMISE_OUTLIVES,     /* the supervisor leaves the promise of a dead worker */
    SPINNER_OUTLIVES,     /* the supervisor leaves the word of a dead spinner */
    RETRY_WITHOUT_AGAIN,  /* a lost call waits again, but nobody is told where */
    FINISH_BY_STORE,      /* DONE is written, not moved to */
    PASSES_NOTHING_ON,    /* who was counted on runs its call without waking the next */
    NO_BARRIER,           /* a sleeper does not have the submitter's stores drained */
    BARRIER_LOST,         /* nor does the supervisor for one who died before he could */
    OWES_TOO_LATE,        /* who says that he sleeps tells only then that he owes a barrier */
    SETTLES_TOO_EARLY,    /* or no longer tells it before the barrier is made */
    STALE_CLAIM,          /* a claim that does not compare the generation */
    RUN_NOT_TOLD_OF,      /* who looks whether to wake somebody looks into no runs */
    RUNG_AND_NO_PROMISE,  /* who was rung, and finds nothing, sleeps as if nobody counted on it */
    MARK_WHATEVER_RUNS,   /* what took too long is marked, whatever the line holds by now */
    RUN_ENDS_WITH_WORKER  /* a successor begins with an empty run */
};

/* What is one step: see is_merged() of call_worker.c. */
enum grain {
    MEDIUM, /* a claim is a few steps: places to look at are read together */
    FINE,   /* each access */
    COARSE  /* a claim is one or two */
};

struct call_model {
    enum variant variant;
    uint8_t workers;                 /* 1 or 2 */
    uint8_t lines, calls, in_flight; /* in_flight: at most so many at once */
    uint8_t crashes, cancels, timeouts, retries;
    bool recycles; /* a worker leaves after each call */
    bool sleeps;   /* workers park; otherwise an idle one sees by itself that something changed */
    bool naps, spins;
    bool caller_sleeps; /* otherwise it looks again and again, and never rings as a waiter */
    uint8_t meet;       /* this call (the first is 1) and the next end only after both have begun */
    enum grain grain;
};

/* ---- the state: bytes, so that there is no padding ------------------------------------------ */

enum word { UNUSED, WAITING, RUNNING, STOPPED, OVERDUE, DONE, LOST, CANCELLED, TIMED_OUT };

struct word_state {
    uint8_t state, owner, call /* 1 + its number */, attempts;
};

/* Its owner is to be killed. */
static inline bool is_marked(const struct word_state *word)
{
    return word->state == STOPPED || word->state == OVERDUE;
}

enum life { ALIVE, DEAD, BURIED, NEVER };

struct block {
    uint8_t run_first, run_end, again, current, bell, life, owes_fence;
};

/* Who looks whether to ring a worker, and rings: a submitter, a waiting caller, a worker that passes
 * on. */
enum ringer_at {
    R_HEAD,
    R_TAIL,
    R_WORD,
    R_TOLD,
    R_RUN,
    R_RUN_WORD,
    R_GLANCE, /* the caller only: without a fence */
    R_PARKED,
    R_SPINNER,
    R_AWAKE,
    R_SAY,
    R_BITS,
    R_CLEAR,
    R_POST
};
struct ringer {
    uint8_t at, urgent, by_caller, head, tail, bits; /* head, tail: of the queue, then of a run */
};

enum worker_at {
    W_VIEW_TAIL,
    W_VIEW_REPAIRS,
    W_NEXT,
    W_RUN_HEAD,
    W_RUN_TAIL,
    W_LENGTH_PARKED,
    W_PUBLISH_FIRST,
    W_PUBLISH_END,
    W_TELL,
    W_CLAIM_HEAD,
    W_SCAN_AGAIN,
    W_SCAN_FIRST,
    W_SCAN_END,
    W_LOOK,
    W_NAME,
    W_OWN,
    W_PASS,
    W_RING,
    W_MEET,
    W_FINISH,
    W_FINISH_STOPPED,
    W_TARGET,
    W_TARGET_CLEAR,
    W_TARGET_POST,
    W_IDLE,
    W_SPIN,
    W_SPIN_LOOK,
    W_SPIN_END,
    W_SPIN_TAIL,
    W_SPIN_REPAIRS,
    W_OWE,
    W_PARK,
    W_BARRIER,
    W_SETTLE,
    W_PROMISE,
    W_PROMISE_TAKE,
    W_IDLE_TAIL,
    W_IDLE_REPAIRS,
    W_NAP,
    W_NAP_END,
    W_NAP_TAIL,
    W_NAP_REPAIRS,
    W_SLEEP,
    W_UNPARK
};
/* What a worker tries to take, and so where it goes on if it fails. */
enum origin { FROM_INHERITED, FROM_NEXT, FROM_RUN, FROM_AGAIN, FROM_SCAN };

struct worker {
    uint8_t at, origin;
    uint8_t is_new, counted_on, worked, has_promise, changed;
    uint8_t may_die;                       /* its last step has left something behind */
    uint8_t is_stopped, is_doomed, leaves; /* its call was stopped; it was killed; it knows */
    uint8_t position, end;                 /* of its run */
    uint8_t tells;                         /* its bit of long_runs is to be set */
    uint8_t seen_tail, seen_repairs;
    uint8_t line, call, attempts; /* that it looks at, or runs */
    uint8_t first, last, victim;  /* of a claim or a scan */
    struct ringer ringer;
};

enum caller_at {
    C_IDLE,
    C_TAIL,
    C_RING,
    C_WAIT,
    C_WAIT_RING,
    C_TARGET,
    C_LOOK,
    C_SLEEP,
    C_UNTARGET,
    C_CANCEL_LOOK,
    C_CANCEL,
    C_STOP,
    C_TELL
};
struct caller {
    uint8_t at, line, seen_call, seen_attempts;
    uint8_t tail, submitted, filled; /* filled: the last line */
    uint8_t in_use[MOST_LINES];      /* 1 + the call that it was filled with */
    struct ringer ringer;
};

enum supervisor_at {
    S_IDLE,
    S_SPINNER,
    S_UNPARK,
    S_LOOK,
    S_AGAIN,
    S_MOVE,
    S_REPAIRS,
    S_TARGET,
    S_RING_CALLER,
    S_BARRIER,
    S_RING_AWAKE,
    S_RING,
    S_NEW_BELL,
    S_FORK,
    S_MARK,
    S_KILL_LOOK,
    S_KILL
};
struct supervisor {
    uint8_t at, number, seen, next; /* next: what it looks at next, or marks */
    uint8_t attempts;               /* seen, attempts: of what it marks */
    uint8_t owes_fence;             /* somebody who died did */
};

struct call_state {
    uint8_t head, tail, long_runs, awake, parked, spinner, target, repairs, caller_bell, event;
    uint8_t word_buffered, tail_buffered; /* of the call that was submitted last */
    struct word_state lines[MOST_LINES];
    struct block blocks[WORKERS];
    struct worker workers[WORKERS];
    struct caller caller;
    struct supervisor supervisor;
    uint8_t crashes_left, cancels_left, timeouts_left;
    /* What no protocol knows: of each call, the attempts that have run (bits), its outcome, whether
     * its owner died, whether it was collected. */
    uint8_t ran[MOST_CALLS], outcome[MOST_CALLS], died[MOST_CALLS], collected[MOST_CALLS];
    uint8_t unused[4]; /* up to a multiple of 8 */
};
_Static_assert(sizeof(struct call_state) % 8 == 0, "fingerprints go by 8 bytes");

/* ---- the steps -------------------------------------------------------------------------------- */

/* A step of one of them: false: it is blocked. *violation: see search.h. way: which of the ways that
 * are open to it. */
bool step_worker(const struct call_model *model, struct call_state *state, unsigned number,
                 unsigned way, const char **violation);
bool step_caller(const struct call_model *model, struct call_state *state, unsigned way,
                 const char **violation);
bool step_supervisor(const struct call_model *model, struct call_state *state, unsigned way,
                     const char **violation);
/* False: it has ended. */
bool step_ringer(const struct call_model *model, struct call_state *state, struct ringer *ringer);
/* A death, wherever it is. */
void kill_worker(struct call_state *state, unsigned number, const char **violation);
void end_call(struct call_state *state, struct word_state *word, enum word outcome,
              const char **violation);

/* The submitter's stores become visible: all, or the next one. */
void drain(struct call_state *state);
void drain_one(struct call_state *state);

void tidy_up(const struct call_model *model, struct call_state *state);

/* Whether a worker may die that owns a call, and whether one may have to be replaced. */
static inline bool may_kill(const struct call_model *model)
{
    return model->crashes + model->cancels + model->timeouts > 0;
}
static inline bool may_replace(const struct call_model *model)
{
    return may_kill(model) || model->recycles;
}

/* The supervisor's last ways, one for each worker, are that its call has taken too long: nothing is to
 * rest on that. */
enum {
    WORKER_WAYS = 3,
    CALLER_WAYS = 1 + 2 * MOST_LINES,
    SUPERVISOR_DUE = 2,
    SUPERVISOR_WAYS = SUPERVISOR_DUE + WORKERS
};

#endif
