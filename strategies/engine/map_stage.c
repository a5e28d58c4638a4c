/* map_stage.c: maps of memory that workers do not see. It is copied through the arena in windows, so
 * that staging needs little memory and what is copied is still in a cache when it is used. */
#include "map_proc.h"

#include <string.h>

static const size_t window_bytes = (size_t)8 << 20;

static bool is_in_place(struct twini_proc *proc, const void *start, size_t bytes)
{
    return twini_arena_holds(proc->pool->arena, start, bytes);
}

bool twini_map_is_in_place(struct twini_proc *proc, const struct twin_map *map)
{
    return is_in_place(proc, map->items, map->count * map->item_size) &&
           is_in_place(proc, map->results, map->count * map->result_size);
}

/* A buffer for windows: the one that the last map left, if it is large enough. While it is ours no
 * other thread sees it. */
static void *get_stage(struct twini_proc *proc, size_t bytes, size_t *size)
{
    void *stage = proc->stage;
    *size = proc->stage_size;
    proc->stage = NULL;
    proc->stage_size = 0;
    if (*size >= bytes)
        return stage;
    twini_arena_free(proc->pool->arena, stage);
    *size = bytes;
    return twini_arena_alloc_dirty(proc->pool->arena, bytes);
}

static void put_stage(struct twini_proc *proc, void *stage, size_t size)
{
    twini_arena_free(proc->pool->arena, proc->stage);
    proc->stage = stage;
    proc->stage_size = size;
}

static size_t align64(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

int twini_map_by_windows(struct twini_proc *proc, const struct twin_map *map,
                         struct twin_failure *failure)
{
    bool stage_items = !is_in_place(proc, map->items, map->count * map->item_size);
    bool stage_results = !is_in_place(proc, map->results, map->count * map->result_size);
    size_t each = map->item_size * stage_items + map->result_size * stage_results;
    size_t chunk =
        twini_plan_make(map->count, map->chunk, proc->pool->options.workers, TWINI_MOST_CHUNKS)
            .chunk;
    size_t window = window_bytes / each / chunk * chunk;
    if (window < chunk * proc->pool->options.workers) /* each worker one chunk at least */
        window = chunk * proc->pool->options.workers;
    if (window > map->count)
        window = map->count;
    size_t items_bytes = align64(window * map->item_size * stage_items);
    size_t stage_size;
    char *stage =
        get_stage(proc, items_bytes + window * map->result_size * stage_results, &stage_size);
    if (!stage)
        return TWIN_ENOMEM;
    int error = 0;
    for (size_t first = 0; first < map->count && !error; first += window) {
        struct twin_map part = *map;
        part.chunk = chunk;
        part.count = map->count - first < window ? map->count - first : window;
        const char *items = (const char *)map->items + first * map->item_size;
        char *results = (char *)map->results + first * map->result_size;
        part.items = stage_items ? stage : items;
        part.results = stage_results ? stage + items_bytes : results;
        if (stage_items)
            memcpy(stage, items, part.count * map->item_size);
        error = twini_map_run(proc, &part, failure);
        failure->index += first;
        if (stage_results && !error)
            memcpy(results, part.results, part.count * map->result_size);
        proc->staged_bytes += part.count * each;
    }
    put_stage(proc, stage, stage_size);
    return error;
}

int twini_map_copy_context(struct twini_proc *proc, const struct twin_map *map,
                           const void **context)
{
    *context = map->context;
    if (map->context_size == 0)
        return 0;
    void *copy = twini_arena_alloc_dirty(proc->pool->arena, map->context_size);
    *context = copy; /* with NULL there is nothing to free; what the caller gave is his */
    if (!copy)
        return TWIN_ENOMEM;
    proc->staged_bytes += map->context_size;
    memcpy(copy, map->context, map->context_size);
    return 0;
}
