/* life.c: twin_life, what a pool costs beside its work: opening and closing, doing nothing, and the
 * death of a worker (death.c).
 *
 * open_close  n pools, each opened and closed.
 * idle        a pool that has worked and then has nothing to do for n seconds: how often its
 *             workers (and its supervisor) were switched in. The caller's own sleep is not counted.
 * Exit status: 0 measured (also when the backend cannot), 1 a call failed, 2 usage, 3 wrong. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "clock.h"
#include "engine/control_runtime.h"
#include "life.h"
#include "option.h"
#include "record.h"
#include "usage.h"
#include "workloads/square.h"

#define SETTLE_NS 500000000u /* libgomp spins for some milliseconds before it sleeps */

/* ---- parts ---------------------------------------------------------------------------------- */

int life_fail(const char *what, int rc)
{
    char text[160];
    const bool cannot = rc == TWIN_ENOTSUP;
    snprintf(text, sizeof text, "%s: %s", what, twin_strerror(rc));
    record_text("outcome", cannot ? "unsupported" : "partial_limit");
    record_text(cannot ? "detail" : "limit", text);
    record_end();
    return cannot ? 0 : EXIT_FAILED;
}

int life_wrong(const char *what)
{
    record_text("outcome", "wrong_result");
    record_text("detail", what);
    record_end();
    return EXIT_WRONG;
}

int life_open(struct life *life)
{
    if (life->backend == BARE)
        return TWIN_ENOTSUP;
    const struct twin_pool_options options = {
        .backend = life->backend == OMP ? TWIN_OMP : TWIN_PROC, .workers = life->workers};
    return life->backend == CONTROL ? twini_control_open(&life->pool, &options)
                                    : twin_pool_open(&life->pool, &options);
}

/* ---- open and close ------------------------------------------------------------------------- */

static int open_close(struct life *life)
{
    uint64_t start_ns = 0;
    for (size_t i = 0; i <= life->n; i++) { /* the first one is not timed */
        if (i == 1)
            start_ns = now_ns();
        int rc = life_open(life);
        if (rc != 0)
            return life_fail("open", rc);
        rc = twin_pool_close(life->pool);
        if (rc != 0)
            return life_fail("close", rc);
    }
    const uint64_t took_ns = now_ns() - start_ns;
    record_text("phase", "warm");
    record_number("n_run", life->n);
    record_number("elapsed_ns", took_ns);
    record_end();
    return 0;
}

/* ---- idle ----------------------------------------------------------------------------------- */

static uint64_t own_switches(void)
{
    struct rusage own = {0};
    (void)getrusage(RUSAGE_THREAD, &own);
    return (uint64_t)(own.ru_nvcsw + own.ru_nivcsw);
}

/* Switches of everything in this process tree but the calling thread: read again if that was switched
 * meanwhile. */
static uint64_t others_switches(void)
{
    struct usage all;
    uint64_t own;
    do {
        own = own_switches();
        usage_read(&all);
    } while (own_switches() != own);
    return all.voluntary_switches + all.involuntary_switches - own;
}

/* A map and a call, so that the pool has worked in both of its ways. */
static int work_once(struct life *life)
{
    enum { ITEMS = 100000 };
    static int32_t items[ITEMS];
    static int64_t results[ITEMS];
    const struct twin_map map = {.kernel = square_kernel,
                                 .items = items,
                                 .item_size = sizeof *items,
                                 .results = results,
                                 .result_size = sizeof *results,
                                 .count = ITEMS};
    const struct twin_call call = {.task = square_task,
                                   .item = items,
                                   .item_size = sizeof *items,
                                   .result_size = sizeof *results};
    square_fill(items, ITEMS, 1);
    int rc = twin_pool_map(life->pool, &map);
    if (rc == 0)
        rc = twin_pool_apply(life->pool, &call, results);
    if (rc != 0)
        return life_fail("work", rc);
    return square_checksum(results, ITEMS) == square_expected(items, ITEMS)
               ? 0
               : life_wrong("the checksum of the results is not that of the squares");
}

static int idle(struct life *life)
{
    int rc = life_open(life);
    if (rc != 0)
        return life_fail("open", rc);
    const int status = work_once(life);
    if (status == 0) {
        sleep_ns(SETTLE_NS);
        const uint64_t start_ns = now_ns();
        const uint64_t before = others_switches();
        sleep_ns((uint64_t)life->n * 1000000000u);
        const uint64_t switches = others_switches() - before;
        record_text("phase", "warm");
        record_number("n_run", life->n);
        record_number("elapsed_ns", now_ns() - start_ns);
        record_number("idle_switches", switches);
        record_end();
    }
    (void)twin_pool_close(life->pool);
    return status;
}

/* ---- command line --------------------------------------------------------------------------- */

enum key { KEY_STRATEGY = 256, KEY_BACKEND, KEY_N, KEY_WORKERS, KEY_SEED };

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0, "open_close, idle or death", 0},
    {"backend", KEY_BACKEND, "NAME", 0, "proc, omp, control, or bare (death)", 0},
    {"n", KEY_N, "COUNT", 0, "pools, seconds or deaths (10)", 0},
    {"workers", KEY_WORKERS, "COUNT", 0, "workers (2)", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "accepted, of no use here", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const strategies[] = {"open_close", "idle", "death", NULL};
    static int (*const measures[])(struct life *) = {open_close, idle, life_death};
    static const char *const backends[] = {"proc", "omp", "control", "bare", NULL};
    struct life *life = state->input;
    switch (key) {
    case KEY_STRATEGY:
        life->measure = measures[option_choice(state, "strategy", text, strategies)];
        break;
    case KEY_BACKEND:
        life->backend = option_choice(state, "backend", text, backends);
        break;
    case KEY_N:
        life->n = option_number(state, "n", text, 1, 1000000);
        break;
    case KEY_WORKERS:
        life->workers = (unsigned)option_number(state, "workers", text, 1, 1024);
        break;
    case KEY_SEED:
        (void)option_number(state, "seed", text, 0, UINT64_MAX);
        break;
    case ARGP_KEY_ARG:
        option_no_argument(state, text);
        break;
    case ARGP_KEY_END:
        if (life->measure == NULL)
            argp_failure(state, EXIT_USAGE, 0, "--strategy is missing; --help lists the options");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Measures what a pool costs beside its work, and prints a record."};
    struct life life = {.n = 10, .workers = 2};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &life);
    return life.measure(&life);
}
