/* standby.c: see standby.h. */
#include "engine/standby.h"
#include "engine/fault.h"
#include "engine/worker.h"
#include "engine/worker_process.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static _Noreturn void stand_by(const struct twini_supervision *of)
{
    struct twini_shared *shared = of->shared;
    uint32_t called;
    twini_become_worker(of);
    TWINI_FAULT("standing_by");
    do {
        (void)twini_doorbell_wait(&shared->standby_bell, INT64_MAX);
        /* order: acq_rel; once it is 0 the bell may be another's */
        called = atomic_exchange_explicit(&shared->standby_called, 0, memory_order_acq_rel);
    } while (!called);
    TWINI_FAULT("called");
    (void)twini_worker_main(shared, called - 1);
    _exit(EXIT_SUCCESS);
}

void twini_standby_fork(struct twini_standby *standby)
{
    struct twini_shared *shared = standby->of->shared;
    /* order: acquire; pairs with the exchange in stand_by() */
    if (atomic_load_explicit(&shared->standby_called, memory_order_acquire))
        return;
    twini_doorbell_init(&shared->standby_bell);
    pid_t pid = fork();
    if (pid == 0)
        stand_by(standby->of);
    standby->is_kept = pid > 0; /* or not before the next replacement */
    if (pid < 0)
        return;
    /* relaxed: ours; others read it when we are dead */
    atomic_store_explicit(&shared->standby, pid, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->forks, 1, memory_order_relaxed); /* a counter */
}

pid_t twini_standby_call(struct twini_standby *standby, unsigned number)
{
    struct twini_shared *shared = standby->of->shared;
    pid_t pid = twini_standby_of(standby);
    if (pid == 0)
        return 0;
    /* relaxed, both: the first is ours, the other is ordered by the ring, a semaphore */
    atomic_store_explicit(&shared->standby, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->standby_called, number + 1, memory_order_relaxed);
    twini_doorbell_ring(&shared->standby_bell);
    return pid;
}

void twini_standby_bury(struct twini_shared *shared, unsigned number)
{
    uint32_t called = number + 1;
    /* relaxed: the only other one to move it is dead */
    atomic_compare_exchange_strong_explicit(&shared->standby_called, &called, 0,
                                            memory_order_relaxed, memory_order_relaxed);
}

void twini_standby_died(struct twini_standby *standby, pid_t pid)
{
    if (pid != twini_standby_of(standby))
        return;
    /* relaxed: ours */
    atomic_store_explicit(&standby->of->shared->standby, 0, memory_order_relaxed);
    standby->is_kept = false;
}

void twini_standby_dismiss(struct twini_standby *standby)
{
    standby->is_kept = false;
    if (twini_standby_of(standby))
        (void)kill(twini_standby_of(standby), SIGKILL);
}
