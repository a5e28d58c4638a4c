/* random.h: splitmix64, the only source of chance in bench/: small, seeded, the same everywhere.
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
#ifndef TWIN_BENCH_RANDOM_H
#define TWIN_BENCH_RANDOM_H

#include <stdint.h>

/* Steps *state and returns 64 bits. Any seed is a good one, 0 too. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Returns a number below bound (> 0). The bias, below bound / 2^64, is of no concern here. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return random_next(state) % bound;
}

#endif
