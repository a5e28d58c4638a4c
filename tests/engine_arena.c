/* engine_arena.c: the shared memory of a pool, against a plain record of what is handed out. */
#include "engine/arena.h"
#include "toolkit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

Test(engine_arena, holds_its_blocks_and_nothing_else, .timeout = 60)
{
    struct twini_arena *arena = twini_arena_open(1 << 20);
    cr_assert_not_null(arena);
    char *block = twini_arena_alloc(arena, 5000), local[8];
    cr_assert_not_null(block);
    cr_assert(twini_arena_holds(arena, block, 5000));
    cr_assert_not(twini_arena_holds(arena, local, sizeof local));
    cr_assert_not(twini_arena_holds(arena, NULL, 1));
    cr_assert_not(twini_arena_holds(arena, block, SIZE_MAX), "a length that wraps is not inside");
    cr_assert_not(twini_arena_holds(arena, block, (size_t)1 << 46));
    twini_arena_free(arena, block);
    twini_arena_close(arena);
    twini_arena_close(NULL);
}

Test(engine_arena, becomes_one_piece_again, .timeout = 60)
{
    enum { BLOCKS = 100, LIMIT = 4 << 20 };
    struct twini_arena *arena = twini_arena_open(LIMIT);
    struct random random = random_seeded("becomes_one_piece_again");
    char *blocks[BLOCKS];
    for (int cycle = 0; cycle < 50; cycle++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = twini_arena_alloc_dirty(arena, 1 + random_below(&random, 20000));
            cr_assert_not_null(blocks[i], "cycle %d, block %zu: %s", cycle, i, strerror(errno));
        }
        for (size_t left = BLOCKS; left > 0; left--) { /* in random order */
            size_t at = random_below(&random, left);
            twini_arena_free(arena, blocks[at]);
            blocks[at] = blocks[left - 1];
        }
        char *most = twini_arena_alloc_dirty(arena, LIMIT - LIMIT / 8);
        cr_assert_not_null(most, "cycle %d: freed memory is in pieces", cycle);
        twini_arena_free(arena, most);
    }
    twini_arena_close(arena);
}

Test(engine_arena, hands_out_every_byte_once, .timeout = 60)
{
    enum { BLOCKS = 200 };
    struct twini_arena *arena = twini_arena_open(16 << 20);
    struct random random = random_seeded("hands_out_every_byte_once");
    struct {
        unsigned char *start;
        size_t size;
    } blocks[BLOCKS] = {0};
    for (int step = 0; step < 20000; step++) {
        size_t at = random_below(&random, BLOCKS), size = 1 + random_below(&random, 60000);
        if (blocks[at].start)
            twini_arena_free(arena, blocks[at].start);
        blocks[at].start = twini_arena_alloc_dirty(arena, size);
        blocks[at].size = blocks[at].start ? size : 0;
        for (size_t i = 0; i < BLOCKS && blocks[at].start; i++)
            cr_assert(i == at || !blocks[i].start ||
                          blocks[i].start + blocks[i].size <= blocks[at].start ||
                          blocks[at].start + size <= blocks[i].start,
                      "step %d: two blocks overlap", step);
    }
    for (size_t at = 0; at < BLOCKS; at++)
        if (blocks[at].start)
            twini_arena_free(arena, blocks[at].start);
    twini_arena_close(arena);
}

static int open_under_limit(const struct arm *arm, void *argument)
{
    (void)arm, (void)argument;
    struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    HOLDS(setrlimit(RLIMIT_AS, &limit) == 0);
    struct twini_arena *arena = twini_arena_open(0); /* as much as is given, by halves */
    HOLDS(arena != NULL);
    void *block = twini_arena_alloc(arena, 1 << 20);
    HOLDS(block != NULL);
    twini_arena_free(arena, block);
    twini_arena_close(arena);
    return 0;
}

Test(engine_arena, steps_down_when_the_reservation_is_refused, .timeout = 60)
{
#ifdef __SANITIZE_ADDRESS__
    skip("AddressSanitizer itself needs more address space than the limit leaves");
#endif
    cr_assert_eq(in_child(open_under_limit, &arm_proc, NULL), 0);
}
