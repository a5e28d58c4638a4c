/* map_repair.c: the supervisor's half of a map: what becomes of the chunk that a dead worker ran. The
 * outcome is written before its range is opened again: from then on the map may be seen ended. */
#include "engine/plan.h"
#include "engine/range.h"
#include "engine/worker.h"

#include <stdlib.h>

/* How often each chunk of a map was lost; the supervisor's own. */
struct losses {
    struct {
        size_t chunk;
        unsigned times;
    } * lost;
    size_t count, room;
    unsigned use; /* of the slot: which map it is about */
};

static unsigned *times_lost(struct losses *losses, size_t chunk)
{
    for (size_t i = 0; i < losses->count; i++)
        if (losses->lost[i].chunk == chunk)
            return &losses->lost[i].times;
    if (losses->count == losses->room) {
        size_t room = losses->room ? 2 * losses->room : 16;
        void *more = realloc(losses->lost, room * sizeof *losses->lost);
        if (!more)
            return NULL;
        losses->lost = more;
        losses->room = room;
    }
    losses->lost[losses->count].chunk = chunk;
    losses->lost[losses->count].times = 0;
    return &losses->lost[losses->count++].times;
}

/* Whether a chunk that was lost may be run again: counts that it was. Not if there is no memory to count. */
static bool may_run_again(const struct twini_shared *shared, unsigned number, size_t chunk)
{
    static struct losses of_slot[TWINI_MAP_SLOTS];
    struct losses *losses = &of_slot[number];
    if (shared->retries == 0)
        return false;
    if (losses->use != shared->maps[number].use) {
        losses->use = shared->maps[number].use;
        losses->count = 0;
    }
    unsigned *times = times_lost(losses, chunk);
    return times && (*times)++ < shared->retries;
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
    size_t item = lost_item(shared, slot, worker, chunk);
    /* relaxed: ours */
    if (atomic_load_explicit(&slot->death_pid, memory_order_relaxed) && slot->death_index < item)
        return;
    slot->death_index = item;
    slot->death_status = status;
    slot->death_error = error;
    /* order: release; pairs with acquire in twini_map_end() */
    atomic_store_explicit(&slot->death_pid, pid, memory_order_release);
}

/* Whether an iterator was told that the chunk is there: then its worker died behind it. */
static bool is_done(const struct twini_map_slot *slot, size_t chunk)
{
    /* relaxed: its writer is dead */
    return slot->told &&
           atomic_load_explicit(&slot->told[chunk], memory_order_relaxed) == TWINI_CHUNK_DONE;
}

/* Nobody needs the rest of this map; an iterator still hands out what precedes the loss. */
static void give_up(struct twini_map_slot *slot, size_t chunk, enum twini_range_loss loss)
{
    struct twini_plan plan = {slot->map.count, slot->chunk, slot->chunks};
    bool is_iterated = slot->told && loss != TWINI_RANGE_WAS_STOPPED;
    twini_map_lower(slot, is_iterated ? twini_plan_first(&plan, chunk) : 0);
    twini_chunk_tell(slot, chunk, TWINI_CHUNK_FAILED);
}

/* Returns whether the chunk is to be run again. */
static bool repair(struct twini_shared *shared, unsigned number, unsigned worker, size_t chunk,
                   enum twini_range_loss loss, pid_t pid, int status)
{
    struct twini_map_slot *slot = &shared->maps[number];
    if (is_done(slot, chunk))
        return false;
    if (loss == TWINI_RANGE_LOST && may_run_again(shared, number, chunk))
        return true;
    if (loss == TWINI_RANGE_LOST)
        record_death(shared, slot, worker, chunk, TWIN_EWORKER, pid, status);
    if (loss == TWINI_RANGE_TIMED_OUT)
        record_death(shared, slot, worker, chunk, TWIN_ETASKTIMEOUT, pid, status);
    give_up(slot, chunk, loss);
    return false;
}

bool twini_map_repair(struct twini_shared *shared, unsigned worker, pid_t pid, int status)
{
    bool was_meant = false;
    for (unsigned number = 0; number < TWINI_MAP_SLOTS; number++) {
        size_t position;
        enum twini_range_loss loss = twini_range_repair(shared, number, worker, &position);
        bool again = loss != TWINI_RANGE_NO_LOSS &&
                     repair(shared, number, worker, twini_chunk_at(&shared->maps[number], position),
                            loss, pid, status);
        if (loss == TWINI_RANGE_TIMED_OUT || loss == TWINI_RANGE_WAS_STOPPED)
            was_meant = true;
        twini_range_reopen(twini_range_of(shared, number, worker), again); /* now others see it */
    }
    return was_meant;
}
