/* lesson.c: {semaphore, none} x {atomic slot pick, plain slot pick}, with processes or threads.
 *
 * A pool makes two promises: at most N connections are in use, and no connection is in two hands.
 * One might think that the semaphore keeps both. It keeps the first: it counts. The second is kept
 * by whoever picks the slot: two workers whom the semaphore has let in look at the free list at the
 * same time, and both see slot 3 free. Only a pick in one indivisible step (compare-and-swap, or a
 * lock around it) keeps them apart. And without a semaphore there is nobody to make a worker wait:
 * who finds no free slot connects all the same, as programs without a pool do, and N is no bound.
 *
 * The race window of the plain pick is made honest, not hidden: between look and take the worker
 * yields the CPU once. On a busy machine the scheduler does the same to any program, only
 * seldomer, and then it is called a heisenbug. Plain means a load and a store that know nothing of
 * each other; they are written as relaxed atomics, which compile to the same two instructions.
 *
 * The witnesses are apart from what they watch: a counter of holders, and a word for each slot. */
#include "lesson.h"

#include "child.h"
#include "process.h"

#include <errno.h>
#include <omp.h>
#include <sched.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct lesson_slot {
    alignas(64) _Atomic unsigned taken;   /* the free list: 0 free */
    alignas(64) _Atomic unsigned in_hand; /* the witness: how many hold it */
};

struct lesson_shared {
    sem_t permits;
    alignas(64) _Atomic unsigned holders, most_holders;
    _Atomic uint64_t bound_violations, double_handouts, beyond_pool, operations;
    alignas(64) _Atomic unsigned ready, open;
    struct lesson_slot slots[];
};

/* ---- the two picks ------------------------------------------------------------------------------
 */

static int pick_atomic(struct lesson_shared *shared, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned free_slot = 0;

        /* order: acquire; pairs with the release in put_back() */
        if (atomic_compare_exchange_strong_explicit(&shared->slots[i].taken, &free_slot, 1,
                                                    memory_order_acquire, memory_order_relaxed))
            return (int)i;
    }
    return -1;
}

static int pick_plain(struct lesson_shared *shared, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (atomic_load_explicit(&shared->slots[i].taken, memory_order_relaxed))
            continue;
        sched_yield(); /* the window: see the head of the file */
        atomic_store_explicit(&shared->slots[i].taken, 1, memory_order_relaxed);
        return (int)i;
    }
    return -1;
}

static void put_back(struct lesson_shared *shared, int slot)
{
    atomic_store_explicit(&shared->slots[slot].taken, 0, memory_order_release);
}

/* ---- the witnesses; all relaxed: each is one counter --------------------------------------------
 */

static void watch_enter(struct lesson_shared *shared, unsigned n, int slot)
{
    unsigned holders = atomic_fetch_add_explicit(&shared->holders, 1, memory_order_relaxed) + 1;
    unsigned most = atomic_load_explicit(&shared->most_holders, memory_order_relaxed);

    if (holders > n)
        atomic_fetch_add_explicit(&shared->bound_violations, 1, memory_order_relaxed);
    while (holders > most &&
           !atomic_compare_exchange_weak_explicit(&shared->most_holders, &most, holders,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    if (slot < 0)
        atomic_fetch_add_explicit(&shared->beyond_pool, 1, memory_order_relaxed);
    else if (atomic_fetch_add_explicit(&shared->slots[slot].in_hand, 1, memory_order_relaxed) > 0)
        atomic_fetch_add_explicit(&shared->double_handouts, 1, memory_order_relaxed);
}

static void watch_leave(struct lesson_shared *shared, int slot)
{
    if (slot >= 0)
        atomic_fetch_sub_explicit(&shared->slots[slot].in_hand, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&shared->holders, 1, memory_order_relaxed);
}

/* ---- one worker ---------------------------------------------------------------------------------
 */

static void wait_for_permit(sem_t *permits)
{
    while (sem_wait(permits) != 0) /* EINTR is all that can fail here */
        ;
}

static void operate(const struct lesson *lesson, struct lesson_shared *shared)
{
    unsigned n = lesson->connections;
    int slot;

    if (lesson->semaphore)
        wait_for_permit(&shared->permits);
    do {
        slot = lesson->atomic_pick ? pick_atomic(shared, n) : pick_plain(shared, n);
    } while (slot < 0 && lesson->semaphore); /* with a permit there is a slot: look again */
    watch_enter(shared, n, slot);
    sched_yield(); /* the database works; the others may run */
    watch_leave(shared, slot);
    if (slot >= 0)
        put_back(shared, slot);
    if (lesson->semaphore)
        sem_post(&shared->permits); /* fails only past 2^31 */
}

static void work(const struct lesson *lesson, struct lesson_shared *shared)
{
    /* order: release and acquire; all see the gate open after all have come. */
    atomic_fetch_add_explicit(&shared->ready, 1, memory_order_acq_rel);
    while (atomic_load_explicit(&shared->ready, memory_order_acquire) < lesson->workers)
        sched_yield();
    for (unsigned k = 0; k < lesson->operations; k++)
        operate(lesson, shared);
    atomic_fetch_add_explicit(&shared->operations, lesson->operations, memory_order_relaxed);
}

/* ---- workers as processes, and as threads -------------------------------------------------------
 */

static int run_proc(const struct lesson *lesson, struct lesson_shared *shared, int *sys_errno)
{
    pid_t *pids = calloc(lesson->workers, sizeof *pids);
    int status;

    if (!pids) {
        *sys_errno = errno;
        return -1;
    }
    for (unsigned i = 0; i < lesson->workers; i++) {
        pids[i] = child_fork();
        if (pids[i] == 0) {
            work(lesson, shared);
            _exit(0);
        }
        if (pids[i] < 0) {
            *sys_errno = errno;
            child_kill_all(pids, i);
            free(pids);
            return -1;
        }
    }
    status = child_wait_all(pids, lesson->workers);
    free(pids);
    return status;
}

static int run_omp(const struct lesson *lesson, struct lesson_shared *shared, int *sys_errno)
{
    int team = 0;

#pragma omp parallel default(none) shared(lesson, shared, team) num_threads(lesson->workers)
    {
#pragma omp single
        team = omp_get_num_threads();
        if ((unsigned)team == lesson->workers)
            work(lesson, shared);
    }
    *sys_errno = EAGAIN;
    return (unsigned)team == lesson->workers ? 0 : -1;
}

int lesson_run(const struct lesson *lesson, struct lesson_outcome *outcome)
{
    size_t bytes = sizeof(struct lesson_shared) + lesson->connections * sizeof(struct lesson_slot);
    struct lesson_shared *shared = shared_pages(bytes);
    int64_t start_ns;
    int status;

    *outcome = (struct lesson_outcome){0};
    if (!shared || sem_init(&shared->permits, 1, lesson->connections) != 0) {
        outcome->sys_errno = errno;
        shared_pages_free(shared, bytes);
        return -1;
    }
    start_ns = twini_now_ns();
    status = lesson->backend == TWIN_OMP ? run_omp(lesson, shared, &outcome->sys_errno)
                                         : run_proc(lesson, shared, &outcome->sys_errno);
    outcome->elapsed_ns = twini_now_ns() - start_ns;
    outcome->operations = shared->operations;
    outcome->bound_violations = shared->bound_violations;
    outcome->double_handouts = shared->double_handouts;
    outcome->beyond_pool = shared->beyond_pool;
    outcome->most_holders = shared->most_holders;
    shared_pages_free(shared, bytes);
    return status;
}
