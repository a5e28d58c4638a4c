/* arena.h: the shared memory of a pool: one reservation made before the first fork, so that a
 * pointer into it means the same in every worker. */
#ifndef TWINI_ARENA_H
#define TWINI_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct twini_arena;

/* Reserves limit bytes (0: as much as the system gives, at most 1 TiB; stepping down by halves when
 * refused). Memory is taken page by page, at first touch. NULL with errno on failure. */
struct twini_arena *twini_arena_open(size_t limit);

/* In a forked child, whose copies of the locks mean nothing. */
void twini_arena_after_fork(void);

/* The pool is done with it; the mapping goes with the last block. NULL is fine. */
void twini_arena_close(struct twini_arena *arena);

/* A zeroed block, aligned to 64 bytes, or to a page when it is one page or more. NULL with errno
 * ENOMEM. Safe from any thread of the process that opened the arena; EPERM in another. */
void *twini_arena_alloc(struct twini_arena *arena, size_t size);
/* The same without the promise of zeroes: for what is overwritten at once. */
void *twini_arena_alloc_dirty(struct twini_arena *arena, size_t size);
/* Gives a block of this arena back. The engine's own way: the owner is known. */
void twini_arena_free(struct twini_arena *arena, void *block);
/* The same for a block whose like is soon needed again: its pages are kept: about 4 MiB in all, or as
 * much as is in use up to 64 MiB. */
void twini_arena_recycle(struct twini_arena *arena, void *block);

/* Whether [start, start + size) lies inside the reservation. */
bool twini_arena_holds(const struct twini_arena *arena, const void *start, size_t size);

#endif
