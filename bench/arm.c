/* arm.c: twin_arm, a process that measures one strategy on one backend once, and says so in
 * records.
 *
 * Order of events: read the command line; calibrate if the launcher did not; open (timed); arrays;
 * first pass (timed); warm passes (timed); who ran it (not timed); close (timed); records.
 * Results are poisoned before every timed pass, outside the clock, and every pass is verified by
 * checksum: a wrong sum is an outcome (exit 3), not a time.
 * cold is what a program pays that needs the pool once: open + first + close. Of the warm passes
 * the one of median time is reported whole, so that its times and counters belong together. Exit
 * status: 0 measured (also when the backend does not support it), 1 a call failed, 2 usage, 3 wrong
 * result. */
#include "arm.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "record.h"

enum { WARM_UP_ITEMS = 1000, EXIT_WRONG = 3 };

/* ---- one sample ----------------------------------------------------------------------------- */

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

/* The first pass, or where that takes seconds a warm-up over few items; spawn has nothing to warm.
 */
static int first_pass(struct arm *arm, struct sample *sample, uint64_t expected)
{
    if (!arm->warm_only)
        return verified_pass(arm, &sample->first, !arm->untouched, expected);
    if (!arm->strategy->pool)
        return 0;
    arm->count = arm->n_run < WARM_UP_ITEMS ? arm->n_run : WARM_UP_ITEMS;
    const int status =
        verified_pass(arm, &sample->first, true, square_expected(arm->items, arm->count));
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

/* ---- records -------------------------------------------------------------------------------- */

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
    usage_record(&pass->usage);
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
    struct arm arm;
    arm_options(&arm, argc, argv);
    return measure(&arm);
}
