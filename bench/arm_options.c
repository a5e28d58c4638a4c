/* arm_options.c: the command line of twin_arm. What is wrong is said in one line, with what would
 * be right; exit status 2. Options that depend on each other are settled after all are read. */
#include "arm.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "number.h"
#include "option.h"

enum { MOST_CALLS = 1000, EXIT_USAGE = 2 };
#define MOST_ITEMS 4000000000u

enum key {
    KEY_STRATEGY = 256,
    KEY_BACKEND,
    KEY_N,
    KEY_PREFIX,
    KEY_WORKERS,
    KEY_CHUNK,
    KEY_FORM,
    KEY_MEMORY,
    KEY_WAIT,
    KEY_WORK_NS,
    KEY_SPINS,
    KEY_VARIANT,
    KEY_BATCH,
    KEY_SEED,
    KEY_CALLS,
    KEY_WARM_ONLY,
    KEY_USABLE_CPUS,
    KEY_CALIBRATE
};

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0,
     "sequential, spawn_bounded, map, map_async, apply, "
     "apply_async, executor_submit or executor_map",
     0},
    {"backend", KEY_BACKEND, "NAME", 0, "seq, proc, omp or control", 0},
    {"n", KEY_N, "COUNT", 0, "items (1000000)", 0},
    {"prefix", KEY_PREFIX, "COUNT", 0, "run only this many of them", 0},
    {"workers", KEY_WORKERS, "COUNT", 0, "workers that compute; 0: usable CPUs", 0},
    {"chunk", KEY_CHUNK, "SIZE", 0, "auto, cpython, or items", 0},
    {"form", KEY_FORM, "NAME", 0, "task or kernel", 0},
    {"memory", KEY_MEMORY, "NAME", 0, "in_place, staged or private", 0},
    {"wait", KEY_WAIT, "NAME", 0, "adaptive, block or spin", 0},
    {"work-ns", KEY_WORK_NS, "NS", 0, "busy work per item on top of the square", 0},
    {"spins-per-ms", KEY_SPINS, "COUNT", 0, "speed of the busy loop; 0: calibrate now", 0},
    {"variant", KEY_VARIANT, "NAME", 0,
     "aa, overlap, untouched, idle_0ms, idle_1ms, idle_20ms, "
     "packed, spread or scope",
     0},
    {"batch", KEY_BATCH, "COUNT", 0, "workers alive at once under spawn; 0: twice the CPUs", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "seed of the values", 0},
    {"calls", KEY_CALLS, "COUNT", 0, "warm passes, the median of which is reported (5)", 0},
    {"warm-only", KEY_WARM_ONLY, 0, 0, "a short warm-up instead of a whole first pass", 0},
    {"usable-cpus", KEY_USABLE_CPUS, 0, 0, "print how many CPUs the library would use", 0},
    {"calibrate", KEY_CALIBRATE, 0, 0, "print how many spins take a millisecond", 0},
    {0}};

/* What a variant changes; aa and idle_0ms are names only. */
static void read_variant(struct arm *arm, struct argp_state *state, const char *text)
{
    enum { NONE, AA, OVERLAP, UNTOUCHED, IDLE_0, IDLE_1, IDLE_20, PACKED, SPREAD, SCOPE };
    static const char *const names[] = {"none",     "aa",       "overlap",   "untouched",
                                        "idle_0ms", "idle_1ms", "idle_20ms", "packed",
                                        "spread",   "scope",    NULL};
    const unsigned variant = *text == '\0' ? NONE : option_choice(state, "variant", text, names);
    arm->overlap = variant == OVERLAP;
    arm->untouched = variant == UNTOUCHED;
    arm->scoped = variant == SCOPE;
    arm->idle_ns = variant == IDLE_1 ? 1000000 : variant == IDLE_20 ? 20000000 : 0;
    arm->affinity = variant == PACKED ? ARM_PACKED : variant == SPREAD ? ARM_SPREAD : ARM_ANYWHERE;
}

static void read_strategy(struct arm *arm, struct argp_state *state, const char *text)
{
    arm->strategy = strategy_find(text);
    if (arm->strategy == NULL)
        argp_failure(state, EXIT_USAGE, 0, "--strategy=%s: accepted are %s", text,
                     strategy_names());
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const backends[] = {"seq", "proc", "omp", "control", NULL};
    static const char *const forms[] = {"task", "kernel", NULL};
    static const char *const memories[] = {"in_place", "staged", "private", NULL};
    static const char *const waits[] = {"adaptive", "block", "spin", NULL};
    struct arm *arm = state->input;
    switch (key) {
    case KEY_STRATEGY:
        read_strategy(arm, state, text);
        break;
    case KEY_BACKEND:
        arm->backend = option_choice(state, "backend", text, backends);
        break;
    case KEY_N:
        arm->n = option_number(state, "n", text, 1, MOST_ITEMS);
        break;
    case KEY_PREFIX:
        arm->n_run = option_number(state, "prefix", text, 1, MOST_ITEMS);
        break;
    case KEY_WORKERS:
        arm->workers = (unsigned)option_number(state, "workers", text, 0, 1024);
        break;
    case KEY_CHUNK:
        arm->chunk_text = text;
        break;
    case KEY_FORM:
        arm->kernel = option_choice(state, "form", text, forms) == 1;
        break;
    case KEY_MEMORY:
        arm->memory = option_choice(state, "memory", text, memories);
        break;
    case KEY_WAIT:
        arm->wait = option_choice(state, "wait", text, waits);
        break;
    case KEY_WORK_NS:
        arm->work_ns = option_number(state, "work-ns", text, 0, 10000000000u);
        break;
    case KEY_SPINS:
        arm->spins_per_ms = option_number(state, "spins-per-ms", text, 0, 100000000);
        break;
    case KEY_VARIANT:
        read_variant(arm, state, text);
        break;
    case KEY_BATCH:
        arm->batch = option_number(state, "batch", text, 0, 1000000);
        break;
    case KEY_SEED:
        arm->seed = option_number(state, "seed", text, 0, UINT64_MAX);
        break;
    case KEY_CALLS:
        arm->calls = (unsigned)option_number(state, "calls", text, 1, MOST_CALLS);
        break;
    case KEY_WARM_ONLY:
        arm->warm_only = true;
        break;
    case KEY_USABLE_CPUS:
        printf("%u\n", twin_usable_cpus());
        exit(0);
    case KEY_CALIBRATE:
        printf("%" PRIu64 "\n", square_calibrate());
        exit(0);
    case ARGP_KEY_ARG:
        option_no_argument(state, text);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* Refuses what would not fit: the kernel would kill, and perhaps somebody else. Arrays take 12
 * bytes an item, twice where they are staged; a quarter of the memory stays free. */
static void check_memory(const struct arm *arm)
{
    const uint64_t item_bytes = arm->memory == ARM_STAGED ? 24 : 12;
    if (memory_fits(arm->n_run * item_bytes))
        return;
    fprintf(stderr,
            "twin_arm: --n=%zu: too large for memory; accepted are at most %" PRIu64
            " items here and now\n",
            arm->n_run, memory_available_kib() / 4 * 3 * 1024 / item_bytes);
    exit(EXIT_USAGE);
}

/* Settles what depends on more than one option. */
static void settle(struct arm *arm)
{
    static const char *const automatic[] = {"auto", "cpython", NULL};
    uint64_t items = 0;
    if (arm->n_run == 0 || arm->n_run > arm->n)
        arm->n_run = arm->n;
    if (arm->workers == 0)
        arm->workers = twin_usable_cpus();
    check_memory(arm);
    if (strcmp(arm->chunk_text, automatic[1]) == 0)
        items = twin_cpython_chunk(arm->n_run, arm->workers);
    else if (strcmp(arm->chunk_text, automatic[0]) != 0 &&
             !number_read(arm->chunk_text, 1, MOST_ITEMS, &items)) {
        fprintf(stderr, "twin_arm: --chunk=%s: accepted are auto, cpython, or items from 1\n",
                arm->chunk_text);
        exit(EXIT_USAGE);
    }
    arm->chunk = (size_t)items;
    if (arm->work_ns > 0 && arm->spins_per_ms == 0)
        arm->spins_per_ms = square_calibrate();
    arm->work.spins = square_spins(arm->work_ns, arm->spins_per_ms);
}

void arm_options(struct arm *arm, int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Measures one strategy on one backend, once, and prints records."};
    *arm = (struct arm){
        .backend = ARM_PROC, .n = 1000000, .chunk_text = "auto", .seed = 1, .calls = 5};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, arm);
    if (arm->strategy == NULL) {
        fprintf(stderr, "twin_arm: --strategy is missing: accepted are %s\n", strategy_names());
        exit(EXIT_USAGE);
    }
    if ((arm->backend == ARM_SEQ) != (strcmp(arm->strategy->name, "sequential") == 0)) {
        fputs("twin_arm: --backend=seq runs --strategy=sequential, and no other does\n", stderr);
        exit(EXIT_USAGE);
    }
    settle(arm);
}
