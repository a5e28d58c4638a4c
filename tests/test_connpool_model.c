/* test_connpool_model.c: every interleaving of the recovering protocol, with a death at every step.
 *
 * The protocol of admission_recovering.c and reaper.c as a state machine, one atomic step at a
 * time, searched exhaustively (depth first, visited states in a hash set): a few clients on two
 * slots, some of which may be killed between any two steps, and a reaper that may be killed too and
 * is then replaced by the next. What must hold in every state that can be reached: a client that
 * believes to hold a slot is the one that the slot's word names; nobody waits for ever: where no
 * step is possible, nobody is waiting; at rest all slots are free and permits are not fewer than
 * slots. A model that cannot fail proves nothing: three known-bad variants must be caught. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2, MOST_CLIENTS = 4, NOBODY = 0 };

enum variant { AS_BUILT, SINGLE_SCAN, INTENT_BEFORE_POST, REAPER_CLEARS_BEFORE_POST };

enum at { IDLE, WAIT, SCAN, HOLD, POST, CLEAR, DONE, DEAD };
enum reaper_at { REAPER_IDLE, REAPER_FREE, REAPER_POST, REAPER_CLEAR };

struct model_client {
    uint8_t at, rounds_left, intent;
    uint8_t first, next;   /* of a scan: where it began, and how far it is */
    uint8_t sum, last_sum; /* of epochs; last_sum 255: there was no scan before */
    uint8_t slot;          /* in HOLD */
};

struct state {
    struct model_client clients[MOST_CLIENTS];
    uint8_t epoch[SLOTS], owner[SLOTS]; /* owner: client + 1 */
    uint8_t permits, deaths_left, reaper_deaths_left;
    uint8_t reaper, reaped; /* where the reaper is, and with whom */
};

struct search {
    enum variant variant;
    unsigned clients;
    struct state *visited;
    uint8_t *used;
    size_t capacity, count;
    struct state *stack;
    size_t depth, stack_capacity;
    const char *violation;
};

/* ---- the visited set and the stack --------------------------------------------------------------
 */

static uint64_t hash(const struct state *state)
{
    const uint8_t *bytes = (const uint8_t *)state;
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < sizeof *state; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static void grow(struct search *search);

static bool insert(struct search *search, const struct state *state)
{
    size_t i;

    if (search->count * 2 >= search->capacity)
        grow(search);
    for (i = hash(state) & (search->capacity - 1); search->used[i];
         i = (i + 1) & (search->capacity - 1))
        if (memcmp(&search->visited[i], state, sizeof *state) == 0)
            return false;
    search->used[i] = 1;
    search->visited[i] = *state;
    search->count++;
    return true;
}

static void grow(struct search *search)
{
    struct search old = *search;

    search->capacity = old.capacity ? old.capacity * 2 : 1 << 16;
    search->visited = malloc(search->capacity * sizeof *search->visited);
    search->used = calloc(search->capacity, 1);
    cr_assert(search->visited && search->used);
    search->count = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.used[i])
            insert(search, &old.visited[i]);
    free(old.visited);
    free(old.used);
}

static void reach(struct search *search, const struct state *state)
{
    if (!insert(search, state))
        return;
    if (search->depth == search->stack_capacity) {
        search->stack_capacity = search->stack_capacity ? search->stack_capacity * 2 : 1024;
        search->stack = realloc(search->stack, search->stack_capacity * sizeof *search->stack);
        cr_assert_not_null(search->stack);
    }
    search->stack[search->depth++] = *state;
}

/* ---- the steps ----------------------------------------------------------------------------------
 */

static void end_scan(struct model_client *client, enum at at)
{
    client->at = (uint8_t)at;
    client->first = client->next = client->sum = client->last_sum = 0;
}

static void begin_scan(struct model_client *client, uint8_t last_sum)
{
    client->at = SCAN;
    client->next = 0;
    client->sum = 0;
    client->last_sum = last_sum;
}

/* A look at one slot: takes it when it is free (load and compare-and-swap, repeated while it is).
 */
static void step_scan(const struct search *search, struct state *state, unsigned c)
{
    struct model_client *client = &state->clients[c];
    unsigned i = (client->first + client->next) % SLOTS;

    if (state->owner[i] == NOBODY) {
        state->owner[i] = (uint8_t)(c + 1);
        state->epoch[i]++;
        client->slot = (uint8_t)i;
        end_scan(client, HOLD);
        return;
    }
    client->sum = (uint8_t)(client->sum + state->epoch[i]);
    if (++client->next < SLOTS)
        return;
    if (client->sum == client->last_sum || search->variant == SINGLE_SCAN) {
        end_scan(client, WAIT); /* the permit is dropped */
    } else {
        begin_scan(client, client->sum);
    }
}

static void step_end(struct model_client *client)
{
    client->at = client->rounds_left ? IDLE : DONE;
    client->slot = 0;
}

/* Moves client c one step on; a scan begins at slot first. Returns whether it could. */
static bool step_client(const struct search *search, struct state *state, unsigned c,
                        unsigned first)
{
    struct model_client *client = &state->clients[c];
    bool early = search->variant == INTENT_BEFORE_POST;

    switch (client->at) {
    case IDLE:
        client->rounds_left--;
        client->intent = 1;
        client->at = WAIT;
        return true;
    case WAIT:
        if (state->permits == 0)
            return false;
        state->permits--;
        client->first = (uint8_t)first;
        begin_scan(client, 255);
        return true;
    case SCAN:
        step_scan(search, state, c);
        return true;
    case HOLD: /* release */
        state->owner[client->slot] = NOBODY;
        client->at = early ? CLEAR : POST;
        return true;
    case POST:
        state->permits++;
        client->at = CLEAR;
        if (early)
            step_end(client);
        return true;
    case CLEAR:
        client->intent = 0;
        client->at = POST;
        if (!early)
            step_end(client);
        return true;
    default:
        return false;
    }
}

static void step_reaper(const struct search *search, struct state *state)
{
    struct model_client *dead = &state->clients[state->reaped];
    bool early = search->variant == REAPER_CLEARS_BEFORE_POST;

    switch (state->reaper) {
    case REAPER_FREE:
        for (unsigned i = 0; i < SLOTS; i++) {
            if (state->owner[i] == state->reaped + 1) {
                state->owner[i] = NOBODY;
                state->epoch[i]++;
            }
        }
        state->reaper = early ? REAPER_CLEAR : REAPER_POST;
        break;
    case REAPER_POST:
        state->permits++;
        state->reaper = early ? REAPER_IDLE : REAPER_CLEAR;
        break;
    case REAPER_CLEAR:
        dead->intent = 0;
        state->reaper = early ? REAPER_POST : REAPER_IDLE;
        break;
    default:
        break;
    }
    if (state->reaper == REAPER_IDLE)
        state->reaped = 0;
}

/* ---- the search ---------------------------------------------------------------------------------
 */

static void check(struct search *search, const struct state *state)
{
    for (unsigned c = 0; c < search->clients; c++)
        if (state->clients[c].at == HOLD && state->owner[state->clients[c].slot] != c + 1)
            search->violation = "a slot in two hands";
}

static void check_rest(struct search *search, const struct state *state)
{
    for (unsigned c = 0; c < search->clients; c++)
        if (state->clients[c].at == WAIT)
            search->violation = "a client waits for ever";
    for (unsigned i = 0; i < SLOTS; i++)
        if (state->owner[i] != NOBODY)
            search->violation = "a slot is lost";
    if (state->permits < SLOTS)
        search->violation = "a permit is lost";
}

static bool expand_clients(struct search *search, const struct state *state)
{
    bool moved = false;

    for (unsigned c = 0; c < search->clients; c++) {
        struct state next;

        for (unsigned first = 0; first < SLOTS; first++) { /* it matters at the start of a scan */
            next = *state;
            if (step_client(search, &next, c, first)) {
                moved = true;
                reach(search, &next);
            }
        }
        next = *state;
        if (next.deaths_left && next.clients[c].at != DONE && next.clients[c].at != DEAD) {
            uint8_t intent = next.clients[c].intent;

            next.deaths_left--;
            next.clients[c] = (struct model_client){.at = DEAD, .intent = intent};
            reach(search, &next); /* a death is possible, not due: it does not count as a move */
        }
    }
    return moved;
}

static bool expand_reaper(struct search *search, const struct state *state)
{
    struct state next = *state;
    bool moved = false;

    if (state->reaper != REAPER_IDLE) {
        step_reaper(search, &next);
        reach(search, &next);
        next = *state;
        if (next.reaper_deaths_left) {
            next.reaper_deaths_left--;
            next.reaper = REAPER_IDLE;
            next.reaped = 0;
            reach(search, &next);
        }
        return true;
    }
    for (unsigned c = 0; c < search->clients; c++) {
        next = *state;
        if (next.clients[c].at != DEAD || !next.clients[c].intent)
            continue;
        next.reaper = REAPER_FREE;
        next.reaped = (uint8_t)c;
        reach(search, &next);
        moved = true;
    }
    return moved;
}

static const char *explore(enum variant variant, unsigned clients, unsigned rounds, unsigned deaths,
                           unsigned reaper_deaths, size_t *states)
{
    struct search search = {.variant = variant, .clients = clients};
    struct state state;

    memset(&state, 0, sizeof state);
    state.permits = SLOTS;
    state.deaths_left = (uint8_t)deaths;
    state.reaper_deaths_left = (uint8_t)reaper_deaths;
    for (unsigned c = 0; c < clients; c++)
        state.clients[c].rounds_left = (uint8_t)rounds;
    reach(&search, &state);
    while (search.depth > 0 && !search.violation) {
        state = search.stack[--search.depth];
        check(&search, &state);
        bool moved = expand_clients(&search, &state);
        if (!expand_reaper(&search, &state) && !moved)
            check_rest(&search, &state);
    }
    *states = search.count;
    free(search.visited);
    free(search.used);
    free(search.stack);
    return search.violation;
}

Test(connpool_model, no_interleaving_loses_anything, .timeout = 300)
{
    static const struct {
        unsigned clients, rounds, deaths, reaper_deaths;
    } sizes[] = {{2, 3, 0, 0}, {3, 2, 0, 0}, {4, 1, 0, 0},
                 {3, 1, 3, 1}, {3, 2, 1, 1}, {4, 1, 1, 1}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t states;
        const char *violation = explore(AS_BUILT, sizes[i].clients, sizes[i].rounds,
                                        sizes[i].deaths, sizes[i].reaper_deaths, &states);

        cr_expect_null(violation, "size %zu: %s", i, violation);
        cr_log_info("size %zu: %zu states", i, states);
    }
}

/* It takes scans that begin at different slots, as those of the pool do. */
Test(connpool_model, one_scan_is_no_proof_of_fullness, .timeout = 120)
{
    size_t states;

    cr_expect_not_null(explore(SINGLE_SCAN, 4, 1, 0, 0, &states));
}

Test(connpool_model, intent_cleared_before_the_post_loses_a_permit, .timeout = 120)
{
    size_t states;

    cr_expect_not_null(explore(INTENT_BEFORE_POST, 2, 1, 1, 0, &states));
}

Test(connpool_model, a_reaper_that_clears_before_it_posts_loses_a_permit, .timeout = 120)
{
    size_t states;

    cr_expect_null(explore(REAPER_CLEARS_BEFORE_POST, 2, 1, 1, 0, &states),
                   "as long as the reaper lives it does no harm");
    cr_expect_not_null(explore(REAPER_CLEARS_BEFORE_POST, 2, 1, 1, 1, &states));
}
