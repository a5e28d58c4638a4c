/* test_connpool_wait.c: deadlines, signals, and waking. Times are only ever bounded from below: a
 * wait may not end early; how late a busy machine ends it is no promise of ours. */
#include "test_connpool_kit.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

static const enum twin_admission admissions[] = {TWIN_ADMIT_RECOVERING, TWIN_ADMIT_BARE};

Test(connpool_wait, looking_at_an_empty_pool_returns, .timeout = 30)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_lease held, lease;
        struct twin_connpool_stats stats;

        cr_assert_eq(twin_connpool_try_acquire(rig.pool, &held), 0);
        cr_expect_eq(twin_connpool_try_acquire(rig.pool, &lease), TWIN_EAGAIN);
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 0), TWIN_ETIMEOUT);
        twin_connpool_stats(rig.pool, &stats);
        cr_expect_eq(stats.timed_out, 1, "a try is not a time-out");
        cr_assert_eq(twin_connpool_release(rig.pool, &held), 0);
        rig_close(&rig);
    }
}

static int hold_until_told(struct rig *rig)
{
    struct twin_lease lease;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
        return 1;
    rig->board->a = 1;
    await_at_least(&rig->board->b, 1);
    return twin_connpool_release(rig->pool, &lease);
}

Test(connpool_wait, shorter_than_the_hold_fails_longer_succeeds, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        pid_t holder = child_start(hold_until_told, &rig);
        struct twin_lease lease;

        await_at_least(&rig.board->a, 1);
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 10 * MS), TWIN_ETIMEOUT);
        rig.board->b = 1;
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, LONG_ENOUGH_NS), 0);
        cr_expect_eq(twin_connpool_release(rig.pool, &lease), 0);
        cr_expect_eq(child_exit(holder), 0);
        rig_close(&rig);
    }
}

Test(connpool_wait, no_time_out_comes_early_below_a_second, .timeout = 60)
{
    static const int64_t timeouts_ns[] = {1, 999, 1 * MS, 5 * MS, 17 * MS + 1, 50 * MS, 130 * MS};

    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_lease held, lease;

        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0), 0);
        for (size_t i = 0; i < sizeof timeouts_ns / sizeof *timeouts_ns; i++) {
            int64_t start_ns = now_ns();

            cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, timeouts_ns[i]), TWIN_ETIMEOUT);
            cr_expect_geq(now_ns() - start_ns, timeouts_ns[i]);
        }
        twin_connpool_release(rig.pool, &held);
        rig_close(&rig);
    }
}

static int time_out_not_early(struct rig *rig)
{
    struct twin_lease lease;
    int64_t start_ns = now_ns();

    if (twin_connpool_acquire(rig->pool, &lease, 60 * MS) != TWIN_ETIMEOUT)
        return 1;
    return now_ns() - start_ns < 60 * MS;
}

Test(connpool_wait, no_time_out_comes_early_in_a_thundering_start, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(3, admissions[a]);
        struct twin_lease held[3];
        struct twin_connpool_stats stats;

        for (int i = 0; i < 3; i++)
            cr_assert_eq(twin_connpool_acquire(rig.pool, &held[i], 0), 0);
        cr_expect_eq(in_threads(40, time_out_not_early, &rig), 0);
        cr_expect_eq(in_processes(20, time_out_not_early, &rig), 0);
        twin_connpool_stats(rig.pool, &stats);
        cr_expect_eq(stats.timed_out, 60);
        for (int i = 0; i < 3; i++)
            cr_expect_eq(twin_connpool_release(rig.pool, &held[i]), 0);
        cr_expect_eq(acquirable(rig.pool, 0), 3, "those who timed out left nothing behind");
        rig_close(&rig);
    }
}

static int wait_long(struct rig *rig)
{
    struct twin_lease lease;

    return twin_connpool_acquire(rig->pool, &lease, LONG_ENOUGH_NS) ||
           twin_connpool_release(rig->pool, &lease);
}

Test(connpool_wait, a_waiter_that_times_out_does_not_harm_the_next, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_lease held, lease;
        pid_t waiters[3];

        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0), 0);
        for (int i = 0; i < 3; i++)
            waiters[i] = child_start(wait_long, &rig);
        await_waiting(rig.pool, 3);
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 0), TWIN_ETIMEOUT);
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 5 * MS), TWIN_ETIMEOUT);
        cr_expect_eq(twin_connpool_release(rig.pool, &held), 0);
        for (int i = 0; i < 3; i++)
            cr_expect_eq(child_exit(waiters[i]), 0, "each gets its turn");
        rig_close(&rig);
    }
}

static int hammer_with_short_deadline(struct rig *rig)
{
    struct twin_lease lease;

    while (!rig->board->c)
        if (twin_connpool_acquire(rig->pool, &lease, MS / 2) == 0 &&
            (twin_connpool_exec(rig->pool, &lease, "2000", NULL) ||
             twin_connpool_release(rig->pool, &lease)))
            return 1;
    return 0;
}

Test(connpool_wait, time_outs_end_when_the_load_ends, .timeout = 60)
{
    struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
    struct twin_connpool_stats stats;
    uint64_t timed_out;
    pid_t workers[6];

    for (int i = 0; i < 6; i++)
        workers[i] = child_start(hammer_with_short_deadline, &rig);
    do {
        sleep_ns(MS);
        twin_connpool_stats(rig.pool, &stats);
    } while (stats.timed_out < 20);
    rig.board->c = 1;
    for (int i = 0; i < 6; i++)
        cr_expect_eq(child_exit(workers[i]), 0);
    twin_connpool_stats(rig.pool, &stats);
    timed_out = stats.timed_out;
    for (int i = 0; i < 200; i++)
        cr_expect_eq(acquirable(rig.pool, 0), 1);
    twin_connpool_stats(rig.pool, &stats);
    cr_expect_eq(stats.timed_out, timed_out);
    rig_close(&rig);
}

/* ---- signals ------------------------------------------------------------------------------------
 */

static void on_alarm(int number)
{
    (void)number;
}

static void start_storm(void)
{
    struct sigaction action;
    struct itimerval each_ms = {{0, 1000}, {0, 1000}};

    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm; /* no SA_RESTART: every wait is interrupted */
    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    cr_assert_eq(setitimer(ITIMER_REAL, &each_ms, NULL), 0);
}

static int work_in_a_storm(struct rig *rig)
{
    start_storm();
    for (int k = 0; k < 100; k++) {
        struct twin_lease lease;

        if (twin_connpool_acquire(rig->pool, &lease, LONG_ENOUGH_NS) != 0)
            return 1;
        if (twin_connpool_exec(rig->pool, &lease, NULL, NULL) != 0)
            return 2;
        if (twin_connpool_release(rig->pool, &lease) != 0)
            return 3;
    }
    return 0;
}

Test(connpool_wait, a_storm_of_signals_loses_no_permit, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_sim(2, admissions[a], 200000);

        cr_expect_eq(in_processes(8, work_in_a_storm, &rig), 0);
        cr_expect_eq(acquirable(rig.pool, LONG_ENOUGH_NS), 2);
        rig_close(&rig);
    }
}

static int time_out_in_a_storm(struct rig *rig)
{
    start_storm();
    return time_out_not_early(rig);
}

Test(connpool_wait, a_storm_of_signals_moves_no_deadline, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_lease held;

        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0), 0);
        cr_expect_eq(in_processes(4, time_out_in_a_storm, &rig), 0);
        twin_connpool_release(rig.pool, &held);
        rig_close(&rig);
    }
}

/* ---- explaining, and counting -------------------------------------------------------------------
 */

Test(connpool_wait, a_time_out_can_be_explained, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(2, admissions[a]);
        pid_t holder = child_start(hold_until_told, &rig);
        struct twin_connpool_picture picture;
        struct twin_lease held, lease;
        pid_t waiter;

        await_at_least(&rig.board->a, 1);
        sleep_ns(30 * MS); /* the clock of ages is some ms coarse: who is older must show */
        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0), 0);
        waiter = child_start(wait_long, &rig);
        await_waiting(rig.pool, 1);
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 5 * MS), TWIN_ETIMEOUT);
        cr_assert_eq(twin_connpool_picture(rig.pool, &picture), 0);
        cr_expect_eq(picture.total, 2);
        cr_expect_eq(picture.active, 2);
        cr_expect_eq(picture.waiting, 1);
        cr_expect_eq(picture.longest_pid, holder);
        cr_expect_geq(picture.longest_age_ns, 20 * MS);
        rig.board->b = 1;
        cr_expect_eq(child_exit(holder), 0);
        cr_expect_eq(child_exit(waiter), 0);
        cr_expect_eq(twin_connpool_release(rig.pool, &held), 0);
        twin_connpool_picture(rig.pool, &picture);
        cr_expect_eq(picture.active + picture.waiting, 0);
        cr_expect_eq(picture.longest_pid, 0);
        rig_close(&rig);
    }
}

static int wait_and_count(struct rig *rig)
{
    return wait_long(rig);
}

Test(connpool_wait, direct_waited_and_histogram_are_exact, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_connpool_stats stats;
        struct twin_lease lease;
        uint64_t in_buckets = 0;

        for (int i = 0; i < 5; i++) {
            pid_t waiter;

            cr_assert_eq(twin_connpool_acquire(rig.pool, &lease, 0), 0);
            waiter = child_start(wait_and_count, &rig);
            await_waiting(rig.pool, 1);
            sleep_ns(3 * MS);
            cr_assert_eq(twin_connpool_release(rig.pool, &lease), 0);
            cr_expect_eq(child_exit(waiter), 0);
        }
        twin_connpool_stats(rig.pool, &stats);
        cr_expect_eq(stats.direct, 5);
        cr_expect_eq(stats.waited, 5);
        cr_expect_eq(stats.released, 10);
        for (int k = 0; k < TWIN_CONNPOOL_WAIT_BUCKETS; k++)
            in_buckets += stats.wait_log2_ns[k];
        cr_expect_eq(in_buckets, 5);
        for (int k = 0; k < 21; k++) /* 2^21 ns are 2.1 ms; each waited 3 at least */
            cr_expect_eq(stats.wait_log2_ns[k], 0);
        rig_close(&rig);
    }
}
