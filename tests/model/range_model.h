/* range_model.h: the protocol of a map's ranges (range.h), as a state machine for search.h: what workers,
 * the supervisor and the caller do, one access to shared memory a step (the last look of a round and what
 * follows from it, a claim and the first look after it, are one). */
#ifndef TWIN_TESTS_RANGE_MODEL_H
#define TWIN_TESTS_RANGE_MODEL_H

#include "model/search.h"

enum { MOST_RANGES = 3, MOST_CHUNKS = 4 };

/* Known-bad ones, but the first. */
enum range_variant {
    RANGES_AS_BUILT,
    SLEEPS_WITHOUT_FLAG,  /* of a theft that is on its way */
    SLEEPS_WITHOUT_COUNT, /* of those that have arrived */
    ENDS_WITHOUT_FLAG,
    ENDS_WITHOUT_COUNT,
    SLEEPS_WHEN_NONE_TO_ROB, /* rather than when none is left */
    NOTES_AFTER_THEFT,
    RELEASES_BEFORE_LANDING,
    ROBS_BESIDE_A_THIEF,
    REOPENS_BEFORE_OUTCOME,
    RUNS_ON_WHEN_STOPPED,
    ENDS_WHEN_ALL_ARE_EMPTY
};

struct range_model {
    unsigned workers, dealt, chunks; /* the chunks are dealt to so many of the workers */
    bool backwards;                  /* to the last ones */
    unsigned crashes, retries, stops, overdues;
    unsigned leaves; /* workers that are spent, or one too many */
    bool meets;      /* no chunk ends before all have begun */
    enum range_variant variant;
};

enum range_word_state { R_CLOSED, R_IDLE, R_IN, R_BUSY, R_STOPPED, R_OVERDUE };
enum range_outcome { R_NONE, R_DONE, R_LOST };
enum range_life { R_ALIVE, R_ZOMBIE, R_NEVER };

struct word_of_range {
    uint8_t next, end, thief, state;
};

enum range_worker_at {
    RW_LOOK, /* from outside, at each range */
    RW_ENTER,
    RW_PARKED,
    RW_RUN,
    RW_NEXT,
    RW_LOOK_INSIDE,
    RW_PICK,
    RW_NOTE,
    RW_ROB,
    RW_LAND,
    RW_COUNT,
    RW_RELEASE,
    RW_LEAVE
};

struct range_worker {
    uint8_t at, life, index, victim;
    struct word_of_range seen;
    uint8_t first, note_first, note_end, found;
    uint8_t seen_thefts, seen_repairs, unused[2];
};

enum range_supervisor_at {
    RS_IDLE,
    RS_KILL,
    RS_MARK,
    RS_MARKED,
    RS_READ,
    RS_FIND,
    RS_LAND,
    RS_COUNT,
    RS_RELEASE,
    RS_OUTCOME,
    RS_REOPEN,
    RS_RESPAWN
};

struct range_supervisor {
    uint8_t at, worker, index, again;
    struct word_of_range seen;
};

enum range_caller_at { RC_WAIT, RC_LOOK, RC_CLOSE, RC_END };

struct range_caller {
    uint8_t at, index, seen_thefts, unused[5];
};

struct range_state {
    struct word_of_range ranges[MOST_RANGES];
    uint8_t thefts, repairs, crashes_left, stops_left;
    struct range_worker workers[MOST_RANGES];
    uint8_t started[MOST_CHUNKS], outcome[MOST_CHUNKS];
    struct range_supervisor supervisor;
    struct range_caller caller;
    uint8_t overdues_left, retries_left, leaves_left, unused[5];
};

struct range_state range_model_start(const struct range_model *model);
extern const unsigned range_model_choices;
enum search_step range_model_step(const void *model, void *state, unsigned choice,
                                  const char **violation);
const char *range_model_check(const void *model, const void *state, bool at_rest);

#endif
