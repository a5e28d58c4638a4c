/* call_caller.c: the caller of the model: submit.c, and lead() of proc_runtime.c. It submits its
 * calls in order, and waits for what is in flight, and cancels, in any. */
#include "model/call_model.h"

/* ---- submit -------------------------------------------------------------- */

static unsigned count_in_flight(const struct caller *me)
{
    unsigned count = 0;
    for (unsigned line = 0; line < MOST_LINES; line++)
        count += me->in_use[line] != 0;
    return count;
}

static bool begin_submit(const struct call_model *model, struct call_state *state)
{
    struct caller *me = &state->caller;
    bool skips = model->variant != REUSE_UNCOLLECTED;
    if (me->submitted == model->calls || (skips && count_in_flight(me) == model->in_flight))
        return false;
    while (skips && me->in_use[me->tail % model->lines])
        me->tail++;
    drain(state);
    me->line = me->tail++ % model->lines;
    me->in_use[me->line] = ++me->submitted;
    me->filled = me->line;
    state->word_buffered = 1;
    if (!model->sleeps)
        drain(state);
    me->at = C_TAIL;
    return true;
}

/* ---- collect, wait ------------------------------------------------------- */

static void collect(struct call_state *state, const char **violation)
{
    struct caller *me = &state->caller;
    struct word_state *word = &state->lines[me->line];
    if (word->call != me->in_use[me->line])
        *violation = "the outcome of another call";
    state->collected[me->in_use[me->line] - 1]++;
    me->in_use[me->line] = 0;
    word->state = DONE; /* which outcome it was, does not matter any more */
}

/* The caller sees what it has stored. */
static bool has_ended(const struct call_state *state)
{
    const struct caller *me = &state->caller;
    return !(state->word_buffered && me->filled == me->line) &&
           state->lines[me->line].state >= DONE;
}

static void rest(struct caller *me)
{
    me->at = C_IDLE;
    me->line = me->seen_call = me->seen_attempts = 0;
}

/* The call has ended, or nothing. */
static bool step_collect(struct call_state *state, const char **violation)
{
    if (!has_ended(state))
        return false;
    collect(state, violation);
    rest(&state->caller);
    return true;
}

static bool step_wait(const struct call_model *model, struct call_state *state,
                      const char **violation)
{
    struct caller *me = &state->caller;
    switch (me->at) {
    case C_WAIT:
        if (step_collect(state, violation))
            return true;
        me->at = C_WAIT_RING;
        me->ringer.urgent = me->ringer.by_caller = 1;
        return model->caller_sleeps;
    case C_WAIT_RING:
        do {
            if (!step_ringer(model, state, &me->ringer))
                me->at = C_TARGET;
        } while (model->grain == COARSE && me->ringer.at >= R_TAIL && me->ringer.at <= R_RUN_WORD);
        return true;
    case C_TARGET:
        state->target = me->line + 1;
        me->at = C_LOOK;
        return true;
    case C_LOOK:
        me->at = has_ended(state) ? C_UNTARGET : C_SLEEP;
        return true;
    case C_SLEEP:
        if (!state->caller_bell)
            return false;
        state->caller_bell = 0;
        me->at = C_UNTARGET;
        return true;
    default: /* C_UNTARGET */
        state->target = 0;
        me->at = C_WAIT;
        return true;
    }
}

/* ---- cancel -------------------------------------------------------------- */

static void look_to_cancel(struct call_state *state)
{
    struct caller *me = &state->caller;
    const struct word_state *word = &state->lines[me->line];
    if (word->state >= DONE) {
        rest(me); /* too late: it is collected like any other */
        return;
    }
    if (is_marked(word)) {
        me->at = C_TELL; /* it ends anyway */
        return;
    }
    me->seen_call = word->call;
    me->seen_attempts = word->attempts;
    me->at = word->state == WAITING ? C_CANCEL : C_STOP;
}

static void step_cancel(struct call_state *state, const char **violation)
{
    struct caller *me = &state->caller;
    struct word_state *word = &state->lines[me->line];
    uint8_t expected = me->at == C_CANCEL ? WAITING : RUNNING;
    if (word->state != expected || word->call != me->seen_call ||
        word->attempts != me->seen_attempts) {
        look_to_cancel(state);
        return;
    }
    if (me->at == C_CANCEL) {
        end_call(state, word, CANCELLED, violation);
        collect(state, violation);
        rest(me);
        return;
    }
    word->state = STOPPED;
    state->workers[word->owner].is_stopped |= state->blocks[word->owner].life == ALIVE;
    me->at = C_TELL;
}

/* ---- the step ------------------------------------------------------------ */

static bool is_oldest(const struct caller *me)
{
    for (unsigned line = 0; line < MOST_LINES; line++)
        if (me->in_use[line] && me->in_use[line] < me->in_use[me->line])
            return false;
    return true;
}

/* way 0 submits; the next ones wait for a line, those behind them cancel it. */
static bool begin(const struct call_model *model, struct call_state *state, unsigned way,
                  const char **violation)
{
    struct caller *me = &state->caller;
    if (way == 0)
        return begin_submit(model, state);
    bool cancels = way > MOST_LINES;
    unsigned line = (way - 1) % MOST_LINES;
    if (model->meet && me->submitted <= model->meet)
        return false;
    if (!me->in_use[line] || (cancels && state->cancels_left == 0))
        return false;
    me->line = (uint8_t)line;
    if (!cancels && !model->caller_sleeps)
        return step_collect(state, violation);
    if (!cancels && !is_oldest(me))
        return false;
    me->at = cancels ? C_CANCEL_LOOK : C_WAIT;
    if (!cancels)
        return step_wait(model, state, violation);
    state->cancels_left--;
    return true;
}

bool step_caller(const struct call_model *model, struct call_state *state, unsigned way,
                 const char **violation)
{
    struct caller *me = &state->caller;
    if (me->at == C_IDLE)
        return begin(model, state, way, violation);
    if (way > 0)
        return false;
    switch (me->at) {
    case C_TAIL:
        state->tail_buffered = 1;
        me->at = C_RING;
        me->ringer.at = model->sleeps ? R_GLANCE : 0;
        me->ringer.by_caller = model->sleeps;
        if (!model->sleeps) {
            drain(state);
            rest(me);
        }
        return true;
    case C_RING:
        if (!step_ringer(model, state, &me->ringer))
            rest(me);
        return true;
    case C_CANCEL_LOOK:
        drain(state);
        look_to_cancel(state);
        return true;
    case C_CANCEL:
    case C_STOP:
        step_cancel(state, violation);
        return true;
    case C_TELL:
        state->event = 1;
        rest(me);
        return true;
    default:
        return step_wait(model, state, violation);
    }
}
