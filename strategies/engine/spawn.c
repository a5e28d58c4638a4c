/* spawn.c: the public face of a worker per number: argument checks, then one of the two ways. */
#include "engine/spawn.h"

int twin_spawn_map(const struct twin_spawn_options *options, const struct twin_map *map,
                   struct twin_spawn_report *report)
{
    static const struct twin_spawn_options defaults;
    struct twin_spawn_report unread;
    if (!options)
        options = &defaults;
    if (!report)
        report = &unread;
    *report = (struct twin_spawn_report){0};
    if (twini_inside_task)
        return TWIN_ENESTED;
    int error = options->backend > TWIN_OMP ? TWIN_EINVAL : twini_check_map(map);
    if (error || map->count == 0)
        return error;
    size_t batch = options->batch ? options->batch : (size_t)2 * twin_usable_cpus();
    if (batch > map->count)
        batch = map->count;
    if (options->backend == TWIN_OMP)
        return twini_spawn_omp(options, map, batch, report);
    return twini_spawn_proc(options, map, batch, report);
}
