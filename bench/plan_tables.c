/* plan_tables.c: the plan of the study, in tables. README.md shows the same by strategy.
 *
 * Three numbers in braces are smoke, quick and full. Rounds: 3 say that it works, 9 give a
 * sign-test interval, 21 a narrow one. What takes minutes is run as three prefixes (their rows say
 * how many items ran) or, in full mode, whole and once. The bare loops stand in the groups of map
 * and apply too, so that "within 5 % of a bare parallel for" is a ratio within rounds. */
#include "plan.h"

/* A row leaves out what is the default. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* ---- limits: what the machine charges by itself --------------------------------------------- */

static const struct plan_row limits[] = {
    {"bare_for", "bare", .n = {1000000, 10000000, 10000000}},
    {"bare_for", "bare", .n = {100000, 1000000, 1000000}},
    {"bare_task", "bare", .n = {10000, 50000, 100000}},
    {"bare_tasks", "bare", .n = {100000, 1000000, 1000000}},
    {"bare_region", "bare", .n = {1000, 10000, 10000}},
    {"bare_sem", "bare", .variant = "same_cpu", .n = {1000, 5000, 10000}},
    {"bare_sem", "bare", .variant = "two_cpus", .n = {500, 1000, 2000}},
    {"bare_semop", "bare", .n = {100000, 1000000, 1000000}},
    {"bare_spin", "bare", .variant = "two_cpus", .n = {10000, 100000, 200000}},
    {"fork_wait", "bare", .n = {50, 200, 500}},
    {"fork_wait", "bare", .variant = "two", .n = {50, 100, 200}},
    {"thread_create", "bare", .n = {100, 500, 1000}},
    {"memcpy", "bare", .n = {8000000, 80000000, 80000000}},
    {"first_touch", "bare", .n = {8000000, 80000000, 80000000}},
    {"page_fault", "bare", .n = {8000000, 80000000, 80000000}},
};

/* ---- strategies: the heart of the study ----------------------------------------------------- */

static const struct plan_row million[] = {
    {"sequential", "seq", "task"},
    {"bare_for", "bare", .program = BARE},
    {"bare_tasks", "bare", .program = BARE},
    {"map", "proc omp control", "kernel", "in_place"},
    {"map", "proc omp control", "task", "in_place"},
    {"map", "proc omp", "kernel", "copied"},
    {"map_async", "proc omp control", "kernel", "in_place"},
    {"map_async", "proc omp", "task", "in_place"},
    {"map_async", "proc omp", "kernel", "in_place", .variant = "overlap"},
    {"apply", "proc omp", "task", "in_place"},
    {"apply", "control", "task", "in_place", .run = {0, NOT_HERE, 0}},
    {"apply_async", "proc omp control", "task", "in_place"},
    {"apply_async", "proc omp", "task", "in_place", .variant = "overlap"},
    {"executor_submit", "proc omp control", "task", "in_place"},
    {"executor_submit", "proc omp", "task", "in_place", .variant = "overlap"},
    {"executor_map", "proc omp control", "kernel", "in_place"},
    {"executor_map", "proc omp", "task", "in_place"},
};

static const struct plan_row ten_million[] = {
    {"sequential", "seq", "task"},
    {"bare_for", "bare", .program = BARE},
    {"map", "proc omp control", "kernel", "in_place"},
    {"map", "proc omp", "task", "in_place"},
    {"map", "proc omp", "kernel", "copied"},
    {"map", "proc omp", "kernel", "in_place", .variant = "untouched"},
    {"map_async", "proc omp", "kernel", "in_place"},
    {"map_async", "proc omp", "task", "in_place"},
    {"executor_map", "proc omp", "kernel", "in_place"},
    {"executor_map", "proc omp", "task", "in_place"},
    {"apply_async", "proc omp", "task", "in_place"},
    {"executor_submit", "proc omp", "task", "in_place"},
};

/* What would take minutes: prefixes of it. */
static const struct plan_row spawn_million[] = {
    {"spawn_bounded", "proc omp", "task", "in_place", .run = {50, 500, NOT_HERE}},
    {"spawn_bounded", "proc omp", "task", "in_place", .run = {100, 1000, NOT_HERE}},
    {"spawn_bounded", "proc omp", "task", "in_place", .run = {200, 2000, NOT_HERE}},
};

static const struct plan_row prefixes_of_ten_million[] = {
    {"spawn_bounded", "proc omp", "task", "in_place", .run = {50, 500, 1000}},
    {"spawn_bounded", "proc omp", "task", "in_place", .run = {100, 1000, 2000}},
    {"spawn_bounded", "proc omp", "task", "in_place", .run = {200, 2000, 4000}},
    {"apply", "proc omp control", "task", "in_place", .run = {1000, 25000, NOT_HERE}},
    {"apply", "proc omp control", "task", "in_place", .run = {2000, 50000, NOT_HERE}},
    {"apply", "proc omp control", "task", "in_place", .run = {4000, 100000, NOT_HERE}},
};

/* Whole and once, in full mode; but a tenth of the processes: a million are a minute and a half where
 * a fork takes 0.1 ms, and half an hour where it takes 1.5. */
static const struct plan_row whole_million[] = {
    {"spawn_bounded", "proc", "task", "in_place", .run = {0, 0, 100000}},
    {"spawn_bounded", "omp", "task", "in_place"},
};

static const struct plan_row whole_ten_million[] = {
    {"apply", "proc omp", "task", "in_place"},
};

/* The course's crash: see unbounded.c for the ceiling. */
static const struct plan_row unbounded[] = {
    {"spawn_unbounded", "proc omp", "task", "in_place"},
};

/* ---- chunks: how much to hand out at once --------------------------------------------------- */

#define EACH_CHUNK(strategy, form)                                                                 \
    {strategy, "proc omp", form, "in_place", "1"}, {strategy, "proc omp", form, "in_place", "10"}, \
        {strategy, "proc omp", form, "in_place", "100"},                                           \
        {strategy, "proc omp", form, "in_place", "1000"},                                          \
        {strategy, "proc omp", form, "in_place", "10000"},                                         \
        {strategy, "proc omp", form, "in_place", "cpython"},                                       \
        {strategy, "proc omp", form, "in_place", "auto"},                                          \
        {strategy, "proc omp", form, "in_place", "per_worker"},                                    \
    {                                                                                              \
        strategy, "proc omp", form, "in_place", "all"                                              \
    }

static const struct plan_row chunks[] = {
    EACH_CHUNK("map", "kernel"),
    EACH_CHUNK("map_async", "kernel"),
    EACH_CHUNK("executor_map", "kernel"),
};

/* ---- grain: how much work a task needs to be worth it --------------------------------------- */

static const struct plan_row grain[] = {
    {"map", "proc omp", "task", "in_place"},
    {"apply_async", "proc omp", "task", "in_place"},
    {"executor_submit", "proc omp", "task", "in_place"},
    {"executor_map", "proc omp", "task", "in_place"},
};

/* ---- factors: one varied at a time, around a default that stands in the same rounds --------- */

static const struct plan_row apply_factors[] = {
    {"bare_task", "bare", .program = BARE},
    {"apply", "proc omp control", "task", "in_place"},
    {"apply", "proc omp", "task", "in_place", .workers = 1},
    {"apply", "proc", "task", "in_place", .wait = "block"},
    {"apply", "proc", "task", "in_place", .wait = "spin"},
    {"apply", "proc omp", "task", "in_place", .variant = "idle_0ms"},
    {"apply", "proc omp", "task", "in_place", .variant = "idle_1ms", .run = {10, 40, 100}},
    {"apply", "proc omp", "task", "in_place", .variant = "idle_20ms", .run = {2, 6, 10}},
    {"apply", "proc omp", "task", "in_place", .variant = "packed", .run = {5, 10, 30}, .calls = 1},
    {"apply", "proc omp", "task", "in_place", .variant = "spread"},
};

static const struct plan_row map_factors[] = {
    {"map", "proc omp control", "kernel", "in_place"},
    {"map", "proc omp", "kernel", "in_place", .workers = 1},
    {"map", "proc omp", "kernel", "in_place", .workers = 64},
    {"map", "proc", "kernel", "in_place", .wait = "block"},
    {"map", "proc", "kernel", "in_place", .wait = "spin"},
    {"map", "proc omp", "kernel", "in_place", .variant = "idle_0ms"},
    {"map", "proc omp", "kernel", "in_place", .variant = "idle_1ms"},
    {"map", "proc omp", "kernel", "in_place", .variant = "idle_20ms"},
    {"map", "proc omp", "kernel", "in_place", .variant = "packed"},
    {"map", "proc omp", "kernel", "in_place", .variant = "spread"},
};

static const struct plan_row async_factors[] = {
    {"apply_async", "proc omp control", "task", "in_place"},
    {"apply_async", "proc omp control", "task", "in_place", .workers = 1},
    {"apply_async", "proc omp", "task", "in_place", .workers = 64},
    {"apply_async", "proc", "task", "in_place", .wait = "block"},
    {"apply_async", "proc", "task", "in_place", .wait = "spin"},
};

/* ---- connpool: strategy is the admission, or a cell of the lesson --------------------------- */

#define SIM_LOAD    "--driver=sim --connections=4 --service-us=100"
#define SQLITE_LOAD "--driver=sqlite --connections=2"

static const struct plan_row workload[] = {
    {"bare", "proc omp", .variant = "workload_sim",
     .extra = "--experiment=workload --admission=bare " SIM_LOAD, .workers = 16},
    {"recovering", "proc omp", .variant = "workload_sim",
     .extra = "--experiment=workload --admission=recovering " SIM_LOAD, .workers = 16},
    {"bare", "proc omp", .variant = "workload_sqlite",
     .extra = "--experiment=workload --admission=bare " SQLITE_LOAD, .workers = 8},
    {"recovering", "proc omp", .variant = "workload_sqlite",
     .extra = "--experiment=workload --admission=recovering " SQLITE_LOAD, .workers = 8},
};

static const struct plan_row lesson[] = {
    {"semaphore_plain", "proc omp", .variant = "lesson_sim",
     .extra = "--experiment=lesson --admission=bare --pick=plain " SIM_LOAD, .workers = 16},
    {"semaphore_atomic", "proc omp", .variant = "lesson_sim",
     .extra = "--experiment=lesson --admission=bare --pick=atomic " SIM_LOAD, .workers = 16},
    {"none_plain", "proc omp", .variant = "lesson_sim",
     .extra = "--experiment=lesson --admission=none --pick=plain " SIM_LOAD, .workers = 16},
    {"none_atomic", "proc omp", .variant = "lesson_sim",
     .extra = "--experiment=lesson --admission=none --pick=atomic " SIM_LOAD, .workers = 16},
};

static const struct plan_row crash[] = {
    {"bare", "proc", .variant = "crash_sim",
     .extra = "--experiment=crash --admission=bare " SIM_LOAD, .workers = 16},
    {"recovering", "proc", .variant = "crash_sim",
     .extra = "--experiment=crash --admission=recovering " SIM_LOAD, .workers = 16},
};

static const struct plan_row soak[] = {
    {"recovering", "proc", .variant = "soak_sim",
     .extra = "--experiment=soak --admission=recovering " SIM_LOAD, .workers = 16},
};

static const struct plan_row price[] = {
    {"bare_semop", "bare", .program = BARE},
    {"bare", "proc omp", .variant = "price_sim",
     .extra = "--experiment=price --driver=sim --admission=bare"},
    {"recovering", "proc omp", .variant = "price_sim",
     .extra = "--experiment=price --driver=sim --admission=recovering"},
};

/* ---- peers: the study's origin, in Python, and other people's pools ------------------------- */

/* What map is compared with, in the rounds of Python's. */
#define MAP_AND_ITS_PEERS                                                                          \
    {"map", "proc omp control", "kernel", "in_place"}, {"bare_for", "bare"}, {"map", "tbb mpich"}, \
        {"map_async", "proc omp", "kernel", "in_place"},                                           \
    {                                                                                              \
        "executor_map", "proc omp", "kernel", "in_place"                                           \
    }

static const struct plan_row peers_million[] = {
    {"sequential", "python", "task"},
    {"map", "python", "task", .chunk = "cpython"},
    {"map_async", "python", "task", .chunk = "cpython"},
    {"executor_map", "python", "task", .chunk = "cpython"},
    {"apply", "python", "task", .run = {200, 1000, 2000}},
    {"apply_async", "python", "task", .run = {1000, 10000, 20000}},
    {"executor_submit", "python", "task", .run = {200, 2000, 4000}},
    {"spawn_bounded", "python", "task", .run = {20, 50, 100}},
    MAP_AND_ITS_PEERS,
};

/* Two of Python's ways stand for it: a round of these takes a minute. */
static const struct plan_row peers_ten_million[] = {
    {"map", "python", "task", .chunk = "cpython"},
    {"executor_map", "python", "task", .chunk = "cpython"},
    MAP_AND_ITS_PEERS,
};

/* Compared per call, so each may make as many as take it a fraction of a second. */
static const struct plan_row peers_calls[] = {
    {"apply", "proc omp control", "task", "in_place"},
    {"apply", "tbb mpich"},
    {"apply", "glib libuv", .n = {1000, 5000, 20000}},
    {"apply", "python", "task", .n = {200, 500, 2000}},
    {"apply_async", "proc omp control", "task", "in_place", .n = {20000, 100000, 200000}},
    {"apply_async", "glib libuv tbb", .n = {20000, 100000, 200000}},
    {"apply_async", "python", "task", .n = {1000, 5000, 20000}},
    {"executor_submit", "proc omp", "task", "in_place", .n = {20000, 100000, 200000}},
    {"executor_submit", "python", "task", .n = {200, 1000, 5000}},
};

/* ---- growth: what a task costs as there are more of them, or more workers ------------------- */

#define NOT_BELOW_FULL                                                                             \
    {                                                                                              \
        NOT_HERE, NOT_HERE, 0                                                                      \
    }
#define NOT_IN_SMOKE                                                                               \
    {                                                                                              \
        NOT_HERE, 0, 0                                                                             \
    }
#define SAME(n)                                                                                    \
    {                                                                                              \
        n, n, n                                                                                    \
    }

static const struct plan_row growth_map[] = {
    {"map", "proc omp", "kernel", "in_place", .n = SAME(1000), .calls = 101},
    {"map", "proc omp", "kernel", "in_place", .n = SAME(10000), .calls = 101},
    {"map", "proc omp", "kernel", "in_place", .n = SAME(100000), .calls = 21},
    {"map", "proc omp", "kernel", "in_place", .n = SAME(1000000), .run = NOT_IN_SMOKE},
    {"map", "proc omp", "kernel", "in_place", .n = SAME(10000000), .run = NOT_IN_SMOKE},
    {"map", "proc omp", "kernel", "in_place", .n = SAME(100000000), .run = NOT_BELOW_FULL,
     .calls = 3},
};

static const struct plan_row growth_async[] = {
    {"apply_async", "proc omp", "task", "in_place", .n = SAME(10), .calls = 101},
    {"apply_async", "proc omp", "task", "in_place", .n = SAME(100), .calls = 101},
    {"apply_async", "proc omp", "task", "in_place", .n = SAME(1000), .calls = 51},
    {"apply_async", "proc omp", "task", "in_place", .n = SAME(10000), .calls = 11},
    {"apply_async", "proc omp", "task", "in_place", .n = SAME(100000)},
    {"apply_async", "proc omp", "task", "in_place", .n = SAME(1000000), .run = NOT_IN_SMOKE},
    {"apply_async", "proc omp", "task", "in_place", .n = SAME(10000000), .run = NOT_BELOW_FULL},
};

#define EACH_WORKERS(strategy, form)                                                               \
    {strategy, "proc omp", form, "in_place", .workers = 1},                                        \
        {strategy, "proc omp", form, "in_place", .workers = 2},                                    \
        {strategy, "proc omp", form, "in_place", .workers = 4, .run = NOT_BELOW_FULL},             \
        {strategy, "proc omp", form, "in_place", .workers = 8, .run = NOT_IN_SMOKE},               \
        {strategy, "proc omp", form, "in_place", .workers = 16, .run = NOT_BELOW_FULL},            \
        {strategy, "proc omp", form, "in_place", .workers = 32, .run = NOT_BELOW_FULL},            \
    {                                                                                              \
        strategy, "proc omp", form, "in_place", .workers = 64                                      \
    }

/* Sizes of their own, so that no row is one of growth_map too. */
static const struct plan_row growth_map_workers[] = {EACH_WORKERS("map", "kernel")};
static const struct plan_row growth_async_workers[] = {EACH_WORKERS("apply_async", "task")};

/* ---- targets: what no other family holds against its limit in the same rounds ---------------- */

/* One worker: a pair, as in the limits. */
static const struct plan_row round_trips[] = {
    {"bare_slot", "bare", .variant = "two_cpus", .n = {10000, 100000, 200000}},
    {"bare_sem", "bare", .variant = "same_cpu"},
    {"bare_sem", "bare", .variant = "two_cpus"},
    {"bare_sem", "bare", .variant = "idle_20ms", .n = {2, 6, 20}},
    {"apply", "proc", "task", "in_place", .wait = "spin", .variant = "spread", .workers = 1},
    {"apply", "proc", "task", "in_place", .variant = "spread", .workers = 1},
    {"apply", "proc", "task", "in_place", .wait = "block", .variant = "packed", .workers = 1},
    {"apply", "proc", "task", "in_place", .wait = "block", .variant = "spread", .workers = 1},
    {"apply", "proc", "task", "in_place", .variant = "idle_20ms", .n = {2, 6, 20}, .workers = 1},
};

static const struct plan_row streams[] = {
    {"bare_task", "bare"},
    {"bare_tasks", "bare", .n = {20000, 100000, 200000}},
    {"apply", "omp", "task", "in_place", .variant = "scope"},
    {"apply_async", "omp", "task", "in_place", .n = {20000, 100000, 200000}},
    {"apply_async", "proc", "task", "in_place", .n = {20000, 100000, 200000}, .workers = 1},
    {"apply_async", "proc", "task", "in_place", .n = {20000, 100000, 200000}},
};

static const struct plan_row opening[] = {
    {"fork_wait", "bare", .variant = "two"},
    {"open_close", "proc omp control", .program = LIFE},
};

static const struct plan_row deaths[] = {
    {"death", "proc bare", .program = LIFE},
};

static const struct plan_row idling[] = {
    {"idle", "proc omp control", .program = LIFE},
};

/* ---- timeline: who ran what when; its rows go to timeline.csv too --------------------------- */

static const struct plan_row timeline[] = {
    {"map", "proc omp", "task", "in_place"},
    {"apply", "proc omp", "task", "in_place"},
    {"apply_async", "proc omp", "task", "in_place"},
};

/* ---- all groups, in the order in which they run ---------------------------------------------
 *
 * When a mode's time is spent the groups that remain get few rounds: what a verdict hangs on comes
 * first. */

#define ROWS(table) table, sizeof(table) / sizeof *(table)
#define MILLION                                                                                    \
    {                                                                                              \
        100000, 1000000, 1000000                                                                   \
    }
#define TEN_MILLION                                                                                \
    {                                                                                              \
        1000000, 10000000, 10000000                                                                \
    }
#define ROUNDS                                                                                     \
    {                                                                                              \
        3, 9, 21                                                                                   \
    }
#define PREFIX_ROUNDS                                                                              \
    {                                                                                              \
        1, 3, 5                                                                                    \
    }
#define ONCE_IN_FULL                                                                               \
    {                                                                                              \
        0, 0, 1                                                                                    \
    }

const struct plan_group plan_groups[] = {
    {"timeline", "who ran what when", TIMELINE, false, 0, {20, 20, 20}, {1, 1, 1}, ROWS(timeline)},
    {"limits", "bare limits", BARE, true, 0, TEN_MILLION, ROUNDS, ROWS(limits)},
    {"strategies", "10^6", ARM, true, 0, MILLION, ROUNDS, ROWS(million)},
    {"strategies", "10^7", ARM, true, 0, TEN_MILLION, ROUNDS, ROWS(ten_million)},
    {"strategies", "10^6, prefixes", ARM, true, 0, MILLION, {1, 3, 0}, ROWS(spawn_million)},
    {"strategies", "10^7, prefixes", ARM, true, 0, TEN_MILLION, PREFIX_ROUNDS,
     ROWS(prefixes_of_ten_million)},
    {"strategies", "unbounded", UNBOUNDED, false, 0, TEN_MILLION, {1, 1, 5}, ROWS(unbounded)},
    {"targets", "round trips", ARM, false, 0, {500, 2000, 10000}, {1, 7, 21}, ROWS(round_trips)},
    {"targets", "streams", ARM, false, 0, {2000, 20000, 50000}, {1, 7, 21}, ROWS(streams)},
    {"targets", "open and close", ARM, false, 0, {10, 50, 200}, {1, 7, 21}, ROWS(opening)},
    {"targets", "deaths", ARM, false, 0, {20, 50, 200}, {1, 1, 3}, ROWS(deaths)},
    {"targets", "idle seconds", ARM, false, 0, {1, 2, 10}, {1, 1, 3}, ROWS(idling)},
    {"growth", "map by n", ARM, false, 0, MILLION, {1, 7, 11}, ROWS(growth_map)},
    {"growth", "apply_async by n", ARM, false, 0, MILLION, {1, 7, 11}, ROWS(growth_async)},
    {"growth",
     "map by workers",
     ARM,
     false,
     0,
     {200000, 2000000, 2000000},
     {1, 7, 21},
     ROWS(growth_map_workers)},
    {"growth",
     "apply_async by workers",
     ARM,
     false,
     0,
     {20000, 50000, 200000},
     {1, 7, 21},
     ROWS(growth_async_workers)},
    {"peers", "10^6", ARM, true, 0, MILLION, {1, 7, 11}, ROWS(peers_million)},
    {"peers", "10^7", ARM, true, 0, TEN_MILLION, {0, 0, 6}, ROWS(peers_ten_million)},
    {"peers", "calls", ARM, true, 0, {2000, 20000, 50000}, {1, 7, 11}, ROWS(peers_calls)},
    {"connpool", "workload", CONNPOOL, false, 0, {100, 500, 1000}, ROUNDS, ROWS(workload)},
    {"connpool", "lesson", CONNPOOL, false, 0, {400, 1000, 2000}, {1, 5, 11}, ROWS(lesson)},
    {"connpool", "crash", CONNPOOL, false, 0, {20, 50, 100}, {1, 5, 11}, ROWS(crash)},
    {"connpool", "soak", CONNPOOL, false, 0, {100, 1000, 10000}, {1, 1, 3}, ROWS(soak)},
    {"connpool", "price", CONNPOOL, false, 0, {4000, 10000, 50000}, ROUNDS, ROWS(price)},
    {"chunks", "10^6", ARM, true, 0, MILLION, {3, 7, 21}, ROWS(chunks)},
    {"grain", "the square", ARM, true, 0, {20000, 100000, 200000}, {3, 7, 21}, ROWS(grain)},
    {"grain", "1 us", ARM, true, 1000, {5000, 10000, 50000}, {3, 7, 21}, ROWS(grain)},
    {"grain", "100 us", ARM, true, 100000, {100, 200, 1000}, {3, 7, 21}, ROWS(grain)},
    {"grain", "10 ms", ARM, true, 10000000, {4, 4, 16}, {3, 7, 21}, ROWS(grain)},
    {"factors", "apply", ARM, true, 0, {200, 1000, 2000}, {3, 7, 21}, ROWS(apply_factors)},
    {"factors", "map", ARM, true, 0, MILLION, {3, 7, 21}, ROWS(map_factors)},
    {"factors",
     "apply_async",
     ARM,
     true,
     0,
     {20000, 100000, 200000},
     {3, 7, 21},
     ROWS(async_factors)},
    {"strategies", "10^6, whole", ARM, true, 0, MILLION, ONCE_IN_FULL, ROWS(whole_million)},
    {"strategies", "10^7, whole", ARM, true, 0, TEN_MILLION, ONCE_IN_FULL, ROWS(whole_ten_million)},
};

const size_t plan_group_count = sizeof plan_groups / sizeof *plan_groups;
