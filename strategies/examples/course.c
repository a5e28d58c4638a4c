/* course.c: the course's exercise in 40 lines: a million squares by a loop, by a pool's map and by an
 * executor's futures. Read it beside the printed times: what costs is the hand-out, not the square; a
 * map hands out chunks, an executor call by call. TWIN_OMP for TWIN_PROC: the same with threads. */
#include <omp.h>
#include <stdio.h>
#include <twinpool/pool.h>

enum { N = 1000000 };
static int64_t items[N], results[N];
static struct twin_future *futures[N];
static double began;

static int square(void *result, const void *item, void *context)
{
    *(int64_t *)result = *(const int64_t *)item * *(const int64_t *)item;
    return context != NULL; /* 0: all went well */
}

/* Prints the time since the last one; takes the results away, and returns whether they were wrong. */
static int tell(const char *way, int error)
{
    double seconds = omp_get_wtime() - began;
    for (size_t i = 0; i < N; results[i++] = -1)
        error |= results[i] != items[i] * items[i];
    printf("%-8s %7.3f s  %s\n", way, seconds, error ? "wrong" : "all right");
    began = omp_get_wtime();
    return error;
}

int main(void)
{
    struct twin_map map = {square, .items = items, .results = results, .count = N};
    struct twin_call call = {square, .item_size = sizeof *items, .result_size = sizeof *results};
    struct twin_executor *executor;
    if (twin_executor_open(&executor, &(struct twin_pool_options){.backend = TWIN_PROC}) != 0)
        return 1;
    map.item_size = map.result_size = sizeof(int64_t);
    for (int64_t i = 0; i < N; i++)
        items[i] = i;
    began = omp_get_wtime();
    int error = 0, bad = tell("loop", twin_sequential_map(&map, NULL));
    bad |= tell("map", twin_pool_map(twin_executor_pool(executor), &map));
    for (size_t i = 0; i < N; error |= twin_executor_submit(executor, &call, &futures[i++]))
        call.item = &items[i];
    for (size_t i = 0; i < N; twin_future_release(futures[i++]))
        error |= twin_future_result(futures[i], &results[i], -1);
    bad |= tell("executor", error);
    return twin_executor_close(executor) || bad;
}
