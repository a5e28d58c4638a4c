/* test_connpool_model.c: every interleaving of the recovering protocol, with a death at every step.
 *
 * The protocol of admission_recovering.c, bell.c and reaper.c as a state machine, one atomic step at
 * a time, searched exhaustively: a few clients on one or two slots, some of which may be killed between
 * any two steps, or give up in their sleep, and a reaper that may be killed too and is then replaced by
 * the next. A wake-up takes any of those asleep. The slices in which the pool sleeps, and would find a
 * free slot late, are left out: what must hold, holds without them. In every state that can be reached: a client that believes to hold a slot is
 * the one that the slot's word names; who is told that no slot was free, could not have had one
 * at some moment since it asked; where no step is possible, nobody sleeps, and all slots are free. A
 * model that cannot fail proves nothing: known-bad variants must be caught. */
#include "model/search.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MOST_SLOTS = 2, MOST_CLIENTS = 4, NOBODY = 0 };

enum variant {
    AS_BUILT,
    SINGLE_SCAN,                 /* "none is free" after one scan */
    LOOK_BEFORE_JOIN,            /* sleep without a look after the join */
    RING_BEFORE_FREE,            /* the release in the wrong order */
    INTENT_BEFORE_RING,          /* the release forgets its announcement too early */
    LEAVE_WOKEN,                 /* strike oneself off, having been woken */
    LEAVE_UNASKED,               /* strike oneself off although the bell was rung */
    ZERO_UNASKED,                /* nobody asleep: count := 0, whoever joined meanwhile */
    REAPER_CLEARS_BEFORE_RING,   /* the reaper in the wrong order */
    REAPER_RINGS_FOR_THE_COUNTED /* the reaper trusts the count */
};

/* Free, look, strike, wake and zero are the steps of a release; see twini_bell_wake(). */
enum at {
    IDLE,
    SCAN,
    JOIN,
    FALL_ASLEEP,
    ASLEEP,
    LEAVE,
    HOLD,
    LOOK,
    STRIKE,
    WAKE,
    ZERO,
    CLEAR,
    DONE,
    DEAD
};
enum reaper_at { REAPER_IDLE, REAPER_FREE, REAPER_RING, REAPER_WAKE, REAPER_CLEAR };
enum then { RETRY, KEEP, GIVE_UP }; /* after LEAVE; RETRY: LEAVE_WOKEN only */

struct model_client {
    uint8_t at, rounds_left, intent;
    uint8_t only_looks;      /* time-out 0: wants an answer, and a true one */
    uint8_t joined, then;    /* while it is counted, and how it goes on after LEAVE */
    uint8_t first, next;     /* of a scan: where it began, and how far it is */
    uint8_t sum, last_sum;   /* of epochs; last_sum 255: there was no scan before */
    uint8_t saw_full;        /* all slots were held at some moment since the scans began */
    uint8_t slot;            /* in HOLD */
    uint8_t rings, sleepers; /* the bell's word, as noted at JOIN, or written at STRIKE */
};

struct state {
    struct model_client clients[MOST_CLIENTS];
    uint8_t epoch[MOST_SLOTS], owner[MOST_SLOTS]; /* owner: client + 1 */
    uint8_t rings, sleepers;                      /* the bell */
    uint8_t deaths_left, reaper_deaths_left, give_ups_left;
    uint8_t reaper, reaped; /* where the reaper is, and with whom */
    uint8_t unused[5];      /* up to a multiple of 8 */
};

_Static_assert(sizeof(struct state) % 8 == 0, "fingerprints go by 8 bytes");

struct connpool_model {
    enum variant variant;
    unsigned slots, clients;
    unsigned epochs; /* 0: nobody looks at them, so they are left out */
};

/* ---- the steps ----------------------------------------------------------------------------------
 */

static bool all_held(const struct connpool_model *model, const struct state *state)
{
    for (unsigned i = 0; i < model->slots; i++)
        if (state->owner[i] == NOBODY)
            return false;
    return true;
}

static void end_scan(struct model_client *client, enum at at)
{
    client->at = (uint8_t)at;
    client->first = client->next = client->sum = client->last_sum = client->saw_full = 0;
}

static void begin_scan(struct model_client *client, unsigned first)
{
    end_scan(client, SCAN);
    client->first = (uint8_t)first;
    client->last_sum = 255;
}

/* Joins again, and is still counted if it was counted for another one. */
static void retry(struct model_client *client)
{
    client->at = JOIN;
    client->joined = client->rings = 0;
}

static void leave(struct model_client *client, enum then then)
{
    client->at = LEAVE;
    client->then = (uint8_t)then;
}

/* A scan that found nothing. */
static void step_scanned(const struct connpool_model *model, struct model_client *client,
                         const char **violation)
{
    bool proven = client->sum == client->last_sum || model->variant == SINGLE_SCAN;

    if (client->joined) {
        end_scan(client, FALL_ASLEEP);
    } else if (!client->only_looks) {
        end_scan(client, JOIN);
    } else if (proven) {
        if (!client->saw_full)
            *violation = "told that no slot was free, and there always was";
        end_scan(client, CLEAR);
    } else {
        client->last_sum = client->sum;
        client->sum = client->next = 0;
    }
}

/* A look at one slot: takes it when it is free (load and compare-and-swap, repeated while it is).
 */
static void step_scan(const struct connpool_model *model, struct state *state, unsigned c,
                      const char **violation)
{
    struct model_client *client = &state->clients[c];
    unsigned i = (client->first + client->next) % model->slots;

    if (state->owner[i] == NOBODY) {
        state->owner[i] = (uint8_t)(c + 1);
        state->epoch[i] = (uint8_t)(state->epoch[i] + model->epochs);
        client->slot = (uint8_t)i;
        end_scan(client, HOLD);
        if (client->joined)
            leave(client, KEEP);
        return;
    }
    if (client->only_looks)
        client->sum = (uint8_t)(client->sum + state->epoch[i]);
    if (++client->next == model->slots)
        step_scanned(model, client, violation);
}

static void step_join(const struct connpool_model *model, struct state *state,
                      struct model_client *client, unsigned first)
{
    state->sleepers++;
    client->joined = 1;
    client->rings = state->rings;
    begin_scan(client, first);
    if (model->variant == LOOK_BEFORE_JOIN)
        end_scan(client, FALL_ASLEEP);
}

static void step_leave(const struct connpool_model *model, struct state *state,
                       struct model_client *client)
{
    bool rung = client->rings != state->rings && model->variant != LEAVE_UNASKED;

    if (!rung && state->sleepers > 0)
        state->sleepers--;
    client->at = client->then == KEEP ? HOLD : client->then == GIVE_UP ? CLEAR : JOIN;
    client->joined = client->then = client->rings = 0;
}

static void step_end(struct model_client *client)
{
    client->at = client->rounds_left ? IDLE : DONE;
    client->slot = client->only_looks = client->rings = client->sleepers = 0;
}

static void free_slot(struct state *state, struct model_client *client)
{
    state->owner[client->slot] = NOBODY;
}

/* The release has rung, or need not. */
static void step_rung(const struct connpool_model *model, struct state *state,
                      struct model_client *client)
{
    client->at = CLEAR;
    client->rings = client->sleepers = 0;
    if (model->variant == RING_BEFORE_FREE)
        free_slot(state, client);
    if (model->variant == INTENT_BEFORE_RING)
        step_end(client);
}

static void step_strike(const struct connpool_model *model, struct state *state,
                        struct model_client *client)
{
    if (state->sleepers == 0) {
        step_rung(model, state, client);
        return;
    }
    client->sleepers = --state->sleepers;
    client->rings = ++state->rings;
    client->at = WAKE;
}

static void step_zero(const struct connpool_model *model, struct state *state,
                      struct model_client *client)
{
    bool same = client->sleepers == state->sleepers && client->rings == state->rings;

    if (same || model->variant == ZERO_UNASKED)
        state->sleepers = 0;
    step_rung(model, state, client);
}

/* Wakes the choice-th of those asleep; false: there are not so many. */
static bool wake(const struct connpool_model *model, struct state *state, unsigned choice)
{
    for (unsigned c = 0; c < model->clients; c++) {
        if (state->clients[c].at == ASLEEP && choice-- == 0) {
            if (model->variant == LEAVE_WOKEN)
                leave(&state->clients[c], RETRY);
            else
                retry(&state->clients[c]);
            return true;
        }
    }
    return false;
}

static void step_release(const struct connpool_model *model, struct state *state,
                         struct model_client *client)
{
    client->at = LOOK;
    if (model->variant != RING_BEFORE_FREE)
        free_slot(state, client);
    if (model->variant == INTENT_BEFORE_RING)
        client->intent = 0;
}

/* Moves client c one step on. choice is where a scan begins, or who is woken. Returns whether it
 * could. */
static bool step_client(const struct connpool_model *model, struct state *state, unsigned c,
                        unsigned choice, const char **violation)
{
    struct model_client *client = &state->clients[c];

    switch (client->at) {
    case IDLE: /* one client may also only look */
        client->rounds_left--;
        client->intent = 1;
        client->only_looks = model->epochs && c == 0 && choice >= model->slots;
        begin_scan(client, choice % model->slots);
        return true;
    case SCAN:
        step_scan(model, state, c, violation);
        return true;
    case JOIN:
        step_join(model, state, client, choice % model->slots);
        return true;
    case FALL_ASLEEP:
        if (client->rings == state->rings)
            client->at = ASLEEP;
        else
            retry(client);
        return true;
    case LEAVE:
        step_leave(model, state, client);
        return true;
    case HOLD:
        step_release(model, state, client);
        return true;
    case LOOK:
        client->at = STRIKE;
        if (state->sleepers == 0)
            step_rung(model, state, client);
        return true;
    case STRIKE:
        step_strike(model, state, client);
        return true;
    case WAKE:
        if (wake(model, state, choice))
            step_rung(model, state, client);
        else if (choice == 0)
            client->at = ZERO;
        return true;
    case ZERO:
        step_zero(model, state, client);
        return true;
    case CLEAR:
        client->intent = 0;
        step_end(client);
        return true;
    default:
        return false;
    }
}

static void step_reaper(const struct connpool_model *model, struct state *state, unsigned choice)
{
    struct model_client *dead = &state->clients[state->reaped];
    bool early = model->variant == REAPER_CLEARS_BEFORE_RING;
    bool counted = model->variant == REAPER_RINGS_FOR_THE_COUNTED;

    switch (state->reaper) {
    case REAPER_FREE:
        for (unsigned i = 0; i < model->slots; i++) {
            if (state->owner[i] == state->reaped + 1) {
                state->owner[i] = NOBODY;
                state->epoch[i] = (uint8_t)(state->epoch[i] + model->epochs);
            }
        }
        state->reaper = early ? REAPER_CLEAR : REAPER_RING;
        break;
    case REAPER_RING:
        state->reaper = REAPER_WAKE;
        state->rings++;
        if (counted && state->sleepers == 0)
            state->reaper = REAPER_CLEAR;
        break;
    case REAPER_WAKE:
        if (!wake(model, state, choice) && choice > 0)
            break; /* the same as with a smaller choice */
        state->reaper = early ? REAPER_IDLE : REAPER_CLEAR;
        break;
    case REAPER_CLEAR:
        dead->intent = 0;
        state->reaper = early ? REAPER_RING : REAPER_IDLE;
        break;
    default:
        break;
    }
    if (state->reaper == REAPER_IDLE)
        state->reaped = 0;
}

/* ---- the search -------------------------------------------------------------------------------- */

/* Whom a step is for: each client has so many ways, may die and may give up; then the reaper's. */
enum { CLIENT_WAYS = MOST_CLIENTS + 2, DIES = MOST_CLIENTS, GIVES_UP };
enum { REAPER_WAYS = MOST_CLIENTS + 1, REAPER_DIES = MOST_CLIENTS };
enum { CHOICES = MOST_CLIENTS * CLIENT_WAYS + REAPER_WAYS };

static enum search_step die(struct state *state, unsigned c)
{
    uint8_t at = state->clients[c].at, intent = state->clients[c].intent;

    if (!state->deaths_left || at == DONE || at == DEAD)
        return SEARCH_BLOCKED;
    state->deaths_left--;
    state->clients[c] = (struct model_client){.at = DEAD, .intent = intent};
    return SEARCH_POSSIBLE;
}

static enum search_step give_up(struct state *state, unsigned c)
{
    if (!state->give_ups_left || state->clients[c].at != ASLEEP)
        return SEARCH_BLOCKED;
    state->give_ups_left--;
    leave(&state->clients[c], GIVE_UP);
    return SEARCH_POSSIBLE;
}

static enum search_step move_reaper(const struct connpool_model *model, struct state *state,
                                    unsigned way)
{
    if (way == REAPER_DIES) {
        if (state->reaper == REAPER_IDLE || !state->reaper_deaths_left)
            return SEARCH_BLOCKED;
        state->reaper_deaths_left--;
        state->reaper = REAPER_IDLE;
        state->reaped = 0;
        return SEARCH_POSSIBLE;
    }
    if (state->reaper != REAPER_IDLE) {
        step_reaper(model, state, way);
    } else {
        if (state->clients[way].at != DEAD || !state->clients[way].intent)
            return SEARCH_BLOCKED;
        state->reaper = REAPER_FREE;
        state->reaped = (uint8_t)way;
    }
    return SEARCH_DUE;
}

/* Notes for the clients that scan what they cannot know: that all slots are held. */
static void note_full(const struct connpool_model *model, struct state *state)
{
    for (unsigned c = 0; c < model->clients; c++)
        if (state->clients[c].at == SCAN && state->clients[c].only_looks && all_held(model, state))
            state->clients[c].saw_full = 1;
}

static enum search_step step(const void *arg, void *at, unsigned choice, const char **violation)
{
    const struct connpool_model *model = arg;
    struct state *state = at;
    unsigned c = choice / CLIENT_WAYS, way = choice % CLIENT_WAYS;
    enum search_step made;

    if (c == MOST_CLIENTS)
        made = move_reaper(model, state, way);
    else if (c >= model->clients)
        made = SEARCH_BLOCKED;
    else if (way == DIES)
        made = die(state, c);
    else if (way == GIVES_UP)
        made = give_up(state, c);
    else
        made = step_client(model, state, c, way, violation) ? SEARCH_DUE : SEARCH_BLOCKED;
    note_full(model, state);
    return made;
}

static const char *check(const void *arg, const void *at, bool at_rest)
{
    const struct connpool_model *model = arg;
    const struct state *state = at;

    for (unsigned c = 0; c < model->clients; c++) {
        const struct model_client *client = &state->clients[c];
        if (client->at == HOLD && state->owner[client->slot] != c + 1)
            return "a slot in two hands";
        if (at_rest && client->at == ASLEEP)
            return "a client sleeps for ever";
    }
    for (unsigned i = 0; at_rest && i < model->slots; i++)
        if (state->owner[i] != NOBODY)
            return "a slot is lost";
    return NULL;
}

struct size {
    unsigned slots, clients, rounds, deaths, reaper_deaths, give_ups, epochs;
};

static const char *explore(enum variant variant, struct size size)
{
    const struct connpool_model model = {
        .variant = variant, .slots = size.slots, .clients = size.clients, .epochs = size.epochs};
    const struct search_model search = {.arg = &model,
                                        .state_bytes = sizeof(struct state),
                                        .choices = CHOICES,
                                        .step = step,
                                        .check = check};
    struct state state = {.deaths_left = (uint8_t)size.deaths,
                          .reaper_deaths_left = (uint8_t)size.reaper_deaths,
                          .give_ups_left = (uint8_t)size.give_ups};
    char name[64];

    for (unsigned c = 0; c < size.clients; c++)
        state.clients[c].rounds_left = (uint8_t)size.rounds;
    (void)snprintf(name, sizeof name, "variant %d, %u slots, %u clients", (int)variant, size.slots,
                   size.clients);
    return search_explore(&search, &state, name, NULL);
}

Test(connpool_model, no_interleaving_loses_anything, .timeout = 300)
{
    static const struct size sizes[] = {
        {2, 3, 1, 0, 0, 0, 1}, {2, 3, 2, 0, 0, 0, 0}, {2, 4, 1, 0, 0, 1, 0}, {2, 3, 1, 3, 1, 1, 0},
        {2, 3, 1, 2, 1, 1, 1}, {1, 3, 2, 1, 0, 0, 0}, {1, 4, 1, 0, 0, 1, 0}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        cr_expect_null(explore(AS_BUILT, sizes[i]), "size %zu", i);
}

static void expect_caught(enum variant variant, struct size size)
{
    cr_expect_not_null(explore(variant, size), "variant %d", (int)variant);
}

/* It takes scans that begin at different slots, as those of the pool do. */
Test(connpool_model, one_scan_is_no_proof_of_fullness, .timeout = 120)
{
    expect_caught(SINGLE_SCAN, (struct size){.slots = 2, .clients = 3, .rounds = 2, .epochs = 1});
}

Test(connpool_model, a_look_before_the_join_misses_the_ring, .timeout = 120)
{
    expect_caught(LOOK_BEFORE_JOIN, (struct size){.slots = 2, .clients = 3, .rounds = 1});
}

Test(connpool_model, a_ring_before_the_free_wakes_in_vain, .timeout = 120)
{
    expect_caught(RING_BEFORE_FREE, (struct size){.slots = 2, .clients = 3, .rounds = 1});
}

Test(connpool_model, intent_cleared_before_the_ring_loses_a_wake_up, .timeout = 120)
{
    expect_caught(INTENT_BEFORE_RING,
                  (struct size){.slots = 2, .clients = 3, .rounds = 1, .deaths = 1});
}

/* The wake-up may come to one who joined after the strike. It takes three who wait for one slot. */
Test(connpool_model, who_leaves_although_it_was_woken_may_strike_off_another, .timeout = 120)
{
    expect_caught(LEAVE_WOKEN, (struct size){.slots = 1, .clients = 4, .rounds = 1});
}

Test(connpool_model, who_leaves_after_a_ring_may_strike_off_another, .timeout = 120)
{
    expect_caught(LEAVE_UNASKED, (struct size){.slots = 2, .clients = 4, .rounds = 1});
}

Test(connpool_model, a_count_is_not_cleared_over_those_who_joined_since, .timeout = 120)
{
    expect_caught(ZERO_UNASKED,
                  (struct size){.slots = 2, .clients = 4, .rounds = 1, .give_ups = 1});
}

Test(connpool_model, a_reaper_that_clears_before_it_rings_loses_a_wake_up, .timeout = 120)
{
    struct size size = {.slots = 2, .clients = 3, .rounds = 1, .deaths = 1};

    cr_expect_null(explore(REAPER_CLEARS_BEFORE_RING, size),
                   "as long as the reaper lives it does no harm");
    size.reaper_deaths = 1;
    expect_caught(REAPER_CLEARS_BEFORE_RING, size);
}

Test(connpool_model, a_reaper_must_not_trust_the_count, .timeout = 120)
{
    expect_caught(REAPER_RINGS_FOR_THE_COUNTED,
                  (struct size){.slots = 2, .clients = 3, .rounds = 1, .deaths = 1});
}
