/* standby.h: a process in reserve.
 *
 * A fork takes milliseconds where pages are dear. So a pool that has had to replace a worker keeps one more
 * process from then on: forked when nothing else happens, asleep until it is called, by a ring, to be the
 * worker of a number. It has no number before, so it holds nothing. It acknowledges the number before the
 * next one is forked, whose bell is the same. If it is killed, the next replacement is a fork, and the
 * next standby comes after that: whoever kills them does not make us fork for all we are worth. */
#ifndef TWINI_STANDBY_H
#define TWINI_STANDBY_H

#include "engine/supervisor.h"

/* The supervisor's own. */
struct twini_standby {
    const struct twini_supervision *of;
    bool is_kept; /* there is to be one */
};

/* 0: there is none. */
static inline pid_t twini_standby_of(const struct twini_standby *standby)
{
    /* relaxed: the supervisor alone writes it */
    return atomic_load_explicit(&standby->of->shared->standby, memory_order_relaxed);
}

static inline bool twini_standby_is_due(const struct twini_standby *standby)
{
    return standby->is_kept && !twini_standby_of(standby);
}

/* Forks one, unless the one before has not heard its number yet. */
void twini_standby_fork(struct twini_standby *standby);
/* Makes it the worker of that number. Returns its pid; it may be dead, and is buried like any worker
 * then. 0: there was none. */
pid_t twini_standby_call(struct twini_standby *standby, unsigned number);
/* Whoever had that number is dead, maybe before he heard it. */
void twini_standby_bury(struct twini_shared *shared, unsigned number);
/* A process is dead that may be the standby. */
void twini_standby_died(struct twini_standby *standby, pid_t pid);
/* There is to be none. It is reaped like a worker. */
void twini_standby_dismiss(struct twini_standby *standby);

#endif
