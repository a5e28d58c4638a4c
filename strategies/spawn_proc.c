/* spawn_proc.c: a process per number: fork, compute, _exit, wait. The strategy of the textbook.
 *
 * Memory of a child is its own, so what it computes would be lost with it. Each child therefore
 * writes into its place in a small shared mapping, and the parent copies the result out when he has
 * waited for that child: any memory will do for the map's results, at 8 bytes copied per fork of
 * 100 us. The mark beside the result tells a child that came to its end from one that died, or that
 * called exit() in the middle.
 *
 * Children are waited for by pid, never by wait(-1): the program may have children of its own. They
 * die with the parent (PR_SET_PDEATHSIG, and getppid() in case he was dead before that was set).
 * stdout is flushed before each fork, so that buffered text is not written twice, and by each
 * child.
 *
 * "Alive" counts processes started and not yet waited for: a zombie holds its pid.
 *
 * Source: fork(2), waitpid(2), prctl(2); the textbook's Process(target=...).start(), .join(). */
#include "engine/exit_guard.h"
#include "engine/plan.h"
#include "engine/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child's place. Writer: the child, until it ends; reader: the parent, after waitpid(). */
struct place {
    bool ended; /* written last: code and result are there */
    int code;
    _Alignas(16) unsigned char result[];
};

struct spawn {
    const struct twin_spawn_options *options;
    const struct twin_map *map;
    struct twin_spawn_report *report;
    pid_t parent;
    pid_t *pids; /* of the batch */
    char *places;
    size_t place_bytes, places_bytes;
};

static struct place *place_of(const struct spawn *spawn, size_t number)
{
    return (struct place *)(spawn->places + number * spawn->place_bytes);
}

/* ---- one child ----------------------------------------------------------- */

static _Noreturn void live(const struct spawn *spawn, size_t item, struct place *place)
{
    size_t failed;
    struct twin_map one = *spawn->map;
    one.items = (const char *)one.items + item * one.item_size;
    one.results = place->result;
    twini_inside_task = true;
    place->code = twini_plan_run(&one, (void *)one.context, 0, 1, NULL, &failed);
    place->ended = true; /* the end of the process orders this for the parent */
    twini_leave(0);
}

/* Starts child number i of the batch. 0 or TWIN_ESYSTEM. */
static int start_child(const struct spawn *spawn, size_t item, size_t i)
{
    struct place *place = place_of(spawn, i);
    (void)fflush(stdout); /* an error stays in the stream, for its owner to see */
    place->ended = false;
    spawn->pids[i] = fork();
    if (spawn->pids[i] < 0) {
        spawn->report->failure =
            (struct twin_failure){.kind = TWIN_FAILURE_SYSTEM, .sys_errno = errno};
        return TWIN_ESYSTEM;
    }
    if (spawn->pids[i] == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != spawn->parent)
            _exit(1);
        twini_exit_is_leave();
        live(spawn, item, place);
    }
    spawn->report->started++;
    if (spawn->options->progress)
        spawn->options->progress(spawn->report->started, spawn->options->progress_arg);
    return 0;
}

/* Waits for child number i of the batch. 0, or what failed in *failure. */
static int wait_for_child(const struct spawn *spawn, size_t item, size_t i,
                          struct twin_failure *failure)
{
    const struct place *place = place_of(spawn, i);
    int status = 0, wait_errno = 0;
    while (waitpid(spawn->pids[i], &status, 0) < 0)
        if (errno != EINTR) {
            wait_errno = errno; /* ECHILD: the program ignores SIGCHLD, or has waited for it */
            break;
        }
    if (!place->ended || status != 0) {
        *failure = (struct twin_failure){.kind = TWIN_FAILURE_WORKER,
                                         .index = item,
                                         .pid = spawn->pids[i],
                                         .wait_status = status,
                                         .sys_errno = wait_errno};
        return TWIN_EWORKER;
    }
    if (place->code != 0) {
        *failure = (struct twin_failure){
            .kind = TWIN_FAILURE_TASK, .index = item, .task_code = place->code};
        return TWIN_ETASK;
    }
    memcpy((char *)spawn->map->results + item * spawn->map->result_size, place->result,
           spawn->map->result_size);
    return 0;
}

/* ---- a batch ------------------------------------------------------------------------------ */

static int run_batch(const struct spawn *spawn, size_t first, size_t items)
{
    struct twin_failure failure;
    int result = 0, start_error = 0;
    size_t alive = 0;
    /* report: begin spawn */
    while (alive < items && !start_error) {
        start_error = start_child(spawn, first + alive, alive);
        alive += !start_error;
    }
    for (size_t i = 0; i < alive; i++) { /* the whole batch, also after a failure */
        int error = wait_for_child(spawn, first + i, i, &failure);
        if (error && !result) { /* the lowest item, before a fork that failed above it */
            result = error;
            spawn->report->failure = failure;
        }
    }
    /* report: end spawn */
    if (alive > spawn->report->most_alive)
        spawn->report->most_alive = alive;
    return result ? result : start_error;
}

int twini_spawn_proc(const struct twin_spawn_options *options, const struct twin_map *map,
                     size_t batch, struct twin_spawn_report *report)
{
    struct spawn spawn = {.options = options, .map = map, .report = report, .parent = getpid()};
    spawn.place_bytes = (sizeof(struct place) + map->result_size + 15) / 16 * 16;
    if (batch > PTRDIFF_MAX / spawn.place_bytes || batch > PTRDIFF_MAX / sizeof *spawn.pids)
        return TWIN_ENOMEM;
    spawn.places_bytes = batch * spawn.place_bytes;
    spawn.pids = malloc(batch * sizeof *spawn.pids);
    spawn.places = mmap(NULL, spawn.places_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct twini_exit_guard guard;
    bool is_guarded = twini_exit_guard(&guard);
    int error = !spawn.pids || spawn.places == MAP_FAILED || !is_guarded ? TWIN_ENOMEM : 0;
    for (size_t first = 0; first < map->count && !error; first += batch) {
        size_t rest = map->count - first;
        error = run_batch(&spawn, first, rest < batch ? rest : batch);
    }
    if (is_guarded)
        twini_exit_unguard(&guard);
    if (spawn.places != MAP_FAILED)
        (void)munmap(spawn.places, spawn.places_bytes); /* cannot fail: the mapping is ours */
    free(spawn.pids);
    return error;
}
