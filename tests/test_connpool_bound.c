/* test_connpool_bound.c: at most N at once, and no connection in two hands: with processes and with
 * threads, under both admissions. The witnesses are the drivers', not the pool's own. */
#include "test_connpool_kit.h"

#include <criterion/criterion.h>

static const enum twin_admission admissions[] = {TWIN_ADMIT_RECOVERING, TWIN_ADMIT_BARE};

Test(connpool_bound, all_n_can_be_had_and_slots_are_unique, .timeout = 30)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(7, admissions[a]);
        struct twin_lease leases[8];
        bool seen[7] = {false};

        for (int i = 0; i < 7; i++) {
            cr_assert_eq(twin_connpool_acquire(rig.pool, &leases[i], 0), 0);
            cr_assert_lt(leases[i].slot, 7);
            cr_expect_not(seen[leases[i].slot]);
            seen[leases[i].slot] = true;
        }
        cr_expect_eq(twin_connpool_acquire(rig.pool, &leases[7], 0), TWIN_ETIMEOUT);
        cr_expect_eq(twin_connpool_try_acquire(rig.pool, &leases[7]), TWIN_EAGAIN);
        cr_expect_eq(leases[7].epoch, 0, "a failed acquire hands out no lease");
        for (int i = 0; i < 7; i++)
            cr_expect_eq(twin_connpool_release(rig.pool, &leases[i]), 0);
        rig_close(&rig);
    }
}

static int use_often(struct rig *rig)
{
    for (int k = 0; k < 50; k++) {
        struct twin_lease lease;

        if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
            return 1;
        if (twin_connpool_exec(rig->pool, &lease, k % 10 ? NULL : "50", NULL) != 0)
            return 2;
        if (twin_connpool_release(rig->pool, &lease) != 0)
            return 3;
    }
    return 0;
}

Test(connpool_bound, threads_200_on_10_never_exceed, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(10, admissions[a]);

        cr_expect_eq(in_threads(200, use_often, &rig), 0);
        cr_expect_leq(rig.board->most_running, 10);
        cr_expect_leq(rig.board->opened, 10, "threads share the process's connections");
        cr_expect_eq(acquirable(rig.pool, LONG_ENOUGH_NS), 10);
        rig_close(&rig);
    }
}

Test(connpool_bound, processes_60_on_5_never_exceed, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(5, admissions[a]);

        cr_expect_eq(in_processes(60, use_often, &rig), 0);
        cr_expect_leq(rig.board->most_running, 5, "as the server sees it");
        cr_expect_gt(rig.board->most_running, 1, "else this test would show nothing");
        cr_expect_eq(acquirable(rig.pool, LONG_ENOUGH_NS), 5);
        rig_close(&rig);
    }
}

static int hold_until_all_hold(struct rig *rig)
{
    struct twin_lease lease;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
        return 1;
    rig->board->a++;
    await_at_least(&rig->board->a, 4); /* all four hold now, or did */
    return twin_connpool_release(rig->pool, &lease);
}

Test(connpool_bound, twenty_threads_open_exactly_four_connections, .timeout = 30)
{
    struct rig rig = rig_witness(4, TWIN_ADMIT_RECOVERING);

    cr_expect_eq(in_threads(20, hold_until_all_hold, &rig), 0);
    cr_expect_eq(rig.board->opened, 4);
    rig_close(&rig);
}

static int failing_ping(void *connection)
{
    (void)connection;
    return 1;
}

static void slow_close(void *connection)
{
    sleep_ns(MS);
    witness_driver.close(connection);
}

Test(connpool_bound, holds_when_pings_fail_and_closing_is_slow, .timeout = 60)
{
    struct twin_connpool_driver driver = witness_driver;
    struct twin_connpool_options options = {.driver = &driver, .connections = 4, .ping_idle_ns = 1};

    driver.ping = failing_ping;
    driver.close = slow_close;
    struct rig rig = rig_options(&options);
    cr_expect_eq(in_threads(16, use_often, &rig), 0);
    cr_expect_leq(rig.board->most_running, 4);
    sleep_ns(30 * MS); /* now all have been idle for more than a tick of the coarse clock */
    cr_expect_eq(in_threads(4, use_often, &rig), 0);
    cr_expect_gt(rig.board->closed, 0, "a connection that fails its ping is replaced");
    cr_expect_leq(rig.board->opened - rig.board->closed, 4);
    cr_expect_eq(acquirable(rig.pool, LONG_ENOUGH_NS), 4);
    rig_close(&rig);
}

static int use_1000_times(struct rig *rig)
{
    for (int k = 0; k < 1000; k++) {
        struct twin_lease lease;

        if (twin_connpool_acquire(rig->pool, &lease, -1) != 0 ||
            twin_connpool_exec(rig->pool, &lease, NULL, NULL) != 0 ||
            twin_connpool_release(rig->pool, &lease) != 0)
            return 1;
    }
    return 0;
}

static void check_no_overlap(struct rig *rig, uint64_t operations)
{
    struct twin_sim_stats sim;

    cr_assert_eq(twin_sim_stats(rig->sim, &sim), 0);
    cr_expect_eq(sim.executed, operations);
    cr_expect_eq(sim.double_handouts, 0);
    cr_expect_eq(sim.foreign_uses, 0);
}

Test(connpool_bound, no_slot_in_two_hands_with_100_threads, .timeout = 120)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_sim(5, admissions[a], 0);

        cr_expect_eq(in_threads(100, use_1000_times, &rig), 0);
        check_no_overlap(&rig, 100 * 1000);
        rig_close(&rig);
    }
}

Test(connpool_bound, no_slot_in_two_hands_with_100_processes, .timeout = 120)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_sim(5, admissions[a], 0);

        cr_expect_eq(in_processes(100, use_1000_times, &rig), 0);
        check_no_overlap(&rig, 100 * 1000);
        rig_close(&rig);
    }
}

static int use_with_work(struct rig *rig)
{
    struct twin_lease lease;

    for (int k = 0; k < 10; k++)
        if (twin_connpool_acquire(rig->pool, &lease, -1) != 0 ||
            twin_connpool_exec(rig->pool, &lease, "300", NULL) != 0 ||
            twin_connpool_release(rig->pool, &lease) != 0)
            return 1;
    return 0;
}

Test(connpool_bound, peak_is_the_smaller_of_workers_and_connections, .timeout = 60)
{
    for (unsigned workers = 1; workers <= 10; workers++) {
        struct rig rig = rig_witness(4, TWIN_ADMIT_RECOVERING);
        struct twin_connpool_stats stats;

        cr_expect_eq(in_threads(workers, use_with_work, &rig), 0);
        cr_expect_leq(rig.board->most_running, workers < 4 ? workers : 4);
        twin_connpool_stats(rig.pool, &stats);
        cr_expect_geq(stats.high_water, 1);
        cr_expect_leq(stats.high_water, 4);
        rig_close(&rig);
    }
}

Test(connpool_bound, fifty_slow_queries_twice_open_ten_and_leave_ten_free, .timeout = 60)
{
    struct rig rig = rig_witness(10, TWIN_ADMIT_RECOVERING);

    for (int round = 0; round < 2; round++) {
        cr_expect_eq(in_threads(50, use_with_work, &rig), 0);
        cr_expect_leq(rig.board->opened, 10);
        cr_expect_eq(acquirable(rig.pool, 0), 10);
    }
    rig_close(&rig);
}

/* ---- one right per process: connections do not cross fork
 * ---------------------------------------- */

static int connection_is_my_own(struct rig *rig)
{
    struct twin_lease lease;
    int64_t opener;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
        return 1;
    if (twin_connpool_exec(rig->pool, &lease, NULL, &opener) != 0)
        return 2; /* the witness refuses use in another process */
    if (twin_connpool_release(rig->pool, &lease) != 0)
        return 3;
    return twin_connpool_close(rig->pool) == 0 ? 0 : 4;
}

Test(connpool_bound, a_child_neither_uses_nor_closes_its_parents_connection, .timeout = 30)
{
    struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
    struct twin_lease lease;

    cr_assert_eq(twin_connpool_acquire(rig.pool, &lease, 0), 0);
    cr_assert_eq(twin_connpool_release(rig.pool, &lease), 0);
    cr_assert_eq(rig.board->opened, 1);
    cr_expect_eq(in_processes(3, connection_is_my_own, &rig), 0);
    cr_expect_eq(rig.board->opened, 4, "each process opens its own");
    cr_expect_eq(rig.board->closed, 3, "and closes nothing but its own");
    rig_close(&rig);
}
