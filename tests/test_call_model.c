/* test_call_model.c: every interleaving of the protocol of single calls, with a death at every step.
 *
 * The protocol that call.h and awake.c describe, as a state machine (model/), searched exhaustively
 * in a few small sizes, each for one part of it: one caller, two workers, a supervisor, few lines, so
 * that they are used anew. What must hold in every state that can be reached: a call runs at most
 * once in each attempt and gets one outcome, its own; what is lost, or repeated, is the call of a
 * worker that died; a worker that was to be killed takes no other call with it; what waits stands
 * where somebody will look; and nobody waits for ever: where no step is due, every call was
 * collected. A model that cannot fail proves nothing: each known-bad variant must be caught. */
#include "model/call_model.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

/* ---- the model, as the search sees it ------------------------------------ */

enum { WORKER_CHOICES = WORKER_WAYS + 1 /* death */ };
enum { CHOICES = CALLER_WAYS + WORKERS * WORKER_CHOICES + SUPERVISOR_WAYS + 1 /* drain */ };

static enum search_step die(const struct call_model *model, struct call_state *state,
                            unsigned number, const char **violation)
{
    if (state->blocks[number].life != ALIVE)
        return SEARCH_BLOCKED;
    bool is_doomed = state->workers[number].is_doomed;
    if (!is_doomed && state->crashes_left == 0)
        return SEARCH_BLOCKED;
    if (!is_doomed && !state->workers[number].may_die)
        return SEARCH_BLOCKED; /* as if it had died before, after its last step that left a trace */
    state->crashes_left = (uint8_t)(state->crashes_left - !is_doomed);
    for (unsigned other = 0; other < WORKERS && state->crashes_left == 0; other++)
        state->workers[other].may_die = 0;
    kill_worker(state, number, violation);
    tidy_up(model, state);
    return is_doomed ? SEARCH_DUE : SEARCH_POSSIBLE;
}

/* Every call was collected: no word can move any more. */
static bool is_over(const struct call_model *model, const struct call_state *state)
{
    for (unsigned call = 0; call < model->calls; call++)
        if (!state->collected[call])
            return false;
    for (unsigned line = 0; line < model->lines; line++)
        if (state->lines[line].state < DONE && state->lines[line].state != UNUSED)
            return false;
    return true;
}

static enum search_step step(const void *arg, void *at, unsigned choice, const char **violation)
{
    const struct call_model *model = arg;
    struct call_state *state = at;
    bool moved, is_due = true;
    choice = CHOICES - 1 - choice; /* bad ends are found sooner when the caller comes last */
    if (is_over(model, state))
        return SEARCH_BLOCKED;
    if (choice == CHOICES - 1) {
        moved = state->word_buffered || state->tail_buffered;
        drain_one(state);
    } else if (choice < CALLER_WAYS) {
        moved = step_caller(model, state, choice, violation);
    } else if (choice < CALLER_WAYS + WORKERS * WORKER_CHOICES) {
        unsigned number = (choice - CALLER_WAYS) / WORKER_CHOICES;
        unsigned way = (choice - CALLER_WAYS) % WORKER_CHOICES;
        if (way == WORKER_WAYS)
            return die(model, state, number, violation);
        moved = step_worker(model, state, number, way, violation);
    } else {
        unsigned way = choice - CALLER_WAYS - WORKERS * WORKER_CHOICES;
        moved = step_supervisor(model, state, way, violation);
        is_due = way < SUPERVISOR_DUE;
    }
    tidy_up(model, state);
    return !moved ? SEARCH_BLOCKED : is_due ? SEARCH_DUE : SEARCH_POSSIBLE;
}

static bool stands_in(const struct call_model *model, unsigned line, unsigned first, unsigned end)
{
    for (; first < end; first++)
        if (first % model->lines == line)
            return true;
    return false;
}

/* Whether somebody will look at the line. */
static bool has_place(const struct call_model *model, const struct call_state *state, unsigned line)
{
    const struct caller *caller = &state->caller;
    bool found = stands_in(model, line, state->head, state->tail) ||
                 (caller->at == C_TAIL && caller->line == line) ||
                 (state->tail_buffered && stands_in(model, line, state->tail, caller->tail));
    for (unsigned number = 0; number < WORKERS; number++) {
        const struct block *block = &state->blocks[number];
        found = found || stands_in(model, line, block->run_first, block->run_end) ||
                block->again == line + 1;
    }
    return found;
}

static const char *check(const void *arg, const void *at, bool at_rest)
{
    const struct call_model *model = arg;
    const struct call_state *state = at;
    for (unsigned line = 0; line < model->lines; line++)
        if (state->lines[line].state == WAITING && !has_place(model, state, line))
            return "a call waits where nobody looks";
    for (unsigned call = 0; at_rest && call < model->calls; call++)
        if (state->collected[call] != 1)
            return "a call is waited for in vain";
    return NULL;
}

/* ---- one search ---------------------------------------------------------- */

static void tell(const void *arg, const void *at, unsigned choice)
{
    const struct call_state *state = at;
    (void)arg;
    fprintf(stderr,
            "%2u: caller %2u.%u | w0 %2u line %u run %u-%u | w1 %2u line %u run %u-%u |"
            " supervisor %2u | head %u tail %u awake %u parked %u |",
            choice, state->caller.at, state->caller.ringer.at, state->workers[0].at,
            state->workers[0].line, state->workers[0].position, state->workers[0].end,
            state->workers[1].at, state->workers[1].line, state->workers[1].position,
            state->workers[1].end, state->supervisor.at, state->head, state->tail, state->awake,
            state->parked);
    for (unsigned line = 0; line < MOST_LINES; line++)
        fprintf(stderr, " %u:%u", state->lines[line].call, state->lines[line].state);
    fputc('\n', stderr);
}

/* Returns NULL, or what is violated. */
static const char *explore(struct call_model model, const char *name)
{
    struct search_model search = {.arg = &model,
                                  .state_bytes = sizeof(struct call_state),
                                  .choices = CHOICES,
                                  .step = step,
                                  .check = check};
    struct call_state start = {.crashes_left = model.crashes,
                               .cancels_left = model.cancels,
                               .timeouts_left = model.timeouts};
    for (unsigned number = 0; number < WORKERS; number++) {
        start.workers[number].may_die = model.crashes > 0;
        start.blocks[number].life = number < model.workers ? ALIVE : NEVER;
    }
    return search_explore(&search, &start, name, model.variant == AS_BUILT ? tell : NULL);
}

#define TWO    .workers = 2, .lines = 2, .in_flight = 2
#define RETRY  .crashes = 1, .retries = 1
#define PARK   .sleeps = true
#define NAP    .sleeps = true, .naps = true
#define CALLER .caller_sleeps = true
#define THREE  .workers = 2, .lines = 3, .in_flight = 3, .calls = 3

static const struct {
    const char *name;
    struct call_model model;
} sizes[] = {
    {"claim, each access", {TWO, .calls = 2, .grain = FINE}},
    {"claim, a death, each access", {TWO, .calls = 1, RETRY, .grain = FINE}},
    {"reuse, each access", {.workers = 2, .lines = 2, .in_flight = 1, .calls = 3, .grain = FINE}},
    {"reuse", {TWO, .calls = 3}},
    {"a death", {TWO, .calls = 2, RETRY}},
    {"two deaths", {TWO, .calls = 1, .crashes = 2, .retries = 1}},
    {"cancel", {TWO, .calls = 2, .cancels = 1}},
    {"cancel and a death", {TWO, .calls = 1, .cancels = 1, RETRY}},
    {"time-out", {TWO, .calls = 2, .timeouts = 1}},
    {"time-out and cancel", {TWO, .calls = 1, .timeouts = 1, .cancels = 1}},
    {"time-out and a death", {TWO, .calls = 1, .timeouts = 1, RETRY}},
    {"recycled after each call", {TWO, .calls = 2, .recycles = true, PARK, .grain = COARSE}},
    {"park", {TWO, .calls = 2, PARK}},
    {"a sleeper dies", {TWO, .calls = 1, PARK, .crashes = 1}},
    {"the caller sleeps", {TWO, .calls = 1, PARK, RETRY, CALLER, .grain = COARSE}},
    {"a napper dies", {TWO, .calls = 1, NAP, .crashes = 1, .grain = COARSE}},
    {"a spinner dies", {TWO, .calls = 1, PARK, .spins = true, .crashes = 1, .grain = COARSE}},
    {"one worker dies",
     {.workers = 1,
      .lines = 2,
      .in_flight = 2,
      .calls = 2,
      NAP,
      .spins = true,
      RETRY,
      CALLER,
      .grain = COARSE}},
    {"calls that meet", {TWO, .calls = 2, NAP, .spins = true, .meet = 1}},
    {"calls that meet in a run", {THREE, NAP, .meet = 2, .grain = COARSE}},
    {"calls that meet in a run beside a spinner",
     {THREE, NAP, .spins = true, .meet = 2, .grain = COARSE}},
    {"recycled nappers", {TWO, .calls = 2, .recycles = true, NAP, .grain = COARSE}},
};

enum { SIZES = sizeof sizes / sizeof *sizes };

ParameterizedTestParameters(call_model, no_interleaving_loses_anything)
{
    static size_t numbers[SIZES];
    for (size_t i = 0; i < SIZES; i++)
        numbers[i] = SIZES - 1 - i; /* the longest one first */
    return cr_make_param_array(size_t, numbers, SIZES);
}

ParameterizedTest(size_t *number, call_model, no_interleaving_loses_anything, .timeout = 300)
{
    cr_expect_null(explore(sizes[*number].model, sizes[*number].name));
}

/* ---- known-bad ----------------------------------------------------------- */

/* Is caught; and it is the variant that is, not the size. */
static void expect_caught(struct call_model model, const char *violation, const char *name)
{
    const char *found = explore(model, name);
    cr_assert_not_null(found, "%s", name);
    cr_expect_str_eq(found, violation, "%s", name);
}
#define CATCH(violation, variant_, ...)                                                            \
    expect_caught((struct call_model){.variant = variant_, __VA_ARGS__}, violation, #variant_)

static const char in_vain[] = "a call is waited for in vain",
                  nowhere[] = "a call waits where nobody looks",
                  marked[] = "a worker that is to be killed takes a call";

Test(call_model, claims_that_go_wrong_are_caught, .timeout = 300)
{
    CATCH(nowhere, CLAIM_BEFORE_PUBLISH, TWO, .calls = 2);
    CATCH(in_vain, NAME_AFTER_CLAIM, TWO, .calls = 2, RETRY);
    CATCH(in_vain, REUSE_UNCOLLECTED, TWO, .calls = 3);
    CATCH("a call runs twice", STALE_CLAIM, TWO, .calls = 3);
    CATCH(nowhere, RETRY_WITHOUT_AGAIN, TWO, .calls = 2, RETRY);
    CATCH(nowhere, RUN_ENDS_WITH_WORKER, TWO, .calls = 2, .recycles = true);
}

Test(call_model, kills_of_the_innocent_are_caught, .timeout = 300)
{
    CATCH(marked, RUN_ON_WHEN_STOPPED, TWO, .calls = 2, .cancels = 1);
    CATCH(marked, FINISH_BY_STORE, TWO, .calls = 2, .cancels = 1);
    CATCH("a call is overdue that has just begun", MARK_WHATEVER_RUNS, TWO, .calls = 3,
          .timeouts = 1);
}

Test(call_model, lost_wakes_are_caught, .timeout = 300)
{
    CATCH(in_vain, NO_RING_AFTER_REPAIR, TWO, .calls = 1, PARK, RETRY, CALLER, .grain = COARSE);
    CATCH(in_vain, LOOK_BEFORE_PARKED, TWO, .calls = 1, PARK);
    CATCH(in_vain, NO_BARRIER, TWO, .calls = 1, PARK);
    CATCH(in_vain, BARRIER_LOST, TWO, .calls = 1, PARK, .crashes = 1);
    CATCH(in_vain, OWES_TOO_LATE, TWO, .calls = 1, PARK, .crashes = 1);
    CATCH(in_vain, SETTLES_TOO_EARLY, TWO, .calls = 1, PARK, .crashes = 1);
    CATCH(in_vain, SPINNER_OUTLIVES, TWO, .calls = 1, PARK, .spins = true, .crashes = 1,
          .grain = COARSE);
    CATCH(in_vain, PASSES_NOTHING_ON, TWO, .calls = 2, NAP, .meet = 1);
    CATCH(in_vain, RUN_NOT_TOLD_OF, THREE, NAP, .meet = 2, .grain = COARSE);
    CATCH(in_vain, RUNG_AND_NO_PROMISE, TWO, .calls = 2, NAP, .meet = 1);
    CATCH(in_vain, PROMISE_OUTLIVES, TWO, .calls = 2, NAP, .crashes = 1, .meet = 1,
          .grain = COARSE);
}
