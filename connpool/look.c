/* look.c: what the pool can tell about itself: counters and pictures. Reads only; all loads are
 * relaxed, because a picture of a moving thing is a step behind however it is taken. */
#include "internal.h"

#include <string.h>

static uint64_t counter(_Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

int twin_connpool_stats(struct twin_connpool *pool, struct twin_connpool_stats *stats)
{
    struct connpool_shared *shared;

    if (!pool || !stats)
        return TWIN_EINVAL;
    shared = pool->shared;
    memset(stats, 0, sizeof *stats);
    for (unsigned i = 0; i < shared->connections; i++) {
        stats->direct += counter(&shared->slots[i].direct);
        stats->waited += counter(&shared->slots[i].waited);
        stats->released += counter(&shared->slots[i].released);
    }
    stats->timed_out = counter(&shared->timed_out);
    stats->recovered = counter(&shared->recovered);
    stats->reaped = counter(&shared->reaped);
    stats->connections = shared->connections;
    stats->active = twini_slots_active(shared);
    stats->waiting = pool->admission->waiting(pool);
    stats->high_water = atomic_load_explicit(&shared->high_water, memory_order_relaxed);
    for (unsigned i = 0; i < TWIN_CONNPOOL_WAIT_BUCKETS; i++)
        stats->wait_log2_ns[i] = counter(&shared->wait_log2_ns[i]);
    return 0;
}

int twin_connpool_picture(struct twin_connpool *pool, struct twin_connpool_picture *picture)
{
    struct connpool_shared *shared;
    int64_t now_ns = twini_coarse_ns();

    if (!pool || !picture)
        return TWIN_EINVAL;
    shared = pool->shared;
    memset(picture, 0, sizeof *picture);
    picture->total = shared->connections;
    picture->waiting = pool->admission->waiting(pool);
    for (unsigned i = 0; i < shared->connections; i++) {
        struct slot *slot = &shared->slots[i];
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        int64_t since_ns = atomic_load_explicit(&slot->since_ns, memory_order_relaxed);
        /* since is 0 for a moment after the take: that lease has no age yet */
        int64_t age_ns = since_ns && now_ns > since_ns ? now_ns - since_ns : 0;

        if (word_client(word) == 0)
            continue;
        picture->active++;
        if (picture->longest_pid && age_ns <= picture->longest_age_ns)
            continue;
        picture->longest_pid = twini_process_pid(twini_holder(pool, word));
        picture->longest_slot = i;
        picture->longest_age_ns = age_ns;
    }
    return 0;
}
