/* executor_omp.c: the executor on OpenMP: worker tasks that live while there is something to do.
 *
 * apply_async makes a task of each call. An executor is the other way round: submit puts the call
 * into a queue, first in, first out, and starts a worker if there are fewer than the pool has
 * threads; the worker is a task that takes call after call and ends when the queue stays empty.
 * So there is one task per burst of calls, and calls start in the order of submission (libgomp's
 * own queues do not promise that). The caller is the last worker: he works when he waits without
 * deadline, when the queue is full, and at the end of the scope.
 *
 * A map goes the same way: workers claim chunks in order and mark each one done; the iterator waits
 * for its next chunk and computes chunks itself meanwhile.
 *
 * Outside of a scope submits wait in the queue until somebody really waits (async_omp.c opens the
 * region).
 *
 * Source: CPython concurrent/futures/thread.py (the shape); Dekker's handshake (worker and
 * submitter). */
#include "engine/doorbell.h"
#include "engine/omp_queue.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const struct twin_failure no_failure = {.kind = TWIN_FAILURE_NONE};

/* ---- workers ------------------------------------------------------------------------------ */

/* One more worker, if there are fewer than the team has threads beside the caller. */
static bool enlist(struct twini_omp *omp)
{
    _Atomic unsigned *active = &omp->queue->active;
    /* order: see twini_queue_is_empty() */
    unsigned now = atomic_load_explicit(active, memory_order_seq_cst);
    while (now + 1 < omp->team)
        if (atomic_compare_exchange_weak_explicit(active, &now, now + 1, memory_order_seq_cst,
                                                  memory_order_seq_cst))
            return true;
    return false;
}

static bool run_next(struct twini_omp *omp)
{
    struct twini_omp_job *job = omp->queue ? twini_queue_take(omp) : NULL;
    if (!job)
        return false;
    twini_omp_job_run(job);
    twini_omp_job_let_go(job);
    return true;
}

/* A worker that has found the queue empty: true: not any more. To end, and be started again by the next
 * submit, costs more than to stay a few microseconds; and calls that come one by one are cheaper to
 * take when there are several, or when no more come. */
static bool linger(struct twini_omp_queue *queue)
{
    enum { LOOKS = 8, PAUSES = 32, ENOUGH = 32 };
    size_t before = 0, waiting = 0;
    for (int look = 0; look < LOOKS && waiting < ENOUGH; look++) {
        /* relaxed, both: advice */
        size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
        waiting = atomic_load_explicit(&queue->tail, memory_order_relaxed) - head;
        if (waiting > 0 && waiting == before)
            break;
        before = waiting;
        for (int i = 0; i < PAUSES; i++)
            twini_relax();
    }
    return waiting > 0;
}

/* report: begin executor */
static void work(struct twini_omp *omp)
{
    struct twini_omp_queue *queue = omp->queue;
    do {
        while (!twini_omp_stopped(omp) && (run_next(omp) || linger(queue)))
            ;
        /* order: see twini_queue_is_empty() */
        atomic_fetch_sub_explicit(&queue->active, 1, memory_order_seq_cst);
    } while (!twini_omp_stopped(omp) && !twini_queue_is_empty(queue) && enlist(omp));
}

static bool start_worker(struct twini_omp *omp)
{
    if (!enlist(omp))
        return false;
#pragma omp task default(none) firstprivate(omp)
    work(omp);
    return true;
}
/* report: end executor */

int twini_omp_submit(struct twin_pool *pool, const struct twin_call *call, bool may_wait,
                     struct twin_future **future)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    if (omp->broken)
        return twini_pool_fail(pool, omp->broken, &omp->broken_failure);
    if (!omp->queue)
        omp->queue = twini_queue_make(pool->options.max_pending);
    if (omp->queue && !may_wait && twini_queue_is_full(omp->queue))
        return TWIN_EAGAIN;
    struct twini_omp_job *job = omp->queue ? twini_omp_job_make(omp, call, false) : NULL;
    if (!job)
        return twini_pool_fail(pool, TWIN_ENOMEM, &no_failure);
    *future = &job->future;
    twini_omp_retire(&omp->queued, omp->queued.count >= 2 * omp->queue->capacity);
    while (twini_queue_is_full(omp->queue))
        if (omp->in_scope)
            (void)run_next(omp);
        else
            (void)twini_omp_run_kept(omp, NULL);                 /* an error is in the futures */
    atomic_store_explicit(&job->tasks, 1, memory_order_relaxed); /* twini_queue_put() orders it */
    twini_omp_push(&omp->queued, job);
    twini_queue_put(omp, job);
    if (omp->in_scope)
        start_worker(omp);
    return 0;
}

/* ---- the map and its iterator ------------------------------------------------------------- */

struct twini_omp_iterator {
    struct twin_iterator head;
    struct twini_omp *omp;
    struct twini_omp_iterator *next; /* in omp->iterators */
    bool listed;
    _Atomic unsigned references; /* the owner's, and one for each worker task */
    size_t at;                   /* next chunk to hand out */
    size_t end;                  /* chunks from here on were dropped before they were claimed, */
    int dropped;                 /* and why */
    struct twini_omp_chunks run;
    _Atomic bool done[]; /* for each chunk */
};

static void drop_reference(struct twini_omp_iterator *iterator)
{
    /* order: acq_rel; all use of it by others happens before it is freed */
    if (atomic_fetch_sub_explicit(&iterator->references, 1, memory_order_acq_rel) == 1)
        free(iterator);
}

static bool is_done(struct twini_omp_iterator *iterator, size_t chunk)
{
    /* order: acquire; pairs with release in iterator_step(); the results are readable */
    return atomic_load_explicit(&iterator->done[chunk], memory_order_acquire);
}

static bool iterator_step(struct twini_omp_iterator *iterator)
{
    size_t chunk;
    if (!twini_omp_chunk_claim(&iterator->run, &chunk))
        return false;
    twini_omp_chunk_run(&iterator->run, chunk);
    /* order: release; pairs with acquire in is_done(); publishes the results */
    atomic_store_explicit(&iterator->done[chunk], true, memory_order_release);
    return true;
}

static void launch_iterator(struct twini_omp *omp, struct twini_omp_iterator *iterator)
{
    for (unsigned worker = 1; worker < omp->team; worker++) {
        /* relaxed: the task's creation orders it */
        atomic_fetch_add_explicit(&iterator->references, 1, memory_order_relaxed);
#pragma omp task default(none) firstprivate(omp, iterator)
        {
            while (!twini_omp_stopped(omp) && iterator_step(iterator))
                ;
            drop_reference(iterator);
        }
    }
}

/* Claims all chunks that nobody has, for nobody. */
static void drop_chunks(struct twini_omp_iterator *iterator, int error)
{
    size_t chunks = iterator->run.plan.chunks;
    /* relaxed: it decides who has a chunk, and publishes nothing */
    size_t claimed = atomic_exchange_explicit(&iterator->run.next, chunks, memory_order_relaxed);
    if (claimed < chunks) {
        iterator->end = claimed;
        iterator->dropped = error;
    }
}

static void unlist(struct twini_omp_iterator *iterator)
{
    if (!iterator->listed)
        return;
    struct twini_omp_iterator **link = &iterator->omp->iterators;
    while (*link != iterator)
        link = &(*link)->next;
    *link = iterator->next;
    iterator->listed = false;
}

static bool is_next_there(void *arg)
{
    struct twini_omp_iterator *iterator = arg;
    return iterator->at >= iterator->end || is_done(iterator, iterator->at);
}

static int wait_for_next(struct twini_omp_iterator *iterator, int64_t deadline_ns)
{
    struct twini_omp *omp = iterator->omp;
    struct twini_wait wait = {.ready = is_next_there, .arg = iterator, .deadline_ns = deadline_ns};
    if (twini_omp_is_past(deadline_ns))
        return TWIN_ETIMEOUT;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    if (!omp->in_scope) {
        (void)twini_omp_run_kept(omp, &wait); /* an error is in iterator->dropped */
        return is_next_there(iterator) ? 0 : TWIN_ETIMEOUT;
    }
    if (deadline_ns == INT64_MAX || omp->team == 1)
        while (!is_next_there(iterator) && !twini_omp_is_past(deadline_ns) &&
               iterator_step(iterator))
            ;
    return twini_omp_linger(omp, &wait);
}

static int end_early(struct twini_omp_iterator *iterator, int error)
{
    iterator->head.error = error;
    return error;
}

static int iterator_next(struct twin_iterator *head, const void **results, size_t *count,
                         int64_t deadline_ns)
{
    struct twini_omp_iterator *iterator = (struct twini_omp_iterator *)head;
    const struct twini_omp_chunks *run = &iterator->run;
    if (iterator->at == run->plan.chunks)
        return 0;
    int error = is_next_there(iterator) ? 0 : wait_for_next(iterator, deadline_ns);
    if (error)
        return error;
    if (iterator->at >= iterator->end)
        return end_early(iterator, iterator->dropped);
    /* All chunks before this one were good, so a failure before its end is its own. */
    size_t first = twini_plan_first(&run->plan, iterator->at);
    size_t items = twini_plan_items(&run->plan, iterator->at);
    struct twin_failure failure;
    head->index = first;
    if (twini_omp_chunks_outcome(run, first + items, &failure)) {
        head->failure = failure;
        return end_early(iterator, TWIN_ETASK);
    }
    *results = (const char *)run->map.results + first * run->map.result_size;
    *count = items;
    iterator->at++;
    return 0;
}

static void iterator_release(struct twin_iterator *head)
{
    struct twini_omp_iterator *iterator = (struct twini_omp_iterator *)head;
    unsigned pause = 0;
    drop_chunks(iterator, TWIN_ECANCELLED);
    unlist(iterator);
    bool has_workers = head->pool->fork_epoch == twini_fork_epoch; /* a forked child has none */
    for (size_t chunk = iterator->at; chunk < iterator->end && has_workers; chunk++)
        while (!is_done(iterator, chunk)) /* workers are at it; the arrays are the caller's */
            twini_omp_relax(iterator->omp, &pause, INT64_MAX);
    drop_reference(iterator);
}

int twini_omp_executor_map(struct twin_pool *pool, const struct twin_map *map,
                           struct twin_iterator **made)
{
    struct twini_omp *omp = pool->engine;
    int error = twini_omp_enter(omp);
    if (error)
        return error;
    if (omp->broken)
        return twini_pool_fail(pool, omp->broken, &omp->broken_failure);
    struct twini_plan plan =
        twini_plan_make(map->count, map->chunk, pool->options.workers, SIZE_MAX);
    struct twini_omp_iterator *iterator;
    size_t context_at = (sizeof *iterator + plan.chunks * sizeof iterator->done[0] + 15) / 16 * 16;
    size_t bytes = (context_at + map->context_size + 63) / 64 * 64;
    iterator = aligned_alloc(alignof(struct twini_omp_iterator), bytes);
    if (!iterator)
        return twini_pool_fail(pool, TWIN_ENOMEM, &no_failure);
    memset(iterator, 0, bytes);
    iterator->head = (struct twin_iterator){.pool = pool,
                                            .strategy = pool->strategy,
                                            .next = iterator_next,
                                            .release = iterator_release};
    iterator->omp = omp;
    iterator->end = plan.chunks;
    atomic_init(&iterator->references, 1);
    twini_omp_chunks_init(&iterator->run, omp, map);
    if (map->context_size)
        iterator->run.map.context =
            memcpy((char *)iterator + context_at, map->context, map->context_size);
    iterator->next = omp->iterators;
    iterator->listed = true;
    omp->iterators = iterator;
    if (omp->in_scope)
        launch_iterator(omp, iterator);
    *made = &iterator->head;
    return 0;
}

/* ---- all that is submitted ---------------------------------------------------------------- */

bool twini_omp_executor_run_next(struct twini_omp *omp, struct twini_omp_job *job)
{
    if (!omp->queue || !twini_queue_take_this(omp, job))
        return false;
    twini_omp_job_run(job);
    twini_omp_job_let_go(job);
    return true;
}

bool twini_omp_executor_step(struct twini_omp *omp)
{
    if (run_next(omp))
        return true;
    return omp->team == 1 && omp->iterators && iterator_step(omp->iterators);
}

bool twini_omp_executor_idle(const struct twini_omp *omp)
{
    return !omp->iterators && (!omp->queue || twini_queue_is_empty(omp->queue));
}

void twini_omp_executor_launch(struct twini_omp *omp)
{
    size_t queued = omp->queue ? twini_queue_length(omp->queue) : 0;
    for (size_t worker = 0; worker < queued; worker++)
        if (!start_worker(omp))
            break;
    for (struct twini_omp_iterator *each = omp->iterators; each; each = each->next)
        launch_iterator(omp, each);
}

void twini_omp_executor_drain(struct twini_omp *omp)
{
    while (!twini_omp_stopped(omp) && run_next(omp))
        ;
    while (!twini_omp_stopped(omp) && omp->iterators) {
        while (iterator_step(omp->iterators))
            ;
        unlist(omp->iterators);
    }
}

void twini_omp_executor_fail(struct twini_omp *omp, int error)
{
    struct twini_omp_job *job;
    while (omp->queue && (job = twini_queue_take(omp)) != NULL) {
        if (twini_future_start(&job->future))
            twini_future_finish(&job->future, error, &omp->broken_failure);
        twini_omp_job_let_go(job);
    }
    while (omp->iterators) {
        omp->iterators->head.failure = omp->broken_failure;
        drop_chunks(omp->iterators, error);
        unlist(omp->iterators);
    }
}
