/* permit.c: waiting for a permit: the one place that sleeps on the semaphore and retries EINTR.
 *
 * sem_t only counts, parks and wakes; it has no owner, so it never says who holds what. Deadlines
 * are absolute on CLOCK_MONOTONIC (sem_clockwait, glibc 2.30): a changed wall clock or a signal
 * changes no deadline. A waiter that is killed leaves glibc's count of waiters raised: each later
 * post then makes a system call (about 200 ns more), for as long as the pool lives. Known, and only
 * a cost. Source: sem_clockwait(3), glibc nptl/sem_waitcommon.c. */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* Returns whether it got a permit; false: the deadline has passed. */
bool twini_permit_wait(struct connpool_shared *shared, int64_t deadline_ns)
{
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                                .tv_nsec = (long)(deadline_ns % 1000000000)};
    int failed;

    do {
        failed = deadline_ns == INT64_MAX
                     ? sem_wait(&shared->permits)
                     : sem_clockwait(&shared->permits, CLOCK_MONOTONIC, &deadline);
    } while (failed && errno == EINTR);
    return !failed;
}

int64_t twini_deadline_ns(int64_t now_ns, int64_t timeout_ns)
{
    return timeout_ns < 0 || timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns;
}

/* Brackets everything that may sleep. The wait is no cancellation point (a thread that vanished in
 * it would leave its client entry behind), and close() can tell when all threads are out. */
void twini_wait_begin(struct twin_connpool *pool, int *cancel_state)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, cancel_state); /* fails for bad states only */
    /* relaxed: close() starts after all calls have, by its contract */
    atomic_fetch_add_explicit(&pool->process->waiting, 1, memory_order_relaxed);
}

void twini_wait_end(struct twin_connpool *pool, int cancel_state)
{
    /* order: release; pairs with the acquire in close(): after it this thread touches the pool
     * no more unless it got a lease */
    atomic_fetch_sub_explicit(&pool->process->waiting, 1, memory_order_release);
    pthread_setcancelstate(cancel_state, NULL);
}

void twini_wait_record(struct connpool_shared *shared, int64_t waited_ns)
{
    uint64_t ns = waited_ns > 0 ? (uint64_t)waited_ns : 1;
    unsigned bucket = 63u - (unsigned)__builtin_clzll(ns);

    if (bucket >= TWIN_CONNPOOL_WAIT_BUCKETS)
        bucket = TWIN_CONNPOOL_WAIT_BUCKETS - 1;
    atomic_fetch_add_explicit(&shared->wait_log2_ns[bucket], 1, memory_order_relaxed);
}
