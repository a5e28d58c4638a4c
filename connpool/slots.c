/* slots.c: counting the slots in use. Taking and freeing one is in slots.h. All relaxed:
 * statistics. */
#include "internal.h"

unsigned twini_slots_active(struct connpool_shared *shared)
{
    unsigned active = 0;

    for (unsigned i = 0; i < shared->connections; i++)
        active +=
            word_client(atomic_load_explicit(&shared->slots[i].word, memory_order_relaxed)) != 0;
    return active;
}

/* Counts the holders, unless all were in use at once before. */
void twini_high_water_update(struct connpool_shared *shared)
{
    unsigned seen = atomic_load_explicit(&shared->high_water, memory_order_relaxed);
    unsigned active = seen < shared->connections ? twini_slots_active(shared) : 0;

    while (active > seen &&
           !atomic_compare_exchange_weak_explicit(&shared->high_water, &seen, active,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}
