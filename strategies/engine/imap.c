/* imap.c: a stream: items come from a source, one after the other, results go to an iterator.
 *
 * The source's items are gathered into blocks of  chunk  items, and each block is a call of its own,
 * submitted as apply_async submits one; so it is written once for both backends. Never more than
 *  window  blocks are in flight, and a block is read only when there is room for it: so an endless
 * source is read no further than that ahead of what was handed out, and memory is bounded by it.
 *
 * A block travels as [how many items][items] and comes back as [outcome][results]; a block of one
 * item for a task travels as a plain call, which fits inline when it is small. What all blocks share
 * (task, sizes, context) lies in the arena once.
 *
 * In order: the oldest block is waited for, and nothing else. Unordered: each block has a hook
 * (future.h) that moves itself to  fired  when the block has an outcome, so nothing is searched. The
 * results stay in the block's future, which is kept until the next block is asked for. */
#include "engine/fired.h"
#include "engine/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* By default: so much for each worker, for what is taken again stays in the caches. */
enum { HEAD = 16, WINDOW_BYTES = 1 << 20, FEWEST_BLOCKS = 4, MOST_BLOCKS = 128 };

struct block_outcome {
    int code;
    size_t failed; /* index in the block */
};
static_assert(sizeof(struct block_outcome) <= HEAD, "results follow, aligned to 16");

struct block {
    struct twini_hook hook; /* first: they share an address */
    struct imap *imap;
    struct block *next; /* of those that are free, or that wait in order */
    struct twin_future *future;
    size_t first, count; /* items */
};

enum source_state { GOES_ON, ENDED, FAILED, TOLD };

struct imap {
    struct twin_iterator base;
    bool ordered, plain; /* plain: each block is one item, travels as it is */
    struct twin_source source;
    enum source_state state;
    int source_code;
    struct twin_map *work; /* of the arena: task, sizes and context, as workers see them */
    size_t chunk, window;  /* items in a block; blocks in flight */

    char *reading; /* the block that is being read: [count][items] */
    size_t first, count;

    size_t in_flight, used; /* blocks; of blocks[], those that were ever used */
    struct block *free, *oldest, *newest;
    struct twini_fired fired;
    struct block *shown; /* whose results the caller looks at */
    struct block blocks[];
};

/* ---- in the worker ------------------------------------------------------- */

static int run_block(void *result, const void *item, void *context)
{
    size_t count;
    struct twin_map map = *(const struct twin_map *)context;
    struct block_outcome *outcome = result;
    memcpy(&count, item, sizeof count);
    map.items = (const char *)item + HEAD;
    map.results = (char *)result + HEAD;
    outcome->failed = 0;
    outcome->code = twini_plan_run(&map, (void *)map.context, 0, count, NULL, &outcome->failed);
    return 0;
}

/* ---- blocks -------------------------------------------------------------- */

static struct block *get_block(struct imap *imap)
{
    struct block *block = imap->free;
    if (block)
        imap->free = block->next;
    else
        block = &imap->blocks[imap->used++];
    return block;
}

static void free_block(struct imap *imap, struct block *block)
{
    twin_future_release(block->future);
    block->future = NULL;
    block->next = imap->free;
    imap->free = block;
}

static void move_to_fired(struct twini_hook *hook)
{
    twini_fired_put(&((struct block *)hook)->imap->fired, hook);
}

static void enqueue(struct imap *imap, struct block *block)
{
    block->next = NULL;
    if (imap->oldest)
        imap->newest->next = block;
    else
        imap->oldest = block;
    imap->newest = block;
}

static void dispatch(struct imap *imap, struct block *block)
{
    imap->in_flight++;
    if (imap->ordered) {
        enqueue(imap, block);
        return;
    }
    block->imap = imap;
    block->hook = (struct twini_hook){NULL, move_to_fired};
    /* the thread may, for its submit was taken; so what is refused has an outcome already */
    if (twini_future_hook(block->future, &block->hook) != 0)
        move_to_fired(&block->hook);
}

/* ---- read, submit -------------------------------------------------------- */

/* Reads until the block is full or the source at its end. False: there is nothing in it. */
static bool read_block(struct imap *imap)
{
    while (imap->state == GOES_ON && imap->count < imap->chunk) {
        char *item = imap->reading + HEAD + imap->count * imap->work->item_size;
        int code = imap->source.next(item, imap->source.arg);
        if (code > 0) {
            imap->count++;
        } else {
            imap->state = code == 0 ? ENDED : FAILED;
            imap->source_code = code;
        }
    }
    return imap->count > 0;
}

static struct twin_call block_call(const struct imap *imap)
{
    const struct twin_map *work = imap->work;
    if (imap->plain)
        return (struct twin_call){.task = work->task,
                                  .context = work->context,
                                  .item = imap->reading + HEAD,
                                  .item_size = work->item_size,
                                  .result_size = work->result_size};
    memcpy(imap->reading, &imap->count, sizeof imap->count);
    return (struct twin_call){.task = run_block,
                              .context = work,
                              .item = imap->reading,
                              .item_size = HEAD + imap->count * work->item_size,
                              .result_size = HEAD + imap->count * work->result_size};
}

/* Waits for a place only if it has none: else it may wait for its own blocks. */
static int submit_block(struct imap *imap)
{
    struct twin_pool *pool = imap->base.pool;
    const struct twini_strategy *strategy = pool->strategy;
    struct twin_call call = block_call(imap);
    struct block *block = get_block(imap);
    bool may_wait = imap->in_flight == 0;
    int error = pool->on_demand ? strategy->executor_submit(pool, &call, may_wait, &block->future)
                                : strategy->apply_async(pool, &call, may_wait, &block->future);
    if (error) {
        block->future = NULL;
        free_block(imap, block);
        return error;
    }
    block->first = imap->first;
    block->count = imap->count;
    imap->first += imap->count;
    imap->count = 0;
    dispatch(imap, block);
    return 0;
}

/* Reads and submits as far ahead as it may. What cannot be submitted yet stays read. */
static int fill(struct imap *imap)
{
    while (imap->in_flight < imap->window && (imap->count > 0 || imap->state == GOES_ON)) {
        int error = twini_enter(imap->base.pool);
        if (!error && read_block(imap))
            error = submit_block(imap);
        if (error)
            return error == TWIN_EAGAIN ? 0 : error;
    }
    return 0;
}

/* ---- iterate ------------------------------------------------------------- */

/* Brings blocks up to date without waiting. */
static void look(struct imap *imap)
{
    size_t i = 0;
    while (i < imap->used &&
           (!imap->blocks[i].future || twini_future_is_final(imap->blocks[i].future)))
        i++;
    if (i < imap->used)
        imap->base.strategy->look(imap->blocks[i].future);
    twini_run_due(imap->base.pool); /* and notices */
}

static int await_block(struct imap *imap, int64_t deadline_ns)
{
    struct twini_wait wait = {
        .ready = twini_fired_any, .arg = &imap->fired, .deadline_ns = deadline_ns};
    if (imap->ordered) {
        wait.ready = twini_future_ready;
        wait.arg = wait.only = imap->oldest->future;
    }
    if (wait.ready(wait.arg))
        return 0;
    if (deadline_ns != INT64_MAX && twini_now_ns() >= deadline_ns) {
        look(imap);
        return wait.ready(wait.arg) ? 0 : TWIN_ETIMEOUT;
    }
    return twini_wait(imap->base.pool, &wait);
}

/* pre: await_block() has succeeded. */
static struct block *take_block(struct imap *imap)
{
    imap->in_flight--;
    if (!imap->ordered)
        return (struct block *)twini_fired_take(&imap->fired);
    struct block *block = imap->oldest;
    imap->oldest = block->next;
    return block;
}

static int outcome(struct imap *imap, const struct block *block)
{
    int error = block->future->error;
    struct twin_failure failure = block->future->failure;
    failure.index = block->first;
    if (!error && !imap->plain) {
        const struct block_outcome *outcome = block->future->result;
        if (outcome->code) {
            error = TWIN_ETASK;
            failure = (struct twin_failure){.kind = TWIN_FAILURE_TASK,
                                            .index = block->first + outcome->failed,
                                            .task_code = outcome->code};
        }
    }
    if (error)
        imap->base.failure = failure;
    return error;
}

/* All that was read is handed out: the end, or once why there is no more. */
static int end(struct imap *imap)
{
    if (imap->state != FAILED)
        return 0;
    imap->state = TOLD;
    imap->base.failure = (struct twin_failure){
        .kind = TWIN_FAILURE_SOURCE, .index = imap->first, .task_code = imap->source_code};
    return TWIN_ETASK;
}

/* A block that was read cannot be submitted, and none is in flight. Where nobody is left who would work, that
 * is the end. */
static int refuse(struct imap *imap, int error)
{
    if (error == TWIN_EWORKER) {
        imap->state = TOLD;
        imap->count = 0;
        imap->base.index = imap->first;
        imap->base.failure =
            (struct twin_failure){.kind = TWIN_FAILURE_WORKER, .index = imap->first};
    }
    return error;
}

static int imap_next(struct twin_iterator *base, const void **results, size_t *count,
                     int64_t deadline_ns)
{
    struct imap *imap = (struct imap *)base;
    if (imap->shown)
        free_block(imap, imap->shown);
    imap->shown = NULL;
    int error = fill(imap);
    if (imap->in_flight == 0)
        return error ? refuse(imap, error) : end(imap);
    error = await_block(imap, deadline_ns);
    if (error)
        return error;
    struct block *block = take_block(imap);
    base->index = block->first;
    error = outcome(imap, block);
    if (error) {
        free_block(imap, block);
        return error;
    }
    imap->shown = block;
    *results = (const char *)block->future->result + (imap->plain ? 0 : HEAD);
    *count = block->count;
    return 0;
}

/* ---- begin, end ---------------------------------------------------------- */

/* Takes back what has not started, and waits for the rest. False: this thread may not wait. */
static bool settle(struct imap *imap)
{
    for (size_t i = 0; i < imap->used; i++) {
        struct twin_future *future = imap->blocks[i].future;
        if (future && twin_future_state(future) == TWIN_PENDING)
            (void)twin_future_cancel(future);
    }
    while (imap->in_flight > 0) {
        if (await_block(imap, INT64_MAX) != 0)
            return false;
        free_block(imap, take_block(imap));
    }
    return true;
}

static void imap_release(struct twin_iterator *base)
{
    struct imap *imap = (struct imap *)base;
    bool is_ours = base->pool->fork_epoch == twini_fork_epoch;
    if (is_ours && !settle(imap))
        return; /* better lost than freed under the workers */
    for (size_t i = 0; i < imap->used; i++)
        twin_future_release(imap->blocks[i].future);
    twin_free(imap->work);
    free(imap->reading);
    free(imap);
}

static int check_stream(const struct twin_stream *stream)
{
    if (!stream || !stream->task == !stream->kernel || !stream->source.next ||
        (stream->context_size && !stream->context) || stream->context_size > PTRDIFF_MAX / 4)
        return TWIN_EINVAL;
    size_t chunk = stream->chunk ? stream->chunk : 1, most = PTRDIFF_MAX / 4;
    if (!stream->item_size || !stream->result_size || chunk > most / stream->item_size ||
        chunk > most / stream->result_size)
        return TWIN_EINVAL;
    return 0;
}

static size_t default_window(const struct twin_pool *pool, const struct twin_stream *stream,
                             size_t chunk)
{
    /* each size is at most PTRDIFF_MAX / 4: no overflow */
    size_t blocks = WINDOW_BYTES / (chunk * stream->item_size + chunk * stream->result_size);
    blocks = blocks < FEWEST_BLOCKS ? FEWEST_BLOCKS : blocks > MOST_BLOCKS ? MOST_BLOCKS : blocks;
    return blocks * pool->options.workers;
}

/* Blocks ahead: what is asked for, rounded up; at most as many calls as may be in flight. */
static size_t choose_window(const struct twin_pool *pool, const struct twin_stream *stream,
                            size_t chunk)
{
    size_t window =
        stream->ahead ? (stream->ahead - 1) / chunk + 1 : default_window(pool, stream, chunk);
    return window < pool->options.max_pending ? window : pool->options.max_pending;
}

/* Puts what all blocks share where workers see it. */
static int describe(struct imap *imap, const struct twin_stream *stream)
{
    size_t context_at = (sizeof *imap->work + 15) / 16 * 16;
    imap->work = twin_alloc(imap->base.pool, context_at + stream->context_size);
    imap->reading = malloc(HEAD + imap->chunk * stream->item_size);
    if (!imap->work || !imap->reading)
        return TWIN_ENOMEM;
    *imap->work = (struct twin_map){.task = stream->task,
                                    .kernel = stream->kernel,
                                    .context = stream->context,
                                    .item_size = stream->item_size,
                                    .result_size = stream->result_size};
    if (stream->context_size)
        imap->work->context =
            memcpy((char *)imap->work + context_at, stream->context, stream->context_size);
    return 0;
}

static int open_stream(struct twin_pool *pool, const struct twin_stream *stream, bool ordered,
                       struct twin_iterator **made)
{
    size_t chunk = stream->chunk ? stream->chunk : 1;
    size_t window = choose_window(pool, stream, chunk);
    struct imap *imap = calloc(1, sizeof *imap + window * sizeof imap->blocks[0]);
    if (!imap)
        return TWIN_ENOMEM;
    imap->base = (struct twin_iterator){
        .pool = pool, .strategy = pool->strategy, .next = imap_next, .release = imap_release};
    imap->ordered = ordered;
    imap->plain = chunk == 1 && stream->task;
    imap->source = stream->source;
    imap->chunk = chunk;
    imap->window = window;
    int error = describe(imap, stream);
    if (!error)
        error = fill(imap);
    if (error && imap->in_flight == 0) {
        imap_release(&imap->base);
        return error;
    }
    *made = &imap->base;
    return 0;
}

static int begin(struct twin_pool *pool, const struct twin_stream *stream, bool ordered,
                 struct twin_iterator **iterator)
{
    if (!iterator)
        return TWIN_EINVAL;
    *iterator = NULL;
    int error = twini_enter(pool);
    if (!error)
        error = check_stream(stream);
    return error ? error : open_stream(pool, stream, ordered, iterator);
}

int twin_pool_imap(struct twin_pool *pool, const struct twin_stream *stream,
                   struct twin_iterator **iterator)
{
    return begin(pool, stream, true, iterator);
}

int twin_pool_imap_unordered(struct twin_pool *pool, const struct twin_stream *stream,
                             struct twin_iterator **iterator)
{
    return begin(pool, stream, false, iterator);
}
