/* admission.c: at most max_pending calls are in flight: who comes too early waits, or is told so.
 *
 * It comes before the submit, under the same lock, so that a submit that was admitted finds room.
 * A shutdown or terminate from another thread sends those who wait here home, and does not return
 * before they have left: its pool may be freed next. */
#include "engine/proc_runtime.h"

static bool is_open(const struct twini_proc *proc)
{
    /* relaxed: as in pool.c; who shuts down wakes us afterwards, under the lock */
    return atomic_load_explicit(&proc->pool->phase, memory_order_relaxed) == TWINI_OPEN;
}

static bool may_go_on(void *arg)
{
    struct twini_proc *proc = arg;
    return twini_proc_has_place(proc) || proc->broken || !is_open(proc);
}

int twini_proc_admit_late(struct twini_proc *proc, bool may_wait)
{
    if (proc->broken)
        return is_open(proc) ? TWIN_EWORKER : TWIN_ECLOSED;
    if (!may_wait) {
        twini_proc_collect(proc);
        return twini_proc_has_place(proc) ? 0 : TWIN_EAGAIN;
    }
    proc->blocked++;
    (void)twini_proc_wait(proc, may_go_on, proc, NULL, TWINI_TARGET_ANY, INT64_MAX);
    proc->blocked--;
    if (is_open(proc))
        return proc->broken ? TWIN_EWORKER : 0;
    pthread_cond_broadcast(&proc->follower); /* twini_proc_dismiss() waits for us */
    return TWIN_ECLOSED;
}

void twini_proc_dismiss(struct twini_proc *proc)
{
    while (proc->blocked > 0) {
        twini_doorbell_ring(&proc->shared->bell); /* whoever leads; a ring too many harms nobody */
        pthread_cond_broadcast(&proc->follower);
        pthread_cond_wait(&proc->follower, &proc->lock);
    }
}
