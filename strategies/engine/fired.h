/* fired.h: hooks that have fired, for one reader. Whoever finishes a future puts its hook here, in
 * any thread; the reader takes them, first fired first. Once put, the list is all that the firing
 * thread touched: a reader that has taken every hook may free their memory. */
#ifndef TWINI_FIRED_H
#define TWINI_FIRED_H

#include "engine/future.h"

struct twini_fired {
    struct twini_hook *_Atomic newest; /* writers: any thread that finishes */
    struct twini_hook *oldest;         /* taken from newest, and put in order; the reader's */
};

static inline void twini_fired_put(struct twini_fired *fired, struct twini_hook *hook)
{
    struct twini_hook *newest = atomic_load_explicit(&fired->newest, memory_order_relaxed);
    do
        hook->next = newest;
    /* order: release; pairs with acquire in twini_fired_take(); the outcome is readable */
    while (!atomic_compare_exchange_weak_explicit(&fired->newest, &newest, hook,
                                                  memory_order_release, memory_order_relaxed));
}

/* ready() for struct twini_wait; arg is the list. */
static inline bool twini_fired_any(void *arg)
{
    struct twini_fired *fired = arg;
    /* relaxed: twini_fired_take() looks again */
    return fired->oldest || atomic_load_explicit(&fired->newest, memory_order_relaxed);
}

/* pre: there is one. */
static inline struct twini_hook *twini_fired_take(struct twini_fired *fired)
{
    if (!fired->oldest) {
        /* order: acquire; pairs with release in twini_fired_put() */
        struct twini_hook *newest =
            atomic_exchange_explicit(&fired->newest, NULL, memory_order_acquire);
        while (newest) {
            struct twini_hook *next = newest->next;
            newest->next = fired->oldest;
            fired->oldest = newest;
            newest = next;
        }
    }
    struct twini_hook *hook = fired->oldest;
    fired->oldest = hook->next;
    return hook;
}

#endif
