/* toolkit.h: what the promises are told with: tasks, pools, gates, children, random numbers. */
#ifndef TWIN_TESTS_TOOLKIT_H
#define TWIN_TESTS_TOOLKIT_H

#include "contract.h"

#include <stdio.h>

/* Asserts that a call returns this code, and says both codes in words when it does not. */
#define expect(call, code)                                                                         \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        cr_assert(got_ == (code), "%s: %d (%s) where %d (%s) was promised", #call, got_,           \
                  twin_strerror(got_), (code), twin_strerror(code));                               \
    } while (0)
#define succeeds(call) expect(call, TWIN_OK)

/* Skips the test, and says so: Criterion keeps it to itself. */
#define skip(why)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "[SKIP] %s: %s\n", __func__, (why));                                       \
        cr_skip_test(why);                                                                         \
    } while (0)

/* ---- pools ---- */
struct twin_pool *open_pool(const struct arm *arm, unsigned workers);
struct twin_pool *open_pool_with(const struct arm *arm, const struct twin_pool_options *options);
struct twin_executor *open_executor(const struct arm *arm, unsigned workers);
unsigned helpers(const struct arm *arm, unsigned workers); /* who works while the caller looks on */
void *arena(struct twin_pool *pool, size_t bytes);         /* twin_alloc() that must succeed */
struct twin_stats stats_of(struct twin_pool *pool);
struct twin_failure failure_of(struct twin_pool *pool);
struct twin_failure failure_of_future(struct twin_future *future);

/* ---- items and tasks: an item is an int32_t, a result an int64_t ---- */
int32_t *count_up(int32_t *items, size_t count); /* items[i] = i */
int square(void *result, const void *item, void *context);
int square_chunk(void *results, const void *items, size_t count, void *context);
void assert_squares(const int64_t *results, const int32_t *items, size_t count);
struct twin_map square_map(const int32_t *items, int64_t *results, size_t count);
struct twin_call square_call(const int32_t *item);

struct twin_future *submit_call(struct twin_pool *pool, const struct twin_call *call);
void square_chunks_of_3(struct twin_pool *pool); /* the pool works: a map of many chunks */
int name_process(void *result, const void *item, void *context); /* the pid of who runs it */

/* Counts how often each item runs: context is an array of counters in shared memory. */
int count_run(void *result, const void *item, void *context);

/* Fails for each item from lowest on, by steps; the lowest is the slowest to say so. */
struct failing {
    int32_t lowest, step;
};
#define FAILING_CODE(item) (1000 + (int)(item))
int fail_some(void *result, const void *item, void *context);
int fail_some_chunk(void *results, const void *items, size_t count, void *context);
/* Dies of SIGKILL, and its worker with it. */
int kill_own_worker(void *result, const void *item, void *context);

/* ---- a gate in shared memory, at which tasks wait until the test opens it ---- */
struct gate {
    atomic_int opened, inside, most_inside, passed;
};
int wait_at_gate(void *result, const void *item, void *context); /* context: the gate's address */
/* Waits until as many are inside as its item says. */
int meet(void *result, const void *item, void *context);
struct twin_call gate_call(struct gate *gate, const int32_t *item);
void gate_open(struct gate *gate);
void await_at_least(atomic_int *counter, int value);
void nap(void);

/* ---- the process around us ---- */
size_t count_fds(void);
size_t count_mappings(bool shared_only);
void assert_no_child(void);
int in_child(int (*check)(const struct arm *, void *), const struct arm *arm, void *argument);
/* Within an in_child check: leaves with the line at which a condition did not hold. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)
void *shared_pages(size_t bytes); /* MAP_SHARED memory that belongs to no pool */

/* ---- random numbers, seeded; TWIN_TEST_SEED repeats a run ---- */
struct random {
    uint64_t state;
};
struct random random_seeded(const char *who);
uint64_t random_next(struct random *random);
size_t random_below(struct random *random, size_t bound);

#endif
