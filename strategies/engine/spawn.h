/* spawn.h: what twin_spawn_map() asks of the two ways to spawn. */
#ifndef TWINI_SPAWN_H
#define TWINI_SPAWN_H

#include "strategy.h"

/* pre:  map is sane and not empty; 1 <= batch <= map->count; report is zeroed.
 * post: every worker that was started is gone; *report says how many those were, and what failed.
 *       As twin_spawn_map() otherwise. A batch after one with a failure is not started. */
int twini_spawn_proc(const struct twin_spawn_options *options, const struct twin_map *map,
                     size_t batch, struct twin_spawn_report *report);
int twini_spawn_omp(const struct twin_spawn_options *options, const struct twin_map *map,
                    size_t batch, struct twin_spawn_report *report);

#endif
