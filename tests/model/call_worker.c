/* call_worker.c: the worker of the model: it runs and publishes, and what of it is one step. How it
 * claims: call_claim.c; how it waits: call_sleep.c. */
#include "model/call_worker.h"

#include <string.h>

/* ---- run, publish -------------------------------------------------------- */

/* The call begins: nothing shared tells. */
void begin_call(const struct call_model *model, struct call_state *state, struct worker *me,
                const char **violation)
{
    uint8_t attempt = (uint8_t)(1u << me->attempts), *ran = &state->ran[me->call - 1];
    if (*ran & attempt)
        *violation = "a call runs twice";
    *ran |= attempt;
    bool meets = model->meet && (me->call == model->meet || me->call == model->meet + 1);
    me->at = meets ? W_MEET : W_FINISH;
}

static void has_finished(const struct call_model *model, struct call_state *state, unsigned number)
{
    struct worker *me = &state->workers[number];
    bool leaves = model->recycles || (me->leaves && model->variant != RUN_ON_WHEN_STOPPED);
    me->line = me->call = me->attempts = me->leaves = 0;
    if (leaves) {
        *me = (struct worker){0};
        state->blocks[number].life = DEAD;
    } else if (model->grain == COARSE) {
        me->worked = 0;
        me->at = W_VIEW_TAIL;
    } else {
        begin_claim(model, state, number);
    }
}

static void finish(const struct call_model *model, struct call_state *state, unsigned number,
                   const char **violation)
{
    struct worker *me = &state->workers[number];
    struct word_state *word = &state->lines[me->line];
    bool mine = word->call == me->call && word->attempts == me->attempts && word->owner == number;
    bool stopped = mine && is_marked(word);
    if (model->variant == FINISH_BY_STORE) {
        end_call(state, word, DONE, violation);
    } else if (me->at == W_FINISH && stopped) {
        me->at = W_FINISH_STOPPED;
        return;
    } else if (!mine || (me->at == W_FINISH ? word->state != RUNNING : !stopped)) {
        *violation = "a call that runs is somebody else's";
        return;
    } else {
        me->leaves = stopped;
        end_call(state, word, DONE, violation);
    }
    me->at = W_TARGET;
    if (!model->caller_sleeps)
        has_finished(model, state, number);
}

static bool step_run(const struct call_model *model, struct call_state *state, unsigned number,
                     const char **violation)
{
    struct worker *me = &state->workers[number];
    bool wanted = state->target == me->line + 1;
    unsigned other = 2u * model->meet + 1 - me->call - 1; /* from 0; that it is to meet */
    switch (me->at) {
    case W_MEET:
        if (!(state->ran[other] || state->outcome[other]))
            return false;
        me->at = W_FINISH;
        return true;
    case W_FINISH:
    case W_FINISH_STOPPED:
        finish(model, state, number, violation);
        return true;
    case W_TARGET:
        if (wanted)
            me->at = W_TARGET_CLEAR;
        else
            has_finished(model, state, number);
        return true;
    case W_TARGET_CLEAR:
        if (wanted) {
            state->target = 0;
            me->at = W_TARGET_POST;
        } else {
            has_finished(model, state, number);
        }
        return true;
    default: /* W_TARGET_POST */
        state->caller_bell = 1;
        has_finished(model, state, number);
        return true;
    }
}

/* ---- the step ------------------------------------------------------------ */

static bool step_pass(const struct call_model *model, struct call_state *state, struct worker *me,
                      const char **violation)
{
    if (me->at == W_PASS) {
        me->counted_on = 0;
        state->awake = 0;
        me->at = W_RING;
        me->ringer.urgent = 1;
        if (model->variant != PASSES_NOTHING_ON)
            return true;
        me->ringer.urgent = 0;
    } else if (step_ringer(model, state, &me->ringer)) {
        return true;
    }
    begin_call(model, state, me, violation);
    return true;
}

static bool step_once(const struct call_model *model, struct call_state *state, unsigned number,
                      unsigned way, const char **violation)
{
    struct worker *me = &state->workers[number];
    if (me->at >= W_IDLE || me->at <= W_VIEW_REPAIRS)
        return step_wait(model, state, number, way);
    if (me->at >= W_MEET)
        return step_run(model, state, number, violation);
    if (me->at >= W_PASS)
        return step_pass(model, state, me, violation);
    if (me->at < W_LOOK)
        return step_claim(model, state, number, way);
    step_take(model, state, number, violation);
    return true;
}

/* Whether the next step goes along with the one before. Always, if it reads what nobody writes in
 * this model. And unless the model is fine, if it reads one more of several places to look at, or
 * writes the other end of a run: those are hints, of which any mixture will do; that this is so is
 * for the fine models to show. */
static bool is_merged(const struct call_model *model, const struct call_state *state,
                      unsigned number)
{
    const struct worker *me = &state->workers[number];
    bool alive = state->blocks[number].life == ALIVE;
    bool own_scan = me->victim == WORKERS;
    bool has_told = (state->long_runs >> number & 1) == me->tells;
    switch (alive ? me->at : W_SLEEP) {
    case W_TELL:
        return has_told;
    case W_BARRIER:
        return !me->first;
    case W_PARK:
    case W_SETTLE:
        return !model->crashes; /* nobody asks what a living one owes */
    case W_LENGTH_PARKED:
        return !model->sleeps || model->grain == COARSE;
    case W_NEXT:
    case W_RUN_HEAD:
    case W_PUBLISH_FIRST:
    case W_CLAIM_HEAD:
        return model->grain == COARSE;
    case W_OWN: /* not together with the end of the call before */
        return model->grain == COARSE && may_kill(model);
    case W_SCAN_AGAIN:
        return own_scan || model->grain == COARSE;
    case W_VIEW_REPAIRS:
    case W_SPIN_REPAIRS:
    case W_IDLE_REPAIRS:
    case W_NAP_REPAIRS:
        return !may_replace(model) || model->grain == COARSE;
    case W_SCAN_FIRST:
    case W_SCAN_END:
        return own_scan || model->grain != FINE;
    case W_LOOK:
    case W_RUN_TAIL:
    case W_PUBLISH_END:
        return model->grain != FINE;
    case W_RING: /* the look whether a call waits */
        return model->grain == COARSE && me->ringer.at >= R_TAIL && me->ringer.at <= R_RUN_WORD;
    default:
        return false;
    }
}

bool step_worker(const struct call_model *model, struct call_state *state, unsigned number,
                 unsigned way, const char **violation)
{
    struct worker *me = &state->workers[number];
    struct call_state before = *state;
    if (state->blocks[number].life != ALIVE || way > (me->at == W_SPIN) + 1u)
        return false;
    bool has_ways = me->at == W_IDLE || me->at == W_SPIN || me->at == W_PROMISE || me->at == W_NAP;
    do {
        has_ways = has_ways || me->at == W_LENGTH_PARKED;
        if (!step_once(model, state, number, way, violation))
            return false;
    } while (is_merged(model, state, number));
    if (way > 0 && !has_ways)
        return false;
    me->may_die = state->crashes_left && state->blocks[number].life == ALIVE &&
                  memcmp(&before, state, offsetof(struct call_state, workers)) != 0;
    return true;
}
