/* test_standby_model.c: every interleaving of the call of a standby (engine/standby.h), with a death at
 * every step.
 *
 * The supervisor buries, replaces, and forks a standby; processes wait for a ring and ask which number
 * is theirs. What must hold: nobody serves a number that was given to another; and where no step is
 * due, each number is served, and there is a standby where there is to be one. Each known-bad variant
 * must be caught. A step is one access to shared memory; what the supervisor alone knows moves along. */
#include "model/search.h"

#include <criterion/criterion.h>

enum { NUMBERS = 2, MOST_DEATHS = 3, PROCESSES = NUMBERS + MOST_DEATHS + 1 };

enum variant {
    AS_BUILT,
    FORKS_UNHEARD,  /* a standby is forked though the one before has not heard its number */
    LEAVES_NUMBER,  /* a number that its process died before it heard stays where it was */
    RINGS_TOO_EARLY /* the ring goes before the number */
};

enum process_at { UNBORN, WAITS, ASKS, SERVES, DEAD, GONE };
struct process {
    uint8_t at, number; /* number: 1 + the one that it serves */
};

enum supervisor_at { IDLE, FIRST_OF_CALL, SECOND_OF_CALL, RENEW_BELL, FORK };

struct state {
    struct process processes[PROCESSES];
    uint8_t pid[NUMBERS];                 /* 1 + the process that has the number; 0: none */
    uint8_t bell, called, standby;        /* called: 1 + number; standby: 1 + process */
    uint8_t is_kept, at, number, process; /* the supervisor's own */
    uint8_t deaths_left;
    uint8_t unused[2]; /* up to a multiple of 8 */
};
_Static_assert(sizeof(struct state) % 8 == 0, "fingerprints go by 8 bytes");

/* ---- the supervisor ------------------------------------------------------ */

/* Returns 1 + the new process. */
static uint8_t make_process(struct state *state, enum process_at at, uint8_t number)
{
    for (uint8_t p = 0; p < PROCESSES; p++)
        if (state->processes[p].at == UNBORN) {
            state->processes[p] = (struct process){(uint8_t)at, number};
            return p + 1;
        }
    return 0;
}

static bool bury(enum variant variant, struct state *state)
{
    for (uint8_t p = 0; p < PROCESSES; p++) {
        if (state->processes[p].at != DEAD)
            continue;
        for (uint8_t number = 0; number < NUMBERS; number++) {
            if (state->pid[number] != p + 1)
                continue;
            state->pid[number] = 0;
            if (state->called == number + 1 && variant != LEAVES_NUMBER)
                state->called = 0;
        }
        if (state->standby == p + 1)
            state->standby = state->is_kept = 0;
        state->processes[p] = (struct process){.at = GONE};
        return true;
    }
    return false;
}

static bool replace(struct state *state)
{
    for (uint8_t number = 0; number < NUMBERS; number++) {
        if (state->pid[number])
            continue;
        state->is_kept = 1;
        if (state->standby) {
            state->number = number + 1;
            state->process = state->standby;
            state->standby = 0;
            state->at = FIRST_OF_CALL;
        } else {
            state->pid[number] = make_process(state, SERVES, number + 1);
        }
        return true;
    }
    return false;
}

static bool step_supervisor(enum variant variant, struct state *state, unsigned way)
{
    bool rings_first = variant == RINGS_TOO_EARLY;
    if (state->at != IDLE && way > 0)
        return false;
    switch (state->at) {
    case IDLE:
        if (way == 0)
            return bury(variant, state);
        if (way == 1)
            return replace(state);
        state->at = RENEW_BELL;
        return state->is_kept && !state->standby &&
               (state->called == 0 || variant == FORKS_UNHEARD);
    case FIRST_OF_CALL:
    case SECOND_OF_CALL:
        if ((state->at == FIRST_OF_CALL) == rings_first)
            state->bell++;
        else
            state->called = state->number;
        if (state->at++ == FIRST_OF_CALL)
            return true;
        state->pid[state->number - 1] = state->process;
        state->number = state->process = 0;
        break;
    case RENEW_BELL:
        state->bell = 0;
        state->at = FORK;
        return true;
    default: /* FORK */
        state->standby = make_process(state, WAITS, 0);
    }
    state->at = IDLE;
    return true;
}

/* ---- processes ----------------------------------------------------------- */

static bool step_process(struct state *state, uint8_t p, const char **violation)
{
    struct process *me = &state->processes[p];
    if (me->at == WAITS && state->bell > 0) {
        state->bell--;
        me->at = ASKS;
        return true;
    }
    if (me->at != ASKS)
        return false;
    me->number = state->called;
    state->called = 0;
    me->at = me->number ? SERVES : WAITS;
    uint8_t given = 0; /* the number of a call under way has its process a moment later */
    if (me->number)
        given = state->at == SECOND_OF_CALL ? state->process : state->pid[me->number - 1];
    if (me->number && given != p + 1)
        *violation = "a number is served that was given to another";
    return true;
}

/* ---- the search ---------------------------------------------------------- */

enum { SUPERVISOR_WAYS = 3, CHOICES = SUPERVISOR_WAYS + 2 * PROCESSES };

static enum search_step step(const void *arg, void *at, unsigned choice, const char **violation)
{
    enum variant variant = *(const enum variant *)arg;
    struct state *state = at;
    if (choice < SUPERVISOR_WAYS)
        return step_supervisor(variant, state, choice) ? SEARCH_DUE : SEARCH_BLOCKED;
    uint8_t p = (uint8_t)((choice - SUPERVISOR_WAYS) / 2);
    if ((choice - SUPERVISOR_WAYS) % 2 == 0)
        return step_process(state, p, violation) ? SEARCH_DUE : SEARCH_BLOCKED;
    bool is_alive = state->processes[p].at >= WAITS && state->processes[p].at <= SERVES;
    if (!is_alive || state->deaths_left == 0)
        return SEARCH_BLOCKED;
    state->deaths_left--;
    state->processes[p] = (struct process){.at = DEAD};
    return SEARCH_POSSIBLE;
}

static const char *check(const void *arg, const void *at, bool at_rest)
{
    const struct state *state = at;
    (void)arg;
    for (uint8_t number = 0; at_rest && number < NUMBERS; number++) {
        uint8_t pid = state->pid[number];
        if (!pid || state->processes[pid - 1].number != number + 1)
            return "a number is served by nobody";
    }
    return at_rest && state->is_kept && !state->standby ? "there is no standby" : NULL;
}

static const char *explore(enum variant variant, const char *name)
{
    const struct search_model search = {.arg = &variant,
                                        .state_bytes = sizeof(struct state),
                                        .choices = CHOICES,
                                        .step = step,
                                        .check = check};
    struct state start = {.deaths_left = MOST_DEATHS};
    for (uint8_t number = 0; number < NUMBERS; number++)
        start.pid[number] = make_process(&start, SERVES, number + 1);
    return search_explore(&search, &start, name, NULL);
}

static void expect_caught(enum variant variant, const char *name, const char *violation)
{
    const char *found = explore(variant, name);
    cr_assert_not_null(found, "%s", name);
    cr_expect_str_eq(found, violation, "%s", name);
}

Test(standby_model, every_number_is_served, .timeout = 60)
{
    cr_expect_null(explore(AS_BUILT, "as built"));
}

Test(standby_model, known_bad_ones_are_caught, .timeout = 60)
{
    expect_caught(FORKS_UNHEARD, "forks unheard", "a number is served by nobody");
    expect_caught(LEAVES_NUMBER, "leaves number", "there is no standby");
    expect_caught(RINGS_TOO_EARLY, "rings too early", "a number is served by nobody");
}
