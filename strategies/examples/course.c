/* course.c: the course's exercise: a million squares by a loop, map, apply_async and an executor, with
 * processes and with threads. Read it beside the printed times: what costs is the hand-out, not the
 * square; map and the executor hand out chunks, apply_async call by call, and a million futures take
 * memory, too. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <twinpool/pool.h>

enum { N = 1000000 };
static int64_t items[N], squares[N], results[N];
static struct twin_future *futures[N];

static int square(void *result, const void *item, void *context)
{
    *(int64_t *)result = *(const int64_t *)item * *(const int64_t *)item;
    return context != NULL; /* 0: all went well */
}

/* Prints the time since the last one, and whether the results are the squares; takes them away. */
static int tell(const char *how, int error)
{
    static double began;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    double now = (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
    int is_bad = error || memcmp(results, squares, sizeof results) != 0;
    if (how)
        printf("%-12s %7.3f s  %s\n", how, now - began, is_bad ? "wrong" : "all right");
    memset(results, -1, sizeof results);
    began = now;
    return is_bad;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("usage: course   (squares a million numbers in seven ways)") < 0;
    if (argc > 1)
        return fprintf(stderr, "course: %s: accepted is --help\n", argv[1]) < 0 ? 1 : 2;
    struct twin_map map = {square, .items = items, .results = results, .count = N};
    struct twin_call call = {square, .item_size = sizeof *items, .result_size = sizeof *results};
    map.item_size = map.result_size = sizeof(int64_t);
    for (int64_t i = 0; i < N; i++)
        squares[i] = (items[i] = i) * i;
    tell(NULL, 0);
    int bad = tell("loop", twin_sequential_map(&map, NULL));
    for (enum twin_backend backend = TWIN_PROC; backend <= TWIN_OMP; backend++) {
        struct twin_executor *executor;
        struct twin_iterator *iterator;
        const void *chunk;
        size_t count = 1;
        if (twin_executor_open(&executor, &(struct twin_pool_options){.backend = backend}) != 0)
            return 1;
        struct twin_pool *pool = twin_executor_pool(executor);
        puts(backend == TWIN_PROC ? "processes:" : "threads:");
        tell(NULL, 0);
        bad |= tell("map", twin_pool_map(pool, &map));

        int error = 0;
        for (size_t i = 0; i < N; i++) {
            call.item = &items[i];
            error |= twin_pool_apply_async(pool, &call, &futures[i]);
        }
        for (size_t i = 0; i < N; i++) {
            error |= twin_future_result(futures[i], &results[i], -1);
            twin_future_release(futures[i]);
        }
        bad |= tell("apply_async", error);

        error = twin_executor_map(executor, &map, &iterator);
        while (error == 0 && count > 0)
            error = twin_iterator_next(iterator, &chunk, &count, -1);
        twin_iterator_release(iterator);
        bad |= tell("executor", error);

        bad |= twin_executor_close(executor) != 0;
    }
    return bad;
}
