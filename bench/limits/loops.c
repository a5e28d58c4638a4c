/* loops.c: libgomp alone: the same squares as everywhere, without a pool around them.
 *
 * bare_for is what map is compared with, bare_task (task + taskwait) apply, bare_tasks apply_async.
 * Tasks are created by thread 0 inside one region; the others pick them up at the region's barrier.
 * A task squares an item and stores it, as everywhere; it has no copy, no future and no outcome.
 *
 * Beyond 64 x threads outstanding tasks libgomp runs a task in its submitter: that is part of its
 * price. So most of bare_tasks is not deferred: in a team of one, where nobody takes a task before
 * the taskwait, 65 are, and of 200 000 the other 199 935 are calls through GOMP_task; in a team of
 * two 129, and as many more as the other thread takes. apply_async has the same threads and the
 * same limit. A bare_task is always deferred, and nearly always run by thread 0 in its taskwait. */
#include <omp.h>
#include <stdlib.h>

#include "../clock.h"
#include "../memory.h"
#include "../workloads/square.h"
#include "limits.h"

enum { WARM_UP_ITEMS = 1000 };

struct arrays {
    int32_t *values;
    int64_t *results;
    size_t count;
};

static int arrays_make(struct arrays *arrays, struct limit *limit)
{
    if (!memory_fits(limit->count * (sizeof *arrays->values + sizeof *arrays->results))) {
        limit->detail = "too large for memory";
        return 1;
    }
    arrays->count = limit->count;
    arrays->values = malloc(limit->count * sizeof *arrays->values);
    arrays->results = malloc(limit->count * sizeof *arrays->results);
    if (arrays->values == NULL || arrays->results == NULL) {
        limit->detail = "out of memory";
        return 1;
    }
    square_fill(arrays->values, limit->count, limit->seed);
    return 0;
}

static void arrays_free(struct arrays *arrays)
{
    free(arrays->values);
    free(arrays->results);
}

static void run_for(struct arrays *arrays, unsigned workers)
{
    const size_t count = arrays->count;
    const int32_t *values = arrays->values;
    int64_t *results = arrays->results;
#pragma omp parallel for default(none) num_threads(workers) schedule(static)                       \
    shared(values, results, count)
    for (size_t i = 0; i < count; i++)
        results[i] = square(values[i]);
}

static void run_task(struct arrays *arrays, unsigned workers)
{
    const size_t count = arrays->count;
    const int32_t *values = arrays->values;
    int64_t *results = arrays->results;
#pragma omp parallel default(none) num_threads(workers) shared(values, results, count)
    if (omp_get_thread_num() == 0)
        for (size_t i = 0; i < count; i++) {
#pragma omp task default(none) firstprivate(i) shared(values, results)
            results[i] = square(values[i]);
#pragma omp taskwait
        }
}

static void run_tasks(struct arrays *arrays, unsigned workers)
{
    const size_t count = arrays->count;
    const int32_t *values = arrays->values;
    int64_t *results = arrays->results;
#pragma omp parallel default(none) num_threads(workers) shared(values, results, count)
    if (omp_get_thread_num() == 0) {
        for (size_t i = 0; i < count; i++) {
#pragma omp task default(none) firstprivate(i) shared(values, results)
            results[i] = square(values[i]);
        }
#pragma omp taskwait
    }
}

static int by_time(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int timed(struct arrays *arrays, unsigned workers, void (*run)(struct arrays *, unsigned),
                 uint64_t *took_ns)
{
    const uint64_t expected = square_expected(arrays->values, arrays->count);
    const uint64_t start_ns = now_ns();
    run(arrays, workers);
    *took_ns = now_ns() - start_ns;
    return square_checksum(arrays->results, arrays->count) == expected ? 0 : 3;
}

/* The first call on untouched results (or a short warm-up), then calls on poisoned ones. */
static int measure(struct limit *limit, void (*run)(struct arrays *, unsigned))
{
    struct arrays arrays = {0};
    uint64_t took_ns[MOST_CALLS];
    int status = arrays_make(&arrays, limit);
    if (limit->warm_only && limit->count > WARM_UP_ITEMS)
        arrays.count = WARM_UP_ITEMS;
    if (status == 0)
        status = timed(&arrays, limit->workers, run, &limit->first_ns);
    if (limit->warm_only)
        limit->first_ns = 0;
    arrays.count = limit->count;
    for (unsigned call = 0; call < limit->calls && status == 0; call++) {
        square_poison(arrays.results, arrays.count);
        status = timed(&arrays, limit->workers, run, &took_ns[call]);
    }
    arrays_free(&arrays);
    if (status != 0)
        return status;
    qsort(took_ns, limit->calls, sizeof *took_ns, by_time);
    limit->warm_ns = took_ns[(limit->calls - 1) / 2];
    return 0;
}

int limit_for(struct limit *limit)
{
    return measure(limit, run_for);
}

int limit_task(struct limit *limit)
{
    return measure(limit, run_task);
}

int limit_tasks(struct limit *limit)
{
    return measure(limit, run_tasks);
}

int limit_region(struct limit *limit)
{
    const unsigned workers = limit->workers;
    uint64_t start_ns = 0;
    for (size_t i = 0; i <= limit->count; i++) { /* the first one makes the team */
        if (i == 1)
            start_ns = now_ns();
#pragma omp parallel default(none) num_threads(workers)
        __asm__ volatile("" : : : "memory");
    }
    limit->warm_ns = now_ns() - start_ns;
    return 0;
}
