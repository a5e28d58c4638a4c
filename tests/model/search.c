/* search.c: depth-first search with an explicit stack; the stack is the path. */
#include "model/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct frame {
    unsigned choice; /* the next to try */
    bool moved;      /* a move was due */
};

struct search {
    const struct search_model *model;
    uint64_t *seen; /* fingerprints; 0: free */
    size_t capacity, count;
    struct frame *frames;
    char *states; /* of the frames */
    size_t depth, stack_capacity;
};

static void *need(void *memory)
{
    if (!memory)
        abort(); /* a test: there is nobody to tell */
    return memory;
}

static uint64_t fingerprint(const char *state, size_t bytes)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15), word;
    for (size_t i = 0; i < bytes; i += sizeof word) {
        memcpy(&word, state + i, sizeof word);
        h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    h = (h ^ h >> 29) * UINT64_C(0xc4ceb9fe1a85ec53);
    h ^= h >> 32;
    return h ? h : 1;
}

/* False: it was there. */
static bool insert(struct search *search, uint64_t print)
{
    size_t i = print & (search->capacity - 1);
    for (; search->seen[i]; i = (i + 1) & (search->capacity - 1))
        if (search->seen[i] == print)
            return false;
    search->seen[i] = print;
    search->count++;
    return true;
}

static void grow(struct search *search)
{
    struct search old = *search;
    search->capacity = old.capacity ? old.capacity * 2 : 1 << 16;
    search->seen = need(calloc(search->capacity, sizeof *search->seen));
    search->count = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.seen[i])
            insert(search, old.seen[i]);
    free(old.seen);
}

static char *state_at(struct search *search, size_t depth)
{
    return search->states + depth * search->model->state_bytes;
}

/* The state above the stack was reached: it is searched next, unless it was seen before. */
static void reach(struct search *search)
{
    size_t bytes = search->model->state_bytes;
    if (search->count * 2 >= search->capacity)
        grow(search);
    if (!insert(search, fingerprint(state_at(search, search->depth), bytes)))
        return;
    search->frames[search->depth++] = (struct frame){.choice = 0};
    if (search->depth + 1 < search->stack_capacity)
        return;
    search->stack_capacity *= 2;
    search->frames = need(realloc(search->frames, search->stack_capacity * sizeof *search->frames));
    search->states = need(realloc(search->states, search->stack_capacity * bytes));
}

/* One choice of the top state. Returns NULL, or what was violated. */
static const char *advance(struct search *search)
{
    const struct search_model *model = search->model;
    struct frame *top = &search->frames[search->depth - 1];
    char *state = state_at(search, search->depth - 1), *next = state + model->state_bytes;
    const char *violation = NULL;
    if (top->choice == 0)
        violation = model->check(model->arg, state, false);
    if (violation)
        return violation;
    if (top->choice == model->choices) {
        if (!top->moved)
            violation = model->check(model->arg, state, true);
        search->depth -= !violation;
        return violation;
    }
    memcpy(next, state, model->state_bytes);
    enum search_step step = model->step(model->arg, next, top->choice++, &violation);
    if (step == SEARCH_BLOCKED)
        return NULL;
    top->moved = top->moved || step == SEARCH_DUE;
    if (!violation)
        reach(search);
    return violation;
}

struct search_result search_all(const struct search_model *model, const void *initial)
{
    struct search search = {.model = model, .stack_capacity = 1024};
    struct search_result result = {0};
    search.frames = need(malloc(search.stack_capacity * sizeof *search.frames));
    search.states = need(malloc(search.stack_capacity * model->state_bytes));
    memcpy(search.states, initial, model->state_bytes);
    reach(&search);
    while (search.depth > 0 && !result.violation)
        result.violation = advance(&search);
    result.states = search.count;
    result.path_length = search.depth;
    result.path = need(calloc(search.depth + 1, sizeof *result.path));
    for (size_t i = 0; i < search.depth; i++) /* one more than the last that was tried */
        result.path[i] = search.frames[i].choice - (search.frames[i].choice > 0);
    free(search.seen);
    free(search.frames);
    free(search.states);
    return result;
}

static void tell_path(const struct search_model *model, const void *initial,
                      const struct search_result *result,
                      void (*tell)(const void *arg, const void *state, unsigned choice))
{
    char *state = need(malloc(model->state_bytes)), *next = need(malloc(model->state_bytes));
    const char *violation = NULL;
    memcpy(state, initial, model->state_bytes);
    for (size_t i = 0; i < result->path_length; i++) {
        memcpy(next, state, model->state_bytes);
        if (model->step(model->arg, next, result->path[i], &violation) != SEARCH_BLOCKED)
            memcpy(state, next, model->state_bytes);
        tell(model->arg, state, result->path[i]);
    }
    free(state);
    free(next);
}

const char *search_explore(const struct search_model *model, const void *initial, const char *name,
                           void (*tell)(const void *arg, const void *state, unsigned choice))
{
    struct search_result result = search_all(model, initial);
    fprintf(stderr, "%s: %zu states, %s\n", name, result.states,
            result.violation ? result.violation : "nothing is violated");
    if (result.violation && tell)
        tell_path(model, initial, &result, tell);
    free(result.path);
    return result.violation;
}
