/* omp_resize.c: another size for the team. libgomp has no way to add a thread to a team: the next
 * region asks for the new size, and libgomp creates or ends threads; so the initializer runs in each
 * of them anew. Lanes, which hold the counters, only become more. */
#include "engine/omp_runtime.h"

#include <stdlib.h>
#include <string.h>

static int add_lanes(struct twini_omp *omp, unsigned count)
{
    if (count <= omp->lane_count)
        return 0;
    struct twini_omp_lane *lanes =
        aligned_alloc(alignof(struct twini_omp_lane), count * sizeof *lanes);
    if (!lanes)
        return TWIN_ENOMEM;
    memset(lanes, 0, count * sizeof *lanes);
    memcpy(lanes, omp->lanes,
           omp->lane_count * sizeof *lanes); /* no region is open: none is in use */
    free(omp->lanes);
    omp->lanes = lanes;
    omp->lane_count = count;
    return 0;
}

int twini_omp_resize(struct twin_pool *pool, unsigned workers)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error || omp->in_scope)
        return error ? error : TWIN_ENESTED;
    error = add_lanes(omp, workers);
    if (error || workers == pool->options.workers)
        return error;
    pool->options.workers = workers;
    omp->team = 0; /* the next region starts it */
    return 0;
}
