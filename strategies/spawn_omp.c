/* spawn_omp.c: a thread per number: a team of fresh threads, each of which computes one item.
 *
 * libgomp keeps its threads from region to region; that is good for a pool and wrong here. So each
 * batch ends its team with omp_pause_resource_all(), and the next region has to create its
 * threads anew. That call would also end the program's own team; the batches therefore run
 * on a thread of their own, whose team is nobody else's. Thread 0 of a team is that thread, old and
 * used, so it computes nothing: a batch of L is a team of L + 1.
 *
 * When a thread cannot be created libgomp prints a line and ends the process; unbounded
 * spawn is expected to end so. A bounded one stays small, and is not probed.
 *
 * Source: OpenMP 5.0, 3.2.44 (omp_pause_resource_all); libgomp team.c (gomp_pause_host). */
#include "engine/plan.h"
#include "engine/spawn.h"

#include <errno.h>
#include <limits.h>
#include <omp.h>

struct spawn {
    const struct twin_spawn_options *options;
    const struct twin_map *map;
    size_t batch;
    struct twin_spawn_report *report;
    int error;
};

static void fail_system(struct spawn *spawn, int sys_errno)
{
    if (spawn->error)
        return;
    spawn->error = TWIN_ESYSTEM;
    spawn->report->failure =
        (struct twin_failure){.kind = TWIN_FAILURE_SYSTEM, .sys_errno = sys_errno};
}

/* ---- one thread --------------------------------------------------------------------------- */

static void live(struct spawn *spawn, size_t item)
{
    size_t failed;
    twini_inside_task = true;
    int code = twini_plan_run(spawn->map, (void *)spawn->map->context, item, 1, NULL, &failed);
    twini_inside_task = false;
    if (code == 0)
        return;
    struct twin_failure *failure = &spawn->report->failure;
#pragma omp critical(twini_spawn_failure)
    if (!spawn->error || item < failure->index) {
        *failure =
            (struct twin_failure){.kind = TWIN_FAILURE_TASK, .index = item, .task_code = code};
        spawn->error = TWIN_ETASK;
    }
}

/* ---- a batch ------------------------------------------------------------------------------ */

/* report: begin spawn */
static void run_batch(struct spawn *spawn, size_t first, int items)
{
    int team = 0;
#pragma omp parallel default(none) shared(team) firstprivate(spawn, first) num_threads(items + 1)
    {
        int number = omp_get_thread_num();
        if (number == 0)
            team = omp_get_num_threads();
        else
            live(spawn, first + (size_t)number - 1);
    }
    if (omp_pause_resource_all(omp_pause_soft) != 0 || team != items + 1)
        fail_system(spawn, EAGAIN); /* threads are kept, or were not given (OMP_THREAD_LIMIT) */
    spawn->report->started += (size_t)team - 1;
    if ((size_t)team - 1 > spawn->report->most_alive)
        spawn->report->most_alive = (size_t)team - 1;
}
/* report: end spawn */

static void *run_batches(void *arg)
{
    struct spawn *spawn = arg;
    const struct twin_spawn_options *options = spawn->options;
    omp_set_dynamic(0); /* this thread's own setting */
    for (size_t first = 0; first < spawn->map->count && !spawn->error; first += spawn->batch) {
        size_t rest = spawn->map->count - first;
        run_batch(spawn, first, (int)(rest < spawn->batch ? rest : spawn->batch));
        if (options->progress)
            options->progress(spawn->report->started, options->progress_arg);
    }
    return NULL;
}

int twini_spawn_omp(const struct twin_spawn_options *options, const struct twin_map *map,
                    size_t batch, struct twin_spawn_report *report)
{
    if (omp_get_level() > 0)
        return TWIN_ENESTED;
    struct spawn spawn = {.options = options, .map = map, .batch = batch, .report = report};
    if (batch > INT_MAX - 1)
        fail_system(&spawn, EAGAIN);
    pthread_t thread;
    int error = spawn.error ? 0 : pthread_create(&thread, NULL, run_batches, &spawn);
    if (error)
        fail_system(&spawn, error);
    if (!spawn.error)
        pthread_join(thread, NULL); /* cannot fail: ours, and not joined before */
    return spawn.error;
}
