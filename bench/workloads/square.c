/* square.c: the one object file that every arm links: the work, its data and its check.
 *
 * square() is kept out of line so that no arm gets a vectorised loop that another could not have;
 * what the strategies are compared on is how they hand out numbers, not what the compiler does.
 * The checksum weighs each result by an odd number that depends on its place, modulo 2^64. An odd
 * weight has an inverse, so one wrong result always changes the sum. A swap of unequal results
 * changes it unless their difference times their distance is a multiple of 2^63, which random
 * values do not hit by accident. Invariant: square_expected() never calls square(): the check does
 * not rest on what it checks. */
#include "square.h"

#include <string.h>

#include "../clock.h"
#include "random.h"

#define POISON_BYTE 0xA5

__attribute__((noinline)) int64_t square(int32_t value)
{
    return (int64_t)value * value;
}

/* noinline and the empty asm keep the chain whole: each step waits for the one before. */
__attribute__((noinline)) void square_burn(uint64_t spins)
{
    uint64_t chain = spins | 1;
    for (uint64_t i = 0; i < spins; i++) {
        chain = chain * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(chain));
    }
}

int square_task(void *result, const void *item, void *context)
{
    const struct square_work *work = context;
    if (work != NULL && work->spins > 0)
        square_burn(work->spins);
    *(int64_t *)result = square(*(const int32_t *)item);
    return 0;
}

int square_kernel(void *results, const void *items, size_t count, void *context)
{
    const struct square_work *work = context;
    const uint64_t spins = work != NULL ? work->spins : 0;
    int64_t *squares = results;
    const int32_t *values = items;
    if (spins == 0) {
        for (size_t i = 0; i < count; i++)
            squares[i] = square(values[i]);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        square_burn(spins);
        squares[i] = square(values[i]);
    }
    return 0;
}

void square_fill(int32_t *values, size_t count, uint64_t seed)
{
    uint64_t state = seed;
    size_t i = 0;
    for (; i + 1 < count; i += 2) {
        const uint64_t bits = random_next(&state);
        values[i] = (int32_t)(uint32_t)bits;
        values[i + 1] = (int32_t)(uint32_t)(bits >> 32);
    }
    if (i < count)
        values[i] = (int32_t)(uint32_t)random_next(&state);
}

void square_poison(int64_t *results, size_t count)
{
    memset(results, POISON_BYTE, count * sizeof *results);
}

static uint64_t weight(size_t place)
{
    return 2 * (uint64_t)place + 1;
}

uint64_t square_checksum(const int64_t *results, size_t count)
{
    uint64_t sum = count;
    for (size_t i = 0; i < count; i++)
        sum += (uint64_t)results[i] * weight(i);
    return sum;
}

uint64_t square_expected(const int32_t *values, size_t count)
{
    uint64_t sum = count;
    for (size_t i = 0; i < count; i++) {
        const int64_t value = values[i];
        sum += (uint64_t)(value * value) * weight(i);
    }
    return sum;
}

uint64_t square_calibrate(void)
{
    enum { tries = 9, spins = 1000000 };
    uint64_t best_ns = UINT64_MAX;
    square_burn(spins);
    for (int i = 0; i < tries; i++) {
        const uint64_t start_ns = now_ns();
        square_burn(spins);
        const uint64_t took_ns = now_ns() - start_ns;
        if (took_ns < best_ns)
            best_ns = took_ns;
    }
    return (uint64_t)spins * 1000000 / (best_ns > 0 ? best_ns : 1);
}

uint64_t square_spins(uint64_t work_ns, uint64_t spins_per_ms)
{
    return work_ns * spins_per_ms / 1000000;
}
