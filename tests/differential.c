/* differential.c: the same random program of calls on processes, threads and the control arm; all
 * must answer alike, and as the oracle says.
 *
 * A program is a list of steps drawn from a seeded generator: which call, how many items, what
 * chunk, task or kernel, private or shared arrays, context by copy or by address, and which items
 * fail. Each step is run on each arm at once, and its outcome - code, failure, every result byte -
 * is compared with twin_sequential_map(). TWIN_TEST_SEED repeats a run. */
#include "toolkit.h"

#include <stdlib.h>
#include <string.h>

enum call { MAP, MAP_ASYNC, APPLY, APPLY_ASYNC, SUBMIT, EXECUTOR_MAP, CALLS };
enum { ARMS = 3, MOST = 3000, STEPS = 400 };

struct step {
    enum call call;
    size_t count, chunk;
    bool kernel, shared_items, shared_results, context_by_address;
    struct failing failing; /* lowest >= count: none fails */
};

struct player {
    const struct arm *arm;
    struct twin_pool *pool;
    struct twin_executor *executor;
    int32_t *items[2]; /* private, shared */
    int64_t *results[2];
    struct failing *context; /* shared */
};

struct outcome {
    int error;
    struct twin_failure failure;
};

static struct step draw(struct random *random)
{
    static const size_t bounds[] = {2, 10, 100, MOST};
    struct step step = {.call = (enum call)random_below(random, CALLS)};
    step.count = random_below(random, bounds[random_below(random, 4)] + 1);
    step.chunk = random_below(random, 3) ? random_below(random, step.count + 3) : 0;
    step.kernel = random_below(random, 2);
    step.shared_items = random_below(random, 2);
    step.shared_results = random_below(random, 2);
    step.context_by_address = random_below(random, 2);
    step.failing.lowest = (int32_t)random_below(random, random_below(random, 2) ? 20 * MOST : MOST);
    step.failing.step = (int32_t)(1 + random_below(random, 50));
    return step;
}

static struct twin_map map_of(struct player *player, const struct step *step)
{
    struct twin_map map = square_map(player->items[step->shared_items],
                                     player->results[step->shared_results], step->count);
    *player->context = step->failing;
    map.context = step->context_by_address ? (const void *)player->context : &step->failing;
    map.context_size = step->context_by_address ? 0 : sizeof step->failing;
    map.chunk = step->chunk;
    map.task = step->kernel ? NULL : fail_some;
    map.kernel = step->kernel ? fail_some_chunk : NULL;
    return map;
}

static struct outcome of_future(struct twin_future *future, void *result)
{
    struct outcome outcome = {.error = twin_future_result(future, result, -1)};
    outcome.failure = failure_of_future(future);
    twin_future_release(future);
    return outcome;
}

/* All items by single calls; the outcome is that of the lowest that fails. */
static struct outcome by_calls(struct player *player, const struct step *step,
                               const struct twin_map *map)
{
    static struct twin_future *futures[MOST];
    struct outcome lowest = {0};
    int64_t *results = map->results;
    for (size_t i = 0; i < step->count; i++) {
        struct twin_call call = {fail_some,         map->context,
                                 map->context_size, (const int32_t *)map->items + i,
                                 map->item_size,    map->result_size};
        struct outcome one = {0};
        if (step->call == APPLY) {
            one.error = twin_pool_apply(player->pool, &call, &results[i]);
            if (one.error)
                one.failure = failure_of(player->pool);
        } else if (step->call == APPLY_ASYNC) {
            succeeds(twin_pool_apply_async(player->pool, &call, &futures[i]));
        } else {
            succeeds(twin_executor_submit(player->executor, &call, &futures[i]));
        }
        if (one.error && !lowest.error)
            lowest = one, lowest.failure.index = i;
    }
    for (size_t i = 0; i < step->count && step->call != APPLY; i++) {
        struct outcome one = of_future(futures[i], &results[i]);
        if (one.error && !lowest.error)
            lowest = one, lowest.failure.index = i;
    }
    return lowest;
}

static struct outcome by_iterator(struct player *player, const struct twin_map *map)
{
    struct outcome outcome = {0};
    struct twin_iterator *iterator;
    const void *chunk;
    size_t count, seen = 0;
    succeeds(twin_executor_map(player->executor, map, &iterator));
    do {
        outcome.error = twin_iterator_next(iterator, &chunk, &count, -1);
        seen += count;
    } while (!outcome.error && count);
    if (!outcome.error)
        cr_assert_eq(seen, map->count);
    else
        succeeds(twin_iterator_failure(iterator, &outcome.failure));
    twin_iterator_release(iterator);
    return outcome;
}

static struct outcome play(struct player *player, const struct step *step)
{
    struct twin_map map = map_of(player, step);
    struct outcome outcome = {0};
    struct twin_future *future;
    switch (step->call) {
    case MAP:
        outcome.error = twin_pool_map(player->pool, &map);
        if (outcome.error)
            outcome.failure = failure_of(player->pool);
        return outcome;
    case MAP_ASYNC:
        succeeds(twin_pool_map_async(player->pool, &map, &future));
        return of_future(future, NULL);
    case EXECUTOR_MAP:
        return by_iterator(player, &map);
    default:
        return by_calls(player, step, &map);
    }
}

/* What must come out: the oracle's answer, with a kernel's failure at its chunk's first item. */
static struct outcome foretell(const struct step *step, const int32_t *items, int64_t *results,
                               unsigned workers)
{
    struct twin_failure failure = {0};
    struct twin_map map = square_map(items, results, step->count);
    map.task = fail_some;
    map.context = &step->failing;
    map.context_size = sizeof step->failing;
    struct outcome outcome = {.error = twin_sequential_map(&map, &failure)};
    if (outcome.error)
        outcome.failure = failure;
    bool by_chunks = step->call == MAP || step->call == MAP_ASYNC || step->call == EXECUTOR_MAP;
    if (outcome.error && step->kernel && by_chunks) {
        size_t chunk = step->chunk ? step->chunk : twin_automatic_chunk(step->count, workers);
        outcome.failure.index -= outcome.failure.index % chunk;
    }
    return outcome;
}

static void compare(const struct player *player, const struct step *step, const struct outcome *got,
                    const struct outcome *promised, const int64_t *oracle, int number)
{
    const char *who = player->arm->name;
    cr_assert_eq(got->error, promised->error, "step %d, %s: %s, not %s", number, who,
                 twin_strerror(got->error), twin_strerror(promised->error));
    cr_assert_eq(got->failure.kind, promised->failure.kind, "step %d, %s", number, who);
    cr_assert_eq(got->failure.index, promised->failure.index,
                 "step %d, %s: call %d, %zu by %zu, index %zu, not %zu", number, who,
                 (int)step->call, step->count, step->chunk, got->failure.index,
                 promised->failure.index);
    cr_assert_eq(got->failure.task_code, promised->failure.task_code, "step %d, %s", number, who);
    if (!got->error)
        cr_assert(memcmp(player->results[step->shared_results], oracle,
                         step->count * sizeof *oracle) == 0,
                  "step %d, %s: results differ", number, who);
}

static void enter(struct player *player, const struct arm *arm, unsigned workers)
{
    player->arm = arm;
    player->pool = open_pool(arm, workers);
    player->executor = open_executor(arm, workers);
    player->items[0] = malloc(MOST * sizeof(int32_t));
    player->results[0] = malloc(MOST * sizeof(int64_t));
    player->items[1] = arena(player->pool, MOST * sizeof(int32_t));
    player->results[1] = arena(player->pool, MOST * sizeof(int64_t));
    player->context = arena(player->pool, sizeof *player->context);
    cr_assert(player->items[0] && player->results[0]);
    count_up(player->items[0], MOST);
    count_up(player->items[1], MOST);
}

static void leave(struct player *player)
{
    succeeds(twin_executor_close(player->executor));
    succeeds(twin_pool_close(player->pool));
    free(player->items[0]), free(player->results[0]);
    twin_free(player->items[1]), twin_free(player->results[1]), twin_free(player->context);
}

static void play_together(const struct arm *const *arms, size_t count, unsigned workers)
{
    static int64_t oracle[MOST];
    struct player players[ARMS];
    struct random random = random_seeded("differential");
    for (size_t i = 0; i < count; i++)
        enter(&players[i], arms[i], workers);
    for (int number = 0; number < STEPS; number++) {
        struct step step = draw(&random);
        for (size_t i = 0; i < count; i++) {
            struct player *player = &players[i];
            /* an executor sees its own memory in place, and the pool's through staging */
            memset(player->results[step.shared_results], 0xff, MOST * sizeof(int64_t));
            struct outcome promised = foretell(&step, player->items[0], oracle, workers);
            struct outcome got = play(player, &step);
            compare(player, &step, &got, &promised, oracle, number);
        }
    }
    for (size_t i = 0; i < count; i++)
        leave(&players[i]);
}

Test(differential, proc_omp_and_control_answer_alike, .timeout = 300)
{
    const struct arm *arms[] = {&arm_proc, &arm_omp, &arm_control};
    play_together(arms, 3, 2);
}

Test(differential, with_more_workers_than_cpus_too, .timeout = 300)
{
    const struct arm *arms[] = {&arm_proc, &arm_omp, &arm_control};
    play_together(arms, 3, 5);
}

Test(differential_control, answers_as_the_oracle, .timeout = 300)
{
    const struct arm *arms[] = {&arm_control};
    play_together(arms, 1, 3);
}
