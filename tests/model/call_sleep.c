/* call_sleep.c: who rings and who sleeps in the model: awake.c, and the waiting half of worker.c. */
#include "model/call_worker.h"

/* ---- ring ---------------------------------------------------------------- */

static uint8_t lowest(uint8_t bits)
{
    return (uint8_t)(bits & -bits);
}

static void step_word(const struct call_model *model, const struct call_state *state,
                      struct ringer *ringer)
{
    uint8_t line = (uint8_t)(ringer->head % model->lines);
    bool is_own = ringer->by_caller && state->word_buffered && state->caller.filled == line;
    if (is_own || state->lines[line].state == WAITING) {
        ringer->at = ringer->by_caller ? R_GLANCE : R_PARKED;
        ringer->head = ringer->tail = ringer->bits = 0;
    } else {
        ringer->head++;
    }
}

/* Where to look when nothing waits in what it has looked at. False: nowhere. */
static bool look_further(const struct call_model *model, const struct call_state *state,
                         struct ringer *ringer)
{
    uint8_t bit = lowest(ringer->bits);
    switch (ringer->at) {
    case R_WORD:
        ringer->at = R_TOLD;
        return model->variant != RUN_NOT_TOLD_OF;
    case R_TOLD:
        ringer->bits = state->long_runs;
        break;
    case R_RUN:
        ringer->head = state->blocks[bit >> 1].run_first;
        ringer->tail = state->blocks[bit >> 1].run_end;
        ringer->at = R_RUN_WORD;
        return true;
    default: /* R_RUN_WORD */
        ringer->bits = (uint8_t)(ringer->bits & ~bit);
    }
    ringer->head = ringer->tail = 0;
    ringer->at = R_RUN;
    return ringer->bits != 0;
}

static bool look_who_sleeps(const struct call_state *state, struct ringer *ringer)
{
    if (ringer->at == R_PARKED) {
        ringer->at = R_SPINNER;
        return state->parked != 0;
    }
    if (ringer->at == R_SPINNER) {
        ringer->at = ringer->urgent ? R_SAY : R_AWAKE;
        return state->spinner == 0;
    }
    ringer->at = R_SAY;
    return state->awake == 0;
}

static bool ring_one(struct call_state *state, struct ringer *ringer)
{
    uint8_t bit = lowest(ringer->bits);
    if (ringer->at == R_BITS) {
        ringer->bits = state->parked;
        ringer->at = R_CLEAR;
        return ringer->bits != 0;
    }
    if (ringer->at == R_CLEAR) {
        bool won = state->parked & bit;
        state->parked = (uint8_t)(state->parked & ~bit);
        if (won)
            ringer->at = R_POST;
        else
            ringer->bits = (uint8_t)(ringer->bits & ~bit);
        return ringer->bits != 0;
    }
    state->blocks[bit >> 1].bell = 1; /* two workers: bit 1 is worker 0, bit 2 is worker 1 */
    return false;
}

bool step_ringer(const struct call_model *model, struct call_state *state, struct ringer *ringer)
{
    bool goes_on = true;
    switch (ringer->at) {
    case R_HEAD:
        ringer->head = state->head;
        ringer->at = R_TAIL;
        break;
    case R_TAIL:
        ringer->tail = ringer->by_caller ? state->caller.tail : state->tail;
        ringer->at = R_WORD;
        if (ringer->head >= ringer->tail)
            goes_on = look_further(model, state, ringer);
        break;
    case R_WORD:
    case R_RUN_WORD:
        if (ringer->head < ringer->tail)
            step_word(model, state, ringer);
        if ((ringer->at == R_WORD || ringer->at == R_RUN_WORD) && ringer->head >= ringer->tail)
            goes_on = look_further(model, state, ringer);
        break;
    case R_TOLD:
    case R_RUN:
        goes_on = look_further(model, state, ringer);
        break;
    case R_GLANCE:
        goes_on = state->parked != 0;
        ringer->at = R_PARKED;
        if (goes_on)
            drain(state);
        break;
    case R_PARKED:
    case R_SPINNER:
    case R_AWAKE:
        goes_on = look_who_sleeps(state, ringer);
        if (goes_on && ringer->at == R_SAY && !model->naps)
            ringer->at = R_BITS;
        break;
    case R_SAY:
        state->awake = RUNG;
        ringer->at = R_BITS;
        break;
    default:
        goes_on = ring_one(state, ringer);
    }
    if (!goes_on)
        *ringer = (struct ringer){0};
    return goes_on;
}

void drain_one(struct call_state *state)
{
    const struct caller *caller = &state->caller;
    if (state->word_buffered) {
        state->lines[caller->filled] =
            (struct word_state){.state = WAITING, .call = caller->in_use[caller->filled]};
        state->word_buffered = 0;
    } else if (state->tail_buffered) {
        state->tail = caller->tail;
        state->tail_buffered = 0;
    }
}

void drain(struct call_state *state)
{
    while (state->word_buffered || state->tail_buffered)
        drain_one(state);
}

/* ---- view ---------------------------------------------------------------- */

static void park(const struct call_model *model, struct worker *me)
{
    me->at = model->variant == LOOK_BEFORE_PARKED ? W_IDLE_TAIL
             : model->variant == OWES_TOO_LATE    ? W_PARK
                                                  : W_OWE;
}

void begin_wait(const struct call_model *model, struct worker *me)
{
    me->at = W_IDLE;
    if (model->sleeps && !model->spins)
        park(model, me);
}

static void look_around_again(struct worker *me)
{
    me->at = W_VIEW_TAIL;
    me->seen_tail = me->seen_repairs = 0;
    me->has_promise = me->changed = 0;
}

static bool has_changed(const struct call_model *model, const struct call_state *state,
                        const struct worker *me)
{
    return state->tail != me->seen_tail || state->repairs != me->seen_repairs ||
           state->lines[state->head % model->lines].state == WAITING;
}

/* One of two looks at what a sleeper watches. same: where to go on if nothing has changed. */
static bool still_idle(const struct call_state *state, struct worker *me, bool repairs,
                       enum worker_at same)
{
    bool idle = repairs ? state->repairs == me->seen_repairs : state->tail == me->seen_tail;
    if (idle)
        me->at = (uint8_t)same;
    return idle;
}

/* ---- spin ---------------------------------------------------------------- */

/* Nobody sleeps in this model: it sees at once what has changed. */
static bool step_watch(const struct call_model *model, const struct call_state *state,
                       struct worker *me)
{
    if (!has_changed(model, state, me))
        return false;
    me->counted_on = 1;
    look_around_again(me);
    return true;
}

/* way 0: its time is over. way 1: it looks at head, way 2: at what it watches. */
static bool step_spin_round(const struct call_state *state, struct worker *me, unsigned way)
{
    me->changed = way == 2;
    me->at = W_SPIN_END;
    if (way == 1) {
        me->first = state->head;
        me->at = W_SPIN_LOOK;
    }
    return way < 2 || state->tail != me->seen_tail || state->repairs != me->seen_repairs;
}

static bool step_spin(const struct call_model *model, struct call_state *state, unsigned number,
                      unsigned way)
{
    struct worker *me = &state->workers[number];
    switch (me->at) {
    case W_IDLE: /* way 1: it may not spin */
        if (way == 1 || state->spinner != 0) {
            park(model, me);
            return way == 1;
        }
        state->spinner = (uint8_t)(number + 1);
        me->at = W_SPIN;
        return way == 0;
    case W_SPIN:
        return step_spin_round(state, me, way);
    case W_SPIN_LOOK:
        me->changed = state->lines[me->first % model->lines].state == WAITING;
        me->first = 0;
        me->at = me->changed ? W_SPIN_END : W_SPIN;
        return true;
    case W_SPIN_END:
        state->spinner = 0;
        me->at = W_SPIN_TAIL;
        break;
    case W_SPIN_TAIL:
        me->changed = !still_idle(state, me, false, W_SPIN_REPAIRS);
        break;
    default: /* W_SPIN_REPAIRS */
        me->changed = !still_idle(state, me, true, W_SPIN);
        if (!me->changed)
            park(model, me);
    }
    if (me->changed) {
        me->counted_on = 1;
        look_around_again(me);
    }
    return true;
}

/* ---- park ---------------------------------------------------------------- */

/* way 1: it makes no promise; it has to, where others count on whoever was rung. */
static bool step_promise(const struct call_model *model, struct call_state *state,
                         struct worker *me, uint8_t mine, unsigned way)
{
    uint8_t awake = state->awake;
    if (way == 1) {
        bool may = me->at == W_PROMISE &&
                   (awake == 0 || (awake == RUNG && model->variant == RUNG_AND_NO_PROMISE));
        if (may)
            me->at = W_IDLE_TAIL;
        return may;
    }
    if (me->at == W_PROMISE && (awake == 0 || awake == RUNG)) {
        me->first = awake;
        me->at = W_PROMISE_TAKE;
        return true;
    }
    me->has_promise = awake == (me->at == W_PROMISE ? mine : me->first);
    if (me->has_promise)
        state->awake = mine;
    me->first = 0;
    me->at = W_IDLE_TAIL;
    return true;
}

/* Owe, say that one sleeps, have the submitter drained if one is the first to, owe no longer. */
static void step_parked(const struct call_model *model, struct call_state *state, unsigned number)
{
    struct worker *me = &state->workers[number];
    struct block *block = &state->blocks[number];
    enum variant variant = model->variant;
    switch (me->at) {
    case W_OWE:
        block->owes_fence = 1;
        me->at = variant == OWES_TOO_LATE ? W_BARRIER : W_PARK;
        return;
    case W_PARK:
        me->first = state->parked == 0;
        state->parked = (uint8_t)(state->parked | 1u << number);
        me->at = variant == OWES_TOO_LATE       ? W_OWE
                 : variant == SETTLES_TOO_EARLY ? W_SETTLE
                                                : W_BARRIER;
        return;
    case W_BARRIER:
        if (me->first && variant != NO_BARRIER)
            drain(state);
        me->at = W_SETTLE;
        if (variant != SETTLES_TOO_EARLY)
            return;
        break;
    default: /* W_SETTLE */
        block->owes_fence = 0;
        me->at = W_BARRIER;
        if (variant == SETTLES_TOO_EARLY)
            return;
    }
    me->first = 0;
    me->counted_on = 1;
    me->at = model->naps ? W_PROMISE : variant == LOOK_BEFORE_PARKED ? W_SLEEP : W_IDLE_TAIL;
}

static bool step_sleep(struct call_state *state, unsigned number, unsigned way)
{
    struct worker *me = &state->workers[number];
    struct block *block = &state->blocks[number];
    if (way == 0 ? !block->bell : (me->at != W_NAP || block->bell))
        return false;
    me->at = way == 0 ? W_UNPARK : W_NAP_END;
    block->bell = 0;
    return true;
}

static void unpark_if(struct worker *me, bool idle)
{
    if (!idle)
        me->at = W_UNPARK;
}

static bool step_park(const struct call_model *model, struct call_state *state, unsigned number,
                      unsigned way)
{
    struct worker *me = &state->workers[number];
    uint8_t mine = (uint8_t)(number + 1);
    bool early = model->variant == LOOK_BEFORE_PARKED;
    switch (me->at) {
    case W_OWE:
    case W_PARK:
    case W_BARRIER:
    case W_SETTLE:
        step_parked(model, state, number);
        return true;
    case W_PROMISE:
    case W_PROMISE_TAKE:
        return step_promise(model, state, me, mine, way);
    case W_IDLE_TAIL:
        unpark_if(me, still_idle(state, me, false, W_IDLE_REPAIRS));
        return true;
    case W_IDLE_REPAIRS:
        unpark_if(me, still_idle(state, me, true,
                                 early             ? W_OWE
                                 : me->has_promise ? W_NAP
                                                   : W_SLEEP));
        return true;
    case W_NAP_END:
        state->awake = state->awake == mine ? 0 : state->awake;
        me->at = W_NAP_TAIL;
        return true;
    case W_NAP_TAIL:
        unpark_if(me, still_idle(state, me, false, W_NAP_REPAIRS));
        return true;
    case W_NAP_REPAIRS:
        me->has_promise = 0;
        unpark_if(me, still_idle(state, me, true, W_SLEEP));
        return true;
    case W_UNPARK:
        state->parked = (uint8_t)(state->parked & ~(1u << number));
        look_around_again(me);
        return true;
    default:
        return step_sleep(state, number, way);
    }
}

bool step_wait(const struct call_model *model, struct call_state *state, unsigned number,
               unsigned way)
{
    struct worker *me = &state->workers[number];
    if (me->at == W_VIEW_TAIL) {
        me->seen_tail = state->tail;
        me->at = W_VIEW_REPAIRS;
        return true;
    }
    if (me->at == W_VIEW_REPAIRS) {
        me->seen_repairs = state->repairs;
        begin_claim(model, state, number);
        return true;
    }
    if (!model->sleeps)
        return way == 0 && step_watch(model, state, me);
    return me->at <= W_SPIN_REPAIRS ? step_spin(model, state, number, way)
                                    : step_park(model, state, number, way);
}
