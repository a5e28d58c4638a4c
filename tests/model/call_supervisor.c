/* call_supervisor.c: the supervisor of the model (bury(), tell_workers() and mend() of supervisor.c,
 * twini_call_repair()), deaths, and what all agree on about an outcome. */
#include "model/call_model.h"

static bool has_owner(const struct word_state *word, unsigned number)
{
    return (word->state == RUNNING || is_marked(word)) && word->owner == number;
}

/* ---- deaths -------------------------------------------------------------- */

void end_call(struct call_state *state, struct word_state *word, enum word outcome,
              const char **violation)
{
    uint8_t call = word->call - 1;
    if (state->outcome[call])
        *violation = "two outcomes";
    if (outcome == LOST && !state->died[call])
        *violation = "a call is lost whose worker lives";
    word->state = (uint8_t)outcome;
    state->outcome[call] = 1;
    state->ran[call] = 255; /* it must not run any more */
    state->died[call] = 0;
}

/* What the worker owns dies with it: by the words, not by what it says itself. */
void kill_worker(struct call_state *state, unsigned number, const char **violation)
{
    unsigned owned = 0;
    for (unsigned line = 0; line < MOST_LINES; line++) {
        const struct word_state *word = &state->lines[line];
        if (!has_owner(word, number))
            continue;
        if (state->workers[number].is_doomed && word->state == RUNNING)
            *violation = "an innocent call dies";
        state->died[word->call - 1] = 1;
        owned++;
    }
    if (owned > 1)
        *violation = "a worker owns two calls";
    state->workers[number] = (struct worker){0};
    state->blocks[number].life = DEAD;
}

/* ---- repair -------------------------------------------------------------- */

static struct word_state *current(struct call_state *state)
{
    return &state->lines[state->blocks[state->supervisor.number].current];
}

static void decide(const struct call_model *model, struct call_state *state)
{
    const struct word_state *word = current(state);
    struct supervisor *me = &state->supervisor;
    bool again = word->state == RUNNING && word->attempts < model->retries;
    me->seen = word->state;
    me->at = again && model->variant != RETRY_WITHOUT_AGAIN ? S_AGAIN : S_MOVE;
}

static void move_word(const struct call_model *model, struct call_state *state,
                      const char **violation)
{
    struct supervisor *me = &state->supervisor;
    struct word_state *word = current(state);
    if (word->state != me->seen) { /* the caller has stopped it meanwhile */
        decide(model, state);
        return;
    }
    if (word->state == RUNNING && word->attempts < model->retries) {
        if (!state->died[word->call - 1])
            *violation = "a call is repeated whose worker lives";
        word->state = WAITING;
        word->attempts++;
        state->died[word->call - 1] = 0;
    } else {
        end_call(state, word,
                 word->state == STOPPED   ? CANCELLED
                 : word->state == OVERDUE ? TIMED_OUT
                                          : LOST,
                 violation);
    }
    me->seen = 0;
    me->at = S_REPAIRS;
}

static bool find(struct call_state *state, enum life life)
{
    for (uint8_t number = 0; number < WORKERS; number++) {
        if (state->blocks[number].life == life) {
            state->supervisor.number = number;
            return true;
        }
    }
    return false;
}

static uint8_t first_step(const struct call_model *model)
{
    return model->spins && model->variant != SPINNER_OUTLIVES ? S_SPINNER
           : model->sleeps                                    ? S_UNPARK
                                                              : S_LOOK;
}

static void rest(struct supervisor *me)
{
    *me = (struct supervisor){.at = S_IDLE};
}

/* First all who are dead, then the rings, then those that replace them. */
static void bury_next(const struct call_model *model, struct call_state *state)
{
    struct supervisor *me = &state->supervisor;
    if (find(state, DEAD)) {
        me->at = first_step(model);
    } else if (model->sleeps && model->variant != NO_RING_AFTER_REPAIR) {
        me->at = S_BARRIER;
    } else {
        me->at = S_NEW_BELL;
        (void)find(state, BURIED);
    }
}

static void step_bury(const struct call_model *model, struct call_state *state,
                      const char **violation)
{
    struct supervisor *me = &state->supervisor;
    switch (me->at) {
    case S_SPINNER:
        state->spinner = state->spinner == me->number + 1 ? 0 : state->spinner;
        me->at = model->sleeps ? S_UNPARK : S_LOOK;
        return;
    case S_UNPARK:
        state->parked = (uint8_t)(state->parked & ~(1u << me->number));
        me->owes_fence |= state->blocks[me->number].owes_fence && model->variant != BARRIER_LOST;
        state->blocks[me->number].owes_fence = 0;
        me->at = S_LOOK;
        return;
    case S_LOOK:
        me->at = S_REPAIRS;
        if (has_owner(current(state), me->number))
            decide(model, state);
        return;
    case S_AGAIN:
        state->blocks[me->number].again = state->blocks[me->number].current + 1;
        me->at = S_MOVE;
        return;
    case S_MOVE:
        move_word(model, state, violation);
        return;
    default: /* S_REPAIRS */
        state->repairs++;
        state->blocks[me->number].life = BURIED;
        me->at = S_TARGET;
        if (!model->caller_sleeps || model->variant == NO_RING_AFTER_REPAIR)
            bury_next(model, state);
    }
}

/* ---- ring, then mend ----------------------------------------------------- */

static void step_ring(const struct call_model *model, struct call_state *state)
{
    struct supervisor *me = &state->supervisor;
    switch (me->at) {
    case S_TARGET:
        state->target = 0;
        me->at = S_RING_CALLER;
        return;
    case S_RING_CALLER:
        state->caller_bell = 1;
        bury_next(model, state);
        return;
    case S_BARRIER:
        if (me->owes_fence)
            drain(state);
        me->owes_fence = 0;
        me->at = model->variant == PROMISE_OUTLIVES ? S_RING : S_RING_AWAKE;
        return;
    case S_RING_AWAKE:
        state->awake = 0;
        me->at = S_RING;
        return;
    default: /* S_RING */
        state->blocks[me->next].bell = 1;
        if (++me->next < WORKERS)
            return;
        me->next = 0;
        me->at = S_NEW_BELL;
        (void)find(state, BURIED);
    }
}

static void step_replace(const struct call_model *model, struct call_state *state)
{
    struct supervisor *me = &state->supervisor;
    struct block *block = &state->blocks[me->number];
    if (me->at == S_NEW_BELL) {
        block->bell = 0;
        me->at = S_FORK;
        return;
    }
    block->life = ALIVE;
    if (model->variant == RUN_ENDS_WITH_WORKER)
        block->run_first = block->run_end = 0;
    state->workers[me->number] =
        (struct worker){.at = W_VIEW_TAIL, .is_new = 1, .may_die = state->crashes_left > 0};
    me->at = S_NEW_BELL;
    if (!find(state, BURIED))
        rest(me);
}

/* ---- tidy up ------------------------------------------------------------- */

/* Forgets what cannot matter any more, so that states which differ only in it are one. */
void tidy_up(const struct call_model *model, struct call_state *state)
{
    bool dies =
        state->crashes_left || model->cancels || model->timeouts || state->supervisor.at != S_IDLE;
    for (unsigned number = 0; number < WORKERS; number++) {
        struct worker *worker = &state->workers[number];
        if (worker->seen_tail != state->tail)
            worker->seen_tail = 255; /* it only goes up */
        if (worker->seen_repairs != state->repairs)
            worker->seen_repairs = 255;
        dies = dies || state->blocks[number].life == DEAD;
    }
    for (unsigned number = 0; number < WORKERS && !dies; number++)
        state->blocks[number].current = 0;
    for (unsigned line = 0; line < model->lines; line++) {
        struct word_state *word = &state->lines[line];
        if (word->state != RUNNING && !is_marked(word))
            word->owner = 0;
        if (word->state >= DONE)
            word->attempts = 0;
    }
}

/* ---- time-out ------------------------------------------------------------ */

/* What this worker runs has taken too long. */
static bool watch(const struct call_state *state, struct supervisor *me, unsigned number)
{
    uint8_t line = state->blocks[number].current;
    const struct word_state *word = &state->lines[line];
    *me = (struct supervisor){.at = S_MARK,
                              .number = (uint8_t)number,
                              .next = line,
                              .seen = word->call,
                              .attempts = word->attempts};
    return state->timeouts_left > 0 && word->state == RUNNING && word->owner == number;
}

static void mark(const struct call_model *model, struct call_state *state, const char **violation)
{
    struct supervisor *me = &state->supervisor;
    struct word_state *word = &state->lines[me->next];
    bool same = word->call == me->seen && word->attempts == me->attempts;
    if (word->state != RUNNING || word->owner != me->number ||
        !(same || model->variant == MARK_WHATEVER_RUNS)) {
        rest(me);
        return;
    }
    if (!same) /* nobody but the clock could tell: that it can happen has to do */
        *violation = "a call is overdue that has just begun";
    word->state = OVERDUE;
    state->timeouts_left--;
    state->workers[me->number].is_stopped |= state->blocks[me->number].life == ALIVE;
    *me = (struct supervisor){.at = S_KILL_LOOK};
}

/* ---- kill ---------------------------------------------------------------- */

/* Kills the owner of a line that is to be stopped, if it lives; line by line. */
static void step_kill(const struct call_model *model, struct call_state *state)
{
    struct supervisor *me = &state->supervisor;
    const struct word_state *word = &state->lines[me->next];
    if (me->at == S_KILL_LOOK && is_marked(word)) {
        me->number = word->owner;
        me->at = S_KILL;
        return;
    }
    if (me->at == S_KILL && state->blocks[me->number].life == ALIVE)
        state->workers[me->number].is_doomed = 1;
    me->at = S_KILL_LOOK;
    me->number = 0;
    if (++me->next == model->lines)
        rest(me);
}

bool step_supervisor(const struct call_model *model, struct call_state *state, unsigned way,
                     const char **violation)
{
    struct supervisor *me = &state->supervisor;
    if (me->at != S_IDLE && way > 0)
        return false;
    if (me->at == S_IDLE && way == 0) {
        me->at = first_step(model);
        return find(state, DEAD);
    }
    if (me->at == S_IDLE && way >= SUPERVISOR_DUE)
        return watch(state, me, way - SUPERVISOR_DUE);
    if (me->at == S_IDLE) {
        me->at = S_KILL_LOOK;
        bool told = state->event;
        state->event = 0;
        return told;
    }
    if (me->at <= S_REPAIRS)
        step_bury(model, state, violation);
    else if (me->at <= S_RING)
        step_ring(model, state);
    else if (me->at <= S_FORK)
        step_replace(model, state);
    else if (me->at == S_MARK)
        mark(model, state, violation);
    else
        step_kill(model, state);
    return true;
}
