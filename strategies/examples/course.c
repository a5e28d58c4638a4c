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
static double began;

static int square(void *result, const void *item, void *context)
{
    *(int64_t *)result = *(const int64_t *)item * *(const int64_t *)item;
    return context != NULL; /* 0: all went well */
}

static const struct twin_map map = {.task = square,
                                    .items = items,
                                    .item_size = 8,
                                    .results = results,
                                    .result_size = 8,
                                    .count = N};

static int apply_async(struct twin_pool *pool)
{
    static struct twin_future *futures[N];
    struct twin_call call = {.task = square, .item_size = 8, .result_size = 8};
    int error = 0;
    for (size_t i = 0; i < N; i++) {
        call.item = &items[i];
        error |= twin_pool_apply_async(pool, &call, &futures[i]);
    }
    error |= twin_futures_wait(futures, N, TWIN_ALL, -1);
    for (size_t i = 0; i < N; i++) {
        error |= twin_future_result(futures[i], &results[i], -1);
        twin_future_release(futures[i]);
    }
    return error;
}

static int executor_map(struct twin_executor *executor)
{
    struct twin_iterator *iterator;
    const void *chunk;
    size_t count = 1;
    int error = twin_executor_map(executor, &map, &iterator);
    while (error == 0 && count > 0)
        error = twin_iterator_next(iterator, &chunk, &count, -1);
    twin_iterator_release(iterator);
    return error;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Prints the time since began, checks and poisons the results, and begins the next. */
static int told(const char *who, const char *how, int error)
{
    double took = seconds() - began;
    int bad = error != 0 || memcmp(results, squares, sizeof results) != 0;
    printf("%-9s  %-11s  %7.3f s  %s\n", who, how, took, bad ? "wrong" : "all right");
    memset(results, -1, sizeof results);
    began = seconds();
    return bad;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"processes", "threads"};
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return puts("usage: course   (squares a million numbers in seven ways)") < 0;
    if (argc > 1)
        return fprintf(stderr, "course: %s: accepted is --help\n", argv[1]) < 0 ? 1 : 2;
    for (int64_t i = 0; i < N; i++)
        squares[i] = (items[i] = i) * i;
    began = seconds();
    int bad = told("one", "loop", twin_sequential_map(&map, NULL));
    for (int i = 0; i < 2; i++) {
        struct twin_pool_options options = {.backend = i == 0 ? TWIN_PROC : TWIN_OMP};
        struct twin_executor *executor;
        if (twin_executor_open(&executor, &options) != 0)
            return 1;
        struct twin_pool *pool = twin_executor_pool(executor);
        began = seconds();
        bad |= told(names[i], "map", twin_pool_map(pool, &map));
        bad |= told(names[i], "apply_async", apply_async(pool));
        bad |= told(names[i], "executor", executor_map(executor));
        bad |= twin_executor_close(executor) != 0;
    }
    return bad;
}
