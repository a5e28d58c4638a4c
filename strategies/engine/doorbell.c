/* doorbell.c: park and wake, and who is awake.
 *
 * The one place where a process sleeps. Lost wake-ups are ruled out as usual (Dekker): a sleeper
 * first says that it will sleep (parked bit, target word), then looks for work once more, then
 * waits; a ringer first publishes the work, then looks who sleeps. Both sides are sequentially
 * consistent. Who clears the bit rings: so a sleeper is rung once, and a dead one's bit harms
 * nobody. Source: POSIX sem_init(3) with pshared; sem_clockwait(3), because sem_timedwait() follows
 * the wall clock, which may jump. */
#include "engine/doorbell.h"
#include "engine/shared.h"

#include <errno.h>
#include <time.h>

void twini_doorbell_init(struct twini_doorbell *bell)
{
    (void)sem_init(&bell->semaphore, 1, 0); /* fails only for a value over SEM_VALUE_MAX */
}

void twini_doorbell_ring(struct twini_doorbell *bell)
{
    (void)sem_post(
        &bell->semaphore); /* EOVERFLOW: 2^31 rings wait already; one more says nothing new */
}

bool twini_doorbell_wait(struct twini_doorbell *bell, int64_t deadline_ns)
{
    int error;
    do {
        if (deadline_ns == INT64_MAX) {
            error = sem_wait(&bell->semaphore);
        } else {
            struct timespec deadline = {.tv_sec = deadline_ns / 1000000000,
                                        .tv_nsec = deadline_ns % 1000000000};
            error = sem_clockwait(&bell->semaphore, CLOCK_MONOTONIC, &deadline);
        }
    } while (error && errno == EINTR);
    return error == 0;
}

/* ---- who is awake -------------------------------------------------------- */

void twini_ring_caller(struct twini_shared *shared, uint64_t target)
{
    /* order: seq_cst; after the publishing compare-and-swap: see the head of the file */
    uint64_t wanted = atomic_load_explicit(&shared->target, memory_order_seq_cst);
    if (wanted == 0)
        return;
    bool hit = wanted == TWINI_TARGET_ANY || wanted == target;
    /* a call behind the one waited for, of the same batch: that one is done too */
    if (!hit && (wanted >> 62) == 1 && (wanted >> 8) == (target >> 8) && target > wanted)
        hit = true;
    /* order: relaxed; the ring itself (a semaphore) orders what follows */
    if (hit && atomic_compare_exchange_strong_explicit(&shared->target, &wanted, 0,
                                                       memory_order_relaxed, memory_order_relaxed))
        twini_doorbell_ring(&shared->bell);
}

unsigned twini_ring_workers(struct twini_shared *shared, unsigned count)
{
    unsigned rung = 0, words = (shared->workers + 63) / 64;
    for (unsigned i = 0; i < words && rung < count; i++) {
        /* order: seq_cst; after the work was published: see the head of the file */
        uint64_t bits = atomic_load_explicit(&shared->parked[i], memory_order_seq_cst);
        while (bits && rung < count) {
            uint64_t bit = bits & -bits;
            bits &= ~bit;
            /* order: seq_cst, as above; the winner rings */
            if (atomic_fetch_and_explicit(&shared->parked[i], ~bit, memory_order_seq_cst) & bit) {
                twini_doorbell_ring(&shared->worker[i * 64 + (unsigned)__builtin_ctzll(bit)].bell);
                rung++;
            }
        }
    }
    return rung;
}

void twini_ring_all(struct twini_shared *shared)
{
    for (unsigned i = 0; i < shared->workers; i++)
        twini_doorbell_ring(&shared->worker[i].bell);
    /* order: relaxed; it only says that nobody needs to ring again */
    atomic_store_explicit(&shared->target, 0, memory_order_relaxed);
    twini_doorbell_ring(&shared->bell);
}

unsigned twini_count_parked(const struct twini_shared *shared)
{
    unsigned count = 0;
    for (unsigned i = 0; i < (shared->workers + 63) / 64; i++)
        /* relaxed: advice on how to wait, nothing depends on it */
        count += (unsigned)__builtin_popcountll(
            atomic_load_explicit(&shared->parked[i], memory_order_relaxed));
    return count;
}

bool twini_any_parked(const struct twini_shared *shared)
{
    for (unsigned i = 0; i < (shared->workers + 63) / 64; i++)
        /* order: seq_cst; after the work was published: see the head of the file */
        if (atomic_load_explicit(&shared->parked[i], memory_order_seq_cst))
            return true;
    return false;
}

bool twini_any_spinner(const struct twini_shared *shared)
{
    for (unsigned i = 0; i < shared->spin_slots; i++)
        /* order: seq_cst; after the work was published: see the head of the file */
        if (atomic_load_explicit(&shared->spinner[i], memory_order_seq_cst))
            return true;
    return false;
}
