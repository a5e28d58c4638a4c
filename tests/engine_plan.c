/* engine_plan.c: chunk arithmetic: every item is in exactly one chunk, every chunk in one part. */
#include "engine/plan.h"

#include <criterion/criterion.h>
#include <time.h>

Test(engine_plan, follows_cpythons_rule)
{
    static const struct {
        size_t count;
        unsigned workers;
        size_t chunk;
    } known[] = {
        {0, 2, 1}, {1, 2, 1}, {8, 2, 1}, {9, 2, 2}, {1000000, 2, 125000}, {1000001, 2, 125001},
        {7, 0, 2}, {10, 1, 3}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        cr_assert_eq(twin_cpython_chunk(known[i].count, known[i].workers), known[i].chunk,
                     "%zu items, %u workers: %zu", known[i].count, known[i].workers,
                     twin_cpython_chunk(known[i].count, known[i].workers));
}

Test(engine_plan, chooses_a_chunk_for_any_count)
{
    for (unsigned workers = 0; workers <= 1024; workers = workers * 2 + 1)
        for (size_t count = 0; count < SIZE_MAX / 3; count = count * 3 + 1) {
            size_t chunk = twin_automatic_chunk(count, workers);
            cr_assert_geq(chunk, 1);
            cr_assert(chunk <= count || chunk == 1, "%zu items by %zu", count, chunk);
            /* no worker stays without work while there are as many items as workers */
            if (workers && count >= workers)
                cr_assert_geq((count - 1) / chunk + 1, workers > 64 ? 1 : workers);
        }
}

Test(engine_plan, puts_each_item_into_exactly_one_chunk)
{
    for (size_t count = 0; count <= 200; count++)
        for (size_t chunk = 0; chunk <= count + 2; chunk++)
            for (size_t most = 1; most <= 64; most *= 4) {
                struct twini_plan plan = twini_plan_make(count, chunk, 3, most);
                size_t next = 0;
                cr_assert_leq(plan.chunks, most);
                for (size_t i = 0; i < plan.chunks; i++) {
                    cr_assert_eq(twini_plan_first(&plan, i), next);
                    cr_assert_geq(twini_plan_items(&plan, i), 1);
                    next += twini_plan_items(&plan, i);
                }
                cr_assert_eq(next, count, "%zu items by %zu", count, chunk);
            }
}

Test(engine_plan, cuts_at_the_edge_of_size_t)
{
    struct twini_plan plan = twini_plan_make(SIZE_MAX / 16, SIZE_MAX, 4, SIZE_MAX);
    cr_assert_eq(plan.chunks, 1);
    cr_assert_eq(twini_plan_items(&plan, 0), SIZE_MAX / 16);
    plan = twini_plan_make(SIZE_MAX / 16, 1, 4, 1000);
    cr_assert_leq(plan.chunks, 1000);
    cr_assert_eq(twini_plan_first(&plan, plan.chunks - 1) +
                     twini_plan_items(&plan, plan.chunks - 1),
                 SIZE_MAX / 16);
}

Test(engine_plan, gives_each_chunk_to_exactly_one_part)
{
    for (unsigned parts = 1; parts <= 70; parts++)
        for (size_t chunks = 0; chunks <= 300; chunks += 1 + chunks / 9) {
            cr_assert_eq(twini_plan_part(chunks, parts, 0), 0);
            cr_assert_eq(twini_plan_part(chunks, parts, parts), chunks);
            for (unsigned i = 0; i < parts; i++) {
                size_t size =
                    twini_plan_part(chunks, parts, i + 1) - twini_plan_part(chunks, parts, i);
                cr_assert(size == chunks / parts || size == chunks / parts + 1);
            }
        }
}

/* The first of each part are the first of all, and so on. */
Test(engine_plan, deals_each_chunk_once_and_in_turn)
{
    for (unsigned parts = 1; parts <= 70; parts++)
        for (size_t chunks = 0; chunks <= 300; chunks += 1 + chunks / 9)
            for (unsigned i = 0; i < parts; i++) {
                size_t first = twini_plan_part(chunks, parts, i);
                size_t end = twini_plan_part(chunks, parts, i + 1);
                for (size_t at = first; at < end; at++)
                    cr_assert_eq(twini_plan_dealt(chunks, parts, at), (at - first) * parts + i);
            }
}

static int add_one(void *result, const void *item, void *context)
{
    int value = *(const int *)item;
    ++*(int *)context;
    *(int *)result = value + 1;
    return value == 7 ? 70 : 0;
}

static int add_one_chunk(void *results, const void *items, size_t count, void *context)
{
    for (size_t i = 0; i < count; i++)
        if (add_one((int *)results + i, (const int *)items + i, context))
            return 71;
    return 0;
}

Test(engine_plan, runs_a_stretch_and_names_the_failing_item)
{
    int items[10], results[10] = {0}, calls = 0;
    for (int i = 0; i < 10; i++)
        items[i] = i;
    struct twin_map map = {.task = add_one,
                           .items = items,
                           .item_size = sizeof *items,
                           .results = results,
                           .result_size = sizeof *results,
                           .count = 10};
    _Atomic(size_t) at = 99;
    size_t failed = 99;
    cr_assert_eq(twini_plan_run(&map, &calls, 2, 3, &at, &failed), 0);
    cr_assert_eq(calls, 3);
    cr_assert(results[1] == 0 && results[2] == 3 && results[4] == 5 && results[5] == 0);
    cr_assert_eq(at, 4);
    cr_assert_eq(twini_plan_run(&map, &calls, 5, 5, NULL, &failed), 70);
    cr_assert_eq(failed, 7);
    cr_assert_eq(calls, 6, "nothing runs after the item that failed");
    map.task = NULL;
    map.kernel = add_one_chunk;
    cr_assert_eq(twini_plan_run(&map, &calls, 5, 5, &at, &failed), 71);
    cr_assert(failed == 5 && at == 5, "a kernel's failure is its chunk's first item");
}

Test(engine_plan, turns_time_outs_into_deadlines)
{
    int64_t before = twini_now_ns();
    cr_assert_eq(twini_deadline_ns(-1), INT64_MAX);
    cr_assert_eq(twini_deadline_ns(INT64_MIN), INT64_MAX);
    cr_assert_eq(twini_deadline_ns(INT64_MAX), INT64_MAX, "a far deadline must not wrap");
    cr_assert_geq(twini_deadline_ns(0), before);
    cr_assert_geq(twini_deadline_ns(1000000), before + 1000000);
    cr_assert_geq(twini_now_ns(), before);
}
