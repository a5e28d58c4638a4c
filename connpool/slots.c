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

/* Counts the holders, when the semaphore says that there may be more than ever before. */
void twini_high_water_raise(struct connpool_shared *shared, unsigned seen)
{
    unsigned active = twini_slots_active(shared);

    while (active > seen &&
           !atomic_compare_exchange_weak_explicit(&shared->high_water, &seen, active,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}
