/* spare.c: when those who were let sleep are woken after all. Advice throughout: a wake-up too early
 * costs time, and one too late waits for the caller's next heartbeat. */
#include "engine/spare.h"
#include "engine/awake.h"
#include "engine/range.h"

#include <sys/resource.h>

enum { LOOK_EVERY_NS = 100000 };

unsigned twini_spare_dealt(const struct twini_shared *shared, size_t chunks, unsigned workers,
                           bool will_wait)
{
    return will_wait && workers > shared->cpus && chunks > shared->cpus ? shared->cpus : workers;
}

static int64_t ns(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

static struct twini_spare_watch look(void)
{
    struct rusage used = {0};
    (void)getrusage(RUSAGE_THREAD, &used); /* cannot fail */
    return (struct twini_spare_watch){.wall_ns = twini_now_ns(),
                                      .cpu_ns = ns(used.ru_utime) + ns(used.ru_stime),
                                      .waits = used.ru_nvcsw};
}

void twini_spare_watch(struct twini_spare_watch *watch, const struct twini_map_slot *slot)
{
    if (twini_spare_any(slot))
        *watch = look();
}

static unsigned wake(struct twini_shared *shared, struct twini_map_slot *slot)
{
    /* relaxed: who is woken sees the map because he was rung */
    unsigned spare = atomic_exchange_explicit(&slot->spare, 0, memory_order_relaxed);
    return spare ? twini_ring_workers(shared, spare) : 0;
}

void twini_spare_look(struct twini_spare_watch *watch, struct twini_shared *shared,
                      struct twini_map_slot *slot)
{
    if (!twini_spare_any(slot))
        return;
    if (twini_now_ns() - watch->wall_ns < LOOK_EVERY_NS)
        return;
    struct twini_spare_watch now = look();
    /* off the CPU, and not because others took it away */
    if (now.waits > watch->waits && (now.cpu_ns - watch->cpu_ns) * 2 < now.wall_ns - watch->wall_ns)
        (void)wake(shared, slot);
    *watch = now;
}

unsigned twini_spare_beat(struct twini_shared *shared, unsigned number)
{
    struct twini_map_slot *slot = &shared->maps[number];
    if (!twini_spare_any(slot))
        return 0;
    size_t owners, left = twini_ranges_left(shared, number, &owners);
    if (left == 0) /* what runs is all there is to do */
        return 0;
    bool goes_on = left < slot->left_at_beat;
    slot->left_at_beat = left;
    return goes_on ? 0 : wake(shared, slot);
}
