/* map_repair.c: the supervisor's half of a map: what becomes of the chunk that a dead worker ran. The
 * outcome is written before its range is opened again: from then on the map may be seen ended. */
#include "engine/plan.h"
#include "engine/range.h"
#include "engine/worker.h"

/* Whether a chunk that was lost may be run again: counts how often it was. The supervisor's own
 * table; a chunk that finds no place in it is given up. */
static bool may_run_again(const struct twini_shared *shared, unsigned number, size_t chunk)
{
    enum { PLACES = 64 };
    static struct {
        size_t chunk;
        unsigned use, times;
    } lost[TWINI_MAP_SLOTS][PLACES];
    unsigned use = shared->maps[number].use;
    for (unsigned i = 0; i < PLACES && shared->retries; i++) {
        if (lost[number][i].use != use) {
            lost[number][i].use = use;
            lost[number][i].chunk = chunk;
            lost[number][i].times = 0;
        }
        if (lost[number][i].chunk == chunk)
            return lost[number][i].times++ < shared->retries;
    }
    return false;
}

/* The item that a dead worker was computing. Of a kernel's chunk only the first is known; so it is when
 * the worker died before it had begun, and  item  is of a chunk before. */
static size_t lost_item(const struct twini_shared *shared, const struct twini_map_slot *slot,
                        unsigned worker, size_t chunk)
{
    struct twini_plan plan = {slot->map.count, slot->chunk, slot->chunks};
    size_t first = twini_plan_first(&plan, chunk);
    /* relaxed: its writer is dead */
    size_t item = atomic_load_explicit(&shared->worker[worker].item, memory_order_relaxed);
    bool begun = item >= first && item - first < twini_plan_items(&plan, chunk);
    return slot->map.kernel || !begun ? first : item;
}

static void record_death(struct twini_shared *shared, struct twini_map_slot *slot, unsigned worker,
                         size_t chunk, int error, pid_t pid, int status)
{
    if (atomic_load_explicit(&slot->death_pid, memory_order_relaxed)) /* ours */
        return;
    slot->death_index = lost_item(shared, slot, worker, chunk);
    slot->death_status = status;
    slot->death_error = error;
    /* order: release; pairs with acquire in twini_map_end() */
    atomic_store_explicit(&slot->death_pid, pid, memory_order_release);
}

bool twini_map_repair(struct twini_shared *shared, unsigned worker, pid_t pid, int status)
{
    bool was_meant = false;
    for (unsigned number = 0; number < TWINI_MAP_SLOTS; number++) {
        struct twini_map_slot *slot = &shared->maps[number];
        size_t chunk;
        enum twini_range_loss loss = twini_range_repair(shared, number, worker, &chunk);
        bool again = loss == TWINI_RANGE_LOST && may_run_again(shared, number, chunk);
        if (loss == TWINI_RANGE_LOST && !again)
            record_death(shared, slot, worker, chunk, TWIN_EWORKER, pid, status);
        if (loss == TWINI_RANGE_TIMED_OUT)
            record_death(shared, slot, worker, chunk, TWIN_ETASKTIMEOUT, pid, status);
        if (loss == TWINI_RANGE_TIMED_OUT || loss == TWINI_RANGE_WAS_STOPPED)
            was_meant = true;
        if (loss != TWINI_RANGE_NO_LOSS && !again)
            /* relaxed: a hint: nobody needs the rest of this map */
            atomic_store_explicit(&slot->lowest_failed, 0, memory_order_relaxed);
        twini_range_reopen(twini_range_of(shared, number, worker), again); /* now others see it */
    }
    return was_meant;
}
