/* latin.h: in which order the arms of a round run. */
#ifndef TWIN_BENCH_LATIN_H
#define TWIN_BENCH_LATIN_H

#include <stddef.h>
#include <stdint.h>

enum { LATIN_MOST = 256 };

/* Fills order[0..arms) with the arms of round number round, each once; arms is at most LATIN_MOST.
 * Over any arms rounds that begin at a multiple of arms, each arm stands at each place exactly
 * once. The same seed gives the same order. */
void latin_round(uint64_t seed, size_t arms, size_t round, size_t *order);

#endif
