/* omp_queue.h: the queue of the executor on OpenMP: one producer, the caller, and many consumers.
 *
 * head and tail only grow, so a slot that was read before head was moved by compare-and-swap cannot
 * have been reused. In a team of one the caller is the consumer too, and needs no locked
 * instruction. */
#ifndef TWINI_OMP_QUEUE_H
#define TWINI_OMP_QUEUE_H

#include "engine/omp_runtime.h"

#include <stdlib.h>
#include <string.h>

enum { TWINI_MOST_QUEUED = 1 << 16 }; /* past it, or past max_pending, the submitter works */

struct twini_omp_queue {
    size_t capacity, mask;
    alignas(64) _Atomic size_t head;     /* moved by whoever takes a call */
    alignas(64) _Atomic size_t tail;     /* moved by the caller */
    size_t head_seen;                    /* the caller's: head when he looked last */
    alignas(64) _Atomic unsigned active; /* worker tasks, started or about to */
    struct twini_omp_job *_Atomic slots[];
};

static inline struct twini_omp_queue *twini_queue_make(size_t capacity)
{
    size_t slots = 1;
    if (capacity > TWINI_MOST_QUEUED)
        capacity = TWINI_MOST_QUEUED;
    while (slots < capacity)
        slots *= 2;
    struct twini_omp_queue *queue;
    size_t bytes = sizeof *queue + slots * sizeof queue->slots[0];
    queue = aligned_alloc(alignof(struct twini_omp_queue), (bytes + 63) / 64 * 64);
    if (!queue)
        return NULL;
    memset(queue, 0, bytes);
    queue->capacity = capacity;
    queue->mask = slots - 1;
    return queue;
}

static inline bool twini_queue_is_empty(struct twini_omp_queue *queue)
{
    /* order: seq_cst; half of the handshake with start_worker(): we said that we leave, now we look
     * once more; the submitter put a call there, now he looks whether we are leaving */
    return atomic_load_explicit(&queue->head, memory_order_seq_cst) ==
           atomic_load_explicit(&queue->tail, memory_order_seq_cst);
}

static inline size_t twini_queue_length(struct twini_omp_queue *queue)
{
    /* relaxed: tail is the caller's, and so is this question.
     * order: acquire; pairs with twini_queue_move_head(); the slots were read */
    queue->head_seen = atomic_load_explicit(&queue->head, memory_order_acquire);
    return atomic_load_explicit(&queue->tail, memory_order_relaxed) - queue->head_seen;
}

/* Head is the consumers', and looked at only when the queue could be full. */
static inline bool twini_queue_is_full(struct twini_omp_queue *queue)
{
    /* relaxed: as in twini_queue_length() */
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    return tail - queue->head_seen >= queue->capacity &&
           twini_queue_length(queue) >= queue->capacity;
}

static inline bool twini_is_alone(const struct twini_omp *omp)
{
    return omp->team <= 1; /* 0: not started yet, so there are no workers */
}

/* Takes the call at *head; false: somebody else did, and *head is where it is now. */
static inline bool twini_queue_move_head(struct twini_omp *omp, size_t *head)
{
    if (twini_is_alone(omp)) { /* relaxed: nobody else looks */
        atomic_store_explicit(&omp->queue->head, *head + 1, memory_order_relaxed);
        return true;
    }
    /* order: release; pairs with acquire in twini_queue_length(); the slot was read */
    return atomic_compare_exchange_strong_explicit(&omp->queue->head, head, *head + 1,
                                                   memory_order_acq_rel, memory_order_acquire);
}

static inline struct twini_omp_job *twini_queue_take(struct twini_omp *omp)
{
    struct twini_omp_queue *queue = omp->queue;
    /* relaxed: the compare-and-swap will tell if it was old */
    size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    for (;;) {
        /* order: acquire; pairs with twini_queue_put(); the call is readable */
        if (head == atomic_load_explicit(&queue->tail, memory_order_acquire))
            return NULL;
        struct twini_omp_job *job =
            atomic_load_explicit(&queue->slots[head & queue->mask], memory_order_relaxed);
        if (twini_queue_move_head(omp, &head))
            return job;
    }
}

/* Takes this call, if it is the next; the caller's. */
static inline bool twini_queue_take_this(struct twini_omp *omp, const struct twini_omp_job *job)
{
    struct twini_omp_queue *queue = omp->queue;
    /* relaxed: tail and slots are the caller's own; head as in twini_queue_take() */
    size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    return head != atomic_load_explicit(&queue->tail, memory_order_relaxed) &&
           job == atomic_load_explicit(&queue->slots[head & queue->mask], memory_order_relaxed) &&
           twini_queue_move_head(omp, &head);
}

static inline void twini_queue_put(struct twini_omp *omp, struct twini_omp_job *job)
{
    struct twini_omp_queue *queue = omp->queue;
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed); /* ours */
    atomic_store_explicit(&queue->slots[tail & queue->mask], job, memory_order_relaxed);
    if (twini_is_alone(omp)) /* relaxed: the start of workers orders it */
        atomic_store_explicit(&queue->tail, tail + 1, memory_order_relaxed);
    else /* order: seq_cst; publishes the call, and is half of the handshake of twini_queue_is_empty() */
        atomic_store_explicit(&queue->tail, tail + 1, memory_order_seq_cst);
}

#endif
