/* test_range_model.c: every interleaving of the protocol of a map's ranges, with a death at every step.
 *
 * The protocol that range.h describes, as a state machine (model/range_model.h), searched exhaustively in a
 * few small sizes. What must hold in every state that can be reached: a chunk runs once in each attempt and
 * gets one outcome; a map is not said to have ended before each chunk has one; and nobody waits for ever:
 * where no step is due, the map has ended. Where chunks meet, none ends before all have begun: then no
 * worker may sleep while a chunk waits that nobody runs. A model that cannot fail proves nothing: each
 * known-bad variant must be caught. */
#include "model/range_model.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void tell(const void *arg, const void *at, unsigned choice)
{
    const struct range_model *model = arg;
    const struct range_state *state = at;
    fprintf(stderr, "%2u:", choice);
    for (unsigned w = 0; w < model->workers; w++)
        fprintf(stderr, " | w%u at %u life %u, %u-%u thief %u state %u", w, state->workers[w].at,
                state->workers[w].life, state->ranges[w].next, state->ranges[w].end,
                state->ranges[w].thief, state->ranges[w].state);
    fprintf(stderr, " | supervisor %u | caller %u\n", state->supervisor.at, state->caller.at);
}

/* Returns NULL, or what is violated. */
static const char *explore(struct range_model model, const char *name)
{
    struct search_model search = {.arg = &model,
                                  .state_bytes = sizeof(struct range_state),
                                  .choices = range_model_choices,
                                  .step = range_model_step,
                                  .check = range_model_check};
    struct range_state start = range_model_start(&model);
    return search_explore(&search, &start, name, model.variant == RANGES_AS_BUILT ? tell : NULL);
}

#define TWO   .workers = 2, .dealt = 2
#define SPARE .workers = 3, .dealt = 1

static const struct {
    const char *name;
    struct range_model model;
} sizes[] = {
    {"two workers", {TWO, .chunks = 4}},
    {"three workers", {.workers = 3, .dealt = 2, .chunks = 3}},
    {"a spare one", {SPARE, .chunks = 2}},
    {"chunks that meet", {SPARE, .chunks = 3, .meets = true}},
    {"chunks that meet, backwards", {SPARE, .backwards = true, .chunks = 3, .meets = true}},
    {"a death", {TWO, .chunks = 3, .crashes = 1}},
    {"a death and a retry", {TWO, .chunks = 3, .crashes = 1, .retries = 1}},
    {"a death of three", {SPARE, .chunks = 1, .crashes = 1}},
    {"two deaths", {TWO, .chunks = 2, .crashes = 2, .retries = 1}},
    {"a stop", {TWO, .chunks = 3, .stops = 1}},
    {"a stop and a death", {TWO, .chunks = 2, .stops = 1, .crashes = 1}},
    {"overdue", {TWO, .chunks = 3, .overdues = 1}},
    {"one leaves", {TWO, .chunks = 3, .leaves = 1}},
    {"one leaves and one dies", {TWO, .chunks = 2, .leaves = 1, .crashes = 1}},
    {"overdue and a death", {TWO, .chunks = 2, .overdues = 1, .crashes = 1}},
};

Test(range_model, no_interleaving_loses_anything, .timeout = 300)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        cr_expect_null(explore(sizes[i].model, sizes[i].name));
}

/* ---- known-bad ----------------------------------------------------------- */

static void expect_caught(struct range_model model, const char *name)
{
    cr_expect_not_null(explore(model, name), "%s", name);
}
#define CATCH(variant_, ...)                                                                       \
    expect_caught((struct range_model){.variant = variant_, __VA_ARGS__}, #variant_)

Test(range_model, known_bad_variants_are_caught, .timeout = 300)
{
    CATCH(ENDS_WITHOUT_FLAG, SPARE, .backwards = true, .chunks = 1);
    CATCH(ENDS_WITHOUT_COUNT, SPARE, .chunks = 3);
    CATCH(SLEEPS_WITHOUT_FLAG, SPARE, .chunks = 3, .meets = true);
    CATCH(SLEEPS_WITHOUT_COUNT, SPARE, .backwards = true, .chunks = 3, .meets = true);
    CATCH(SLEEPS_WHEN_NONE_TO_ROB, SPARE, .chunks = 3, .meets = true);
    CATCH(NOTES_AFTER_THEFT, TWO, .chunks = 3, .crashes = 1);
    CATCH(RELEASES_BEFORE_LANDING, TWO, .chunks = 3, .crashes = 1);
    CATCH(ROBS_BESIDE_A_THIEF, SPARE, .backwards = true, .chunks = 2, .crashes = 1);
    CATCH(REOPENS_BEFORE_OUTCOME, TWO, .chunks = 2, .crashes = 1);
    CATCH(RUNS_ON_WHEN_STOPPED, TWO, .chunks = 3, .stops = 1);
    CATCH(ENDS_WHEN_ALL_ARE_EMPTY, TWO, .chunks = 2);
}
