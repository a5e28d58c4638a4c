/* omp_watch.c: who is told when a call ends, on OpenMP.
 *
 * Any thread of the team may finish a call, and does so with a plain store: an exchange, to find
 * hooks that came late, would cost each call 7 ns. So the mark "watched" is set only while the call
 * is pending, by compare-and-swap against the one that starts it; who starts a marked call sees
 * that, and looks at its hooks when it finishes. A call that runs already stays unmarked: the
 * caller, who hooks, keeps it on a list and looks at it himself. That list is as short as the team
 * is small, and the futures of maps that run. */
#include "engine/omp_runtime.h"

int twini_omp_watch(struct twin_future *future)
{
    struct twini_omp_job *job = (struct twini_omp_job *)future;
    struct twini_omp *omp = job->omp;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    int state = TWIN_PENDING;
    /* order: acq_rel; pairs with twini_future_start(). acquire: an outcome is readable */
    if (atomic_compare_exchange_strong_explicit(&future->state, &state, TWINI_WATCHED_PENDING,
                                                memory_order_acq_rel, memory_order_acquire))
        return 0;
    if (state >= TWIN_SUCCEEDED)
        return TWIN_EDONE;
    if (state == TWIN_RUNNING && !job->unmarked) {
        twini_future_hold(future);
        job->unmarked = true;
        job->next_unmarked = omp->unmarked;
        omp->unmarked = job;
    }
    return 0;
}

void twini_omp_notice(struct twin_pool *pool)
{
    struct twini_omp *omp = pool->engine;
    struct twini_omp_job **link = &omp->unmarked;
    while (*link) {
        struct twini_omp_job *job = *link;
        if (!twini_future_is_final(&job->future)) {
            link = &job->next_unmarked;
            continue;
        }
        *link = job->next_unmarked;
        twini_future_fire(&job->future);
        twini_future_drop(&job->future);
    }
}
