/* contract_memory.c: twin_alloc() memory: shared, zeroed, bounded, and the caller's until freed. */
#include "toolkit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

void memory_is_aligned_and_zeroed(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    size_t sizes[] = {1, 63, 64, 65, 1000, page - 1, page, page + 1, 1 << 20, (1 << 24) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *block = arena(pool, sizes[i]);
        cr_assert_eq((uintptr_t)block % (sizes[i] >= page ? page : 64), 0, "%zu bytes at %p",
                     sizes[i], (void *)block);
        cr_assert(all_zero(block, sizes[i]), "%zu bytes are not zeroed", sizes[i]);
        twin_free(block);
    }
    succeeds(twin_pool_close(pool));
}

void memory_is_zeroed_again_after_reuse(const struct arm *arm)
{
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){
                                .backend = arm->backend, .workers = 2, .shared_bytes = 8 << 20});
    struct random random = random_seeded("memory_is_zeroed_again_after_reuse");
    for (int cycle = 0; cycle < 2000; cycle++) { /* far more in all than there is at once */
        size_t size = 1 + random_below(&random, 1 << 18);
        unsigned char *block = arena(pool, size);
        cr_assert(all_zero(block, size), "cycle %d: %zu bytes are not zeroed", cycle, size);
        memset(block, 0xa5, size);
        twin_free(block);
    }
    succeeds(twin_pool_close(pool));
}

void memory_ends_at_shared_bytes(const struct arm *arm)
{
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){
                                .backend = arm->backend, .workers = 2, .shared_bytes = 1 << 20});
    errno = 0;
    cr_assert_null(twin_alloc(pool, (1 << 20) + 1));
    cr_assert_eq(errno, ENOMEM);
    cr_assert_null(twin_alloc(pool, SIZE_MAX));
    cr_assert_eq(errno, ENOMEM);
    errno = 0;
    cr_assert_null(twin_alloc(pool, 0));
    cr_assert_eq(errno, EINVAL);
    errno = 0;
    cr_assert_null(twin_alloc(NULL, 1));
    cr_assert_eq(errno, EINVAL);

    void *blocks[64];
    size_t count = 0;
    while (count < 64 && (blocks[count] = twin_alloc(pool, 1 << 16)))
        count++;
    cr_assert(count >= 8 && count <= 16, "%zu blocks of 64 KiB in 1 MiB", count);
    for (size_t i = 0; i < count; i++)
        twin_free(blocks[i]);
    twin_free(arena(pool, 1 << 19)); /* the pieces have become one again */
    succeeds(twin_pool_close(pool));
}

static int write_address(void *result, const void *item, void *context)
{
    void **slots = context;
    slots[*(const int32_t *)item] = &slots[*(const int32_t *)item];
    return square(result, item, NULL);
}

void memory_is_seen_by_all_workers_at_the_same_address(const struct arm *arm)
{
    enum { COUNT = 500 };
    struct twin_pool *pool = open_pool(arm, 3);
    int32_t items[COUNT];
    int64_t results[COUNT];
    void **slots = arena(pool, COUNT * sizeof *slots); /* allocated after the workers came */
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    map.task = write_address;
    map.context = slots;
    succeeds(twin_pool_map(pool, &map));
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(slots[i], &slots[i]);
    twin_free(slots);
    succeeds(twin_pool_close(pool));
}

void memory_blocks_do_not_overlap(const struct arm *arm)
{
    enum { BLOCKS = 64 };
    struct twin_pool *pool =
        open_pool_with(arm, &(struct twin_pool_options){
                                .backend = arm->backend, .workers = 1, .shared_bytes = 64 << 20});
    struct random random = random_seeded("memory_blocks_do_not_overlap");
    struct {
        unsigned char *bytes;
        size_t size;
        unsigned char mark;
    } blocks[BLOCKS] = {0};
    for (int step = 0; step < 4000; step++) {
        size_t at = random_below(&random, BLOCKS);
        for (size_t i = 0; i < blocks[at].size; i++)
            cr_assert_eq(blocks[at].bytes[i], blocks[at].mark, "step %d: block overwritten", step);
        twin_free(blocks[at].bytes);
        blocks[at].size = 1 + random_below(&random, step % 16 ? 1000 : 1 << 17);
        blocks[at].mark = (unsigned char)(1 + step % 255);
        blocks[at].bytes = arena(pool, blocks[at].size);
        memset(blocks[at].bytes, blocks[at].mark, blocks[at].size);
    }
    for (size_t at = 0; at < BLOCKS; at++)
        twin_free(blocks[at].bytes);
    succeeds(twin_pool_close(pool));
}

void memory_outlives_its_pool(const struct arm *arm)
{
    size_t before = count_mappings(true);
    struct twin_pool *pool = open_pool(arm, 2);
    char *first = arena(pool, 100), *second = arena(pool, 1 << 20);
    strcpy(first, "still here");
    succeeds(twin_pool_close(pool));
    cr_assert_str_eq(first, "still here");
    memset(second, 1, 1 << 20);
    twin_free(second);
    cr_assert_str_eq(first, "still here");
    twin_free(first);
    cr_assert_eq(count_mappings(true), before, "the last block takes the mapping with it");
}

static int allocate_in_task(void *result, const void *item, void *context)
{
    struct twin_pool *pool = *(struct twin_pool *const *)context;
    square(result, item, NULL);
    errno = 0;
    HOLDS(twin_alloc(pool, 64) == NULL);
    HOLDS(errno == EPERM);
    return 0;
}

void memory_refuses_a_worker(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    int64_t result = 0;
    struct twin_call call = square_call(&(int32_t){4});
    call.task = allocate_in_task;
    call.context = &pool;
    call.context_size = sizeof pool;
    int error = twin_pool_apply(pool, &call, &result);
    cr_assert_eq(error, 0, "check failed at line %d", failure_of(pool).task_code);
    cr_assert_eq(result, 16);
    succeeds(twin_pool_close(pool));
}

static int allocate_in_child(const struct arm *arm, void *pool)
{
    (void)arm;
    errno = 0;
    HOLDS(twin_alloc(pool, 64) == NULL);
    HOLDS(errno == EPERM);
    return 0;
}

void memory_refuses_a_forked_child(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    cr_assert_eq(in_child(allocate_in_child, arm, pool), 0);
    twin_free(arena(pool, 64));
    succeeds(twin_pool_close(pool));
}

void memory_ignores_a_pointer_that_is_no_block(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 1);
    char *block = arena(pool, 1000), local;
    memset(block, 7, 1000);
    twin_free(NULL);
    twin_free(&local);
    twin_free(block + 64);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(block[i], 7);
    twin_free(block);
    twin_free(block); /* it is none any more */
    succeeds(twin_pool_close(pool));
}
