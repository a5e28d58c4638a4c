/* contract_stats.c: the counters: of the pool, of each worker, and as they are printed. */
#include "toolkit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct twin_worker_stats worker_stats(struct twin_pool *pool, unsigned worker)
{
    struct twin_worker_stats stats = {0};
    succeeds(twin_pool_worker_stats(pool, worker, &stats));
    cr_assert_eq(stats.number, worker);
    return stats;
}

static void assert_sums(struct twin_pool *pool, unsigned workers)
{
    struct twin_stats all = stats_of(pool);
    struct twin_worker_stats sum = {0}, each;
    for (unsigned w = 0; w < workers; w++) {
        each = worker_stats(pool, w);
        sum.tasks += each.tasks, sum.chunks += each.chunks, sum.claims += each.claims;
        sum.steals += each.steals, sum.parks += each.parks, sum.spins += each.spins;
        sum.restarts += each.restarts, sum.stopped += each.stopped, sum.recycled += each.recycled;
    }
    cr_assert_eq(sum.tasks, all.tasks, "%lu, %lu", (long)sum.tasks, (long)all.tasks);
    cr_assert_eq(sum.chunks, all.chunks, "%lu, %lu", (long)sum.chunks, (long)all.chunks);
    cr_assert_eq(sum.claims, all.claims, "%lu, %lu", (long)sum.claims, (long)all.claims);
    cr_assert_eq(sum.steals, all.steals, "%lu, %lu", (long)sum.steals, (long)all.steals);
    cr_assert_eq(sum.parks, all.parks, "%lu, %lu", (long)sum.parks, (long)all.parks);
    cr_assert_eq(sum.spins, all.spins, "%lu, %lu", (long)sum.spins, (long)all.spins);
    cr_assert(sum.restarts == all.restarts && sum.stopped == all.stopped &&
              sum.recycled == all.recycled);
    expect(twin_pool_worker_stats(pool, workers, &each), TWIN_EINVAL);
}

static void do_some_of_all(struct twin_pool *pool)
{
    enum { CALLS = 300, ITEMS = 1000 };
    static struct twin_future *futures[CALLS];
    static int32_t items[ITEMS];
    static int64_t results[ITEMS];
    struct twin_map map = square_map(count_up(items, ITEMS), results, ITEMS);
    map.chunk = 10;
    succeeds(twin_pool_map(pool, &map));
    for (int32_t i = 0; i < CALLS; i++) {
        struct twin_call call = square_call(&i);
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
    }
    for (int i = 0; i < CALLS; i++) {
        succeeds(twin_future_result(futures[i], NULL, -1));
        twin_future_release(futures[i]);
    }
    int64_t result;
    struct twin_call call = square_call(items);
    succeeds(twin_pool_apply(pool, &call, &result));
}

void stats_of_workers_add_up_to_the_pools(const struct arm *arm)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct twin_pool *pool = open_pool(arm, workers);
        for (uint64_t round = 1; round <= 3; round++) {
            do_some_of_all(pool);
            struct twin_stats all = stats_of(pool);
            cr_assert_eq(all.tasks, round * 301);
            cr_assert_eq(all.chunks, round * 100);
            cr_assert_eq(all.chunk, 10);
            cr_assert_eq(all.queue_depth, 0);
        }
        succeeds(twin_pool_shutdown(pool)); /* so that nobody counts while we add */
        assert_sums(pool, workers);
        succeeds(twin_pool_close(pool));
    }
}

/* ---- in flight ---------------------------------------------------------------------------------
 */

static int hold_some(struct twin_pool *pool, void *argument)
{
    enum { COUNT = 6 };
    struct gate *gate = argument;
    struct twin_future *futures[COUNT];
    for (int32_t i = 0; i < COUNT; i++) {
        struct twin_call call = gate_call(gate, &i);
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
        cr_assert_eq(stats_of(pool).queue_depth, (size_t)i + 1);
    }
    await_at_least(&gate->inside, 1);
    cr_assert_eq(stats_of(pool).queue_depth, COUNT);
    gate_open(gate);
    for (int i = 0; i < COUNT; i++) {
        succeeds(twin_future_result(futures[i], NULL, -1));
        twin_future_release(futures[i]);
    }
    cr_assert_eq(stats_of(pool).queue_depth, 0);
    return 0;
}

void stats_tell_how_much_is_in_flight(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct gate *gate = arena(pool, sizeof *gate);
    succeeds(twin_pool_scope(pool, hold_some, gate));
    twin_free(gate);
    succeeds(twin_pool_close(pool));
}

/* ---- time --------------------------------------------------------------------------------------
 */

enum { NAP_NS = 20000000 };

static void sleep_through(int64_t ns)
{
    struct timespec rest = {.tv_nsec = ns};
    while (nanosleep(&rest, &rest) != 0)
        cr_assert_eq(errno, EINTR);
}

static int sleep_a_while(void *result, const void *item, void *context)
{
    (void)item, (void)context;
    struct timespec rest = {.tv_nsec = NAP_NS};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
    *(int64_t *)result = (int64_t)getpid();
    return 0;
}

/* No time is asserted but what a clock promises: a sleep does not end early, and whatever a worker
 * does, it is either busy or idle. */
void stats_tell_busy_from_idle(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 1);
    int32_t item = 0;
    int64_t pid = 0;
    struct twin_call call = square_call(&item);
    call.task = sleep_a_while;
    succeeds(twin_pool_apply(pool, &call, &pid));
    struct twin_worker_stats before, after;
    do /* it publishes its result first, then goes idle */
        before = worker_stats(pool, 0);
    while (arm->starts_at_once && before.idle_ns == 0);
    sleep_through(NAP_NS);
    after = worker_stats(pool, 0);
    if (arm->starts_at_once) {
        cr_assert_geq(before.busy_ns, NAP_NS);
        cr_assert_geq(after.busy_ns + after.idle_ns, before.busy_ns + before.idle_ns + NAP_NS);
    } else {
        cr_assert(after.busy_ns == 0 && after.idle_ns == 0, "the header says so");
    }
    cr_assert_eq(after.pid, arm->processes ? (pid_t)pid : 0);
    succeeds(twin_pool_shutdown(pool));
    after = worker_stats(pool, 0);
    sleep_through(1000);
    before = worker_stats(pool, 0);
    cr_assert(after.busy_ns == before.busy_ns && after.idle_ns == before.idle_ns && after.pid == 0);
    succeeds(twin_pool_close(pool));
}

/* ---- printed -----------------------------------------------------------------------------------
 */

static const char *const pool_fields[] = {
    "workers", "queue_depth", "tasks",        "chunks",  "chunk",        "claims",
    "steals",  "parks",       "spins",        "wakes",   "caller_parks", "inline_tasks",
    "forks",   "restarts",    "staged_bytes", "stopped", "recycled"};
static const char *const worker_fields[] = {"number",   "pid",     "tasks",   "chunks",  "claims",
                                            "steals",   "parks",   "spins",   "busy_ns", "idle_ns",
                                            "restarts", "stopped", "recycled"};
enum {
    POOL_FIELDS = sizeof pool_fields / sizeof pool_fields[0],
    WORKER_FIELDS = sizeof worker_fields / sizeof worker_fields[0]
};

static char *printed(struct twin_pool *pool, enum twin_format format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    cr_assert_not_null(stream);
    succeeds(twin_pool_print_stats(pool, stream, format));
    fclose(stream);
    return text;
}

void stats_are_printed_for_people(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 3);
    do_some_of_all(pool);
    char *text = printed(pool, TWIN_TEXT), *rest = text;
    char line[64];
    snprintf(line, sizeof line, "  %-12s %14d\n", "tasks", 301);
    cr_assert_not_null(strstr(text, line), "%s", text);
    for (size_t i = 0; i < POOL_FIELDS; i++) {
        snprintf(line, sizeof line, "\n  %s ", pool_fields[i]);
        cr_assert_not_null(strstr(text, line), "%s is not in %s", pool_fields[i], text);
    }
    char *workers = strstr(text, "\nworkers\n") + strlen("\nworkers\n");
    for (size_t i = 0; i < WORKER_FIELDS; i++)
        cr_assert_not_null(strstr(workers, worker_fields[i]), "%s", text);
    size_t lines = 0, width = strcspn(workers, "\n");
    for (rest = workers; *rest; rest += strcspn(rest, "\n") + 1, lines++)
        cr_assert_leq(strcspn(rest, "\n"), width + 8, "a column has grown, or is out of line");
    cr_assert_eq(lines, 1 + 3, "%s", text);
    free(text);
    succeeds(twin_pool_close(pool));
}

/* One line: {"record":"...", then only "name":number, each of fields once and in any order. */
static void assert_object(char *line, const char *record, const char *const *fields, size_t count)
{
    char start[64];
    int length = snprintf(start, sizeof start, "{\"record\":\"%s\"", record);
    cr_assert_eq(strncmp(line, start, (size_t)length), 0, "%s", line);
    size_t members = 0;
    for (char *at = strchr(line, ','); at; at = strchr(at + 1, ','))
        members++;
    cr_assert_eq(members, count, "%zu members: %s", members, line);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        length = snprintf(name, sizeof name, ",\"%s\":", fields[i]);
        char *member = strstr(line, name), *end = NULL;
        cr_assert_not_null(member, "%s is not in %s", fields[i], line);
        (void)strtoull(member + length, &end, 10);
        cr_assert(end > member + length && (*end == ',' || *end == '}'), "%s: %s", fields[i], line);
    }
    cr_assert_str_eq(line + strlen(line) - 1, "}");
}

/* The same, by somebody who knows JSON, if he is here. */
static void assert_json(const char *text)
{
    if (system("python3 -c '' 2>/dev/null") != 0) {
        fprintf(stderr, "no python3: JSON was read by our own check alone\n");
        return;
    }
    FILE *reader = popen("python3 -c 'import json, sys\n"
                         "for line in sys.stdin: assert json.loads(line)[\"record\"]'",
                         "w");
    cr_assert_not_null(reader);
    cr_assert_geq(fputs(text, reader), 0);
    cr_assert_eq(pclose(reader), 0, "%s", text);
}

void stats_are_printed_as_json_lines(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 3);
    do_some_of_all(pool);
    char *text = printed(pool, TWIN_JSON), *rest = NULL;
    assert_json(text);
    char *line = strtok_r(text, "\n", &rest);
    char backend[32];
    snprintf(backend, sizeof backend, ",\"backend\":\"%s\"", arm->caller_works ? "omp" : "proc");
    char *member = strstr(line, backend);
    cr_assert_not_null(member, "%s", line);
    memmove(member, member + strlen(backend), strlen(member + strlen(backend)) + 1);
    cr_assert_not_null(strstr(line, ",\"tasks\":301,"));
    assert_object(line, "pool", pool_fields, POOL_FIELDS);
    for (int worker = 0; worker < 3; worker++) {
        char number[32];
        line = strtok_r(NULL, "\n", &rest);
        cr_assert_not_null(line, "worker %d is missing", worker);
        assert_object(line, "worker", worker_fields, WORKER_FIELDS);
        snprintf(number, sizeof number, ",\"number\":%d,", worker);
        cr_assert_not_null(strstr(line, number));
    }
    cr_assert_null(strtok_r(NULL, "\n", &rest));
    free(text);
    succeeds(twin_pool_close(pool));
}

static int ask_inside(void *result, const void *item, void *context)
{
    struct twin_worker_stats stats;
    (void)item;
    *(int64_t *)result = twin_pool_worker_stats(*(struct twin_pool **)context, 0, &stats);
    return 0;
}

void stats_refuse_bad_arguments(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct twin_worker_stats stats;
    expect(twin_pool_worker_stats(NULL, 0, &stats), TWIN_EINVAL);
    expect(twin_pool_worker_stats(pool, 0, NULL), TWIN_EINVAL);
    expect(twin_pool_worker_stats(pool, 2, &stats), TWIN_EINVAL);
    expect(twin_pool_print_stats(NULL, stderr, TWIN_TEXT), TWIN_EINVAL);
    expect(twin_pool_print_stats(pool, NULL, TWIN_TEXT), TWIN_EINVAL);
    expect(twin_pool_print_stats(pool, stderr, (enum twin_format)2), TWIN_EINVAL);
    FILE *full = fopen("/dev/full", "w");
    cr_assert_not_null(full);
    setvbuf(full, NULL, _IONBF, 0);
    expect(twin_pool_print_stats(pool, full, TWIN_TEXT), TWIN_ESYSTEM);
    cr_assert_eq(failure_of(pool).sys_errno, ENOSPC);
    expect(twin_pool_print_stats(pool, full, TWIN_JSON), TWIN_ESYSTEM);
    fclose(full);
    int32_t item = 0;
    int64_t answer = 0;
    struct twin_call call = square_call(&item);
    call.task = ask_inside;
    call.context = &pool;
    call.context_size = sizeof pool;
    succeeds(twin_pool_apply(pool, &call, &answer));
    cr_assert_eq(answer, TWIN_ENESTED);
    succeeds(twin_pool_close(pool));
}
