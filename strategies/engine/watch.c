/* watch.c: the time-out of tasks, kept by the supervisor, so that a task costs nothing more.
 *
 * It looks at what each worker runs (a call's line and generation; a chunk's number, and the item in
 * it), 16 times per time-out, and remembers since when it has seen the same. What it has seen for
 * longer than the time-out is marked OVERDUE by compare-and-swap, which fails if it has ended; only
 * then is the worker killed. A task that ends first all the same is done, and its worker leaves. So
 * no innocent task dies, and none is stopped early; late by a sixteenth, at most 50 ms.
 *
 * While nothing runs the supervisor sleeps: it says so (dozing), then looks once more; who claims
 * something looks at that word afterwards, and wakes it. */
#include "engine/watch.h"
#include "engine/call.h"
#include "engine/plan.h"
#include "engine/range.h"

#include <sys/eventfd.h>

enum { LOOKS = 16, NS_PER_MS = 1000000, MOST_TICK_MS = 50 };

/* What a worker was seen running, and since when. what 0: nothing. */
struct sight {
    uint64_t what, item;
    int64_t since_ns;
    struct twini_call_word word; /* of a call */
    uint32_t line;
    struct twini_range *range; /* of a chunk; or NULL */
    size_t chunk;
};

static struct sight sights[TWINI_MOST_WORKERS]; /* the supervisor's own */

static struct sight look_at(struct twini_shared *shared, unsigned worker)
{
    struct twini_worker_block *block = &shared->worker[worker];
    /* relaxed: the words tell whether it is so */
    struct sight now = {.line = atomic_load_explicit(&block->current, memory_order_relaxed)};
    now.word = twini_call_look(&shared->calls[now.line]);
    if (twini_call_is_of(now.word, worker)) {
        now.what = (uint64_t)1 << 62 | (uint64_t)now.word.generation << 28 | now.line;
        now.item = now.word.attempts;
        return now;
    }
    for (unsigned slot = 0; slot < TWINI_MAP_SLOTS; slot++) {
        struct twini_range *range = twini_range_of(shared, slot, worker);
        if (!twini_range_runs(range, &now.chunk))
            continue;
        now.range = range;
        now.what = (uint64_t)1 << 63 | (uint64_t)slot << 32 | now.chunk;
        /* relaxed: looked at again once the range is marked */
        now.item = atomic_load_explicit(&block->item, memory_order_relaxed) +
                   (atomic_load_explicit(&block->chunks, memory_order_relaxed) << 40);
        return now;
    }
    return now;
}

static void mark_overdue(struct twini_shared *shared, unsigned worker, const struct sight *seen)
{
    if (!seen->range) {
        struct twini_call_word word = seen->word, to = word;
        to.state = TWINI_CALL_OVERDUE;
        if (word.state == TWINI_CALL_RUNNING)
            (void)twini_call_move(&shared->calls[seen->line], &word, to);
        return;
    }
    if (!twini_range_mark_overdue(seen->range, seen->chunk, true))
        return;
    struct sight now = look_at(shared, worker);
    if (now.item != seen->item) /* it went on to the next item just before */
        (void)twini_range_mark_overdue(seen->range, seen->chunk, false);
}

/* Whether anything runs. */
static bool watch(struct twini_shared *shared)
{
    int64_t now_ns = twini_now_ns();
    bool runs = false;
    for (unsigned w = 0; w < twini_numbers(shared); w++) {
        struct sight now = look_at(shared, w), *seen = &sights[w];
        runs = runs || now.what;
        now.since_ns = now.what == seen->what && now.item == seen->item ? seen->since_ns : now_ns;
        *seen = now;
        if (now.what && now_ns - now.since_ns >= shared->task_timeout_ns)
            mark_overdue(shared, w, &now);
    }
    return runs;
}

int twini_watch_tasks(struct twini_shared *shared)
{
    if (shared->task_timeout_ns == 0)
        return -1;
    /* relaxed: whoever wakes us once too often does no harm */
    atomic_store_explicit(&shared->dozing, 0, memory_order_relaxed);
    if (!watch(shared)) {
        /* order: seq_cst; before the last look; pairs with twini_wake_watcher() */
        atomic_store_explicit(&shared->dozing, 1, memory_order_seq_cst);
        if (!watch(shared))
            return -1;
    }
    int64_t tick = shared->task_timeout_ns / LOOKS / NS_PER_MS;
    return tick < 1 ? 1 : tick < MOST_TICK_MS ? (int)tick : MOST_TICK_MS;
}

void twini_watch_forget(const struct twini_shared *shared, unsigned worker)
{
    if (shared->task_timeout_ns)
        sights[worker] = (struct sight){0};
}

void twini_wake_watcher_now(struct twini_shared *shared)
{
    /* order: relaxed; it is only not to be woken by all */
    if (atomic_exchange_explicit(&shared->dozing, 0, memory_order_relaxed))
        (void)eventfd_write(shared->event_fd, 1);
}

bool twini_is_to_die(struct twini_shared *shared, unsigned worker)
{
    /* relaxed: the word tells whether it is so */
    uint32_t line = atomic_load_explicit(&shared->worker[worker].current, memory_order_relaxed);
    struct twini_call_word w = twini_call_look(&shared->calls[line]);
    if (twini_call_is_of(w, worker) && w.state != TWINI_CALL_RUNNING)
        return true;
    for (unsigned slot = 0; slot < TWINI_MAP_SLOTS; slot++)
        if (twini_range_is_to_die(twini_range_of(shared, slot, worker)))
            return true;
    return false;
}
