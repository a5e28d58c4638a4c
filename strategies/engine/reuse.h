/* reuse.h: memory for futures, used again and again.
 *
 * malloc and free were a quarter of the instructions of apply_async. So a pool keeps what its futures took:
 * one thread at a time gets (the pool's lock), any thread puts; what its largest crowd took stays until
 * close. A future may outlive its pool: after close what is still out is freed when it is put, and the last
 * of it takes the keeper along.
 *
 * put() pushes onto a list by compare-and-swap; get() takes that list as a whole, so no block can come back
 * between a look at its next and the swap. close() exchanges the list for a mark; who finds the mark frees,
 * and counts one less. Where the process has no other thread both do without locked instructions. */
#ifndef TWINI_REUSE_H
#define TWINI_REUSE_H

#include <stddef.h>

struct twini_reuse;

/* For blocks of this size. NULL: no memory. */
struct twini_reuse *twini_reuse_open(size_t size);
/* A block with what was last in it. NULL: no memory. */
void *twini_reuse_get(struct twini_reuse *reuse);
void twini_reuse_put(struct twini_reuse *reuse, void *block);
/* Frees what is kept. No get() any more; put() still. NULL is fine. */
void twini_reuse_close(struct twini_reuse *reuse);

#endif
