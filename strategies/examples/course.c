/* course.c: the course's exercise: a million squares by a loop, map, apply_async and an executor, with
 * processes and with threads. Read it beside the printed times: what costs is the hand-out, not the
 * square; map hands out chunks, the others call by call. */
#include <stdio.h>
#include <time.h>
#include <twinpool/pool.h>

enum { N = 1000000, WINDOW = 1000 };
static int64_t items[N], results[N];

static int square(void *result, const void *item, void *context)
{
    (void)context;
    *(int64_t *)result = *(const int64_t *)item * *(const int64_t *)item;
    return 0;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Prints the time since began, checks the results, and poisons them for the next. */
static int told(const char *who, const char *how, double began, int error)
{
    printf("%-10s %-12s %8.3f s  %s\n", who, how, seconds() - began, twin_strerror(error));
    for (size_t i = 0; i < N; i++) {
        error |= results[i] != items[i] * items[i];
        results[i] = -1;
    }
    return error != 0;
}

/* Call by call, WINDOW in flight: by the executor if there is one, else by the pool. */
static int one_by_one(struct twin_pool *pool, struct twin_executor *executor)
{
    static struct twin_future *futures[WINDOW];
    int error = 0;
    for (size_t i = 0; i < N && !error; i += WINDOW) {
        size_t sent = 0;
        for (; sent < WINDOW && !error; sent += !error) {
            struct twin_call call = {.task = square,
                                     .item = &items[i + sent],
                                     .item_size = sizeof *items,
                                     .result_size = sizeof *results};
            error = executor ? twin_executor_submit(executor, &call, &futures[sent])
                             : twin_pool_apply_async(pool, &call, &futures[sent]);
        }
        /* All at once: one by one, each wait would be a hand-out of its own under OpenMP. */
        int waited = twin_futures_wait(futures, sent, TWIN_ALL, -1);
        error = error ? error : waited;
        for (size_t k = 0; k < sent; k++) {
            int failed = twin_future_result(futures[k], &results[i + k], -1);
            error = error ? error : failed;
            twin_future_release(futures[k]);
        }
    }
    return error;
}

int main(int argc, char **argv)
{
    const struct twin_map map = {.task = square,
                                 .items = items,
                                 .item_size = sizeof *items,
                                 .results = results,
                                 .result_size = sizeof *results,
                                 .count = N};
    static const char *const names[] = {"processes", "threads"};
    if (argc > 1) {
        fprintf(stderr, "usage: %s   (takes no arguments; squares a million numbers)\n", argv[0]);
        return argv[1][0] == '-' && argv[1][1] == '-' && argv[1][2] == 'h' ? 0 : 2;
    }
    for (size_t i = 0; i < N; i++)
        items[i] = (int64_t)i;
    double began = seconds();
    int bad = told("one", "loop", began, twin_sequential_map(&map, NULL));
    for (int backend = TWIN_PROC; backend <= TWIN_OMP; backend++) {
        struct twin_pool_options options = {.backend = (enum twin_backend)backend};
        struct twin_pool *pool;
        struct twin_executor *executor;
        if (twin_pool_open(&pool, &options) != 0)
            return 1;
        began = seconds();
        bad |= told(names[backend], "map", began, twin_pool_map(pool, &map));
        began = seconds();
        bad |= told(names[backend], "apply_async", began, one_by_one(pool, NULL));
        if (twin_pool_close(pool) != 0 || twin_executor_open(&executor, &options) != 0)
            return 1;
        began = seconds();
        bad |= told(names[backend], "executor", began, one_by_one(NULL, executor));
        bad |= twin_executor_close(executor) != 0;
    }
    return bad;
}
