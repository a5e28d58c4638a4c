/* arena.c: reserve, allocate, free.
 *
 * The reservation is MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE: nothing has a name, so nothing can
 * leak. The allocator's own state, a list of extents ordered by address, is private to the opening
 * process: a worker that writes past its array cannot break it, and a worker that dies cannot leave
 * it half changed. First fit, neighbours merged. Freed pages go back to the system by MADV_REMOVE
 * (MADV_DONTNEED would not free shared pages), which also makes them read as zeroes again. To take a
 * page anew costs more than to fill it, so those of arguments that pass through are kept for the
 * next ones, and swept when they have become many.
 *
 * Blocks are found by address through a hash table, for calls whose arguments do not fit inline
 * take and give back one each, with thousands in flight.
 *
 * Invariants: extents tile the reservation without gap or overlap; no two free ones are neighbours;
 * a free extent with clean set reads as zeroes. An arena lives while its pool is open or a block
 * is. */
#include "engine/arena.h"
#include "strategy.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct extent {
    struct extent *previous, *next; /* by address */
    struct extent *chained;         /* used ones: the next in its bucket */
    char *start;
    size_t size;
    bool used;
    bool clean; /* never touched, or given back: reads as zeroes */
};

struct twini_arena {
    pthread_mutex_t lock;
    struct twini_arena *next; /* in the list of all, for twin_free() */
    struct extent *extents;
    struct extent *hint;     /* nothing before it is free */
    struct extent **buckets; /* of used extents, by start; NULL until the first */
    size_t bucket_count;     /* a power of two */
    char *start;
    size_t size, page;
    size_t blocks, used_bytes;
    size_t kept_bytes; /* recycled, and neither taken again nor swept: about that */
    bool closed;
    unsigned long fork_epoch;
};

static const size_t least_reservation = (size_t)1 << 20, most_reservation = (size_t)1 << 40,
                    granule = 64, keep_bytes = (size_t)4 << 20, keep_most = (size_t)64 << 20;

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct twini_arena *all;

void twini_arena_after_fork(void)
{
    /* a thread that does not exist here may hold it */
    all_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

/* ---- open and close ------------------------------------------------------ */

static char *reserve(size_t size)
{
    void *start =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

struct twini_arena *twini_arena_open(size_t limit)
{
    struct twini_arena *arena = calloc(1, sizeof *arena);
    struct extent *whole = calloc(1, sizeof *whole);
    if (!arena || !whole)
        goto fail;
    arena->page = (size_t)sysconf(_SC_PAGESIZE);
    arena->size = limit ? (limit + arena->page - 1) / arena->page * arena->page : most_reservation;
    /* With a limit of the user's the answer is yes or no; without one, what the system gives. */
    while (!(arena->start = reserve(arena->size))) {
        if (limit || arena->size / 2 < least_reservation)
            goto fail;
        arena->size /= 2;
    }
    *whole = (struct extent){.start = arena->start, .size = arena->size, .clean = true};
    arena->extents = arena->hint = whole;
    arena->fork_epoch = twini_fork_epoch;
    pthread_mutex_init(&arena->lock, NULL);
    pthread_mutex_lock(&all_lock);
    arena->next = all;
    all = arena;
    pthread_mutex_unlock(&all_lock);
    return arena;
fail:
    free(whole);
    free(arena);
    return NULL;
}

/* In a forked child its copy may be locked by a thread that is not there, and there is one thread. */
static bool is_shared(const struct twini_arena *arena)
{
    return arena->fork_epoch == twini_fork_epoch;
}

static void lock(struct twini_arena *arena)
{
    if (is_shared(arena))
        pthread_mutex_lock(&arena->lock);
}

static void unlock(struct twini_arena *arena)
{
    if (is_shared(arena))
        pthread_mutex_unlock(&arena->lock);
}

static void destroy(struct twini_arena *arena)
{
    munmap(arena->start, arena->size);
    for (struct extent *extent = arena->extents, *next; extent; extent = next) {
        next = extent->next;
        free(extent);
    }
    pthread_mutex_destroy(&arena->lock);
    free(arena->buckets);
    free(arena);
}

/* Takes the arena out of the list and frees it, if nothing keeps it. */
static void destroy_if_unused(struct twini_arena *arena)
{
    pthread_mutex_lock(&all_lock);
    struct twini_arena **link = &all;
    while (*link && *link != arena) /* not there: another thread was first */
        link = &(*link)->next;
    bool unused = false;
    if (*link) {
        lock(arena);
        unused = arena->closed && arena->blocks == 0;
        unlock(arena);
        if (unused)
            *link = arena->next;
    }
    pthread_mutex_unlock(&all_lock);
    if (unused)
        destroy(arena);
}

void twini_arena_close(struct twini_arena *arena)
{
    if (!arena)
        return;
    lock(arena);
    arena->closed = true;
    unlock(arena);
    destroy_if_unused(arena);
}

/* ---- allocate ------------------------------------------------------------ */

static struct extent **bucket_of(const struct twini_arena *arena, const void *start)
{
    /* Fibonacci hashing: the upper bits of the product are well mixed. */
    uint64_t mixed = (uint64_t)((uintptr_t)start / granule) * UINT64_C(0x9e3779b97f4a7c15);
    return &arena->buckets[(mixed >> 32) & (arena->bucket_count - 1)];
}

static void enlist(struct twini_arena *arena, struct extent *extent)
{
    struct extent **bucket = bucket_of(arena, extent->start);
    extent->chained = *bucket;
    *bucket = extent;
}

/* Takes the used extent that starts there out of the table, or returns NULL. */
static struct extent *delist(struct twini_arena *arena, const void *start)
{
    if (!arena->buckets)
        return NULL;
    struct extent **link = bucket_of(arena, start);
    while (*link && (*link)->start != start)
        link = &(*link)->chained;
    struct extent *extent = *link;
    if (extent)
        *link = extent->chained;
    return extent;
}

/* Makes room for one more, on average one extent a bucket. False: no memory for a first table. */
static bool grow_table(struct twini_arena *arena)
{
    if (arena->blocks < arena->bucket_count)
        return true;
    size_t count = arena->bucket_count ? arena->bucket_count * 2 : 64;
    struct extent **buckets = calloc(count, sizeof(struct extent *));
    if (!buckets)
        return arena->buckets != NULL; /* the old one does, with longer chains */
    free(arena->buckets);
    arena->buckets = buckets;
    arena->bucket_count = count;
    for (struct extent *extent = arena->extents; extent; extent = extent->next)
        if (extent->used)
            enlist(arena, extent);
    return true;
}

/* Cuts extent at its offset; the part behind is a new extent of the same kind. */
static bool split(struct extent *extent, size_t offset)
{
    struct extent *rest = malloc(sizeof *rest);
    if (!rest)
        return false;
    *rest = (struct extent){.previous = extent,
                            .next = extent->next,
                            .start = extent->start + offset,
                            .size = extent->size - offset,
                            .used = extent->used,
                            .clean = extent->clean};
    if (rest->next)
        rest->next->previous = rest;
    extent->next = rest;
    extent->size = offset;
    return true;
}

static struct extent *find(struct twini_arena *arena, size_t size, size_t alignment)
{
    for (struct extent *extent = arena->hint; extent; extent = extent->next) {
        size_t skip = (alignment - (uintptr_t)extent->start % alignment) % alignment;
        if (extent->used || extent->size < skip || extent->size - skip < size)
            continue;
        if (skip) {
            if (!split(extent, skip))
                return NULL;
            extent = extent->next;
        }
        if (extent->size > size && !split(extent, size))
            return NULL;
        return extent;
    }
    return NULL;
}

static void *allocate(struct twini_arena *arena, size_t size, bool zeroed)
{
    if (arena->fork_epoch != twini_fork_epoch || twini_inside_task) {
        errno = EPERM;
        return NULL;
    }
    if (size == 0 || size > arena->size) {
        errno = size ? ENOMEM : EINVAL;
        return NULL;
    }
    size_t unit = size >= arena->page ? arena->page : granule;
    size = (size + unit - 1) / unit * unit;
    pthread_mutex_lock(&arena->lock);
    struct extent *extent = grow_table(arena) ? find(arena, size, unit) : NULL;
    bool clean = false;
    if (extent) {
        clean = extent->clean;
        if (!clean)
            arena->kept_bytes -= size < arena->kept_bytes ? size : arena->kept_bytes;
        extent->used = true;
        extent->clean = false;
        enlist(arena, extent);
        arena->blocks++;
        arena->used_bytes += size;
        while (arena->hint->used && arena->hint->next)
            arena->hint = arena->hint->next;
    }
    pthread_mutex_unlock(&arena->lock);
    if (!extent) {
        errno = ENOMEM;
        return NULL;
    }
    /* A large block may be wanted for a few of its pages only: they go back, and come zeroed. */
    if (zeroed && !clean && (size < arena->page || madvise(extent->start, size, MADV_REMOVE) != 0))
        memset(extent->start, 0, size);
    return extent->start;
}

void *twini_arena_alloc(struct twini_arena *arena, size_t size)
{
    return allocate(arena, size, true);
}

void *twini_arena_alloc_dirty(struct twini_arena *arena, size_t size)
{
    return allocate(arena, size, false);
}

/* ---- free ---------------------------------------------------------------- */

/* Joins extent with the one behind it, when both are free. Only clean + clean stays clean. */
static void merge_next(struct twini_arena *arena, struct extent *extent)
{
    struct extent *next = extent->next;
    if (!next || next->used || extent->used)
        return;
    extent->size += next->size;
    extent->clean = extent->clean && next->clean;
    extent->next = next->next;
    if (next->next)
        next->next->previous = extent;
    if (arena->hint == next)
        arena->hint = extent;
    free(next);
}

/* Gives the pages of a free extent back. Whole pages only, or a neighbour's bytes would go too; the
 * rest stays dirty. */
static void purge(struct twini_arena *arena, struct extent *extent)
{
    size_t skip = (arena->page - (uintptr_t)extent->start % arena->page) % arena->page;
    if (extent->clean || extent->size < skip + arena->page)
        return;
    size_t whole = (extent->size - skip) / arena->page * arena->page;
    bool removed = madvise(extent->start + skip, whole, MADV_REMOVE) == 0;
    extent->clean = removed && whole == extent->size;
}

static void keep(struct twini_arena *arena, const struct extent *freed)
{
    arena->kept_bytes += freed->size;
    if (arena->kept_bytes <= keep_bytes ||
        (arena->kept_bytes <= arena->used_bytes && arena->kept_bytes <= keep_most))
        return;
    arena->kept_bytes = 0;
    for (struct extent *extent = arena->extents; extent; extent = extent->next)
        if (!extent->used)
            purge(arena, extent);
}

static void give_back(struct twini_arena *arena, void *block, bool soon_again)
{
    if (!block || arena->fork_epoch != twini_fork_epoch || twini_inside_task)
        return;
    pthread_mutex_lock(&arena->lock);
    struct extent *extent = delist(arena, block);
    if (extent) {
        extent->used = false;
        arena->blocks--;
        arena->used_bytes -= extent->size;
        if (soon_again)
            keep(arena, extent);
        else
            purge(arena, extent);
        if (extent->start < arena->hint->start)
            arena->hint = extent;
        merge_next(arena, extent);
        if (extent->previous && !extent->previous->used)
            merge_next(arena, extent->previous);
    }
    bool last = arena->closed && arena->blocks == 0;
    pthread_mutex_unlock(&arena->lock);
    if (last)
        destroy_if_unused(arena);
}

void twini_arena_free(struct twini_arena *arena, void *block)
{
    give_back(arena, block, false);
}

void twini_arena_recycle(struct twini_arena *arena, void *block)
{
    give_back(arena, block, true);
}

bool twini_arena_holds(const struct twini_arena *arena, const void *start, size_t size)
{
    uintptr_t offset = (uintptr_t)start - (uintptr_t)arena->start;
    return offset <= arena->size && size <= arena->size - offset;
}

/* ---- public -------------------------------------------------------------- */

void *twin_alloc(struct twin_pool *pool, size_t size)
{
    if (!pool) {
        errno = EINVAL;
        return NULL;
    }
    return twini_arena_alloc(pool->arena, size);
}

void twin_free(void *block)
{
    if (!block)
        return;
    pthread_mutex_lock(&all_lock);
    struct twini_arena *arena = all;
    while (arena && !twini_arena_holds(arena, block, 0))
        arena = arena->next;
    pthread_mutex_unlock(&all_lock);
    if (arena)
        twini_arena_free(arena, block);
}
