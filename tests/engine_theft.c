/* engine_theft.c: how much a thief takes and how long it waits, who is woken only for a map that blocks,
 * and where workers sleep. */
#include "engine/home.h"
#include "engine/plan.h"
#include "engine/populate.h"
#include "engine/range.h"
#include "engine/spare.h"
#include "engine/theft.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* A pace of chunks that take 100 us of their owner. */
static struct twini_pace after_own_chunks(void)
{
    struct twini_pace pace = {.since_ns = 1000, .chunks = 10};
    twini_pace_book(&pace, 1000 + 10 * 100000);
    return pace;
}

Test(engine_theft, takes_half_where_pages_cost_nothing)
{
    struct twini_pace pace = after_own_chunks(), unknown = {0};
    cr_assert_eq(twini_theft_share(&pace, twini_owner_ns(&pace, 1, 30, 5), 0), 0.5);
    cr_assert_eq(twini_theft_share(&unknown, twini_owner_ns(&unknown, 1, 30, 5), 0), 0.5);
}

Test(engine_theft, lets_both_end_together)
{
    struct twini_pace pace = after_own_chunks();
    double share = twini_theft_share(&pace, twini_owner_ns(&pace, 1, 30, 5), 100000);
    cr_assert_float_eq(share, 1.0 / 3, 1e-9); /* 30 chunks: 20 of 100 us, 10 of 200 us */
}

Test(engine_theft, waits_for_an_owner_that_gets_on)
{
    struct twini_pace pace = after_own_chunks();
    size_t left = 10;
    for (int64_t now_ns = 5; left > 0; now_ns += 100000, left--)
        cr_assert_lt(twini_theft_share(&pace, twini_owner_ns(&pace, 1, left, now_ns), 10e6) *
                         (double)left,
                     0.5, "%zu left", left);
}

Test(engine_theft, takes_the_last_chunk_of_an_owner_that_does_not)
{
    struct twini_pace pace = after_own_chunks();
    cr_assert_lt(twini_theft_share(&pace, twini_owner_ns(&pace, 1, 1, 5), 1e6), 0.5);
    cr_assert_lt(twini_theft_share(&pace, twini_owner_ns(&pace, 1, 1, 5 + 1000000), 1e6), 0.5);
    cr_assert_eq(twini_theft_share(&pace, twini_owner_ns(&pace, 1, 1, 5 + 1100000), 1e6), 0.5);
}

Test(engine_theft, measures_its_own_chunks_and_not_those_that_it_took)
{
    struct twini_pace pace = after_own_chunks();
    pace.stolen = true;
    pace.chunks = 1;
    twini_pace_book(&pace, pace.since_ns + 7000000);
    cr_assert_eq(pace.chunk_ns, 100000);
    twini_pace_book(&pace, pace.since_ns + 7000000); /* nothing ran */
    cr_assert_eq(pace.chunk_ns, 100000);
    struct twini_pace thief = {.since_ns = 1, .chunks = 1, .stolen = true}; /* it has no others */
    twini_pace_book(&thief, 1 + 5000);
    cr_assert_eq(thief.chunk_ns, 5000);
}

Test(engine_theft, learns_what_pages_cost)
{
    enum { BYTES = 64 * 4096 };
    char *pages = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(pages, MAP_FAILED);
    double guess = twini_populate_ns(BYTES);
    twini_populate(pages, BYTES, 0);
    double learnt = twini_populate_ns(BYTES);
    cr_assert(learnt > 0 && learnt < 64.0 * 50000 && learnt != guess, "%g after %g", learnt, guess);
    cr_assert_float_eq(twini_populate_ns(2 * BYTES), 2 * learnt, 1e-3);
    twini_populate(pages, BYTES, 0); /* has them */
    cr_assert_eq(twini_populate_ns(BYTES), learnt);
    munmap(pages, BYTES);
}

/* ---- spare workers ------------------------------------------------------- */

static struct twini_shared *open_for(unsigned workers)
{
    struct twini_shared *shared = aligned_alloc(TWINI_LINE, sizeof *shared);
    cr_assert_not_null(shared);
    memset(shared, 0, sizeof *shared);
    shared->cpus = 2;
    atomic_store(&shared->numbers, workers);
    return shared;
}

/* With a map of 8 chunks for 4 workers, of whom 2 are spare, and parked. */
static struct twini_shared *open_with_spare(void)
{
    struct twini_shared *shared = open_for(4);
    shared->worker = aligned_alloc(TWINI_LINE, 4 * sizeof *shared->worker);
    shared->ranges = aligned_alloc(TWINI_LINE, 4 * TWINI_MAP_SLOTS * sizeof *shared->ranges);
    cr_assert(shared->worker && shared->ranges);
    memset(shared->ranges, 0, 4 * TWINI_MAP_SLOTS * sizeof *shared->ranges);
    for (unsigned w = 0; w < 4; w++) {
        twini_doorbell_init(&shared->worker[w].bell);
        twini_range_open(twini_range_of(shared, 0, w), w < 2 ? 4 * w : 8, w < 2 ? 4 * (w + 1) : 8);
    }
    struct twini_map_slot *slot = &shared->maps[0];
    slot->left_at_beat = 6;
    atomic_store(&slot->width, 4);
    atomic_store(&slot->spare, 2);
    atomic_store(&shared->parked[0], 0xc);
    return shared;
}

static void close_with_spare(struct twini_shared *shared)
{
    free(shared->worker);
    free(shared->ranges);
    free(shared);
}

Test(engine_spare, deals_to_as_many_as_there_are_cpus_if_somebody_waits)
{
    struct twini_shared *shared = open_for(64);
    cr_assert_eq(twini_spare_dealt(shared, 1000, 64, true), 2);
    cr_assert_eq(twini_spare_dealt(shared, 1000, 64, false), 64);
    cr_assert_eq(twini_spare_dealt(shared, 2, 64, true), 64);
    cr_assert_eq(twini_spare_dealt(shared, 1000, 2, true), 2);
    cr_assert_eq(twini_spare_dealt(shared, 1000, 1, true), 1);
    free(shared);
}

Test(engine_spare, wakes_them_for_tasks_that_wait)
{
    struct twini_shared *shared = open_with_spare();
    struct twini_spare_watch watch = {0};
    twini_spare_watch(&watch, &shared->maps[0]);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    twini_spare_look(&watch, shared, &shared->maps[0]);
    cr_assert(!twini_spare_any(&shared->maps[0]));
    cr_assert_eq(atomic_load(&shared->parked[0]), 0);
    close_with_spare(shared);
}

Test(engine_spare, lets_them_sleep_while_tasks_compute)
{
    struct twini_shared *shared = open_with_spare();
    struct twini_spare_watch watch = {0};
    twini_spare_watch(&watch, &shared->maps[0]);
    for (int64_t end_ns = twini_now_ns() + 5000000; twini_now_ns() < end_ns;)
        twini_spare_look(&watch, shared, &shared->maps[0]);
    cr_assert(twini_spare_any(&shared->maps[0]));
    cr_assert_eq(atomic_load(&shared->parked[0]), 0xc);
    close_with_spare(shared);
}

Test(engine_spare, wakes_them_when_nothing_ends_for_a_heartbeat)
{
    struct twini_shared *shared = open_with_spare();
    struct twini_range *range = twini_range_of(shared, 0, 0);
    size_t chunk;
    cr_assert(twini_range_enter(range, &chunk));
    cr_assert_eq(twini_range_next(range, false, &chunk), TWINI_RANGE_RUN);
    cr_assert_eq(twini_range_next(range, false, &chunk), TWINI_RANGE_RUN);
    cr_assert_eq(twini_spare_beat(shared, 0), 0); /* two have ended, or one of each of two */
    cr_assert_eq(twini_spare_beat(shared, 0), 2);
    cr_assert_eq(twini_spare_beat(shared, 0), 0); /* once */
    close_with_spare(shared);
}

Test(engine_spare, lets_them_sleep_when_none_is_left)
{
    struct twini_shared *shared = open_with_spare();
    shared->maps[0].left_at_beat = 0;
    for (unsigned w = 0; w < 2; w++)
        twini_range_drop(twini_range_of(shared, 0, w));
    cr_assert_eq(twini_spare_beat(shared, 0), 0);
    cr_assert(twini_spare_any(&shared->maps[0]));
    close_with_spare(shared);
}

/* ---- homes --------------------------------------------------------------- */

static cpu_set_t where_we_may_run(void)
{
    cpu_set_t cpus;
    cr_assert_eq(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    return cpus;
}

static void assert_bound_as(const cpu_set_t *before)
{
    cpu_set_t after = where_we_may_run();
    cr_assert(CPU_EQUAL(before, &after), "it is bound, or was freed");
}

Test(engine_home, two_do_not_sleep_on_one_cpu)
{
    cpu_set_t before = where_we_may_run();
    if (CPU_COUNT(&before) < 2)
        cr_skip("one CPU");
    struct twini_shared *shared = open_for(2);
    struct twini_worker first = {.shared = shared, .number = 0, .home = -1};
    struct twini_worker second = {.shared = shared, .number = 1, .home = -1};
    for (int turn = 0; turn < 100; turn++) {
        twini_go_home(&first);
        twini_go_home(&second);
        cr_assert(first.home >= 0 && second.home >= 0 && first.home != second.home, "%d and %d",
                  first.home, second.home);
        cr_assert_eq(atomic_load(&shared->home[first.home]), 1);
        cr_assert_eq(atomic_load(&shared->home[second.home]), 2);
    }
    assert_bound_as(&before);
    free(shared);
}

Test(engine_home, leaves_who_is_bound_where_he_is)
{
    cpu_set_t one;
    int cpu = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    struct twini_shared *shared = open_for(2);
    struct twini_worker first = {.shared = shared, .number = 0, .home = -1};
    struct twini_worker second = {.shared = shared, .number = 1, .home = -1};
    twini_go_home(&first);
    twini_go_home(&second);
    cr_assert_eq(first.home, cpu);
    cr_assert_eq(second.home, -1);
    assert_bound_as(&one);
    free(shared);
}

Test(engine_home, stays_where_workers_outnumber_the_cpus)
{
    struct twini_shared *shared = open_for(2);
    atomic_store(&shared->numbers, 3);
    struct twini_worker one = {.shared = shared, .number = 0, .home = -1};
    twini_go_home(&one);
    cr_assert_eq(one.home, -1);
    free(shared);
}

/* ---- making way ---------------------------------------------------------- */

Test(engine_home, who_ran_calls_leaves_the_submitters_cpu)
{
    cpu_set_t before = where_we_may_run();
    if (CPU_COUNT(&before) < 2)
        cr_skip("one CPU");
    struct twini_shared *shared = open_for(2);
    struct twini_worker me = {.shared = shared, .home = -1};
    bool left = false;
    for (int turn = 0; turn < 100 && !left; turn++) { /* the kernel may move us, too */
        int cpu = sched_getcpu();
        atomic_store(&shared->submitter, cpu + 1);
        twini_choose_cpu(&me);
        left = sched_getcpu() != cpu;
    }
    cr_assert(left);
    cr_assert_eq(me.home, -1);
    assert_bound_as(&before);
    free(shared);
}
