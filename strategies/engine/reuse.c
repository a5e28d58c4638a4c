/* reuse.c: see reuse.h. */
#include "engine/reuse.h"
#include "engine/one_thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct block {
    struct block *next;
};

struct twini_reuse {
    size_t size;
    struct block *mine;        /* get()'s alone */
    size_t made;               /* by malloc */
    struct block *_Atomic put; /* newest first; or the mark that it is closed */
    _Atomic size_t out;        /* once closed: blocks that are still out, modulo 2^64 */
};

static struct block closed;

struct twini_reuse *twini_reuse_open(size_t size)
{
    struct twini_reuse *reuse = calloc(1, sizeof *reuse);
    if (reuse)
        reuse->size = size < sizeof(struct block) ? sizeof(struct block) : size;
    return reuse;
}

static struct block *take_all(struct twini_reuse *reuse, struct block *leave)
{
    /* relaxed, both: this thread did all of it */
    if (twini_has_one_thread()) {
        struct block *all = atomic_load_explicit(&reuse->put, memory_order_relaxed);
        atomic_store_explicit(&reuse->put, leave, memory_order_relaxed);
        return all;
    }
    /* order: acq_rel; pairs with release in push(): the blocks are ours; and who reads the mark sees what
     * was closed */
    return atomic_exchange_explicit(&reuse->put, leave, memory_order_acq_rel);
}

void *twini_reuse_get(struct twini_reuse *reuse)
{
    struct block *block = reuse->mine ? reuse->mine : take_all(reuse, NULL);
    if (block) {
        reuse->mine = block->next;
        return block;
    }
    block = malloc(reuse->size);
    reuse->made += block != NULL;
    return block;
}

/* False: it is closed. */
static bool push(struct twini_reuse *reuse, struct block *block)
{
    /* order: acquire; pairs with the exchange in take_all() */
    block->next = atomic_load_explicit(&reuse->put, memory_order_acquire);
    if (block->next != &closed && twini_has_one_thread()) {
        atomic_store_explicit(&reuse->put, block, memory_order_relaxed);
        return true;
    }
    while (block->next != &closed)
        if (atomic_compare_exchange_weak_explicit(&reuse->put, &block->next, block,
                                                  memory_order_release, memory_order_acquire))
            return true;
    return false;
}

void twini_reuse_put(struct twini_reuse *reuse, void *block)
{
    if (push(reuse, block))
        return;
    free(block);
    /* order: acq_rel; the last one frees after all others are done with it */
    if (atomic_fetch_sub_explicit(&reuse->out, 1, memory_order_acq_rel) == 1)
        free(reuse);
}

static size_t free_all(struct block *block)
{
    size_t count = 0;
    for (; block; count++) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    return count;
}

void twini_reuse_close(struct twini_reuse *reuse)
{
    if (!reuse)
        return;
    size_t out = reuse->made - free_all(reuse->mine);
    out -= free_all(take_all(reuse, &closed));
    /* order: acq_rel; as in twini_reuse_put(), whose blocks may have come first: then it was below 0 */
    if (atomic_fetch_add_explicit(&reuse->out, out, memory_order_acq_rel) + out == 0)
        free(reuse);
}
