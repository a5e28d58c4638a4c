/* contract_spawn.c: a fresh worker for each item, batch at a time. */
#include "toolkit.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { COUNT = 40 };

static int spawn(const struct arm *arm, size_t batch, const struct twin_map *map,
                 struct twin_spawn_report *report)
{
    struct twin_spawn_options options = {.backend = arm->backend, .batch = batch};
    memset(report, 0x77, sizeof *report);
    return twin_spawn_map(&options, map, report);
}

void spawn_squares_in_order(const struct arm *arm)
{
    int32_t items[COUNT];
    int64_t *results = shared_pages(COUNT * sizeof *results);
    static const size_t batches[] = {0, 1, 2, 7, COUNT, SIZE_MAX};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
        struct twin_spawn_report report;
        memset(results, 0xff, COUNT * sizeof *results);
        succeeds(spawn(arm, batches[i], &map, &report));
        assert_squares(results, items, COUNT);
        cr_assert_eq(report.started, COUNT);
        cr_assert_eq(report.failure.kind, TWIN_FAILURE_NONE);
    }
    struct twin_map map = square_map(items, results, COUNT);
    succeeds(twin_spawn_map(&(struct twin_spawn_options){.backend = arm->backend}, &map, NULL));
    munmap(results, COUNT * sizeof *results);
}

void spawn_runs_each_item_exactly_once(const struct arm *arm)
{
    int32_t items[COUNT];
    int64_t *results = shared_pages(COUNT * sizeof *results);
    atomic_int *counters = shared_pages(COUNT * sizeof *counters);
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct twin_spawn_report report;
    map.task = count_run;
    map.context = counters;
    succeeds(spawn(arm, 3, &map, &report));
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(atomic_load(&counters[i]), 1);
}

static int name_worker(void *result, const void *item, void *context)
{
    (void)item, (void)context;
    *(int64_t *)result = (int64_t)syscall(SYS_gettid);
    return 0;
}

void spawn_starts_a_fresh_worker_for_each_item(const struct arm *arm)
{
    int32_t items[COUNT];
    int64_t *results = shared_pages(COUNT * sizeof *results);
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct twin_spawn_report report;
    map.task = name_worker;
    succeeds(spawn(arm, 4, &map, &report));
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_neq(results[i], getpid(), "item %zu ran in the caller", i);
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(results[i], results[j], "items %zu and %zu had one worker", i, j);
    }
}

struct count_alive {
    atomic_int alive, most;
};

static int be_alive(void *result, const void *item, void *context)
{
    struct count_alive *count = context;
    int alive = atomic_fetch_add(&count->alive, 1) + 1, most = atomic_load(&count->most);
    while (most < alive && !atomic_compare_exchange_weak(&count->most, &most, alive))
        ;
    nap();
    atomic_fetch_sub(&count->alive, 1);
    return square(result, item, NULL);
}

void spawn_keeps_to_its_batch(const struct arm *arm)
{
    int32_t items[COUNT];
    int64_t *results = shared_pages(COUNT * sizeof *results);
    struct count_alive *count = shared_pages(sizeof *count);
    for (size_t batch = 1; batch <= 5; batch += 2) {
        struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
        struct twin_spawn_report report;
        map.task = be_alive;
        map.context = count;
        atomic_store(&count->most, 0);
        succeeds(spawn(arm, batch, &map, &report));
        cr_assert_leq(atomic_load(&count->most), (int)batch);
        cr_assert_leq(report.most_alive, batch);
        cr_assert_geq(report.most_alive, 1);
    }
}

void spawn_accepts_no_items(const struct arm *arm)
{
    struct twin_map map = {.task = square};
    struct twin_spawn_report report;
    succeeds(spawn(arm, 0, &map, &report));
    cr_assert_eq(report.started, 0);
    cr_assert_eq(report.failure.kind, TWIN_FAILURE_NONE);
}

void spawn_reports_the_lowest_failing_index(const struct arm *arm)
{
    int32_t items[COUNT];
    int64_t *results = shared_pages(COUNT * sizeof *results);
    struct failing failing = {.step = 1};
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    map.task = fail_some;
    map.context = &failing;
    map.context_size = sizeof failing;
    for (failing.lowest = 0; failing.lowest < COUNT; failing.lowest += 13)
        for (size_t batch = 1; batch <= 10; batch += 3) {
            struct twin_spawn_report report;
            expect(spawn(arm, batch, &map, &report), TWIN_ETASK);
            cr_assert_eq(report.failure.kind, TWIN_FAILURE_TASK);
            cr_assert_eq(report.failure.index, (size_t)failing.lowest);
            cr_assert_eq(report.failure.task_code, FAILING_CODE(failing.lowest));
        }
    assert_no_child();
}

void spawn_refuses_bad_arguments(const struct arm *arm)
{
    int32_t item = 1;
    int64_t *results = shared_pages(sizeof *results);
    struct twin_map good = square_map(&item, results, 1), bad;
    struct twin_spawn_report report;
    expect(spawn(arm, 0, NULL, &report), TWIN_EINVAL);
    expect(spawn(arm, 0, (bad = good, bad.task = NULL, &bad), &report), TWIN_EINVAL);
    expect(spawn(arm, 0, (bad = good, bad.items = NULL, &bad), &report), TWIN_EINVAL);
    expect(spawn(arm, 0, (bad = good, bad.results = NULL, &bad), &report), TWIN_EINVAL);
    expect(spawn(arm, 0, (bad = good, bad.item_size = 0, &bad), &report), TWIN_EINVAL);
    expect(twin_spawn_map(&(struct twin_spawn_options){.backend = (enum twin_backend)5}, &good,
                          &report),
           TWIN_EINVAL);
    succeeds(spawn(arm, 0, &good, &report));
}

static void note_progress(size_t started, void *argument)
{
    size_t *last = argument;
    cr_assert(started > *last && started <= COUNT, "%zu after %zu", started, *last);
    *last = started;
}

void spawn_tells_its_progress(const struct arm *arm)
{
    int32_t items[COUNT];
    int64_t *results = shared_pages(COUNT * sizeof *results);
    size_t last = 0;
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct twin_spawn_options options = {
        .backend = arm->backend, .batch = 7, .progress = note_progress, .progress_arg = &last};
    succeeds(twin_spawn_map(&options, &map, NULL));
    cr_assert_eq(last, COUNT);
}

void spawn_leaves_no_child(const struct arm *arm)
{
    int32_t items[COUNT];
    int64_t *results = shared_pages(COUNT * sizeof *results);
    struct twin_map map = square_map(count_up(items, COUNT), results, COUNT);
    struct twin_spawn_report report;
    succeeds(spawn(arm, 5, &map, &report));
    assert_no_child();
    size_t fds = count_fds(), mappings = count_mappings(true);
    succeeds(spawn(arm, 5, &map, &report));
    assert_no_child();
    cr_assert_eq(count_fds(), fds);
    cr_assert_eq(count_mappings(true), mappings);
}
