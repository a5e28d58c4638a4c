/* map_omp.c: map on OpenMP, `parallel for` over chunks.
 *
 * How chunks are handed out follows what the caller said of them. An automatic chunk says nothing
 * about the items, so each thread gets one range of neighbouring chunks (schedule(static): no
 * claims, and each thread meets its own pages again in the next call). A chunk of k says that the
 * caller cares about balance, so chunks go to whoever is free (schedule(dynamic), as the processes'
 * claims are).
 *
 * Inside a scope the team is already there and a nested region would be a team of one, so the
 * threads are asked for by tasks: workers - 1 tasks claim chunks from a shared counter, and so does
 * the caller. Not `taskloop`: past 64 chunks a thread libgomp runs all of them on one thread.
 *
 * Invariant: every chunk below the lowest failing item is run, so that item is the same in each
 * run. Chunks above it are skipped by `return`; `cancel` would leave lower ones undone.
 *
 * Source: OpenMP 4.5, 2.7.1 (loop), 2.9.1 (task), 2.13.5 (taskgroup); libgomp task.c. */
#include "engine/omp_runtime.h"

#include <omp.h>

/* ---- one chunk ---------------------------------------------------------------------------- */

void twini_omp_chunks_init(struct twini_omp_chunks *run, struct twini_omp *omp,
                           const struct twin_map *map)
{
    run->map = *map;
    run->plan = twini_plan_make(map->count, map->chunk, omp->pool->options.workers, SIZE_MAX);
    run->omp = omp;
    run->code = 0;
    /* relaxed: no other thread knows the map yet; the region or task that tells it orders this */
    atomic_store_explicit(&run->next, 0, memory_order_relaxed);
    atomic_store_explicit(&run->lowest, SIZE_MAX, memory_order_relaxed);
    omp->last_chunk = run->plan.chunk;
}

static void note_failure(struct twini_omp_chunks *run, size_t item, int code)
{
#pragma omp critical(twini_lowest_failure)
    /* relaxed: writers are ordered by the critical section, readers by the end of the chunk */
    if (item < atomic_load_explicit(&run->lowest, memory_order_relaxed)) {
        atomic_store_explicit(&run->lowest, item, memory_order_relaxed);
        run->code = code;
    }
}

void twini_omp_chunk_run(struct twini_omp_chunks *run, size_t index)
{
    size_t failed, first = twini_plan_first(&run->plan, index);
    /* relaxed: an old value costs the work of a chunk, never the answer */
    if (first > atomic_load_explicit(&run->lowest, memory_order_relaxed))
        return;
    bool outer = twini_inside_task;
    twini_inside_task = true;
    int code = twini_plan_run(&run->map, (void *)run->map.context, first,
                              twini_plan_items(&run->plan, index), NULL, &failed);
    twini_inside_task = outer;
    twini_omp_count(&twini_omp_lane(run->omp)->chunks);
    if (code)
        note_failure(run, failed, code);
}

bool twini_omp_chunk_claim(struct twini_omp_chunks *run, size_t *index)
{
    /* The look first keeps late comers from driving the counter on. relaxed: the counter gives each
     * index to one claimer, and nothing else is read by it. */
    if (atomic_load_explicit(&run->next, memory_order_relaxed) >= run->plan.chunks)
        return false;
    *index = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed);
    if (*index >= run->plan.chunks)
        return false;
    twini_omp_count(&twini_omp_lane(run->omp)->claims);
    return true;
}

int twini_omp_chunks_outcome(const struct twini_omp_chunks *run, size_t end,
                             struct twin_failure *failure)
{
    /* relaxed: the chunks below end are done, and what told us so has ordered this read; code may
     * still change only if the failure lies above */
    size_t lowest = atomic_load_explicit(&run->lowest, memory_order_relaxed);
    if (lowest >= end)
        return 0;
    *failure =
        (struct twin_failure){.kind = TWIN_FAILURE_TASK, .index = lowest, .task_code = run->code};
    return TWIN_ETASK;
}

/* ---- all chunks --------------------------------------------------------------------------- */

/* report: begin map */
static void map_ranges(struct twini_omp_chunks *run, int team)
{
#pragma omp parallel for default(none) firstprivate(run) num_threads(team) schedule(static)
    for (size_t chunk = 0; chunk < run->plan.chunks; chunk++)
        twini_omp_chunk_run(run, chunk);
}

static void map_claims(struct twini_omp_chunks *run, int team)
{
#pragma omp parallel for default(none) firstprivate(run) num_threads(team) schedule(dynamic)
    for (size_t chunk = 0; chunk < run->plan.chunks; chunk++) {
        twini_omp_count(&twini_omp_lane(run->omp)->claims);
        twini_omp_chunk_run(run, chunk);
    }
}
/* report: end map */

static void claim_chunks(struct twini_omp_chunks *run)
{
    size_t chunk;
    while (twini_omp_chunk_claim(run, &chunk))
        twini_omp_chunk_run(run, chunk);
}

static void map_in_scope(struct twini_omp_chunks *run, unsigned team)
{
#pragma omp taskgroup
    {
        for (unsigned worker = 1; worker < team; worker++) {
#pragma omp task default(none) firstprivate(run)
            claim_chunks(run);
        }
        claim_chunks(run);
    }
}

int twini_omp_map(struct twin_pool *pool, const struct twin_map *map)
{
    struct twini_omp *omp = pool->engine;
    struct twini_omp_chunks run;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    if (omp->in_scope) {
        twini_omp_chunks_init(&run, omp, map);
        map_in_scope(&run, omp->team);
    } else {
        error = twini_omp_begin(omp);
        if (error)
            return twini_pool_fail(pool, error, &omp->broken_failure);
        twini_omp_chunks_init(&run, omp, map);
        if (map->chunk == 0)
            map_ranges(&run, (int)omp->team);
        else
            map_claims(&run, (int)omp->team);
        twini_omp_end(omp);
    }
    struct twin_failure failure;
    error = twini_omp_chunks_outcome(&run, map->count, &failure);
    return error ? twini_pool_fail(pool, error, &failure) : 0;
}
