/* fault_proc.c: a worker, or the supervisor, is killed at each step of the protocol (engine/fault.h),
 * at the first time and at later ones, while a fixed program of calls runs.
 *
 * Promised: exactly the call that ran, if any, fails, with the pid of the dead; a pool with retries
 * loses nothing; all else succeeds, once; the worker is replaced. A wake that was lost, or a call
 * that nobody finds, is a hang, and the watchdog reports it. And each place is really passed. */
#include "engine/fault.h"
#include "twinpool/pool.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALLS = 300, ITEMS = 300, CHUNK = 3, LATE = 3 };

/* Longer than a worker spins and naps. */
static const struct timespec ASLEEP = {.tv_nsec = 3000000};

struct place {
    const char *name;
    unsigned calls_lost; /* of apply_async */
    bool fails_map;
    bool either; /* one of both, or neither: the place is passed in several parts */
};

static int square(void *result, const void *item, void *context)
{
    int32_t x = *(const int32_t *)item;
    (void)context;
    *(int64_t *)result = (int64_t)x * x;
    return 0;
}

/* Long enough for both workers to have some; the lower half only, so that one of a map's has to
 * steal. */
static int square_slowly(void *result, const void *item, void *context)
{
    if (*(const int32_t *)item < ITEMS / 2)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    return square(result, item, context);
}

static struct twin_call call_for(const int32_t *item)
{
    return (struct twin_call){.task = square_slowly,
                              .item = item,
                              .item_size = sizeof *item,
                              .result_size = sizeof(int64_t)};
}

static void signal_workers(struct twin_pool *pool, int signal)
{
    struct twin_worker_stats stats;
    for (unsigned i = 0; twin_pool_worker_stats(pool, i, &stats) == 0; i++)
        if (stats.pid > 0)
            kill(stats.pid, signal);
}

/* Returns how many were lost to a worker's death. at_once: a sleeping worker finds all of the calls,
 * before the caller waits, so that it has to ring the other one. */
static unsigned call_all(struct twin_pool *pool, bool at_once)
{
    static struct twin_future *futures[CALLS];
    unsigned lost = 0;
    if (at_once) {
        nanosleep(&ASLEEP, NULL);
        signal_workers(pool, SIGSTOP);
    }
    for (int32_t i = 0; i < CALLS; i++) {
        struct twin_call call = call_for(&i);
        cr_assert_eq(twin_pool_apply_async(pool, &call, &futures[i]), 0);
    }
    if (at_once) {
        signal_workers(pool, SIGCONT);
        nanosleep(&ASLEEP, NULL);
    }
    for (int64_t i = 0; i < CALLS; i++) {
        int64_t result = -1;
        int error = twin_future_result(futures[i], &result, -1);
        struct twin_failure failure;
        twin_future_failure(futures[i], &failure);
        cr_assert(error == 0 || error == TWIN_EWORKER, "%s", twin_strerror(error));
        if (error)
            cr_assert(failure.kind == TWIN_FAILURE_WORKER && failure.pid > 0);
        else
            cr_assert_eq(result, i * i);
        lost += error != 0;
        twin_future_release(futures[i]);
    }
    return lost;
}

static int64_t results[ITEMS];

static struct twin_map make_map(void)
{
    static int32_t items[ITEMS];
    for (int32_t i = 0; i < ITEMS; i++)
        items[i] = i, results[i] = -1;
    return (struct twin_map){.task = square_slowly,
                             .items = items,
                             .item_size = sizeof items[0],
                             .results = results,
                             .result_size = sizeof results[0],
                             .count = ITEMS,
                             .chunk = CHUNK};
}

/* place: where a worker may die, or NULL. */
static bool map_fails(struct twin_pool *pool, const char *place)
{
    struct twin_map map = make_map();
    int error = twin_pool_map(pool, &map);
    cr_assert(error == 0 || error == TWIN_EWORKER, "%s", twin_strerror(error));
    for (int64_t i = 0; i < ITEMS && !error; i++)
        cr_assert_eq(results[i], i * i);
    struct twin_failure failure = {0};
    cr_assert_eq(twin_pool_failure(pool, &failure), 0);
    if (error && place && strcmp(place, "chunk_claimed") == 0)
        cr_assert_eq(failure.index % CHUNK, 0, "%zu is not where a chunk begins", failure.index);
    return error != 0;
}

/* Calls with pauses in which workers go to sleep; some of them may be lost. */
static unsigned call_one_by_one(struct twin_pool *pool)
{
    unsigned lost = 0;
    for (int32_t i = 0; i < 8; i++) {
        int64_t result = -1;
        struct twin_call call = call_for(&i);
        nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
        int error = twin_pool_apply(pool, &call, &result);
        cr_assert(error == 0 || error == TWIN_EWORKER, "%s", twin_strerror(error));
        lost += error != 0;
        cr_assert(error || result == (int64_t)i * i);
    }
    return lost;
}

static void await_workers(struct twin_pool *pool, unsigned workers)
{
    struct twin_stats stats;
    do {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        cr_assert_eq(twin_pool_stats(pool, &stats), 0);
    } while (stats.workers < workers);
}

static void await_forks(struct twin_pool *pool, uint64_t forks)
{
    struct twin_stats stats;
    do {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        cr_assert_eq(twin_pool_stats(pool, &stats), 0);
    } while (stats.forks < forks);
}

static void set_fault(const char *name, int pass)
{
    char text[64];
    snprintf(text, sizeof text, "%s:%d", name, pass);
    twini_fault_begin();
    cr_assert_eq(setenv("TWIN_FAULT", text, 1), 0);
}

/* The whole program with one fault. Returns whether somebody was killed. */
static bool run_with(const struct place *place, int pass, unsigned retries)
{
    struct twin_pool *pool;
    struct twin_pool_options options = {.workers = 2, .retries = retries};
    set_fault(place->name, pass);
    cr_assert_eq(twin_pool_open(&pool, &options), 0);
    unsigned lost = call_one_by_one(pool) + call_all(pool, true);
    bool failed = map_fails(pool, place->name);
    lost += call_one_by_one(pool);
    bool fired = twini_fault_end();
    if (fired && !retries && pass == 1 &&
        !place->either) /* a later pass may be in any part of the program */
        cr_assert(lost == place->calls_lost && failed == place->fails_map, "%s: %u calls lost%s",
                  place->name, lost, failed ? ", and the map" : "");
    cr_assert(lost + failed <= (place->calls_lost || place->fails_map), "%s:%d: %u calls lost%s",
              place->name, pass, lost, failed ? ", and the map" : "");
    if (retries)
        cr_assert(lost == 0 && !failed, "%s:%d: lost in spite of retries", place->name, pass);
    await_workers(pool, 2);
    cr_assert_eq(call_all(pool, false), 0);
    cr_assert(!map_fails(pool, NULL));
    cr_assert_eq(twin_pool_close(pool), 0);
    return fired;
}

Test(fault_proc, a_worker_dies_at_each_step, .timeout = 240)
{
    static const struct place places[] = {
        {"starting", 0, false, false},      {"naming", 0, false, false},
        {"claimed", 1, false, false},       {"returned", 1, false, false},
        {"published", 0, false, false},     {"ringing_caller", 0, false, false},
        {"run_published", 0, false, false}, {"run_claimed", 0, false, false},
        {"parked", 0, false, false},        {"parking", 0, false, false},
        {"promising", 0, false, false},     {"spinning", 0, false, false},
        {"chunk_claimed", 0, true, false},  {"chunk_returned", 0, true, false},
        {"stolen", 0, false, false},        {"landed", 0, false, false},
        {"ringing", 1, true, true},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bool fired = false;
        for (int pass = 1; pass <= 13; pass = pass * LATE + 1)
            for (unsigned retries = 0; retries <= 2; retries += 2)
                fired = run_with(&places[i], pass, retries) || fired;
        cr_assert(fired, "nobody passed %s", places[i].name);
    }
}

/* Returns whether the iterator ended with a chunk that a worker's death took; what precedes it is
 * there. */
static bool iterator_fails(struct twin_executor *executor)
{
    struct twin_map map = make_map();
    struct twin_iterator *iterator;
    const void *chunk;
    size_t count, seen = 0;
    int error;
    cr_assert_eq(twin_executor_map(executor, &map, &iterator), 0);
    while ((error = twin_iterator_next(iterator, &chunk, &count, -1)) == 0 && count > 0)
        for (size_t end = seen + count; seen < end; seen++)
            cr_assert_eq(results[seen], (int64_t)seen * (int64_t)seen);
    if (error) {
        struct twin_failure failure;
        cr_assert_eq(error, TWIN_EWORKER, "%s", twin_strerror(error));
        cr_assert_eq(twin_iterator_failure(iterator, &failure), 0);
        cr_assert(failure.kind == TWIN_FAILURE_WORKER && failure.pid > 0);
        cr_assert(failure.index >= seen && failure.index < seen + CHUNK, "%zu of %zu, %zu",
                  failure.index, seen, seen + CHUNK);
    } else {
        cr_assert_eq(seen, ITEMS);
    }
    twin_iterator_release(iterator);
    return error != 0;
}

Test(fault_proc, a_worker_of_an_iterated_map_dies_at_each_step, .timeout = 120)
{
    static const struct place places[] = {
        {"chunk_claimed", 0, true, false}, {"chunk_returned", 0, true, false},
        {"chunk_told", 0, false, false},   {"stolen", 0, false, false},
        {"landed", 0, false, false},       {"ringing_caller", 0, false, false},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bool fired = false;
        for (int pass = 1; pass <= 13; pass = pass * LATE + 1)
            for (unsigned retries = 0; retries <= 2; retries += 2) {
                struct twin_executor *executor;
                set_fault(places[i].name, pass);
                cr_assert_eq(
                    twin_executor_open(
                        &executor, &(struct twin_pool_options){.workers = 2, .retries = retries}),
                    0);
                bool failed = iterator_fails(executor), died = twini_fault_end();
                cr_assert_eq(failed, died && places[i].fails_map && !retries, "%s:%d, %u retries",
                             places[i].name, pass, retries);
                cr_assert(!iterator_fails(executor));
                cr_assert_eq(twin_executor_close(executor), 0);
                fired = fired || died;
            }
        cr_assert(fired, "nobody passed %s", places[i].name);
    }
}

static int die(void *result, const void *item, void *context)
{
    (void)result, (void)item, (void)context;
    abort();
}

static struct twin_pool *open_with(const char *fault)
{
    struct twin_pool *pool;
    set_fault(fault, 1);
    cr_assert_eq(twin_pool_open(&pool, &(struct twin_pool_options){.workers = 2}), 0);
    return pool;
}

static void lose_a_worker(struct twin_pool *pool)
{
    struct twin_call deadly = call_for(&(int32_t){7});
    deadly.task = die;
    cr_assert_eq(twin_pool_apply(pool, &deadly, &(int64_t){0}), TWIN_EWORKER);
}

/* Who was to replace a worker dies as well: before it is called, and before it works. */
Test(fault_proc, the_standby_dies_at_each_step, .timeout = 60)
{
    static const char *const places[] = {"standing_by", "called"};
    for (size_t i = 0; i < 2; i++) {
        struct twin_pool *pool = open_with(places[i]);
        lose_a_worker(pool);
        await_forks(pool, 5); /* supervisor, two workers, one more, and the standby */
        lose_a_worker(pool);
        await_forks(pool, 6); /* who takes its place */
        await_workers(pool, 2);
        cr_assert(twini_fault_end(), "nobody passed %s", places[i]);
        cr_assert_eq(call_all(pool, false), 0);
        cr_assert_eq(twin_pool_close(pool), 0);
    }
}

/* The supervisor dies while it buries a worker: nobody hangs, and what is left says so. */
Test(fault_proc, the_supervisor_dies_while_it_repairs, .timeout = 60)
{
    static const char *const places[] = {"burying", "buried"};
    for (size_t i = 0; i < 2; i++) {
        struct twin_pool *pool = open_with(places[i]);
        int32_t item = 7;
        lose_a_worker(pool);
        struct twin_call call = call_for(&item);
        int error;
        while ((error = twin_pool_apply(pool, &call, &(int64_t){0})) == 0) {
        } /* the end is noticed soon */
        cr_assert_eq(error, TWIN_EWORKER, "%s", twin_strerror(error));
        cr_assert_eq(twin_pool_apply(pool, &call, &(int64_t){0}), TWIN_EWORKER);
        cr_assert(twini_fault_end());
        cr_assert_eq(twin_pool_close(pool), 0);
    }
}
