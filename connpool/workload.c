/* workload.c: what the two workloads share: the memory of the records, the witness, the summary.
 *
 * The witness is a counter of its own, raised after acquire and lowered before release, so what it
 * shows never exceeds what really is: if it is above N, the bound was broken.
 * Source: Jain, Chiu, Hawe, "A quantitative measure of fairness", DEC-TR-301, 1984. */
#include "workload.h"

#include "child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int workload_init(struct workload *workload)
{
    size_t records = workload->workers * sizeof(struct worker_record);
    size_t waits = (size_t)workload->workers * workload->operations * sizeof(int64_t);
    int64_t *wait_ns;

    workload->shared_bytes = sizeof(struct workload_shared) + records + waits;
    workload->shared = shared_pages(workload->shared_bytes);
    if (!workload->shared)
        return -1;
    wait_ns = (int64_t *)(void *)&workload->shared->workers[workload->workers];
    for (unsigned i = 0; i < workload->workers; i++)
        workload->shared->workers[i].wait_ns = wait_ns + (size_t)i * workload->operations;
    return 0;
}

void workload_fini(struct workload *workload)
{
    shared_pages_free(workload->shared, workload->shared_bytes);
    workload->shared = NULL;
}

/* All relaxed: each is one counter, looked at on its own. */
void holder_enters(struct workload_shared *shared, unsigned connections)
{
    unsigned holders = atomic_fetch_add_explicit(&shared->holders, 1, memory_order_relaxed) + 1;
    unsigned most = atomic_load_explicit(&shared->most_holders, memory_order_relaxed);

    if (holders > connections)
        atomic_fetch_add_explicit(&shared->bound_violations, 1, memory_order_relaxed);
    while (holders > most &&
           !atomic_compare_exchange_weak_explicit(&shared->most_holders, &most, holders,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void holder_leaves(struct workload_shared *shared)
{
    atomic_fetch_sub_explicit(&shared->holders, 1, memory_order_relaxed);
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* The smallest value that at least percent of all do not exceed (nearest rank). */
static int64_t percentile(const int64_t *sorted, size_t count, unsigned percent)
{
    size_t rank = (count * percent + 99) / 100;

    return count ? sorted[rank ? rank - 1 : 0] : 0;
}

static void summarise_waits(struct workload_summary *summary, int64_t *waits, size_t count)
{
    qsort(waits, count, sizeof *waits, ascending);
    summary->wait_p50_ns = percentile(waits, count, 50);
    summary->wait_p95_ns = percentile(waits, count, 95);
    summary->wait_p99_ns = percentile(waits, count, 99);
    summary->wait_max_ns = percentile(waits, count, 100);
}

int workload_summarise(const struct workload *workload, struct workload_summary *summary)
{
    int64_t last_ns = workload->start_ns, hold_ns = 0;
    double sum = 0, sum_of_squares = 0;
    size_t count = 0;
    int64_t *waits;

    memset(summary, 0, sizeof *summary);
    waits = malloc((size_t)workload->workers * workload->operations * sizeof *waits + 1);
    if (!waits)
        return -1;
    for (unsigned i = 0; i < workload->workers; i++) {
        const struct worker_record *record = &workload->shared->workers[i];
        double rate = (double)record->done / ((double)(record->end_ns - workload->start_ns) + 1);

        summary->done += record->done;
        summary->timed_out += record->timed_out;
        summary->failed += record->failed;
        if (!summary->first_error)
            summary->first_error = record->first_error;
        if (i == 0 || record->longest_wait_ns < summary->worker_longest_wait_min_ns)
            summary->worker_longest_wait_min_ns = record->longest_wait_ns;
        if (record->end_ns > last_ns)
            last_ns = record->end_ns;
        hold_ns += record->hold_ns;
        sum += rate;
        sum_of_squares += rate * rate;
        memcpy(waits + count, record->wait_ns, workload->operations * sizeof *waits);
        count += workload->operations;
    }
    summarise_waits(summary, waits, count);
    free(waits);
    summary->elapsed_ns = last_ns - workload->start_ns;
    summary->hold_mean_ns = summary->done ? hold_ns / (int64_t)summary->done : 0;
    summary->fairness =
        sum_of_squares > 0 ? sum * sum / ((double)workload->workers * sum_of_squares) : 0;
    return 0;
}
