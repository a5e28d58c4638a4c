/* square.c: squares a million numbers with as many processes as there are CPUs; with TWIN_OMP in
 * the options, with threads instead. The README shows this program; the tests build and run it. */
#include <inttypes.h>
#include <stdio.h>
#include <twinpool/pool.h>

static int square(void *result, const void *item, void *context)
{
    (void)context;
    int64_t value = *(const int32_t *)item;
    *(int64_t *)result = value * value;
    return 0;
}

int main(void)
{
    enum { COUNT = 1000000 };
    struct twin_pool *pool;
    if (twin_pool_open(&pool, &(struct twin_pool_options){.backend = TWIN_PROC}) != 0)
        return 1;
    int32_t *items = twin_alloc(pool, COUNT * sizeof *items); /* seen by all workers, uncopied */
    int64_t *results = twin_alloc(pool, COUNT * sizeof *results);
    if (!items || !results)
        return 1;
    for (int32_t i = 0; i < COUNT; i++)
        items[i] = i;
    int error = twin_pool_map(pool, &(struct twin_map){.task = square,
                                                       .items = items,
                                                       .item_size = sizeof *items,
                                                       .results = results,
                                                       .result_size = sizeof *results,
                                                       .count = COUNT});
    printf("%s: %" PRId64 "\n", twin_strerror(error), results[COUNT - 1]);
    return twin_pool_close(pool) != 0 || error != 0;
}
