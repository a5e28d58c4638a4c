/* plan.c: how a map is cut into chunks, and how a chunk is run. Pure arithmetic: no state, no
 * errors.
 *
 * The automatic chunk aims at 32 chunks a worker: enough for stealing to even out unequal items
 * (the last chunk costs at most 1/32 of a worker's share), few enough for claims to cost nothing,
 * and never over 64 Ki items, so that a chunk of small items stays in a second-level cache. */
#include "engine/plan.h"

#include <time.h>

enum { CHUNKS_PER_WORKER = 32, MOST_ITEMS = 1 << 16 };

static size_t divide_up(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

size_t twin_automatic_chunk(size_t count, unsigned workers)
{
    size_t chunk = divide_up(count, (size_t)CHUNKS_PER_WORKER * (workers ? workers : 1));
    if (chunk > MOST_ITEMS)
        return MOST_ITEMS;
    return chunk ? chunk : 1;
}

size_t twin_cpython_chunk(size_t count, unsigned workers)
{
    size_t chunk = divide_up(count, (size_t)4 * (workers ? workers : 1));
    return chunk ? chunk : 1;
}

struct twini_plan twini_plan_make(size_t count, size_t chunk, unsigned workers, size_t most_chunks)
{
    if (chunk == 0)
        chunk = twin_automatic_chunk(count, workers);
    if (chunk > count)
        chunk = count ? count : 1;
    if (divide_up(count, chunk) > most_chunks)
        chunk = divide_up(count, most_chunks);
    return (struct twini_plan){.count = count, .chunk = chunk, .chunks = divide_up(count, chunk)};
}

size_t twini_plan_part(size_t chunks, unsigned parts, unsigned number)
{
    size_t share = chunks / parts, rest = chunks % parts;
    return share * number + (number < rest ? number : rest);
}

size_t twini_plan_dealt(size_t chunks, unsigned parts, size_t position)
{
    size_t share = chunks / parts, rest = chunks % parts, wide = rest * (share + 1);
    size_t part = position < wide ? position / (share + 1) : rest + (position - wide) / share;
    return (position - twini_plan_part(chunks, parts, (unsigned)part)) * parts + part;
}

int twini_plan_run(const struct twin_map *map, void *context, size_t first, size_t items,
                   _Atomic(size_t) *at, size_t *failed)
{
    char *result = (char *)map->results + first * map->result_size;
    const char *item = (const char *)map->items + first * map->item_size;
    if (map->kernel) {
        if (at) /* relaxed: read only after this process is dead */
            atomic_store_explicit(at, first, memory_order_relaxed);
        *failed = first;
        return map->kernel(result, item, items, context);
    }
    for (size_t i = first; i < first + items; i++) {
        if (at) /* relaxed: as above */
            atomic_store_explicit(at, i, memory_order_relaxed);
        int code = map->task(result, item, context);
        if (code != 0) {
            *failed = i;
            return code;
        }
        result += map->result_size;
        item += map->item_size;
    }
    return 0;
}

int64_t twini_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists and now is ours */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t twini_deadline_ns(int64_t timeout_ns)
{
    if (timeout_ns < 0)
        return INT64_MAX;
    int64_t now = twini_now_ns();
    return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}
