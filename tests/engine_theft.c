/* engine_theft.c: how much a thief takes, what it learns, and where workers sleep. */
#include "engine/home.h"
#include "engine/theft.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static const double page_bytes = 4096;

/* A pace of chunks that take 100 us of their owner, and the price of a byte. */
static struct twini_pace after_own_chunks(double *byte_ns)
{
    struct twini_pace pace = {.since_ns = 1000, .chunks = 10, .chunk_bytes = 100 * page_bytes};
    twini_pace_book(&pace, byte_ns, 1000 + 10 * 100000);
    return pace;
}

Test(engine_theft, takes_half_where_pages_cost_nothing)
{
    double byte_ns = 0;
    struct twini_pace pace = after_own_chunks(&byte_ns);
    cr_assert_eq(twini_theft_share(&pace, twini_theft_cost(&pace, byte_ns)), 0.5);
}

Test(engine_theft, takes_half_while_it_knows_nothing)
{
    struct twini_pace pace = {.chunk_bytes = 100 * page_bytes};
    cr_assert_eq(twini_theft_share(&pace, 1e6), 0.5);
}

Test(engine_theft, lets_both_end_together)
{
    double byte_ns = 1000 / page_bytes; /* 1 us a page: a chunk costs 100 us more */
    struct twini_pace pace = after_own_chunks(&byte_ns);
    double share = twini_theft_share(&pace, twini_theft_cost(&pace, byte_ns));
    cr_assert_float_eq(share, 1.0 / 3, 1e-9); /* 30 chunks: 20 of 100 us, 10 of 200 us */
}

Test(engine_theft, learns_a_price_at_once_and_forgets_it_slowly)
{
    double byte_ns = 0;
    struct twini_pace pace = after_own_chunks(&byte_ns);
    pace.stolen = true;
    pace.chunks = 1;
    pace.since_ns = 0;
    twini_pace_book(&pace, &byte_ns, 1700000); /* 1700 us instead of 100, for 100 pages */
    cr_assert_float_eq(byte_ns, 16000 / page_bytes, 1e-9);
    double learnt = byte_ns;
    pace.chunks = 1;
    twini_pace_book(&pace, &byte_ns, pace.since_ns + 100000); /* this one was there already */
    cr_assert(byte_ns < learnt && byte_ns > 0.9 * learnt, "%g after %g", byte_ns, learnt);
    for (int i = 0; i < 200; i++)
        twini_theft_forget(&byte_ns);
    cr_assert(byte_ns < 0.01 * learnt);
    pace.chunks = 1;
    twini_pace_book(&pace, &byte_ns, pace.since_ns + INT64_C(10000000000)); /* a task of 10 s */
    cr_assert_eq(byte_ns, TWINI_MOST_BYTE_NS);
}

Test(engine_theft, books_nothing_where_nothing_ran)
{
    double byte_ns = 1;
    struct twini_pace pace = after_own_chunks(&byte_ns), before = pace;
    twini_pace_book(&pace, &byte_ns, 99000000);
    cr_assert_eq(pace.chunk_ns, before.chunk_ns);
    cr_assert_eq(byte_ns, 1);
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

static struct twini_shared *open_for_two(void)
{
    struct twini_shared *shared = aligned_alloc(TWINI_LINE, sizeof *shared);
    cr_assert_not_null(shared);
    memset(shared, 0, sizeof *shared);
    shared->cpus = 2;
    atomic_store(&shared->numbers, 2);
    return shared;
}

Test(engine_home, two_do_not_sleep_on_one_cpu)
{
    cpu_set_t before = where_we_may_run();
    if (CPU_COUNT(&before) < 2)
        cr_skip("one CPU");
    struct twini_shared *shared = open_for_two();
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
    struct twini_shared *shared = open_for_two();
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
    struct twini_shared *shared = open_for_two();
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
    struct twini_shared *shared = open_for_two();
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
