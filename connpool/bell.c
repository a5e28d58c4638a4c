/* bell.c: sleeping and waking on the bell's word: the one place that calls futex(2).
 *
 * Shared futexes: the sleepers are in many processes. Deadlines are absolute on CLOCK_MONOTONIC, so
 * neither a changed wall clock nor a signal changes them. Who is woken is told so even if a signal
 * or the deadline comes at the same moment, and looks at the slots once more: no ring is lost on
 * the living. Source: futex(2). */
#include "bell.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t make(uint32_t sleepers, uint32_t rings)
{
    return (uint64_t)sleepers << 32 | rings;
}
static uint32_t sleepers_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}
static uint32_t rings_of(uint64_t word)
{
    return (uint32_t)word;
}

/* The half of the word that the kernel looks at. */
static uint32_t *rings_address(struct bell *bell)
{
    return (uint32_t *)(void *)&bell->word + (__BYTE_ORDER == __BIG_ENDIAN);
}

/* Returns how many were woken. */
static long wake(struct bell *bell, int most)
{
    return syscall(SYS_futex, rings_address(bell), FUTEX_WAKE, most, NULL, NULL, 0);
}

uint32_t twini_bell_join(struct bell *bell)
{
    /* order: seq_cst, and the fence: the look at the slots that follows comes after. Either it sees
     * a slot that was freed, or its releaser sees us. */
    uint64_t before = atomic_fetch_add_explicit(&bell->word, make(1, 0), memory_order_seq_cst);

    atomic_thread_fence(memory_order_seq_cst);
    return rings_of(before);
}

bool twini_bell_sleep(struct bell *bell, uint32_t rings, int64_t deadline_ns)
{
    const struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                                      .tv_nsec = (long)(deadline_ns % 1000000000)};
    long failed;

    do {
        failed = syscall(SYS_futex, rings_address(bell), FUTEX_WAIT_BITSET, rings,
                         deadline_ns == INT64_MAX ? NULL : &deadline, NULL, FUTEX_BITSET_MATCH_ANY);
    } while (failed && errno == EINTR);
    return !failed || errno != ETIMEDOUT; /* EAGAIN: it was rung before we slept */
}

/* Once the bell was rung it cannot be told who was struck off: then the count stays as it is. */
void twini_bell_leave(struct bell *bell, uint32_t rings)
{
    uint64_t word = atomic_load_explicit(&bell->word, memory_order_relaxed);

    /* relaxed: it promises nothing to anybody */
    while (rings_of(word) == rings && sleepers_of(word) > 0 &&
           !atomic_compare_exchange_weak_explicit(&bell->word, &word, word - make(1, 0),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void twini_bell_wake(struct bell *bell)
{
    uint64_t word = atomic_load_explicit(&bell->word, memory_order_relaxed), rung;

    do {
        if (sleepers_of(word) == 0)
            return; /* others have rung for all of them */
        rung = make(sleepers_of(word) - 1, rings_of(word) + 1);
        /* order: release; pairs with the join that reads it: who joins later sees the free slot */
    } while (!atomic_compare_exchange_weak_explicit(&bell->word, &word, rung, memory_order_release,
                                                    memory_order_relaxed));
    if (wake(bell, 1) == 0)
        /* Nobody slept, so whoever had joined before sees that the bell was rung. If the word is
         * still the same, nobody has joined since and stayed: the count was too high.
         * relaxed: as in twini_bell_leave() */
        atomic_compare_exchange_strong_explicit(&bell->word, &rung, make(0, rings_of(rung)),
                                                memory_order_relaxed, memory_order_relaxed);
}

/* Strikes nobody off. */
static void ring(struct bell *bell, int most)
{
    uint64_t word = atomic_load_explicit(&bell->word, memory_order_relaxed);

    /* order: as in twini_bell_wake() */
    while (!atomic_compare_exchange_weak_explicit(&bell->word, &word,
                                                  make(sleepers_of(word), rings_of(word) + 1),
                                                  memory_order_release, memory_order_relaxed))
        ;
    wake(bell, most);
}

void twini_bell_ring_for_the_dead(struct bell *bell)
{
    ring(bell, 1);
}

void twini_bell_ring_all(struct bell *bell)
{
    ring(bell, INT_MAX);
}
