/* timeline.c: twin_timeline, who ran what when: 20 tasks of 1 to 3 ms, each noting its worker, its
 * start and its end. The clock is the same in all processes (CLOCK_MONOTONIC), so the notes
 * compare.
 *
 * Prints a line  timeline=backend strategy task worker start_ns end_ns  per task, times counted
 * from the call, workers numbered in order of appearance; the launcher puts them into timeline.csv.
 * The record closes as usual. Busy work is a number of steps, as everywhere: see
 * workloads/square.h. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <twinpool/pool.h>

#include "clock.h"
#include "option.h"
#include "record.h"
#include "workloads/random.h"
#include "workloads/square.h"

enum { MOST_TASKS = 1000 };

struct note {
    int64_t worker; /* thread id */
    uint64_t start_ns, end_ns;
};

static int note_task(void *result, const void *item, void *context)
{
    struct note *note = result;
    const uint64_t *spins = item;
    (void)context;
    note->worker = syscall(SYS_gettid);
    note->start_ns = now_ns();
    square_burn(*spins);
    note->end_ns = now_ns();
    return 0;
}

struct way;

struct request {
    const struct way *way;
    const char *backend;
    uint64_t tasks, workers, seed;
    uint64_t spins[MOST_TASKS];
    struct note notes[MOST_TASKS];
};

/* ---- the three strategies ------------------------------------------------------------------- */

static int run_map(struct twin_pool *pool, struct request *request)
{
    const struct twin_map map = {.task = note_task,
                                 .items = request->spins,
                                 .item_size = sizeof *request->spins,
                                 .results = request->notes,
                                 .result_size = sizeof *request->notes,
                                 .count = request->tasks,
                                 .chunk = 1};
    return twin_pool_map(pool, &map);
}

static struct twin_call call_of(struct request *request, size_t i)
{
    return (struct twin_call){.task = note_task,
                              .item = &request->spins[i],
                              .item_size = sizeof *request->spins,
                              .result_size = sizeof *request->notes};
}

static int run_apply(struct twin_pool *pool, struct request *request)
{
    int rc = 0;
    for (size_t i = 0; i < request->tasks && rc == 0; i++) {
        const struct twin_call call = call_of(request, i);
        rc = twin_pool_apply(pool, &call, &request->notes[i]);
    }
    return rc;
}

/* A scope's body: submits all, then collects all. Returns 0 or 1, its own code. */
static int async_body(struct twin_pool *pool, void *arg)
{
    struct request *request = arg;
    struct twin_future *futures[MOST_TASKS];
    size_t submitted = 0;
    int failed = 0;
    for (; submitted < request->tasks && !failed; submitted += !failed) {
        const struct twin_call call = call_of(request, submitted);
        failed = twin_pool_apply_async(pool, &call, &futures[submitted]) != 0;
    }
    for (size_t i = 0; i < submitted; i++) {
        failed |= twin_future_result(futures[i], &request->notes[i], -1) != 0;
        twin_future_release(futures[i]);
    }
    return failed;
}

static int run_apply_async(struct twin_pool *pool, struct request *request)
{
    return twin_pool_scope(pool, async_body, request);
}

static const struct way {
    const char *name;
    int (*run)(struct twin_pool *pool, struct request *request);
} ways[] = {{"map", run_map}, {"apply", run_apply}, {"apply_async", run_apply_async}};

/* ---- records -------------------------------------------------------------------------------- */

static size_t number_of(int64_t worker, int64_t *workers, size_t *known)
{
    size_t i = 0;
    while (i < *known && workers[i] != worker)
        i++;
    if (i == *known)
        workers[(*known)++] = worker;
    return i;
}

static void print_notes(const struct request *request, uint64_t called_ns)
{
    int64_t workers[MOST_TASKS];
    size_t known = 0;
    char line[128];
    for (size_t i = 0; i < request->tasks; i++) {
        const struct note *note = &request->notes[i];
        snprintf(line, sizeof line, "%s %s %zu %zu %" PRIu64 " %" PRIu64, request->backend,
                 request->way->name, i, number_of(note->worker, workers, &known),
                 note->start_ns - called_ns, note->end_ns - called_ns);
        record_text("timeline", line);
    }
    record_number("distinct_workers", known);
}

static int measure(struct request *request)
{
    struct twin_pool *pool;
    const struct twin_pool_options options = {
        .backend = strcmp(request->backend, "omp") == 0 ? TWIN_OMP : TWIN_PROC,
        .workers = (unsigned)request->workers};
    const uint64_t spins_per_ms = square_calibrate();
    uint64_t state = request->seed;
    for (size_t i = 0; i < request->tasks; i++)
        request->spins[i] = spins_per_ms + spins_per_ms * random_below(&state, 2001) / 1000;
    int rc = twin_pool_open(&pool, &options);
    const uint64_t called_ns = now_ns();
    if (rc == 0)
        rc = request->way->run(pool, request);
    const uint64_t elapsed_ns = now_ns() - called_ns;
    (void)twin_pool_close(pool);
    if (rc != 0) {
        record_text("outcome", rc == TWIN_ENOTSUP ? "unsupported" : "partial_limit");
        record_text("limit", twin_strerror(rc));
        record_end();
        return 1;
    }
    record_text("phase", "first");
    record_number("n_run", request->tasks);
    record_number("elapsed_ns", elapsed_ns);
    print_notes(request, called_ns);
    record_end();
    return 0;
}

/* ---- command line --------------------------------------------------------------------------- */

enum key { KEY_STRATEGY = 256, KEY_BACKEND, KEY_N, KEY_WORKERS, KEY_SEED };

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0, "map, apply or apply_async", 0},
    {"backend", KEY_BACKEND, "NAME", 0, "proc or omp", 0},
    {"n", KEY_N, "COUNT", 0, "tasks, at most 1000 (20)", 0},
    {"workers", KEY_WORKERS, "COUNT", 0, "workers; 0: usable CPUs", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "seed of the lengths", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const strategies[] = {"map", "apply", "apply_async", NULL};
    static const char *const backends[] = {"proc", "omp", NULL};
    struct request *request = state->input;
    switch (key) {
    case KEY_STRATEGY:
        request->way = &ways[option_choice(state, "strategy", text, strategies)];
        break;
    case KEY_BACKEND:
        request->backend = backends[option_choice(state, "backend", text, backends)];
        break;
    case KEY_N:
        request->tasks = option_number(state, "n", text, 1, MOST_TASKS);
        break;
    case KEY_WORKERS:
        request->workers = option_number(state, "workers", text, 0, 1024);
        break;
    case KEY_SEED:
        request->seed = option_number(state, "seed", text, 0, UINT64_MAX);
        break;
    case ARGP_KEY_ARG:
        option_no_argument(state, text);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .doc = "Notes which worker runs which task when."};
    static struct request request = {.way = &ways[0], .backend = "proc", .tasks = 20, .seed = 1};
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    return measure(&request);
}
