/* arm.c: twin_arm, a process that measures one strategy on one backend once, and says so in records.
 *
 * Order of events: read the command line; calibrate if the launcher did not; open (timed); arrays;
 * first pass (timed); warm passes (timed); who ran it (not timed); close (timed); records.
 * Results are poisoned before every timed pass, outside the clock, and every pass is verified by
 * checksum: a wrong sum is an outcome (exit 3), not a time.
 * cold is what a program pays that needs the pool once: open + first + close. Of the warm passes the
 * one of median time is reported whole, so that its times and counters belong together.
 * Exit status: 0 measured (also when the backend does not support it), 1 a call failed, 2 usage,
 * 3 wrong result. */
#include "arm.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "number.h"
#include "record.h"

enum { MOST_CALLS = 1000, WARM_UP_ITEMS = 1000, EXIT_WRONG = 3 };
#define MOST_ITEMS 4000000000u

/* ---- command line ------------------------------------------------------------------------------ */

enum key {
    KEY_STRATEGY = 256, KEY_BACKEND, KEY_N, KEY_PREFIX, KEY_WORKERS, KEY_CHUNK, KEY_FORM,
    KEY_MEMORY, KEY_WAIT, KEY_WORK_NS, KEY_SPINS, KEY_VARIANT, KEY_BATCH, KEY_SEED, KEY_CALLS,
    KEY_WARM_ONLY, KEY_USABLE_CPUS, KEY_CALIBRATE
};

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0, "sequential, spawn_bounded, map, map_async, apply, "
                                          "apply_async, executor_submit or executor_map", 0},
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
    {"variant", KEY_VARIANT, "NAME", 0, "aa, overlap, untouched, idle_0ms, idle_1ms, idle_20ms, "
                                        "packed or spread", 0},
    {"batch", KEY_BATCH, "COUNT", 0, "workers alive at once under spawn; 0: twice the CPUs", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "seed of the values", 0},
    {"calls", KEY_CALLS, "COUNT", 0, "warm passes, the median of which is reported (5)", 0},
    {"warm-only", KEY_WARM_ONLY, 0, 0, "a short warm-up instead of a whole first pass", 0},
    {"usable-cpus", KEY_USABLE_CPUS, 0, 0, "print how many CPUs the library would use", 0},
    {"calibrate", KEY_CALIBRATE, 0, 0, "print how many spins take a millisecond", 0},
    {0}};

/* Returns the place of text in a list that ends with NULL; a usage error if it is not there. */
static unsigned choice(struct argp_state *state, const char *option, const char *text,
                       const char *const names[])
{
    char accepted[160] = "";
    for (unsigned i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0)
            return i;
        strcat(strcat(accepted, i == 0 ? "" : ", "), names[i]);
    }
    argp_error(state, "--%s=%s: accepted are %s", option, text, accepted);
    return 0;
}

static uint64_t count(struct argp_state *state, const char *option, const char *text,
                      uint64_t least, uint64_t most)
{
    uint64_t value = 0;
    if (!number_read(text, least, most, &value))
        argp_error(state, "--%s=%s: accepted is a whole number from %llu to %llu", option, text,
                   (unsigned long long)least, (unsigned long long)most);
    return value;
}

static void read_variant(struct arm *arm, struct argp_state *state, const char *text)
{
    static const char *const names[] = {"none", "aa", "overlap", "untouched", "idle_0ms",
                                        "idle_1ms", "idle_20ms", "packed", "spread", NULL};
    switch (*text == '\0' ? 0 : choice(state, "variant", text, names)) {
    case 2: arm->overlap = true; break;
    case 3: arm->untouched = true; break;
    case 5: arm->idle_ns = 1000000; break;
    case 6: arm->idle_ns = 20000000; break;
    case 7: arm->affinity = ARM_PACKED; break;
    case 8: arm->affinity = ARM_SPREAD; break;
    default: break;
    }
}

static void read_strategy(struct arm *arm, struct argp_state *state, const char *text)
{
    arm->strategy = strategy_find(text);
    if (arm->strategy == NULL)
        argp_error(state, "--strategy=%s: accepted are %s", text, strategy_names());
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const backends[] = {"seq", "proc", "omp", "control", NULL};
    static const char *const forms[] = {"task", "kernel", NULL};
    static const char *const memories[] = {"in_place", "staged", "private", NULL};
    static const char *const waits[] = {"adaptive", "block", "spin", NULL};
    struct arm *arm = state->input;
    switch (key) {
    case KEY_STRATEGY: read_strategy(arm, state, text); break;
    case KEY_BACKEND: arm->backend = choice(state, "backend", text, backends); break;
    case KEY_N: arm->n = count(state, "n", text, 1, MOST_ITEMS); break;
    case KEY_PREFIX: arm->n_run = count(state, "prefix", text, 1, MOST_ITEMS); break;
    case KEY_WORKERS: arm->workers = (unsigned)count(state, "workers", text, 0, 1024); break;
    case KEY_CHUNK: arm->chunk_text = text; break;
    case KEY_FORM: arm->kernel = choice(state, "form", text, forms) == 1; break;
    case KEY_MEMORY: arm->memory = choice(state, "memory", text, memories); break;
    case KEY_WAIT: arm->wait = choice(state, "wait", text, waits); break;
    case KEY_WORK_NS: arm->work_ns = count(state, "work-ns", text, 0, 10000000000u); break;
    case KEY_SPINS: arm->spins_per_ms = count(state, "spins-per-ms", text, 0, 100000000); break;
    case KEY_VARIANT: read_variant(arm, state, text); break;
    case KEY_BATCH: arm->batch = count(state, "batch", text, 0, 1000000); break;
    case KEY_SEED: arm->seed = count(state, "seed", text, 0, UINT64_MAX); break;
    case KEY_CALLS: arm->calls = (unsigned)count(state, "calls", text, 1, MOST_CALLS); break;
    case KEY_WARM_ONLY: arm->warm_only = true; break;
    case KEY_USABLE_CPUS: printf("%u\n", twin_usable_cpus()); exit(0);
    case KEY_CALIBRATE: printf("%llu\n", (unsigned long long)square_calibrate()); exit(0);
    case ARGP_KEY_ARG: argp_error(state, "%s: no arguments but options are accepted", text); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
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
    if (strcmp(arm->chunk_text, automatic[1]) == 0)
        items = twin_cpython_chunk(arm->n_run, arm->workers);
    else if (strcmp(arm->chunk_text, automatic[0]) != 0 &&
             !number_read(arm->chunk_text, 1, MOST_ITEMS, &items)) {
        fprintf(stderr, "twin_arm: --chunk=%s: accepted are auto, cpython, or items from 1\n",
                arm->chunk_text);
        exit(2);
    }
    arm->chunk = (size_t)items;
    if (arm->work_ns > 0 && arm->spins_per_ms == 0)
        arm->spins_per_ms = square_calibrate();
    arm->work.spins = square_spins(arm->work_ns, arm->spins_per_ms);
}

/* ---- one sample -------------------------------------------------------------------------------- */

struct sample {
    uint64_t open_ns, close_ns;
    struct pass cold, first, warm;
    size_t distinct_workers;
};

static int fail(const char *what, int rc)
{
    char text[160];
    snprintf(text, sizeof text, "%s: %s", what, twin_strerror(rc));
    record_text("outcome", rc == TWIN_ENOTSUP ? "unsupported" : "partial_limit");
    record_text(rc == TWIN_ENOTSUP ? "detail" : "limit", text);
    record_end();
    return rc == TWIN_ENOTSUP ? 0 : 1;
}

/* One verified pass. poison false: results are as the last one left them, or as reserved. */
static int verified_pass(struct arm *arm, struct pass *pass, bool poison, uint64_t expected)
{
    if (poison)
        square_poison(arm->results, arm->count);
    const int rc = arm_pass(arm, pass);
    if (rc != 0)
        return fail(arm->strategy->name, rc) == 0 ? -1 : 1;
    if (square_checksum(arm->results, arm->count) == expected)
        return 0;
    record_text("outcome", "wrong_result");
    record_text("detail", "the checksum of the results is not that of the squares");
    record_end();
    return EXIT_WRONG;
}

static int by_elapsed(const void *a, const void *b)
{
    const uint64_t x = ((const struct pass *)a)->elapsed_ns;
    const uint64_t y = ((const struct pass *)b)->elapsed_ns;
    return (x > y) - (x < y);
}

/* The first pass, or where that takes seconds a warm-up over few items; spawn has nothing to warm. */
static int first_pass(struct arm *arm, struct sample *sample, uint64_t expected)
{
    if (!arm->warm_only)
        return verified_pass(arm, &sample->first, !arm->untouched, expected);
    if (!arm->strategy->pool)
        return 0;
    arm->count = arm->n_run < WARM_UP_ITEMS ? arm->n_run : WARM_UP_ITEMS;
    const int status = verified_pass(arm, &sample->first, true,
                                     square_expected(arm->items, arm->count));
    arm->count = arm->n_run;
    return status;
}

static int passes(struct arm *arm, struct sample *sample)
{
    const uint64_t expected = square_expected(arm->items, arm->n_run);
    struct pass *warm = calloc(arm->calls, sizeof *warm);
    if (warm == NULL)
        return fail("warm passes", TWIN_ENOMEM);
    arm->count = arm->n_run;
    int status = first_pass(arm, sample, expected);
    for (unsigned i = 0; i < arm->calls && status == 0; i++)
        status = verified_pass(arm, &warm[i], true, expected);
    if (status == 0) {
        qsort(warm, arm->calls, sizeof *warm, by_elapsed);
        sample->warm = warm[(arm->calls - 1) / 2];
        sample->distinct_workers = arm_distinct_workers(arm);
    }
    free(warm);
    return status;
}

/* ---- records ----------------------------------------------------------------------------------- */

static void print_counters(const struct arm *arm, const struct sample *sample,
                           const struct pass *pass)
{
    const struct twin_stats *stats = &pass->stats;
    record_number("tasks", stats->tasks);
    record_number("chunks", stats->chunks);
    record_number("claims", stats->claims);
    record_number("steals", stats->steals);
    record_number("parks", stats->parks);
    record_number("wakes", stats->wakes);
    record_number("caller_parks", stats->caller_parks);
    record_number("forks", stats->forks);
    record_number("inline_tasks", stats->inline_tasks);
    record_number("staged_bytes", stats->staged_bytes);
    if (stats->chunk > 0)
        record_number("chosen_chunk", stats->chunk);
    if (sample->distinct_workers > 0)
        record_number("distinct_workers", sample->distinct_workers);
    record_number("user_ns", pass->usage.user_ns);
    record_number("sys_ns", pass->usage.sys_ns);
    record_number("cpu_ns", pass->usage.cpu_ns);
    record_number("minor_faults", pass->usage.minor_faults);
    record_number("voluntary_switches", pass->usage.voluntary_switches);
    record_number("involuntary_switches", pass->usage.involuntary_switches);
    record_number("max_rss_kib", pass->usage.max_rss_kib);
    record_number("caller_units", pass->caller_units);
    record_fraction("overlap", pass->elapsed_ns > 0
                                   ? (double)pass->caller_busy_ns / (double)pass->elapsed_ns
                                   : 0.0);
    if (pass->first_result_ns > 0)
        record_number("first_result_ns", pass->first_result_ns);
    if (arm->work.spins > 0)
        record_number("spins", arm->work.spins);
}

static void print_phase(const struct arm *arm, const struct sample *sample, const char *phase,
                        const struct pass *pass, uint64_t around_ns)
{
    record_text("phase", phase);
    record_text("outcome", "ok");
    record_number("n_run", arm->n_run);
    record_number("elapsed_ns", pass->elapsed_ns + around_ns);
    record_number("return_ns", pass->return_ns);
    if (arm->strategy->pool) {
        record_number("open_ns", sample->open_ns);
        record_number("close_ns", sample->close_ns);
    }
    print_counters(arm, sample, pass);
    record_end();
}

/* What the open used counts with the first pass as cold; sample->cold holds it until here. */
static void add_open_to_first(struct sample *sample)
{
    struct pass *cold = &sample->cold;
    const struct twin_stats at_open = cold->stats;
    const struct usage used = cold->usage;
    *cold = sample->first;
    cold->stats.forks += at_open.forks;
    cold->usage.user_ns += used.user_ns;
    cold->usage.sys_ns += used.sys_ns;
    cold->usage.cpu_ns += used.cpu_ns;
    cold->usage.minor_faults += used.minor_faults;
    cold->usage.voluntary_switches += used.voluntary_switches;
    cold->usage.involuntary_switches += used.involuntary_switches;
}

static void print_sample(const struct arm *arm, struct sample *sample)
{
    if (!arm->warm_only) {
        if (arm->strategy->pool) {
            add_open_to_first(sample);
            print_phase(arm, sample, "cold", &sample->cold, sample->open_ns + sample->close_ns);
        }
        print_phase(arm, sample, "first", &sample->first, 0);
    }
    print_phase(arm, sample, "warm", &sample->warm, 0);
}

static int timed_open(struct arm *arm, struct sample *sample)
{
    struct usage before, after;
    usage_read(&before);
    const uint64_t start_ns = now_ns();
    const int rc = arm_open(arm);
    sample->open_ns = now_ns() - start_ns;
    usage_read(&after);
    sample->cold.usage = usage_since(&before, &after);
    if (arm->pool != NULL)
        (void)twin_pool_stats(arm->pool, &sample->cold.stats);
    return rc;
}

static int measure(struct arm *arm)
{
    struct sample sample = {0};
    if (!arm_affinity_before(arm))
        return fail("affinity", TWIN_ENOTSUP);
    int rc = timed_open(arm, &sample);
    if (rc != 0)
        return fail("open", rc);
    if (!arm_affinity_after(arm))
        return fail("affinity", TWIN_ENOTSUP);
    rc = arm_arrays(arm);
    int status = rc != 0 ? fail("arrays", rc) : passes(arm, &sample);
    const uint64_t start_ns = now_ns();
    rc = arm_close(arm);
    sample.close_ns = now_ns() - start_ns;
    if (status == 0 && rc != 0)
        status = fail("close", rc);
    if (status == 0)
        print_sample(arm, &sample);
    arm_arrays_free(arm);
    return status < 0 ? 0 : status;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse,
        .doc = "Measures one strategy on one backend, once, and prints records."};
    struct arm arm = {.backend = ARM_PROC, .n = 1000000, .chunk_text = "auto", .kernel = false,
                      .seed = 1, .calls = 5};
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &arm);
    if (arm.strategy == NULL) {
        fprintf(stderr, "twin_arm: --strategy is missing: accepted are %s\n", strategy_names());
        return 2;
    }
    if ((arm.backend == ARM_SEQ) != (strcmp(arm.strategy->name, "sequential") == 0)) {
        fprintf(stderr, "twin_arm: backend seq runs the strategy sequential, and no other does\n");
        return 2;
    }
    settle(&arm);
    return measure(&arm);
}
