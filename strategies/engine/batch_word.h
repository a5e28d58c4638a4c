/* batch_word.h: the word of a batch, and what lies in a call: what workers, supervisor and
 * submitter all do with a batch. The protocol stands in batch.h. */
#ifndef TWINI_BATCH_WORD_H
#define TWINI_BATCH_WORD_H

#include "engine/shared.h"

static inline uint64_t twini_word_pack(struct twini_batch_word w)
{
    return (uint64_t)(w.generation & 0xfffff) << 32 | (uint64_t)w.owner << 20 |
           (uint64_t)w.state << 16 | (uint64_t)w.next << 8 | w.end;
}

static inline struct twini_batch_word twini_word_unpack(uint64_t bits)
{
    return (struct twini_batch_word){.end = bits & 0xff,
                                     .next = bits >> 8 & 0xff,
                                     .state = bits >> 16 & 0xf,
                                     .owner = bits >> 20 & 0xfff,
                                     .generation = bits >> 32 & 0xfffff};
}

static inline struct twini_batch_word twini_batch_look(struct twini_batch *batch)
{
    /* order: acquire; pairs with the release of whoever moved the word; calls are readable */
    return twini_word_unpack(atomic_load_explicit(&batch->word, memory_order_acquire));
}

/* Moves the word from what was seen; on failure *seen is what it is now.
 * order: seq_cst; publishes calls and outcomes (pairs with acquire in twini_batch_look()), and
 * stands before the look at who sleeps (Dekker, doorbell.c). */
static inline bool twini_batch_move(struct twini_batch *batch, struct twini_batch_word *seen,
                                    struct twini_batch_word to)
{
    uint64_t expected = twini_word_pack(*seen);
    if (atomic_compare_exchange_strong_explicit(&batch->word, &expected, twini_word_pack(to),
                                                memory_order_seq_cst, memory_order_acquire))
        return true;
    *seen = twini_word_unpack(expected);
    return false;
}

/* Calls before this one have an outcome. */
static inline unsigned twini_batch_finished(struct twini_batch_word w)
{
    switch (w.state) {
    case TWINI_BATCH_SEALED:
        return w.next;
    case TWINI_BATCH_RUNNING:
        return w.next - 1;
    case TWINI_BATCH_DONE:
        return w.end;
    default:
        return 0;
    }
}

/* Where item and result lie: inline, or in a block of the arena at offsets that are kept inline. */
static inline void *twini_call_item(struct twini_call *call)
{
    return call->block ? (char *)call->block + call->u.offset[0] : (char *)call->u.bytes;
}

static inline void *twini_call_result(struct twini_call *call)
{
    return call->block ? (char *)call->block + call->u.offset[1]
                       : (char *)call->u.bytes + call->result_offset;
}

#endif
