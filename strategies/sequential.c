/* sequential.c: one plain loop on the calling thread. The oracle of every test, the floor of every
 * measurement; there is one file, because without workers the two ways are one.
 *
 * A kernel is called chunk by chunk, as the pools call it, so that failures carry the same index
 * and each chunk stays in the cache in the same way. The automatic chunk is that of one worker. */
#include "engine/plan.h"
#include "strategy.h"

int twin_sequential_map(const struct twin_map *map, struct twin_failure *failure)
{
    if (failure)
        *failure = (struct twin_failure){.kind = TWIN_FAILURE_NONE};
    int code = twini_check_map(map);
    if (code || map->count == 0)
        return code;
    size_t failed = 0;
    bool outer = twini_inside_task;
    twini_inside_task = true; /* a task may not use pools, here as elsewhere */
    /* report: begin sequential */
    struct twini_plan plan = twini_plan_make(map->count, map->chunk, 1, SIZE_MAX);
    for (size_t chunk = 0; chunk < plan.chunks && code == 0; chunk++)
        code = twini_plan_run(map, (void *)map->context, twini_plan_first(&plan, chunk),
                              twini_plan_items(&plan, chunk), NULL, &failed);
    /* report: end sequential */
    twini_inside_task = outer;
    if (code && failure)
        *failure =
            (struct twin_failure){.kind = TWIN_FAILURE_TASK, .index = failed, .task_code = code};
    return code ? TWIN_ETASK : 0;
}
