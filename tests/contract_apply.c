/* contract_apply.c: one call at a time, its result awaited. */
#include "toolkit.h"

#include <stdlib.h>
#include <string.h>

void apply_returns_what_a_direct_call_returns(const struct arm *arm)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct twin_pool *pool = open_pool(arm, workers);
        for (int32_t item = -500; item < 500; item++) {
            struct twin_call call = square_call(&item);
            int64_t result = -1, direct;
            succeeds(twin_pool_apply(pool, &call, &result));
            square(&direct, &item, NULL);
            cr_assert_eq(result, direct);
        }
        cr_assert_eq(stats_of(pool).tasks, 1000);
        succeeds(twin_pool_close(pool));
    }
}

static int add_context(void *result, const void *item, void *context)
{
    *(int64_t *)result = *(const int32_t *)item + *(const int64_t *)context;
    return 0;
}

void apply_hands_on_the_context_by_copy_and_by_address(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int64_t *shared = arena(pool, sizeof *shared), private, result;
    int32_t item = 5;
    struct twin_call call = square_call(&item);
    call.task = add_context;
    for (int64_t turn = 0; turn < 100; turn++) {
        *shared = private = turn * 1000;
        call.context = &private, call.context_size = sizeof private;
        succeeds(twin_pool_apply(pool, &call, &result));
        cr_assert_eq(result, 5 + turn * 1000);
        *shared = turn * 2000;
        call.context = shared, call.context_size = 0;
        succeeds(twin_pool_apply(pool, &call, &result));
        cr_assert_eq(result, 5 + turn * 2000);
    }
    twin_free(shared);
    succeeds(twin_pool_close(pool));
}

static int reverse(void *result, const void *item, void *context)
{
    size_t size = *(const size_t *)context;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)result)[i] = ((const unsigned char *)item)[size - 1 - i];
    return 0;
}

void apply_takes_items_and_results_of_any_size(const struct arm *arm)
{
    enum { LARGEST = 1 << 20 };
    struct twin_pool *pool = open_pool(arm, 2);
    unsigned char *item = malloc(LARGEST), *result = malloc(LARGEST + 1);
    cr_assert(item && result);
    for (size_t i = 0; i < LARGEST; i++)
        item[i] = (unsigned char)(i * 31 + i / 256);
    for (size_t size = 1; size <= LARGEST; size = size < 300 ? size + 1 : size * 2 - size / 5) {
        struct twin_call call = {reverse, &size, sizeof size, item, size, size};
        result[size] = 0x5a; /* nothing is written past the result */
        succeeds(twin_pool_apply(pool, &call, result));
        for (size_t i = 0; i < size; i++)
            cr_assert_eq(result[i], item[size - 1 - i], "byte %zu of %zu", i, size);
        cr_assert_eq(result[size], 0x5a);
    }
    free(item), free(result);
    succeeds(twin_pool_close(pool));
}

static int touch(void *result, const void *item, void *context)
{
    (void)result, (void)item;
    atomic_fetch_add((atomic_int *)context, 1);
    return 0;
}

void apply_takes_no_item_and_no_result(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    atomic_int *touched = arena(pool, sizeof *touched);
    struct twin_call call = {.task = touch, .context = touched};
    for (int i = 1; i <= 20; i++) {
        succeeds(twin_pool_apply(pool, &call, NULL));
        cr_assert_eq(atomic_load(touched), i);
    }
    twin_free(touched);
    succeeds(twin_pool_close(pool));
}

static int return_item(void *result, const void *item, void *context)
{
    (void)result, (void)context;
    return *(const int32_t *)item;
}

void apply_reports_the_code_of_the_task(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    /* codes that look like an error of ours, too: the two never mix */
    static const int32_t codes[] = {1,   -1,  TWIN_EWORKER, TWIN_ESYSTEM,
                                    255, 256, INT32_MAX,    INT32_MIN};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        int64_t result;
        struct twin_call call = square_call(&codes[i]);
        call.task = return_item;
        expect(twin_pool_apply(pool, &call, &result), TWIN_ETASK);
        struct twin_failure failure = failure_of(pool);
        cr_assert_eq(failure.kind, TWIN_FAILURE_TASK);
        cr_assert_eq(failure.index, 0);
        cr_assert_eq(failure.task_code, codes[i]);
    }
    succeeds(twin_pool_close(pool));
}

void apply_survives_twenty_failures_in_a_row(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    for (int32_t turn = 1; turn <= 20; turn++) {
        int64_t result;
        struct twin_call bad = square_call(&turn), good = square_call(&turn);
        bad.task = return_item;
        expect(twin_pool_apply(pool, &bad, &result), TWIN_ETASK);
        succeeds(twin_pool_apply(pool, &good, &result));
        cr_assert_eq(result, (int64_t)turn * turn);
    }
    cr_assert_eq(stats_of(pool).restarts, 0);
    succeeds(twin_pool_close(pool));
}

void apply_runs_each_call_exactly_once(const struct arm *arm)
{
    enum { COUNT = 2000 };
    struct twin_pool *pool = open_pool(arm, 3);
    atomic_int *counters = arena(pool, COUNT * sizeof *counters);
    for (int32_t item = 0; item < COUNT; item++) {
        int64_t result;
        struct twin_call call = square_call(&item);
        call.task = count_run;
        call.context = counters;
        succeeds(twin_pool_apply(pool, &call, &result));
        cr_assert_eq(result, (int64_t)item * item);
    }
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(atomic_load(&counters[i]), 1, "call %zu ran %d times", i,
                     atomic_load(&counters[i]));
    twin_free(counters);
    succeeds(twin_pool_close(pool));
}
