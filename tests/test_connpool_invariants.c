/* test_connpool_invariants.c: what must hold at every moment, watched while workers work and die.
 *
 *   I1 slots in use <= N                          I4 acquired = released + recovered + held
 *   I2 a slot's word names who really uses it     I5 no free slot while somebody waits, for long
 *   I3 at rest: bare: permits = N; recovering:    I6 no time-out before its time
 *      the bell counts nobody once it has rung */
#include "internal.h"
#include "test_connpool_kit.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { N = 3, W = 8, KILLS = 300 };

static int work_until_stopped(struct rig *rig)
{
    while (!rig->board->c) {
        struct twin_lease lease;
        uint64_t word;
        int64_t start_ns = now_ns();
        int status = twin_connpool_acquire(rig->pool, &lease, 20 * MS);

        if (status == TWIN_ETIMEOUT && now_ns() - start_ns < 20 * MS)
            return 6;
        if (status == TWIN_ETIMEOUT)
            continue;
        if (status != 0)
            return 1;
        word = rig->pool->shared->slots[lease.slot].word;
        if (twini_process_pid(twini_holder(rig->pool, word)) != getpid())
            return 2;
        if (twin_connpool_exec(rig->pool, &lease, NULL, NULL) != 0 ||
            twin_connpool_release(rig->pool, &lease) != 0)
            return 3;
    }
    return 0;
}

/* I1 and I5, from outside. Returns when it was last seen that nobody waited beside a free slot. */
static int64_t watch(struct rig *rig, int64_t last_good_ns)
{
    struct twin_connpool_picture picture;

    twin_connpool_picture(rig->pool, &picture);
    cr_assert_leq(picture.active, N, "I1");
    if (picture.waiting == 0 || picture.active == N)
        return now_ns();
    cr_assert_lt(now_ns() - last_good_ns, LONG_ENOUGH_NS, "I5");
    return last_good_ns;
}

static void expect_balance(struct rig *rig, uint64_t deaths)
{
    struct twin_connpool_stats stats;
    uint64_t acquired, accounted;

    twin_connpool_stats(rig->pool, &stats);
    acquired = stats.direct + stats.waited;
    accounted = stats.released + stats.recovered + stats.active;
    /* I4. A death between a step and its count leaves them one apart, not more. */
    cr_expect_leq(acquired, accounted + deaths);
    cr_expect_leq(accounted, acquired + deaths);
    cr_expect_gt(acquired, 0);
}

Test(connpool_invariants, hold_while_workers_work, .timeout = 60)
{
    static const enum twin_admission admissions[] = {TWIN_ADMIT_RECOVERING, TWIN_ADMIT_BARE};

    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_sim(N, admissions[a], 50000);
        int64_t good_ns = now_ns();
        struct twin_sim_stats sim;
        pid_t workers[W];

        for (int i = 0; i < W; i++)
            workers[i] = child_start(work_until_stopped, &rig);
        for (int k = 0; k < 500; k++) {
            good_ns = watch(&rig, good_ns);
            sleep_ns(MS / 2);
        }
        rig.board->c = 1;
        for (int i = 0; i < W; i++)
            cr_expect_eq(child_exit(workers[i]), 0, "I2 or I6");
        twin_sim_stats(rig.sim, &sim);
        cr_expect_eq(sim.double_handouts, 0, "I2");
        cr_expect_eq(acquirable(rig.pool, 0), N, "all of them, at once");
        cr_expect_eq(twini_bell_sleepers(&rig.pool->shared->bell), 0, "I3");
        if (admissions[a] == TWIN_ADMIT_BARE)
            cr_expect_eq(twini_permits(rig.pool->shared), N, "I3: nobody died");
        expect_balance(&rig, 0);
        rig_close(&rig);
    }
}

Test(connpool_invariants, hold_while_workers_die_at_random, .timeout = 120)
{
    const char *given = getenv("TWIN_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)now_ns();
    struct rig rig = rig_sim(N, TWIN_ADMIT_RECOVERING, 50000);
    int64_t good_ns = now_ns();
    struct twin_sim_stats sim;
    pid_t workers[W];

    cr_log_info("TWIN_TEST_SEED=%u", seed);
    for (int i = 0; i < W; i++)
        workers[i] = child_start(work_until_stopped, &rig);
    for (int k = 0; k < KILLS; k++) {
        int victim = rand_r(&seed) % W;

        sleep_ns(rand_r(&seed) % (int)MS);
        good_ns = watch(&rig, good_ns);
        kill(workers[victim], SIGKILL);
        cr_expect(child_killed(workers[victim]), "a worker saw a broken invariant");
        workers[victim] = child_start(work_until_stopped, &rig);
    }
    rig.board->c = 1;
    for (int i = 0; i < W; i++)
        cr_expect_eq(child_exit(workers[i]), 0, "I2 or I6");
    twin_connpool_reap(rig.pool, NULL);
    twin_sim_stats(rig.sim, &sim);
    cr_expect_eq(sim.double_handouts, 0, "I2");
    expect_balance(&rig, KILLS);
    cr_expect_eq(acquirable(rig.pool, 0), N, "all of them, at once");
    cr_expect_eq(twini_bell_sleepers(&rig.pool->shared->bell), 0, "I3");
    rig_close(&rig);
}
