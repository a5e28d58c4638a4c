/* engine_reuse.c: memory of futures that is used again, also when its pool is gone. That nothing leaks and
 * nothing is freed twice, the sanitizers and valgrind say. */
#include "engine/reuse.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum { SIZE = 120, THREADS = 4, BLOCKS = 20000 };

Test(engine_reuse, gives_back_what_was_put_last, .timeout = 60)
{
    struct twini_reuse *reuse = twini_reuse_open(SIZE);
    void *first = twini_reuse_get(reuse), *second = twini_reuse_get(reuse);
    cr_assert(first && second && first != second);
    memset(first, 1, SIZE);
    memset(second, 2, SIZE);
    twini_reuse_put(reuse, first);
    cr_assert_eq(twini_reuse_get(reuse), first);
    twini_reuse_put(reuse, second);
    twini_reuse_put(reuse, first);
    cr_assert_eq(twini_reuse_get(reuse), first);
    cr_assert_eq(twini_reuse_get(reuse), second);
    twini_reuse_put(reuse, first);
    twini_reuse_put(reuse, second);
    twini_reuse_close(reuse);
}

Test(engine_reuse, lets_blocks_outlive_it, .timeout = 60)
{
    struct twini_reuse *reuse = twini_reuse_open(SIZE);
    void *blocks[3];
    for (int i = 0; i < 3; i++)
        blocks[i] = twini_reuse_get(reuse);
    twini_reuse_put(reuse, blocks[0]);
    twini_reuse_close(reuse);
    memset(blocks[1], 1, SIZE);
    twini_reuse_put(reuse, blocks[1]);
    memset(blocks[2], 2, SIZE);
    twini_reuse_put(reuse, blocks[2]);
    twini_reuse_close(twini_reuse_open(1)); /* one that was never used */
    twini_reuse_close(NULL);
}

/* What the threads put back while one gets, and closes. */
struct shelf {
    struct twini_reuse *reuse;
    void *_Atomic blocks[BLOCKS]; /* each with its index in it */
    atomic_bool spoilt;           /* somebody else has had a block that was out */
};

static void *put_a_part(void *argument)
{
    struct shelf *shelf = argument;
    for (size_t i = 0; i < BLOCKS; i++) {
        void *block = atomic_exchange(&shelf->blocks[i], NULL);
        if (!block)
            continue;
        if (memcmp(block, &i, sizeof i) != 0)
            atomic_store(&shelf->spoilt, true);
        twini_reuse_put(shelf->reuse, block);
    }
    return NULL;
}

Test(engine_reuse, takes_blocks_from_any_thread, .timeout = 60)
{
    static struct shelf shelf;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        shelf.reuse = twini_reuse_open(SIZE);
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, put_a_part, &shelf), 0);
        for (size_t i = 0; i < BLOCKS; i++) {
            void *block = twini_reuse_get(shelf.reuse);
            cr_assert_not_null(block);
            memcpy(block, &i, sizeof i);
            atomic_store(&shelf.blocks[i], block);
        }
        twini_reuse_close(shelf.reuse); /* some are still out, and being put */
        put_a_part(&shelf);
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert(!atomic_load(&shelf.spoilt));
    }
}
