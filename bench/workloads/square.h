/* square.h: the work of the study: square random 32-bit integers, optionally with busy work on top.
 *
 * All arms link the one object file made of square.c, so that no arm is compiled luckier than
 * another. Words: value, an int32_t to square; poison, what results hold before a call;
 * spin, one step of the busy loop. */
#ifndef TWIN_BENCH_SQUARE_H
#define TWIN_BENCH_SQUARE_H

#include <stddef.h>
#include <stdint.h>

/* Returns value * value. Never inlined: a call per number is part of the work, everywhere. */
int64_t square(int32_t value);

/* The context of square_task and square_kernel; NULL means no busy work. */
struct square_work {
    uint64_t spins; /* steps of the busy loop before each square: see square_spins() */
};

/* A twin_task: squares one int32_t into one int64_t. context: const struct square_work * or NULL.
 */
int square_task(void *result, const void *item, void *context);

/* A twin_kernel: the same for count of them. */
int square_kernel(void *results, const void *items, size_t count, void *context);

/* Fills values with numbers spread over all of int32_t; the same seed gives the same numbers. */
void square_fill(int32_t *values, size_t count, uint64_t seed);

/* Fills results with what no square is (a negative number). */
void square_poison(int64_t *results, size_t count);

/* Returns a checksum in which the place counts: a swap of two unequal results changes it. */
uint64_t square_checksum(const int64_t *results, size_t count);

/* Returns what square_checksum() must give for these values, without the help of square(). */
uint64_t square_expected(const int32_t *values, size_t count);

/* Burns spins steps of a chain of dependent multiplications. */
void square_burn(uint64_t spins);

/* Returns how many spins take a millisecond on this CPU now: the fastest of several tries. Takes
 * about 20 ms. Busy work is a number of steps, not a time by the clock: a task that is preempted
 * must still do all of its work, else an oversubscribed run would look good for nothing. */
uint64_t square_calibrate(void);

/* Returns the spins for work_ns of busy work at this many spins per millisecond. */
uint64_t square_spins(uint64_t work_ns, uint64_t spins_per_ms);

#endif
