/* search.h: every state that a model can reach, depth first.
 *
 * A model is a state of fixed size, without padding, and a numbered set of choices: who moves next,
 * and which way. The search tries each choice in each state. What was seen is kept as fingerprints
 * of 64 bits: of n states one is taken for another, and left out, with a chance of n^2 / 2^65: of ten
 * million, 3 in a million. The path to a violation is kept. */
#ifndef TWIN_TESTS_SEARCH_H
#define TWIN_TESTS_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum search_step {
    SEARCH_BLOCKED,  /* this choice is not possible here; the state may be spoilt */
    SEARCH_POSSIBLE, /* a move that may never come (a death): who waits for it waits for ever */
    SEARCH_DUE       /* a move that will come if nothing else does */
};

struct search_model {
    const void *arg;
    size_t state_bytes; /* a multiple of 8 */
    unsigned choices;
    /* Moves the state; *violation, if that must not be. */
    enum search_step (*step)(const void *arg, void *state, unsigned choice, const char **violation);
    /* What must hold in each state; at_rest: no move is due. Returns NULL, or what is violated. */
    const char *(*check)(const void *arg, const void *state, bool at_rest);
};

struct search_result {
    const char *violation; /* NULL: none can be reached */
    size_t states;
    unsigned *path; /* choices that lead to the violation; free() it */
    size_t path_length;
};

struct search_result search_all(const struct search_model *model, const void *initial);
/* The same, and says on standard error what came of it; of a violation also, by tell unless NULL, each
 * choice on the way to it and the state that it led to. Returns NULL, or what is violated. */
const char *search_explore(const struct search_model *model, const void *initial, const char *name,
                           void (*tell)(const void *arg, const void *state, unsigned choice));

#endif
