/* call_claim.c: how the worker of the model claims: call.c. */
#include "model/call_worker.h"

/* ---- claim: where to look ------------------------------------------------ */

static void take(struct worker *me, enum origin origin, uint8_t line)
{
    me->at = W_LOOK;
    me->origin = (uint8_t)origin;
    me->line = line;
}

static void use_run(const struct call_model *model, struct worker *me)
{
    if (me->position < me->end) {
        take(me, FROM_RUN, me->position++ % model->lines);
        return;
    }
    me->position = me->end = 0;
    me->at = W_RUN_HEAD;
}

void begin_claim(const struct call_model *model, struct call_state *state, unsigned number)
{
    struct worker *me = &state->workers[number];
    struct block *block = &state->blocks[number]; /* run and again: nobody else writes them now */
    if (me->is_new) {
        me->is_new = 0;
        me->position = block->run_first;
        me->end = block->run_end;
        if (block->again) {
            take(me, FROM_INHERITED, block->again - 1);
            return;
        }
    } else if (me->counted_on) {
        me->at = W_NEXT;
        return;
    }
    use_run(model, me);
}

/* The next number to take from; nothing waits anywhere when all were visited. */
static void scan_next(const struct call_model *model, struct worker *me)
{
    me->first = me->last = 0;
    if (me->victim++ < WORKERS - (model->grain != FINE)) {
        me->at = W_SCAN_AGAIN;
        return;
    }
    me->victim = 0;
    if (me->worked) {
        me->worked = 0;
        me->at = W_VIEW_TAIL;
    } else {
        begin_wait(model, me);
    }
}

static void scan_run(const struct call_model *model, struct worker *me)
{
    if (me->last > me->first)
        take(me, FROM_SCAN, --me->last % model->lines);
    else
        scan_next(model, me);
}

static void fail_to_take(const struct call_model *model, struct worker *me)
{
    enum origin origin = me->origin;
    me->line = me->call = me->attempts = me->origin = 0;
    if (origin == FROM_AGAIN)
        me->at = W_SCAN_FIRST;
    else if (origin == FROM_SCAN)
        scan_run(model, me);
    else
        use_run(model, me);
}

/* ---- claim: a call ------------------------------------------------------- */

static void has_taken(const struct call_model *model, struct call_state *state, struct worker *me,
                      const char **violation)
{
    me->first = me->last = me->victim = me->origin = 0;
    me->seen_tail = me->seen_repairs = 0; /* it has worked: it will look around anew */
    me->worked = 1;
    bool passes_on = me->counted_on && model->sleeps;
    me->counted_on = passes_on;
    me->at = W_PASS;
    if (!passes_on)
        begin_call(model, state, me, violation);
}

static void own(const struct call_model *model, struct call_state *state, unsigned number,
                const char **violation)
{
    struct worker *me = &state->workers[number];
    struct word_state *word = &state->lines[me->line];
    bool same = word->call == me->call && word->attempts == me->attempts;
    if (word->state != WAITING || !(same || model->variant == STALE_CLAIM)) {
        fail_to_take(model, me);
        return;
    }
    word->state = RUNNING;
    word->owner = (uint8_t)number;
    if (!same)
        *violation = "a stale claim has taken another call";
    if (me->is_stopped)
        *violation = "a worker that is to be killed takes a call";
    if (model->variant == NAME_AFTER_CLAIM)
        me->at = W_NAME;
    else
        has_taken(model, state, me, violation);
}

void step_take(const struct call_model *model, struct call_state *state, unsigned number,
               const char **violation)
{
    struct worker *me = &state->workers[number];
    const struct word_state *word = &state->lines[me->line];
    bool late = model->variant == NAME_AFTER_CLAIM;
    if (me->at == W_LOOK) {
        if (word->state != WAITING) {
            fail_to_take(model, me);
            return;
        }
        me->call = word->call;
        me->attempts = word->attempts;
        me->at = late || !may_kill(model) ? W_OWN : W_NAME;
    } else if (me->at == W_NAME) {
        state->blocks[number].current = me->line;
        me->at = W_OWN;
        if (late)
            has_taken(model, state, me, violation);
    } else {
        own(model, state, number, violation);
    }
}

/* ---- claim: a run -------------------------------------------------------- */

static void has_run(const struct call_model *model, struct worker *me)
{
    me->position = me->first;
    me->end = me->last;
    me->first = me->last = 0;
    use_run(model, me);
}

/* seen tail is kept in victim, which a scan needs only later. */
static void step_claim_head(const struct call_model *model, struct call_state *state,
                            struct worker *me)
{
    bool won = state->head == me->first, early = model->variant == CLAIM_BEFORE_PUBLISH;
    uint8_t tail = me->victim;
    if (won)
        state->head = me->last;
    me->last = won ? me->last : 0;
    if (won && early) {
        me->at = W_PUBLISH_FIRST;
        return;
    }
    if (won) {
        me->victim = 0;
        has_run(model, me);
        return;
    }
    me->first = state->head;
    me->at = W_LENGTH_PARKED;
    if (me->first >= tail) {
        me->victim = 0;
        me->at = W_TELL;
    }
}

/* way 1: a long run, where the code may take one. */
static bool step_length(const struct call_model *model, const struct call_state *state,
                        struct worker *me, unsigned way)
{
    bool is_long = me->victim - me->first >= 2, early = model->variant == CLAIM_BEFORE_PUBLISH;
    if (way == 1 && !is_long)
        return false;
    me->tells = way == 1 && state->parked;
    me->last = (uint8_t)(me->first + 1 + way);
    me->at = early ? W_CLAIM_HEAD : W_PUBLISH_FIRST;
    return true;
}

static void step_publish(const struct call_model *model, struct block *block, struct worker *me)
{
    if (me->at == W_PUBLISH_FIRST) {
        block->run_first = me->first;
        me->at = W_PUBLISH_END;
        return;
    }
    block->run_end = me->last;
    me->at = W_TELL;
    if (model->variant == CLAIM_BEFORE_PUBLISH) {
        me->victim = 0;
        has_run(model, me);
    }
}

/* What its bit says of the run before; then on with the claim of a run, or there is none. */
static void step_tell(const struct call_model *model, struct call_state *state, unsigned number)
{
    struct worker *me = &state->workers[number];
    uint8_t bit = (uint8_t)(1u << number);
    state->long_runs = (uint8_t)(me->tells ? state->long_runs | bit : state->long_runs & ~bit);
    me->tells = 0;
    me->at = W_CLAIM_HEAD;
    if (me->last == 0)
        scan_next(model, me);
}

bool step_claim(const struct call_model *model, struct call_state *state, unsigned number,
                unsigned way)
{
    struct worker *me = &state->workers[number];
    struct block *victim = &state->blocks[(number + me->victim) % WORKERS];
    switch (me->at) {
    case W_NEXT:
        take(me, FROM_NEXT, state->head % model->lines);
        return true;
    case W_RUN_HEAD:
        me->first = state->head;
        me->at = W_RUN_TAIL;
        return true;
    case W_RUN_TAIL:
        me->at = W_LENGTH_PARKED;
        if (me->first < state->tail)
            me->victim = state->tail;
        else
            me->at = W_TELL;
        return true;
    case W_LENGTH_PARKED:
        return step_length(model, state, me, way);
    case W_PUBLISH_FIRST:
    case W_PUBLISH_END:
        step_publish(model, &state->blocks[number], me);
        return true;
    case W_TELL:
        step_tell(model, state, number);
        return true;
    case W_CLAIM_HEAD:
        step_claim_head(model, state, me);
        return true;
    case W_SCAN_AGAIN:
        me->at = W_SCAN_FIRST;
        if (victim->again)
            take(me, FROM_AGAIN, victim->again - 1);
        return true;
    case W_SCAN_FIRST:
        me->first = victim->run_first;
        me->at = W_SCAN_END;
        return true;
    default: /* W_SCAN_END */
        me->last = victim->run_end;
        scan_run(model, me);
        return true;
    }
}
