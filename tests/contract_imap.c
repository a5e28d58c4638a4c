/* contract_imap.c: streams: imap in order and unordered, over sources that end, fail or never end. */
#include "toolkit.h"

#include <stdlib.h>
#include <string.h>

/* Gives 0, 1, 2, ... below end; then says code. */
struct counting {
    int32_t next, end;
    int code;
    size_t calls;
};

static int count_on(void *item, void *arg)
{
    struct counting *counting = arg;
    counting->calls++;
    if (counting->next >= counting->end)
        return counting->code;
    memcpy(item, &counting->next, sizeof counting->next);
    counting->next++;
    return 1;
}

static struct twin_stream square_stream(struct counting *counting)
{
    return (struct twin_stream){.task = square,
                                .source = {count_on, counting},
                                .item_size = sizeof(int32_t),
                                .result_size = sizeof(int64_t)};
}

static struct twin_iterator *start(struct twin_pool *pool, const struct twin_stream *stream,
                                   bool ordered)
{
    struct twin_iterator *iterator = NULL;
    succeeds(ordered ? twin_pool_imap(pool, stream, &iterator)
                     : twin_pool_imap_unordered(pool, stream, &iterator));
    cr_assert_not_null(iterator);
    return iterator;
}

static size_t index_of(struct twin_iterator *iterator)
{
    size_t index = SIZE_MAX;
    succeeds(twin_iterator_index(iterator, &index));
    return index;
}

/* What became of the items [0, end) of a stream. */
struct tally {
    size_t end, given, failed, next; /* next: of an ordered stream */
    bool ordered;
    unsigned char *seen;
};

static struct tally tally_make(size_t end, bool ordered)
{
    struct tally tally = {.end = end, .ordered = ordered, .seen = calloc(end + 1, 1)};
    cr_assert_not_null(tally.seen);
    return tally;
}

static void tally_items(struct tally *tally, size_t first, size_t count)
{
    cr_assert(first < tally->end && count <= tally->end - first, "%zu + %zu", first, count);
    if (tally->ordered)
        cr_assert_eq(first, tally->next, "%zu came where %zu is next", first, tally->next);
    for (size_t i = first; i < first + count; i++)
        cr_assert_eq(tally->seen[i]++, 0, "item %zu came twice", i);
    tally->next = first + count;
}

static void tally_end(struct tally *tally)
{
    for (size_t i = 0; i < tally->end; i++)
        cr_assert_eq(tally->seen[i], 1, "item %zu came %d times", i, tally->seen[i]);
    free(tally->seen);
}

/* One block; false at the end. Results must be squares. */
static bool take(struct twin_iterator *iterator, struct tally *tally, int64_t timeout_ns)
{
    const void *results = &results;
    size_t count = 1;
    succeeds(twin_iterator_next(iterator, &results, &count, timeout_ns));
    if (count == 0) {
        cr_assert_null(results);
        return false;
    }
    size_t first = index_of(iterator);
    tally_items(tally, first, count);
    for (size_t i = 0; i < count; i++) {
        int64_t root = (int64_t)(first + i), square = ((const int64_t *)results)[i];
        cr_assert_eq(square, root * root, "result %zu is %ld", first + i, (long)square);
    }
    tally->given += count;
    return true;
}

static void streams(struct twin_pool *pool, struct twin_stream stream, int32_t count, bool ordered)
{
    struct counting counting = {.end = count};
    struct tally tally = tally_make((size_t)count, ordered);
    stream.source.arg = &counting;
    struct twin_iterator *iterator = start(pool, &stream, ordered);
    while (take(iterator, &tally, -1))
        ;
    cr_assert(!take(iterator, &tally, -1), "the end stays");
    cr_assert_eq(counting.calls, (size_t)count + 1, "the source was asked %zu times",
                 counting.calls);
    tally_end(&tally);
    twin_iterator_release(iterator);
}

/* ---- order, and each once ----------------------------------------------------------------------
 */

static int stream_all_ways(struct twin_pool *pool, void *ordered)
{
    const size_t chunks[] = {0, 1, 3, 7, 100, 5000}, aheads[] = {0, 1, 5, 64, 1000};
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++)
        for (size_t a = 0; a < sizeof aheads / sizeof aheads[0]; a++) {
            struct twin_stream stream = square_stream(NULL);
            stream.chunk = chunks[c];
            stream.ahead = aheads[a];
            streams(pool, stream, 1009, *(bool *)ordered);
        }
    return 0;
}

static void stream_in_and_out_of_a_scope(const struct arm *arm, bool ordered)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct twin_pool *pool = open_pool(arm, workers);
        cr_assert_eq(stream_all_ways(pool, &ordered), 0);
        succeeds(twin_pool_scope(pool, stream_all_ways, &ordered));
        succeeds(twin_pool_close(pool));
    }
}

void imap_keeps_order(const struct arm *arm)
{
    stream_in_and_out_of_a_scope(arm, true);
}

void imap_gives_each_once_unordered(const struct arm *arm)
{
    stream_in_and_out_of_a_scope(arm, false);
}

void imap_runs_each_item_exactly_once(const struct arm *arm)
{
    enum { COUNT = 5003 };
    struct twin_pool *pool = open_pool(arm, 3);
    for (int ordered = 0; ordered < 2; ordered++)
        for (size_t chunk = 1; chunk <= 8; chunk += 7) {
            atomic_int *counters = arena(pool, COUNT * sizeof *counters);
            struct twin_stream stream = square_stream(NULL);
            stream.task = count_run;
            stream.context = counters;
            stream.chunk = chunk;
            streams(pool, stream, COUNT, ordered);
            for (size_t i = 0; i < COUNT; i++)
                cr_assert_eq(atomic_load(&counters[i]), 1);
            twin_free(counters);
        }
    succeeds(twin_pool_close(pool));
}

void imap_accepts_an_empty_source(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    for (int ordered = 0; ordered < 2; ordered++) {
        streams(pool, square_stream(NULL), 0, ordered);
        streams(pool, square_stream(NULL), 1, ordered);
    }
    succeeds(twin_pool_close(pool));
}

void imap_runs_beside_other_calls(const struct arm *arm)
{
    enum { COUNT = 300 };
    static struct twin_future *futures[COUNT];
    struct twin_pool *pool = open_pool_with(
        arm, &(struct twin_pool_options){.backend = arm->backend, .workers = 2, .max_pending = 16});
    struct counting counting[2] = {{.end = COUNT}, {.end = COUNT}};
    struct tally tally[2] = {tally_make(COUNT, true), tally_make(COUNT, false)};
    struct twin_iterator *iterator[2];
    for (int k = 0; k < 2; k++) {
        struct twin_stream stream = square_stream(&counting[k]);
        stream.ahead = 100; /* more than the pool has places */
        iterator[k] = start(pool, &stream, k == 0);
    }
    for (int32_t i = 0; i < COUNT; i++) {
        struct twin_call call = square_call(&i);
        succeeds(twin_pool_apply_async(pool, &call, &futures[i]));
        cr_assert(take(iterator[0], &tally[0], -1) && take(iterator[1], &tally[1], -1));
    }
    for (int64_t i = 0; i < COUNT; i++) {
        int64_t result = -1;
        succeeds(twin_future_result(futures[i], &result, -1));
        cr_assert_eq(result, i * i);
        twin_future_release(futures[i]);
    }
    for (int k = 0; k < 2; k++) {
        cr_assert(!take(iterator[k], &tally[k], -1));
        twin_iterator_release(iterator[k]);
        tally_end(&tally[k]);
    }
    succeeds(twin_pool_close(pool));
}

void imap_runs_on_an_executor(const struct arm *arm)
{
    struct twin_executor *executor = open_executor(arm, 2);
    for (int ordered = 0; ordered < 2; ordered++) {
        struct twin_stream stream = square_stream(NULL);
        streams(twin_executor_pool(executor), stream, 500, ordered);
        stream.chunk = 9;
        streams(twin_executor_pool(executor), stream, 500, ordered);
    }
    succeeds(twin_executor_close(executor));
}

/* ---- look-ahead --------------------------------------------------------------------------------
 */

void imap_reads_an_endless_source_no_further_than_ahead(const struct arm *arm)
{
    enum { TAKEN = 2000 };
    const struct {
        size_t chunk, ahead, most; /* ahead rounded up to whole chunks */
    } ways[] = {{1, 1, 1}, {1, 10, 10},     {4, 10, 12},
                {4, 1, 4}, {0, 0, 2 * 128}, {5, 0, 5 * 2 * 128}};
    struct twin_pool *pool = open_pool(arm, 2);
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
        for (int ordered = 0; ordered < 2; ordered++) {
            struct counting counting = {.end = INT32_MAX};
            struct twin_stream stream = square_stream(&counting);
            stream.chunk = ways[way].chunk;
            stream.ahead = ways[way].ahead;
            struct tally tally = tally_make(TAKEN + 2000, ordered);
            struct twin_iterator *iterator = start(pool, &stream, ordered);
            for (size_t before = 0; tally.given < TAKEN; before = tally.given) {
                cr_assert_leq((size_t)counting.next, before + ways[way].most);
                cr_assert(take(iterator, &tally, -1));
                cr_assert_eq((size_t)counting.next, before + ways[way].most,
                             "%d were read, %zu given before, %zu may be ahead", counting.next,
                             before, ways[way].most);
            }
            twin_iterator_release(iterator);
            free(tally.seen);
        }
    succeeds(twin_pool_close(pool));
}

static int gate_for_the_first(void *result, const void *item, void *context)
{
    return *(const int32_t *)item == 0 ? wait_at_gate(result, item, context)
                                       : square(result, item, NULL);
}

enum { HELD_COUNT = 40, HELD_AHEAD = 8 };

/* Waits have a deadline, however far: who waits without one may work, and meet the gate. */
static const int64_t far_ns = INT64_MAX / 2;

static struct twin_iterator *start_held(struct twin_pool *pool, struct gate *gate,
                                        struct counting *counting, bool ordered)
{
    struct twin_stream stream = square_stream(counting);
    stream.task = gate_for_the_first;
    stream.context = gate;
    stream.ahead = HELD_AHEAD;
    struct twin_iterator *iterator = start(pool, &stream, ordered);
    await_at_least(&gate->inside, 1);
    return iterator;
}

static int overtake_the_first(struct twin_pool *pool, void *argument)
{
    struct gate *gate = argument;
    struct counting counting = {.end = HELD_COUNT};
    struct tally tally = tally_make(HELD_COUNT, false);
    struct twin_iterator *iterator = start_held(pool, gate, &counting, false);
    while (tally.given < HELD_COUNT - 1) {
        cr_assert(take(iterator, &tally, far_ns));
        cr_assert_neq(index_of(iterator), 0);
    }
    const void *results;
    size_t count;
    expect(twin_iterator_next(iterator, &results, &count, 0), TWIN_ETIMEOUT);
    expect(twin_iterator_next(iterator, &results, &count, 1000), TWIN_ETIMEOUT);
    gate_open(gate);
    cr_assert(take(iterator, &tally, -1));
    cr_assert_eq(index_of(iterator), 0);
    cr_assert(!take(iterator, &tally, -1));
    tally_end(&tally);
    twin_iterator_release(iterator);
    return 0;
}

static int wait_for_the_first(struct twin_pool *pool, void *argument)
{
    struct gate *gate = argument;
    struct counting counting = {.end = HELD_COUNT};
    struct tally tally = tally_make(HELD_COUNT, true);
    struct twin_iterator *iterator = start_held(pool, gate, &counting, true);
    const void *results;
    size_t count;
    expect(twin_iterator_next(iterator, &results, &count, 0), TWIN_ETIMEOUT);
    expect(twin_iterator_next(iterator, &results, &count, 1000 * 1000), TWIN_ETIMEOUT);
    cr_assert(results == NULL && count == 0);
    cr_assert_eq(counting.next, HELD_AHEAD);
    gate_open(gate);
    while (take(iterator, &tally, -1))
        ;
    tally_end(&tally);
    twin_iterator_release(iterator);
    return 0;
}

static void in_scope(const struct arm *arm, int (*body)(struct twin_pool *, void *))
{
    struct twin_pool *pool = open_pool(arm, 3);
    struct gate *gate = arena(pool, sizeof *gate);
    succeeds(twin_pool_scope(pool, body, gate));
    twin_free(gate);
    succeeds(twin_pool_close(pool));
}

void imap_unordered_is_not_held_up_by_one(const struct arm *arm)
{
    in_scope(arm, overtake_the_first);
}

void imap_times_out_and_goes_on(const struct arm *arm)
{
    in_scope(arm, wait_for_the_first);
}

/* ---- failures ----------------------------------------------------------------------------------
 */

static const struct failing every_tenth = {.lowest = 5, .step = 10};

/* Takes all; of a failed block tells failing.index, which is lost with what is in its chunk. */
static void drain_failing(struct twin_iterator *iterator, struct tally *tally, size_t chunk,
                          bool by_chunk)
{
    for (;;) {
        const void *results;
        size_t count;
        int error = twin_iterator_next(iterator, &results, &count, -1);
        if (!error && count == 0)
            return;
        size_t first = index_of(iterator);
        if (!error) {
            tally_items(tally, first, count);
            tally->given += count;
            continue;
        }
        expect(error, TWIN_ETASK);
        cr_assert(results == NULL && count == 0);
        struct twin_failure failure = {0};
        succeeds(twin_iterator_failure(iterator, &failure));
        size_t lowest = (first + 4) / 10 * 10 + 5, rest = tally->end - first;
        cr_assert_eq(failure.kind, TWIN_FAILURE_TASK);
        cr_assert_eq(failure.index, by_chunk ? first : lowest);
        cr_assert_eq(failure.task_code, FAILING_CODE(lowest));
        tally_items(tally, first, chunk < rest ? chunk : rest);
        tally->failed++;
    }
}

static void goes_on(struct twin_pool *pool, size_t chunk, bool kernel, bool ordered)
{
    enum { COUNT = 333 };
    struct counting counting = {.end = COUNT};
    struct twin_stream stream = square_stream(&counting);
    stream.task = kernel ? NULL : fail_some;
    stream.kernel = kernel ? fail_some_chunk : NULL;
    stream.context = &every_tenth; /* on no stack; copied all the same */
    stream.context_size = sizeof every_tenth;
    stream.chunk = chunk;
    size_t failing = 0;
    for (size_t first = 0; first < COUNT; first += chunk)
        for (size_t i = first; i < first + chunk && i < COUNT; i++)
            if (i % 10 == 5) {
                failing++;
                break;
            }
    struct tally tally = tally_make(COUNT, ordered);
    struct twin_iterator *iterator = start(pool, &stream, ordered);
    drain_failing(iterator, &tally, chunk, kernel);
    cr_assert_eq(tally.failed, failing, "%zu failed chunks, not %zu", tally.failed, failing);
    tally_end(&tally);
    twin_iterator_release(iterator);
}

void imap_goes_on_after_a_failing_task(const struct arm *arm)
{
    const size_t chunks[] = {1, 3, 8, 20};
    struct twin_pool *pool = open_pool(arm, 2);
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++)
        for (int way = 0; way < 4; way++)
            goes_on(pool, chunks[c], way & 1, way & 2);
    succeeds(twin_pool_close(pool));
}

void imap_tells_once_that_its_source_failed(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    for (int32_t good = 0; good < 60; good += 7)
        for (int way = 0; way < 4; way++) {
            struct counting counting = {.end = good, .code = -77};
            struct twin_stream stream = square_stream(&counting);
            stream.chunk = way & 1 ? 4 : 1;
            struct tally tally = tally_make((size_t)good, way & 2);
            struct twin_iterator *iterator = start(pool, &stream, way & 2);
            while (tally.given < (size_t)good)
                cr_assert(take(iterator, &tally, -1));
            const void *results;
            size_t count;
            expect(twin_iterator_next(iterator, &results, &count, -1), TWIN_ETASK);
            struct twin_failure failure = {0};
            succeeds(twin_iterator_failure(iterator, &failure));
            cr_assert_eq(failure.kind, TWIN_FAILURE_SOURCE);
            cr_assert_eq(failure.index, (size_t)good);
            cr_assert_eq(failure.task_code, -77);
            cr_assert(!take(iterator, &tally, -1));
            cr_assert_eq(counting.calls, (size_t)good + 1, "it was asked again");
            tally_end(&tally);
            twin_iterator_release(iterator);
        }
    succeeds(twin_pool_close(pool));
}

/* ---- the end -----------------------------------------------------------------------------------
 */

void imap_can_be_given_up_in_the_middle(const struct arm *arm)
{
    enum { COUNT = 2000 };
    struct twin_pool *pool = open_pool(arm, 2);
    for (size_t taken = 0; taken < 12; taken++) {
        atomic_int *counters = arena(pool, COUNT * sizeof *counters);
        struct counting counting = {.end = INT32_MAX};
        struct twin_stream stream = square_stream(&counting);
        stream.task = count_run;
        stream.context = counters;
        stream.chunk = 1 + taken % 3;
        stream.ahead = 500;
        struct tally tally = tally_make(COUNT, taken & 1);
        struct twin_iterator *iterator = start(pool, &stream, taken & 1);
        for (size_t i = 0; i < taken; i++)
            cr_assert(take(iterator, &tally, -1));
        twin_iterator_release(iterator); /* nothing runs any more: the counters may go */
        cr_assert_lt(counting.next, COUNT);
        for (size_t i = 0; i < COUNT; i++)
            cr_assert_leq(atomic_load(&counters[i]), 1);
        twin_free(counters);
        free(tally.seen);
    }
    twin_iterator_release(NULL);
    streams(pool, square_stream(NULL), 100, true);
    succeeds(twin_pool_close(pool));
}

/* How many blocks come, whatever became of them, before the pool is said to be closed. */
static size_t count_until_closed(struct twin_iterator *iterator, size_t *succeeded)
{
    const void *results;
    size_t count, blocks = 0;
    int error;
    *succeeded = 0;
    while ((error = twin_iterator_next(iterator, &results, &count, -1)) != TWIN_ECLOSED) {
        cr_assert(error == 0 || error == TWIN_ECANCELLED || error == TWIN_EWORKER, "%s",
                  twin_strerror(error));
        *succeeded += !error;
        cr_assert_leq(++blocks, 1000);
    }
    expect(twin_iterator_next(iterator, &results, &count, 0), TWIN_ECLOSED);
    return blocks;
}

void imap_gives_what_is_in_flight_then_is_closed(const struct arm *arm)
{
    enum { AHEAD = 20 };
    for (int way = 0; way < 4; way++) {
        struct twin_pool *pool = open_pool(arm, 2);
        struct counting counting = {.end = INT32_MAX};
        struct twin_stream stream = square_stream(&counting);
        struct twin_iterator *refused = NULL;
        stream.ahead = AHEAD;
        struct twin_iterator *iterator = start(pool, &stream, way & 1);
        succeeds(way & 2 ? twin_pool_terminate(pool) : twin_pool_shutdown(pool));
        expect(twin_pool_imap(pool, &stream, &refused), TWIN_ECLOSED);
        expect(twin_pool_imap_unordered(pool, &stream, &refused), TWIN_ECLOSED);
        size_t succeeded, blocks = count_until_closed(iterator, &succeeded);
        cr_assert_eq(blocks, AHEAD, "%zu came", blocks);
        if (!(way & 2))
            cr_assert_eq(succeeded, AHEAD);
        cr_assert_eq(counting.next, AHEAD);
        twin_iterator_release(iterator);
        succeeds(twin_pool_close(pool));
    }
}

/* ---- arguments ---------------------------------------------------------------------------------
 */

void imap_hands_on_the_context_by_copy_and_by_address(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    for (size_t chunk = 1; chunk <= 3; chunk += 2) {
        struct gate *gate = arena(pool, sizeof *gate);
        gate_open(gate);
        struct twin_stream stream = square_stream(NULL);
        stream.task = wait_at_gate;
        stream.context = gate;
        stream.chunk = chunk;
        streams(pool, stream, 50, true);
        cr_assert_eq(atomic_load(&gate->passed), 50);
        stream.context_size = sizeof *gate;
        streams(pool, stream, 50, true);
        cr_assert_eq(atomic_load(&gate->passed), 50, "tasks saw the original");
        twin_free(gate);
    }
    succeeds(twin_pool_close(pool));
}

struct sizes {
    size_t item, result;
};

/* Item and result start with the same byte, and end with it, and between are its successors. */
static int give_bytes(void *item, void *arg)
{
    struct counting *counting = arg;
    const struct sizes *sizes = (const void *)(counting + 1);
    if (counting->next >= counting->end)
        return 0;
    for (size_t i = 0; i < sizes->item; i++)
        ((unsigned char *)item)[i] = (unsigned char)((size_t)counting->next + i);
    counting->next++;
    return 1;
}

static int copy_bytes(void *result, const void *item, void *context)
{
    const struct sizes *sizes = context;
    const unsigned char *bytes = item;
    for (size_t i = 0; i < sizes->item; i++)
        if (bytes[i] != (unsigned char)(bytes[0] + i))
            return 1;
    for (size_t i = 0; i < sizes->result; i++)
        ((unsigned char *)result)[i] = (unsigned char)(bytes[0] + i);
    return 0;
}

static void stream_bytes(struct twin_pool *pool, struct sizes sizes, size_t chunk)
{
    struct {
        struct counting counting;
        struct sizes sizes;
    } arg = {{.end = 20}, sizes};
    struct twin_stream stream = {.task = copy_bytes,
                                 .context = &sizes,
                                 .context_size = sizeof sizes,
                                 .source = {give_bytes, &arg.counting},
                                 .item_size = sizes.item,
                                 .result_size = sizes.result,
                                 .chunk = chunk};
    struct twin_iterator *iterator = start(pool, &stream, true);
    const void *results;
    size_t count, given = 0;
    do {
        succeeds(twin_iterator_next(iterator, &results, &count, -1));
        for (size_t i = 0; i < count; i++, given++)
            for (size_t k = 0; k < sizes.result; k++)
                cr_assert_eq(((const unsigned char *)results)[i * sizes.result + k],
                             (unsigned char)(given + k));
    } while (count > 0);
    cr_assert_eq(given, 20);
    twin_iterator_release(iterator);
}

void imap_takes_items_and_results_of_any_size(const struct arm *arm)
{
    const struct sizes sizes[] = {{1, 1},   {1, 100},  {100, 1},       {8, 16},
                                  {32, 32}, {33, 500}, {70000, 80001}, {3, 17}};
    struct twin_pool *pool = open_pool(arm, 2);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t chunk = 1; chunk <= 7; chunk += 3)
            stream_bytes(pool, sizes[s], chunk);
    succeeds(twin_pool_close(pool));
}

static int stream_nested(void *result, const void *item, void *context)
{
    struct twin_iterator *iterator = NULL;
    struct counting counting = {.end = 1};
    struct twin_stream stream = square_stream(&counting);
    (void)item;
    *(int64_t *)result = twin_pool_imap(*(struct twin_pool **)context, &stream, &iterator);
    return 0;
}

void imap_refuses_bad_arguments_one_by_one(const struct arm *arm)
{
    struct twin_pool *pool = open_pool(arm, 2);
    struct counting counting = {.end = 1};
    const struct twin_stream good = square_stream(&counting);
    struct twin_stream bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].task = NULL;
    bad[1].kernel = square_chunk; /* both */
    bad[2].source.next = NULL;
    bad[3].item_size = 0;
    bad[4].result_size = 0;
    bad[5].context_size = 1; /* of nothing */
    bad[6].chunk = SIZE_MAX;
    bad[7].item_size = SIZE_MAX;
    struct twin_iterator *iterator = NULL;
    for (size_t i = 0; i < 8; i++)
        expect(twin_pool_imap(pool, &bad[i], &iterator), TWIN_EINVAL);
    expect(twin_pool_imap(NULL, &good, &iterator), TWIN_EINVAL);
    expect(twin_pool_imap(pool, NULL, &iterator), TWIN_EINVAL);
    expect(twin_pool_imap_unordered(pool, &good, NULL), TWIN_EINVAL);
    cr_assert(iterator == NULL && counting.calls == 0);
    size_t index;
    expect(twin_iterator_index(NULL, &index), TWIN_EINVAL);
    int32_t item = 0;
    int64_t answer = 0;
    struct twin_call call = square_call(&item);
    call.task = stream_nested;
    call.context = &pool;
    call.context_size = sizeof pool;
    succeeds(twin_pool_apply(pool, &call, &answer));
    cr_assert_eq(answer, TWIN_ENESTED);
    succeeds(twin_pool_close(pool));
}
