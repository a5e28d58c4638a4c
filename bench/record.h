/* record.h: how a measured program says what it measured: key=value lines on stdout, then "end".
 * The launcher turns each record into a row of samples.csv: see samples.h. */
#ifndef TWIN_BENCH_RECORD_H
#define TWIN_BENCH_RECORD_H

#include <stdint.h>

void record_text(const char *key, const char *value);
void record_number(const char *key, uint64_t value);

/* Prints three decimals. */
void record_fraction(const char *key, double value);

/* Closes the record and flushes, so that a later death of the program does not take it along. */
void record_end(void);

#endif
