/* latin.c: randomised Latin squares. Whatever the place within a round does to an arm (caches
 * warmed up by the one before, a slow drift of the machine), over a whole square it does to all
 * alike.
 *
 * The cyclic square  cell(row, place) = row + place mod arms  becomes a random one by permuting
 * rows, places and arms, each of which keeps it Latin. After arms rounds another square begins.
 * Nothing is stored: a round is computed from the seed and its number. Source: Fisher and Yates,
 * 1934; Durstenfeld's shuffle, CACM 1964. */
#include "latin.h"

#include "workloads/random.h"

/* Fills list with a random order of 0..count. */
static void shuffle(uint64_t *state, size_t count, size_t *list)
{
    for (size_t i = 0; i < count; i++) {
        const size_t j = (size_t)random_below(state, i + 1);
        list[i] = list[j];
        list[j] = i;
    }
}

void latin_round(uint64_t seed, size_t arms, size_t round, size_t *order)
{
    size_t rows[LATIN_MOST], places[LATIN_MOST], symbols[LATIN_MOST];
    uint64_t state = seed + round / arms;
    state = random_next(&state); /* neighbouring seeds must not give related squares */
    shuffle(&state, arms, rows);
    shuffle(&state, arms, places);
    shuffle(&state, arms, symbols);
    for (size_t place = 0; place < arms; place++)
        order[place] = symbols[(rows[round % arms] + places[place]) % arms];
}
