/* run_price.c: what acquire and release cost beside a bare sem_wait and sem_post.
 *
 * Four loops in one process, round after round, so that each round's ratios compare like with like:
 * bare sem_t; the pool with bare admission; the pool with recovering admission; sem_t once more
 * (the A/A control: how far two equal loops are apart). Alone, and by two workers at once on one
 * connection, where nearly every operation is a hand-over. The median over the rounds is printed.
 * The driver does nothing: what is priced is the pool. */
#include "arm.h"
#include "child.h"
#include "process.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEM, BARE, RECOVERING, SEM_AGAIN, WAYS };
enum { ROUNDS = 11, BLOCKS = 41, PAIR = 2 };

static const char *const alone_key[WAYS] = {"sem_pair_ns", "bare_pair_ns", "recovering_pair_ns",
                                            "sem_again_pair_ns"};
static const char *const contended_key[WAYS] = {"sem_contended_pair_ns", "bare_contended_pair_ns",
                                                "recovering_contended_pair_ns",
                                                "sem_again_contended_pair_ns"};
static const char *const ratio_key[2][WAYS] = {
    {NULL, "bare_vs_sem_ratio", "recovering_vs_sem_ratio", "aa_ratio"},
    {NULL, "bare_vs_sem_contended_ratio", "recovering_vs_sem_contended_ratio",
     "aa_contended_ratio"}};

struct pair_shared {
    sem_t permits;
    alignas(64) _Atomic unsigned ready;
    _Atomic int64_t end_ns[PAIR];
    _Atomic int64_t start_ns[PAIR];
};

struct price {
    struct twin_connpool *pools[WAYS]; /* [SEM]: none */
    struct pair_shared *shared;
    unsigned operations;
};

/* ---- a driver that does nothing ----------------------------------------------------------------
 */

static int idle_open(void **connection, unsigned slot, void *context)
{
    static int something;

    (void)slot;
    (void)context;
    *connection = &something;
    return 0;
}
static int idle_exec(void *connection, const char *statement, int64_t *value)
{
    (void)connection;
    (void)statement;
    *value = 0;
    return 0;
}
static void idle_close(void *connection)
{
    (void)connection;
}
static const struct twin_connpool_driver idle_driver = {
    .name = "idle", .open = idle_open, .exec = idle_exec, .close = idle_close};

/* ---- the loops ---------------------------------------------------------------------------------
 */

static void loop_sem(sem_t *permits, unsigned operations)
{
    for (unsigned k = 0; k < operations; k++) {
        while (sem_wait(permits) != 0) /* EINTR is all that can fail here */
            ;
        sem_post(permits); /* fails only past 2^31 */
    }
}

static int loop_pool(struct twin_connpool *pool, unsigned operations)
{
    struct twin_lease lease;
    int failed = 0;

    for (unsigned k = 0; k < operations; k++)
        failed |= twin_connpool_acquire(pool, &lease, -1) | twin_connpool_release(pool, &lease);
    return failed;
}

static int loop(const struct price *price, int way, unsigned operations)
{
    if (price->pools[way])
        return loop_pool(price->pools[way], operations);
    loop_sem(&price->shared->permits, operations);
    return 0;
}

/* One of two workers: waits for the other, runs, notes when. */
static int loop_beside(const struct price *price, int way, int worker)
{
    int failed;

    /* order: acq_rel and acquire: both begin after both have come */
    atomic_fetch_add_explicit(&price->shared->ready, 1, memory_order_acq_rel);
    while (atomic_load_explicit(&price->shared->ready, memory_order_acquire) < PAIR)
        sched_yield();
    /* relaxed: read after the workers were waited for */
    atomic_store_explicit(&price->shared->start_ns[worker], twini_now_ns(), memory_order_relaxed);
    failed = loop(price, way, price->operations);
    atomic_store_explicit(&price->shared->end_ns[worker], twini_now_ns(), memory_order_relaxed);
    return failed;
}

/* ---- one measurement: ns per pair, or -1
 * --------------------------------------------------------- */

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

/* Of an odd number of values. Sorts them. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

static double measure_block(const struct price *price, int way, unsigned operations)
{
    int64_t start_ns = twini_now_ns();
    int failed = loop(price, way, operations);

    return failed ? -1 : (double)(twini_now_ns() - start_ns) / operations;
}

/* One round of all ways, in turns of a block each: what interrupts a block spoils that one only. */
static int measure_alone(const struct price *price, int first, double ns[WAYS])
{
    unsigned operations = price->operations / BLOCKS ? price->operations / BLOCKS : 1;
    double block_ns[WAYS][BLOCKS];

    for (int b = 0; b < BLOCKS; b++) {
        for (int k = 0; k < WAYS; k++) {
            int way = (first + b + k) % WAYS;

            block_ns[way][b] = measure_block(price, way, operations);
            if (block_ns[way][b] < 0)
                return -1;
        }
    }
    for (int way = 0; way < WAYS; way++)
        ns[way] = median(block_ns[way], BLOCKS);
    return 0;
}

static int run_pair_proc(const struct price *price, int way)
{
    pid_t pids[PAIR];

    for (int i = 0; i < PAIR; i++) {
        pids[i] = child_fork();
        if (pids[i] == 0)
            _exit(loop_beside(price, way, i) != 0);
        if (pids[i] < 0) {
            child_kill_all(pids, (size_t)i);
            return -1;
        }
    }
    return child_wait_all(pids, PAIR);
}

static int run_pair_omp(const struct price *price, int way)
{
    int failed = 0, team = 0;

#pragma omp parallel default(none) shared(price, way, team) reduction(| : failed) num_threads(PAIR)
    {
#pragma omp single
        team = omp_get_num_threads();
        if (team == PAIR)
            failed |= loop_beside(price, way, omp_get_thread_num());
    }
    return failed || team != PAIR;
}

static double measure_contended(const struct price *price, enum twin_backend backend, int way)
{
    struct pair_shared *shared = price->shared;
    int64_t start_ns, end_ns;
    int failed;

    shared->ready = 0;
    failed = backend == TWIN_OMP ? run_pair_omp(price, way) : run_pair_proc(price, way);
    start_ns =
        shared->start_ns[0] < shared->start_ns[1] ? shared->start_ns[0] : shared->start_ns[1];
    end_ns = shared->end_ns[0] > shared->end_ns[1] ? shared->end_ns[0] : shared->end_ns[1];
    return failed ? -1 : (double)(end_ns - start_ns) / (2.0 * price->operations);
}

/* ---- rounds and medians
 * -------------------------------------------------------------------------- */

static void print_medians(double ns[WAYS][ROUNDS], bool contended)
{
    for (int way = 0; way < WAYS; way++) {
        double ratio[ROUNDS];

        for (int r = 0; r < ROUNDS; r++)
            ratio[r] = ns[way][r] / ns[SEM][r];
        if (way != SEM)
            record_ratio(ratio_key[contended][way], median(ratio, ROUNDS));
    }
    for (int way = 0; way < WAYS; way++)
        record_ratio(contended ? contended_key[way] : alone_key[way], median(ns[way], ROUNDS));
}

static int measure_beside(const struct price *price, enum twin_backend backend, int first,
                          double ns[WAYS])
{
    for (int k = 0; k < WAYS; k++) {
        int way = (first + k) % WAYS;

        ns[way] = measure_contended(price, backend, way);
        if (ns[way] < 0)
            return -1;
    }
    return 0;
}

static int measure_rounds(const struct price *price, enum twin_backend backend, bool contended)
{
    double ns[WAYS][ROUNDS];

    for (int r = 0; r < ROUNDS; r++) {
        double round_ns[WAYS];
        /* no way is always first */
        int failed = contended ? measure_beside(price, backend, r % WAYS, round_ns)
                               : measure_alone(price, r % WAYS, round_ns);

        if (failed)
            return -1;
        for (int way = 0; way < WAYS; way++)
            ns[way][r] = round_ns[way];
    }
    print_medians(ns, contended);
    return 0;
}

static int open_pools(struct price *price, unsigned connections)
{
    struct twin_connpool_options options = {.driver = &idle_driver, .connections = connections};
    int status = twin_connpool_open(&price->pools[RECOVERING], &options);

    options.admission = TWIN_ADMIT_BARE;
    if (status == 0)
        status = twin_connpool_open(&price->pools[BARE], &options);
    if (status == 0 && sem_init(&price->shared->permits, 1, connections) != 0)
        status = TWIN_ESYSTEM;
    return status;
}

static void close_pools(struct price *price)
{
    twin_connpool_close(price->pools[RECOVERING]);
    twin_connpool_close(price->pools[BARE]);
    price->pools[RECOVERING] = price->pools[BARE] = NULL;
}

static int price_one(struct price *price, const struct arm_options *options, bool contended)
{
    /* alone: never empty; beside: always one worker waits */
    unsigned connections = contended ? 1 : options->connections;
    int status = open_pools(price, connections);

    if (status == 0 && measure_rounds(price, options->backend, contended) != 0)
        status = TWIN_EWORKER;
    close_pools(price);
    return status;
}

int run_price(const struct arm_options *options)
{
    struct price price = {.shared = shared_pages(sizeof *price.shared),
                          .operations = options->operations};
    int64_t start_ns = twini_now_ns();
    int status;

    record_begin();
    if (!price.shared)
        return record_failure("no memory", errno);
    /* Processes first: no thread has been started then, so a fork is clean. */
    status = price_one(&price, options, true);
    if (status == 0)
        status = price_one(&price, options, false);
    shared_pages_free(price.shared, sizeof *price.shared);
    if (status)
        return record_failure(error_name(status), 0);
    record_count("n_run", (uint64_t)options->operations * ROUNDS * WAYS * (1 + PAIR));
    record_count("rounds_count", ROUNDS);
    record_ns("elapsed_ns", twini_now_ns() - start_ns);
    record_end("ok");
    return ARM_OK;
}
