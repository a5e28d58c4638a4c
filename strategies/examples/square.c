/* square.c: the program of the README: squares numbers in other processes. */
#include <stdio.h>
#include <twinpool/pool.h>

static int square(void *result, const void *item, void *context)
{
    int64_t value = *(const int32_t *)item;
    *(int64_t *)result = value * value;
    return context != NULL; /* 0: all went well */
}

int main(void)
{
    int32_t items[] = {1, 2, 3, 4, 5, 6, 7, 8};
    int64_t results[8] = {0};
    struct twin_pool *pool;
    if (twin_pool_open(&pool, &(struct twin_pool_options){.backend = TWIN_PROC}) != 0)
        return 1;
    int error = twin_pool_map(pool, &(struct twin_map){.task = square,
                                                       .items = items,
                                                       .item_size = sizeof *items,
                                                       .results = results,
                                                       .result_size = sizeof *results,
                                                       .count = 8});
    printf("%s: the square of 8 is %lld\n", twin_strerror(error), (long long)results[7]);
    return twin_pool_close(pool) != 0 || error != 0 || results[7] != 64;
}
