/* range_model.c: see range_model.h. Each function is one of range.c, map_proc.c, map_repair.c or watch.c, cut
 * at its accesses to shared memory. */
#include "model/range_model.h"

enum { PICKS = 2 * MOST_RANGES, WORKER_WAYS = PICKS + 1, DEATH = WORKER_WAYS };
enum { WORKER_CHOICES = WORKER_WAYS + 1, SUPERVISOR_WAYS = 3 * MOST_RANGES + 2 };
enum { CALLER_WAYS = 1 + MOST_RANGES };

const unsigned range_model_choices = MOST_RANGES * WORKER_CHOICES + SUPERVISOR_WAYS + CALLER_WAYS;

/* ---- words --------------------------------------------------------------- */

static bool is_empty(struct word_of_range w)
{
    return w.next == w.end;
}

static bool is_same(struct word_of_range a, struct word_of_range b)
{
    return a.next == b.next && a.end == b.end && a.thief == b.thief && a.state == b.state;
}

static bool runs(struct word_of_range w)
{
    return w.state >= R_BUSY;
}

static bool may_be_robbed(const struct range_model *model, struct word_of_range w)
{
    bool is_free = w.thief == 0 || model->variant == ROBS_BESIDE_A_THIEF;
    return (w.state == R_IDLE || runs(w)) && is_free && !is_empty(w);
}

/* What a look at all ranges adds up. */
static bool has_some(const struct range_model *model, struct word_of_range w)
{
    switch (model->variant) {
    case SLEEPS_WHEN_NONE_TO_ROB:
        return may_be_robbed(model, w);
    case SLEEPS_WITHOUT_FLAG:
        return !is_empty(w);
    default:
        return !is_empty(w) || w.thief != 0;
    }
}

static bool is_over(const struct range_model *model, struct word_of_range w)
{
    if (model->variant == ENDS_WHEN_ALL_ARE_EMPTY)
        return is_empty(w);
    return w.state == R_CLOSED || (w.state == R_IDLE && is_empty(w) &&
                                   (w.thief == 0 || model->variant == ENDS_WITHOUT_FLAG));
}

/* ---- chunks -------------------------------------------------------------- */

static void begin_chunk(struct range_state *state, unsigned chunk, const char **violation)
{
    if (++state->started[chunk] > 1)
        *violation = "a chunk runs twice";
    if (state->outcome[chunk] != R_NONE)
        *violation = "a chunk runs after its outcome";
}

static void end_chunk(struct range_state *state, unsigned chunk, enum range_outcome outcome,
                      const char **violation)
{
    if (state->outcome[chunk] != R_NONE)
        *violation = "a chunk has two outcomes";
    state->outcome[chunk] = (uint8_t)outcome;
}

static bool may_end(const struct range_model *model, const struct range_state *state)
{
    for (unsigned chunk = 0; model->meets && chunk < model->chunks; chunk++)
        if (state->started[chunk] == 0 && state->outcome[chunk] == R_NONE)
            return false;
    return true;
}

/* ---- worker -------------------------------------------------------------- */

static void look_around(struct range_state *state, struct range_worker *me, bool inside)
{
    me->at = inside ? RW_LOOK_INSIDE : RW_LOOK;
    me->index = me->found = 0;
    me->seen_thefts = state->thefts;
    if (!inside)
        me->seen_repairs = state->repairs;
}

/* Of one range; after the last one it knows, or looks again. */
static void step_look(const struct range_model *model, struct range_state *state,
                      struct range_worker *me)
{
    bool inside = me->at == RW_LOOK_INSIDE;
    me->found |= has_some(model, state->ranges[me->index]);
    if (++me->index < model->workers)
        return;
    if (!me->found && model->variant != SLEEPS_WITHOUT_COUNT && me->seen_thefts != state->thefts) {
        look_around(state, me, inside);
        return;
    }
    if (me->found)
        me->at = inside ? RW_PICK : RW_ENTER;
    else
        me->at = inside ? RW_LEAVE : RW_PARKED;
    me->found = me->index = me->seen_thefts = 0;
}

/* BUSY with the next chunk, or IN. */
static void claim(struct range_state *state, struct range_worker *me, struct word_of_range *own,
                  const char **violation)
{
    if (is_empty(*own)) {
        own->state = R_IN;
        look_around(state, me, true);
        return;
    }
    own->state = R_BUSY;
    begin_chunk(state, own->next++, violation);
    me->at = RW_RUN;
}

/* puts_down: it is spent, or one too many. */
static bool step_next(const struct range_model *model, struct range_state *state,
                      struct range_worker *me, struct word_of_range *own, bool puts_down,
                      const char **violation)
{
    bool stops = own->state != R_BUSY && model->variant != RUNS_ON_WHEN_STOPPED;
    if (puts_down && state->leaves_left == 0)
        return false;
    state->leaves_left = (uint8_t)(state->leaves_left - puts_down);
    end_chunk(state, own->next - 1u, R_DONE, violation);
    if (stops || puts_down) {
        own->state = R_IDLE; /* what is left is anybody's */
        me->life = R_ZOMBIE;
        state->repairs++;
    } else {
        claim(state, me, own, violation);
    }
    return true;
}

/* Half of it, or (way odd) one chunk. */
static bool step_pick(const struct range_model *model, struct range_state *state, unsigned number,
                      unsigned way)
{
    struct range_worker *me = &state->workers[number];
    if (way == PICKS) { /* nothing is left any more */
        for (unsigned w = 0; w < model->workers; w++)
            if (!is_empty(state->ranges[w]))
                return false;
        look_around(state, me, true);
        return true;
    }
    unsigned victim = way / 2;
    if (victim >= model->workers || victim == number ||
        !may_be_robbed(model, state->ranges[victim]))
        return false;
    struct word_of_range seen = state->ranges[victim];
    unsigned left = (unsigned)(seen.end - seen.next), taken = way % 2 ? 1 : (left + 1) / 2;
    if (way % 2 && taken == (left + 1) / 2)
        return false;
    me->victim = (uint8_t)victim;
    me->seen = seen;
    me->first = (uint8_t)(seen.end - taken);
    me->at = model->variant == NOTES_AFTER_THEFT ? RW_ROB : RW_NOTE;
    return true;
}

static void step_theft(const struct range_model *model, struct range_state *state, unsigned number,
                       const char **violation)
{
    struct range_worker *me = &state->workers[number];
    struct word_of_range *own = &state->ranges[number], *victim = &state->ranges[me->victim];
    bool late = model->variant == NOTES_AFTER_THEFT,
         early = model->variant == RELEASES_BEFORE_LANDING;
    switch (me->at) {
    case RW_NOTE:
        me->note_first = me->first;
        me->note_end = me->seen.end;
        me->at = late ? RW_LAND : RW_ROB;
        return;
    case RW_ROB:
        if (!is_same(*victim, me->seen)) {
            look_around(state, me, true);
            return;
        }
        victim->end = me->first;
        victim->thief = (uint8_t)(number + 1);
        me->at = late ? RW_NOTE : early ? RW_RELEASE : RW_LAND;
        return;
    case RW_LAND:
        own->next = me->first;
        own->end = me->seen.end;
        own->state = R_IN;
        me->at = RW_COUNT;
        return;
    case RW_COUNT:
        state->thefts++;
        me->at = RW_RELEASE;
        if (early)
            claim(state, me, own, violation);
        return;
    default: /* RW_RELEASE */
        victim->thief = 0;
        if (early)
            me->at = RW_LAND;
        else
            claim(state, me, own, violation);
    }
}

static bool step_worker(const struct range_model *model, struct range_state *state, unsigned number,
                        unsigned way, const char **violation)
{
    struct range_worker *me = &state->workers[number];
    struct word_of_range *own = &state->ranges[number];
    if (me->life != R_ALIVE || (way > 0 && me->at != RW_PICK && !(way == 1 && me->at == RW_NEXT)))
        return false;
    switch (me->at) {
    case RW_LOOK:
    case RW_LOOK_INSIDE:
        step_look(model, state, me);
        return true;
    case RW_PARKED:
        if (me->seen_repairs == state->repairs)
            return false;
        look_around(state, me, false);
        return true;
    case RW_ENTER:
        me->at = RW_PARKED;
        if (own->state == R_IDLE)
            claim(state, me, own, violation);
        return true;
    case RW_RUN:
        if (!may_end(model, state))
            return false;
        me->at = RW_NEXT;
        return true;
    case RW_NEXT:
        return step_next(model, state, me, own, way == 1, violation);
    case RW_PICK:
        return step_pick(model, state, number, way);
    case RW_LEAVE:
        own->state = R_IDLE;
        look_around(state, me, false);
        return true;
    default:
        step_theft(model, state, number, violation);
        return true;
    }
}

/* ---- supervisor ---------------------------------------------------------- */

static void record_loss(const struct range_model *model, struct range_state *state,
                        const char **violation)
{
    struct range_supervisor *me = &state->supervisor;
    unsigned chunk = me->seen.next - 1u;
    if (!runs(me->seen))
        return;
    if (me->seen.state == R_BUSY && model->crashes == 0)
        *violation = "a chunk dies of a kill that was another's";
    me->again = me->seen.state == R_BUSY && state->retries_left > 0;
    if (me->again) {
        state->retries_left--;
        state->started[chunk] = 0;
    } else {
        end_chunk(state, chunk, R_LOST, violation);
    }
}

static void reopen(struct range_state *state)
{
    struct range_supervisor *me = &state->supervisor;
    struct word_of_range *own = &state->ranges[me->worker];
    if (own->state == R_CLOSED)
        return;
    own->next = (uint8_t)(own->next - me->again);
    own->state = R_IDLE;
}

static void repair(const struct range_model *model, struct range_state *state,
                   const char **violation)
{
    struct range_supervisor *me = &state->supervisor;
    struct range_worker *dead = &state->workers[me->worker];
    struct word_of_range *own = &state->ranges[me->worker];
    bool early = model->variant == REOPENS_BEFORE_OUTCOME;
    switch (me->at) {
    case RS_READ:
        me->seen = *own;
        me->at = own->state == R_CLOSED ? RS_RESPAWN : RS_FIND;
        return;
    case RS_FIND:
        if (state->ranges[me->index].thief == me->worker + 1)
            me->at = RS_LAND;
        else if (++me->index == model->workers)
            me->at = early ? RS_REOPEN : RS_OUTCOME;
        return;
    case RS_LAND:
        if (is_empty(*own)) {
            own->next = dead->note_first;
            own->end = dead->note_end;
            own->state = R_IN;
        }
        me->at = RS_COUNT;
        return;
    case RS_COUNT:
        state->thefts++;
        me->at = RS_RELEASE;
        return;
    case RS_RELEASE:
        state->ranges[me->index].thief = 0;
        me->at = RS_FIND;
        return;
    case RS_OUTCOME:
        record_loss(model, state, violation);
        me->at = early ? RS_RESPAWN : RS_REOPEN;
        return;
    case RS_REOPEN:
        reopen(state);
        me->at = early ? RS_OUTCOME : RS_RESPAWN;
        return;
    default: /* RS_RESPAWN */
        state->repairs++;
        *dead = (struct range_worker){.life = R_ALIVE};
        look_around(state, dead, false);
        *me = (struct range_supervisor){0};
    }
}

/* Ways: to repair after a dead worker, to kill one, to find one overdue, each by its number; then to go on,
 * and to take a mark back. */
static enum search_step step_supervisor(const struct range_model *model, struct range_state *state,
                                        unsigned way, const char **violation)
{
    struct range_supervisor *me = &state->supervisor;
    unsigned number = way % MOST_RANGES, what = way / MOST_RANGES;
    if (me->at != RS_IDLE) {
        bool unmarks = way == 3 * MOST_RANGES + 1;
        if (way < 3 * MOST_RANGES || (unmarks && me->at != RS_MARKED))
            return SEARCH_BLOCKED;
        struct word_of_range *word = &state->ranges[me->worker];
        if (me->at == RS_KILL) {
            state->workers[me->worker].life = R_ZOMBIE;
            *me = (struct range_supervisor){0};
        } else if (me->at == RS_MARK) {
            bool marks = word->state == R_BUSY && word->next == me->seen.next;
            if (marks)
                word->state = R_OVERDUE;
            me->at = RS_MARKED;
            if (!marks)
                *me = (struct range_supervisor){0};
        } else if (me->at ==
                   RS_MARKED) { /* it may have gone on to the chunk's next item just before */
            if (unmarks && word->state == R_OVERDUE && word->next == me->seen.next)
                word->state = R_BUSY;
            *me = (struct range_supervisor){0};
        } else {
            repair(model, state, violation);
        }
        return SEARCH_DUE;
    }
    if (number >= model->workers || what > 2)
        return SEARCH_BLOCKED;
    struct word_of_range word = state->ranges[number];
    bool is_alive = state->workers[number].life == R_ALIVE;
    me->worker = (uint8_t)number;
    if (what == 0) {
        me->at = RS_READ;
        return state->workers[number].life == R_ZOMBIE ? SEARCH_DUE : SEARCH_BLOCKED;
    }
    if (what == 1) {
        me->at = RS_KILL;
        return is_alive && word.state > R_BUSY ? SEARCH_DUE : SEARCH_BLOCKED;
    }
    if (!is_alive || word.state != R_BUSY || state->overdues_left == 0)
        return SEARCH_BLOCKED;
    state->overdues_left--;
    me->at = RS_MARK;
    me->seen = word;
    return SEARCH_POSSIBLE;
}

/* ---- caller -------------------------------------------------------------- */

static bool all_are_over(const struct range_model *model, const struct range_state *state)
{
    for (unsigned w = 0; w < model->workers; w++)
        if (!is_over(model, state->ranges[w]))
            return false;
    return true;
}

static void take_results(const struct range_model *model, const struct range_state *state,
                         const char **violation)
{
    for (unsigned chunk = 0; chunk < model->chunks; chunk++)
        if (state->outcome[chunk] == R_NONE)
            *violation = "a map is said to have ended that has not";
}

static enum search_step step_caller(const struct range_model *model, struct range_state *state,
                                    unsigned way, const char **violation)
{
    struct range_caller *me = &state->caller;
    if (way > 0) { /* cancels: stops what runs */
        struct word_of_range *word = &state->ranges[way - 1];
        if (state->stops_left == 0 || me->at == RC_END || word->state != R_BUSY)
            return SEARCH_BLOCKED;
        state->stops_left--;
        word->state = R_STOPPED;
        return SEARCH_POSSIBLE;
    }
    switch (me->at) {
    case RC_WAIT:
        me->at = RC_LOOK;
        me->index = 0;
        me->seen_thefts = state->thefts;
        return all_are_over(model, state) ? SEARCH_DUE : SEARCH_POSSIBLE;
    case RC_LOOK:
        if (!is_over(model, state->ranges[me->index])) {
            *me = (struct range_caller){0};
            return SEARCH_DUE;
        }
        if (++me->index < model->workers)
            return SEARCH_DUE;
        bool sure = model->variant == ENDS_WITHOUT_COUNT || me->seen_thefts == state->thefts;
        *me = (struct range_caller){.at = sure ? RC_CLOSE : RC_WAIT};
        if (sure)
            take_results(model, state, violation);
        return SEARCH_DUE;
    case RC_CLOSE: {
        struct word_of_range *word = &state->ranges[me->index];
        if (word->state != R_IDLE || !is_empty(*word))
            return SEARCH_BLOCKED; /* its worker has looked in once more */
        *word = (struct word_of_range){.state = R_CLOSED};
        if (++me->index == model->workers)
            *me = (struct range_caller){.at = RC_END};
        return SEARCH_DUE;
    }
    default:
        return SEARCH_BLOCKED;
    }
}

/* ---- the step ------------------------------------------------------------ */

static enum search_step die(struct range_state *state, unsigned number)
{
    if (state->workers[number].life != R_ALIVE || state->crashes_left == 0)
        return SEARCH_BLOCKED;
    state->crashes_left--;
    state->workers[number].life = R_ZOMBIE;
    return SEARCH_POSSIBLE;
}

enum search_step range_model_step(const void *arg, void *at, unsigned choice,
                                  const char **violation)
{
    const struct range_model *model = arg;
    struct range_state *state = at;
    if (choice < MOST_RANGES * WORKER_CHOICES) {
        unsigned number = choice / WORKER_CHOICES, way = choice % WORKER_CHOICES;
        if (number >= model->workers)
            return SEARCH_BLOCKED;
        if (way == DEATH)
            return die(state, number);
        return step_worker(model, state, number, way, violation) ? SEARCH_DUE : SEARCH_BLOCKED;
    }
    choice -= MOST_RANGES * WORKER_CHOICES;
    if (choice < SUPERVISOR_WAYS)
        return step_supervisor(model, state, choice, violation);
    choice -= SUPERVISOR_WAYS;
    return choice <= model->workers ? step_caller(model, state, choice, violation) : SEARCH_BLOCKED;
}

const char *range_model_check(const void *arg, const void *at, bool at_rest)
{
    const struct range_model *model = arg;
    const struct range_state *state = at;
    if (at_rest && state->caller.at != RC_END)
        return "a map is waited for in vain";
    for (unsigned chunk = 0; at_rest && chunk < model->chunks; chunk++)
        if (state->outcome[chunk] == R_NONE)
            return "a chunk has no outcome";
    return NULL;
}

struct range_state range_model_start(const struct range_model *model)
{
    struct range_state state = {.crashes_left = (uint8_t)model->crashes,
                                .stops_left = (uint8_t)model->stops,
                                .overdues_left = (uint8_t)model->overdues,
                                .retries_left = (uint8_t)model->retries,
                                .leaves_left = (uint8_t)model->leaves};
    for (unsigned w = 0; w < MOST_RANGES; w++)
        state.workers[w].life = w < model->workers ? R_ALIVE : R_NEVER;
    for (unsigned w = 0; w < model->workers; w++) {
        struct word_of_range *word = &state.ranges[w];
        word->state = R_IDLE;
        unsigned part = model->backwards ? model->workers - 1 - w : w;
        if (part < model->dealt) {
            word->next = (uint8_t)(model->chunks * part / model->dealt);
            word->end = (uint8_t)(model->chunks * (part + 1) / model->dealt);
        }
        if (is_empty(*word))
            word->next = word->end = 0;
    }
    return state;
}
