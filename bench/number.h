/* number.h: reads numbers from a command line, strictly: digits and nothing else. */
#ifndef TWIN_BENCH_NUMBER_H
#define TWIN_BENCH_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Reads a whole decimal number from least to most. Returns false, and leaves *out alone, for
 * anything else: a sign, a space, 1e6, 8x, an empty text, too large. */
bool number_read(const char *text, uint64_t least, uint64_t most, uint64_t *out);

#endif
