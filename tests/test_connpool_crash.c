/* test_connpool_crash.c: SIGKILL at each step of acquire, release and reaper.
 *
 * Built with -DTWIN_FAULTS: a child sets TWIN_FAULT and dies at exactly that step. Afterwards all
 * N must be acquirable, one more must not, and the bell may count at most one sleeper too many for
 * each death, until a release finds nobody asleep. */
#include "internal.h"
#include "test_connpool_kit.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 3 };

static const char *fault; /* inherited by fork */

static void expect_whole(struct rig *rig, unsigned deaths)
{
    struct bell *bell = &rig->pool->shared->bell;

    twin_connpool_reap(rig->pool, NULL);
    cr_expect_leq(twini_bell_sleepers(bell), deaths, "%s: at most one too many for each death",
                  fault);
    cr_expect_eq(acquirable(rig->pool, LONG_ENOUGH_NS), N, "%s: all are there", fault);
    cr_expect_eq(twini_bell_sleepers(bell), 0, "%s: what was too many is gone", fault);
}

static int work_until_the_fault(struct rig *rig)
{
    setenv("TWIN_FAULT", fault, 1);
    for (int k = 0; k < 1000; k++) {
        struct twin_lease lease;

        if (twin_connpool_acquire(rig->pool, &lease, 2 * MS) == 0 &&
            (twin_connpool_exec(rig->pool, &lease, NULL, NULL) ||
             twin_connpool_release(rig->pool, &lease)))
            return 1;
    }
    return 2; /* it never passed the fault: the test is wrong */
}

Test(connpool_crash, at_each_step_of_acquire_and_release, .timeout = 120)
{
    static const char *const steps[] = {"before_intent", "intent_set", "mid_scan",
                                        "slot_taken",    "slot_freed", "rang"};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
        struct twin_lease held;

        fault = steps[i];
        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0),
                     0); /* so that a scan has a middle */
        for (int death = 0; death < 5; death++)
            cr_expect(child_killed(child_start(work_until_the_fault, &rig)), "%s", fault);
        cr_assert_eq(twin_connpool_release(rig.pool, &held), 0);
        expect_whole(&rig, 5);
        rig_close(&rig);
    }
}

Test(connpool_crash, at_each_step_of_waiting, .timeout = 120)
{
    static const char *const steps[] = {"before_wait", "woken", "giving_up"};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
        struct twin_lease held[N];

        fault = steps[i];
        for (int k = 0; k < N; k++)
            cr_assert_eq(twin_connpool_acquire(rig.pool, &held[k], 0), 0);
        for (int death = 0; death < 5; death++)
            cr_expect(child_killed(child_start(work_until_the_fault, &rig)), "%s", fault);
        for (int k = 0; k < N; k++)
            cr_expect_eq(twin_connpool_release(rig.pool, &held[k]), 0);
        expect_whole(&rig, 5);
        rig_close(&rig);
    }
}

static int wait_until_the_fault(struct rig *rig)
{
    struct twin_lease lease;

    setenv("TWIN_FAULT", fault, 1);
    twin_connpool_acquire(rig->pool, &lease, -1);
    return raise(SIGKILL); /* it had a slot before it slept: then it dies with that */
}

/* The bell wakes a sleeper, who dies before it has a slot. */
Test(connpool_crash, after_the_wake_up_before_it_has_a_slot, .timeout = 60)
{
    struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
    struct twin_lease held[N];
    pid_t waiter;

    fault = "woken";
    for (int k = 0; k < N; k++)
        cr_assert_eq(twin_connpool_acquire(rig.pool, &held[k], 0), 0);
    waiter = child_start(wait_until_the_fault, &rig);
    await_waiting(rig.pool, 1);
    for (int k = 0; k < N; k++)
        cr_expect_eq(twin_connpool_release(rig.pool, &held[k]), 0);
    cr_expect(child_killed(waiter));
    expect_whole(&rig, 1);
    rig_close(&rig);
}

/* ---- holders ------------------------------------------------------------------------------------
 */

static int hold_for_ever(struct rig *rig)
{
    struct twin_lease lease;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
        return 1;
    rig->board->a++;
    for (;;)
        pause();
}

static pid_t start_holder(struct rig *rig)
{
    unsigned before = rig->board->a;
    pid_t pid = child_start(hold_for_ever, rig);

    await_at_least(&rig->board->a, before + 1);
    return pid;
}

Test(connpool_crash, a_waiter_gets_what_a_killed_holder_held, .timeout = 60)
{
    struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
    struct twin_connpool_stats stats;

    for (unsigned i = 1; i <= 10; i++) {
        pid_t holder = start_holder(&rig);
        struct twin_lease lease;

        kill(holder, SIGKILL);
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, LONG_ENOUGH_NS), 0);
        cr_expect_eq(twin_connpool_release(rig.pool, &lease), 0);
        child_status(holder); /* only now: until here it was a zombie, and dead all the same */
        twin_connpool_stats(rig.pool, &stats);
        cr_expect_eq(stats.recovered, i);
    }
    rig_close(&rig);
}

Test(connpool_crash, bare_loses_the_permit_for_ever, .timeout = 60)
{
    struct rig rig = rig_witness(N, TWIN_ADMIT_BARE);

    for (unsigned lost = 1; lost <= N; lost++) {
        pid_t holder = start_holder(&rig);

        kill(holder, SIGKILL);
        child_status(holder);
        cr_expect_eq(twin_connpool_reap(rig.pool, NULL), TWIN_ENOTSUP);
        cr_expect_eq(acquirable(rig.pool, 20 * MS), N - lost);
    }
    rig_close(&rig);
}

static int hold_two_and_die(struct rig *rig)
{
    struct twin_lease leases[2];

    if (twin_connpool_acquire(rig->pool, &leases[0], -1) != 0 ||
        twin_connpool_acquire(rig->pool, &leases[1], -1) != 0)
        return 1;
    raise(SIGKILL);
    return 2;
}

Test(connpool_crash, a_holder_of_two_gives_back_two, .timeout = 60)
{
    struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
    unsigned recovered;

    fault = "holder of two";
    cr_expect(child_killed(child_start(hold_two_and_die, &rig)));
    cr_expect_eq(twin_connpool_reap(rig.pool, &recovered), 0);
    cr_expect_eq(recovered, 2);
    expect_whole(&rig, 0);
    rig_close(&rig);
}

/* ---- the reaper ---------------------------------------------------------------------------------
 */

static int reap_until_the_fault(struct rig *rig)
{
    setenv("TWIN_FAULT", fault, 1);
    twin_connpool_reap(rig->pool, NULL);
    return 2;
}

Test(connpool_crash, at_each_step_of_the_reaper, .timeout = 120)
{
    static const char *const steps[] = {"reaper_locked", "reaper_freed", "reaper_rang",
                                        "reaper_cleared"};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
        pid_t holder = start_holder(&rig);

        fault = steps[i];
        kill(holder, SIGKILL);
        child_status(holder);
        cr_expect(child_killed(child_start(reap_until_the_fault, &rig)), "%s", fault);
        cr_expect_neq(rig.pool->shared->reaper, 0, "%s: the dead reaper's mark stands", fault);
        for (int death = 1; death < 3; death++) {
            int status = child_status(child_start(reap_until_the_fault, &rig));

            /* after reaper_cleared nothing is left at which the next reaper could die */
            cr_expect(WIFSIGNALED(status) == (i != 3), "%s", fault);
        }
        expect_whole(&rig, 3);
        cr_expect_eq(rig.pool->shared->reaper, 0, "%s: the next reaper took over", fault);
        rig_close(&rig);
    }
}

static int hold_and_reap_until_the_fault(struct rig *rig)
{
    struct twin_lease lease;

    return twin_connpool_acquire(rig->pool, &lease, -1) ? 1 : reap_until_the_fault(rig);
}

Test(connpool_crash, a_reaper_that_dies_with_a_lease_of_its_own, .timeout = 60)
{
    struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
    pid_t holder = start_holder(&rig);

    fault = "reaper_freed";
    kill(holder, SIGKILL);
    child_status(holder);
    cr_expect(child_killed(child_start(hold_and_reap_until_the_fault, &rig)));
    expect_whole(&rig, 2);
    rig_close(&rig);
}

/* ---- stopped is not dead ------------------------------------------------------------------------
 */

static int stop_while_holding(struct rig *rig)
{
    struct twin_lease lease;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
        return 1;
    raise(SIGSTOP);
    return twin_connpool_release(rig->pool, &lease) == 0 ? 0 : 2;
}

static void await_stopped(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
        ;
}

Test(connpool_crash, a_stopped_holder_keeps_its_lease, .timeout = 60)
{
    struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
    pid_t holder = child_start(stop_while_holding, &rig);
    struct twin_lease lease;
    unsigned recovered = 9;

    await_stopped(holder);
    cr_expect_eq(twin_connpool_reap(rig.pool, &recovered), 0);
    cr_expect_eq(recovered, 0);
    cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 30 * MS), TWIN_ETIMEOUT);
    kill(holder, SIGCONT);
    cr_expect_eq(child_exit(holder), 0, "its release succeeds");
    cr_expect_eq(acquirable(rig.pool, 0), 1);
    rig_close(&rig);
}

static int stop_at_the_fault(struct rig *rig)
{
    setenv("TWIN_FAULT_STOP", fault, 1);
    return twin_connpool_reap(rig->pool, NULL);
}

Test(connpool_crash, a_stopped_reaper_stops_only_the_reaping, .timeout = 60)
{
    struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
    pid_t reaper, holder = start_holder(&rig);
    unsigned recovered = 9;

    fault = "reaper_locked";
    reaper = child_start(stop_at_the_fault, &rig);
    await_stopped(reaper);
    kill(holder, SIGKILL);
    child_status(holder);
    cr_expect_eq(twin_connpool_reap(rig.pool, &recovered), 0);
    cr_expect_eq(recovered, 0, "another is at it");
    cr_expect_eq(acquirable(rig.pool, 20 * MS), N - 1, "the rest of the pool works");
    kill(reaper, SIGCONT);
    cr_expect_eq(child_exit(reaper), 0);
    cr_expect_eq(acquirable(rig.pool, LONG_ENOUGH_NS), N);
    rig_close(&rig);
}

/* ---- waiters ------------------------------------------------------------------------------------
 */

static int wait_for_ever(struct rig *rig)
{
    struct twin_lease lease;

    twin_connpool_acquire(rig->pool, &lease, -1);
    return pause(); /* nobody wakes it: it is killed */
}

Test(connpool_crash, waiters_killed_in_their_sleep, .timeout = 60)
{
    struct rig rig = rig_witness(N, TWIN_ADMIT_RECOVERING);
    struct twin_lease held[N];
    pid_t waiters[10];

    fault = "asleep";
    for (int k = 0; k < N; k++)
        cr_assert_eq(twin_connpool_acquire(rig.pool, &held[k], 0), 0);
    for (int i = 0; i < 10; i++)
        waiters[i] = child_start(wait_for_ever, &rig);
    await_waiting(rig.pool, 10);
    for (int i = 0; i < 10; i++) {
        kill(waiters[i], SIGKILL);
        child_status(waiters[i]);
    }
    for (int k = 0; k < N; k++)
        cr_expect_eq(twin_connpool_release(rig.pool, &held[k]), 0);
    expect_whole(&rig, 10);
    rig_close(&rig);
}

/* Woken, but killed before it ran: on one CPU, at idle priority, it cannot run in between. */
static int wait_at_idle_priority(struct rig *rig)
{
    struct sched_param param = {0};
    struct twin_lease lease;

    sched_setscheduler(0, SCHED_IDLE, &param);
    return twin_connpool_acquire(rig->pool, &lease, LONG_ENOUGH_NS) ||
           twin_connpool_release(rig->pool, &lease);
}

Test(connpool_crash, a_wake_up_that_dies_with_the_woken_is_not_lost, .timeout = 120)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    for (int round = 0; round < 20; round++) {
        struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
        struct twin_lease held;
        pid_t first, second;

        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0), 0);
        first = child_start(wait_at_idle_priority, &rig);
        await_waiting(rig.pool, 1);
        second = child_start(wait_at_idle_priority, &rig);
        await_waiting(rig.pool, 2);
        cr_expect_eq(twin_connpool_release(rig.pool, &held), 0);
        kill(first, SIGKILL);
        child_status(first); /* killed, or done before: both are fine for the second */
        cr_expect_eq(child_exit(second), 0, "the other waiter gets the slot");
        rig_close(&rig);
    }
}

/* ---- alive or dead? -----------------------------------------------------------------------------
 */

static int leave_at_once(struct rig *rig)
{
    (void)rig;
    return 0;
}

static void *stay(void *board)
{
    await_at_least(&((struct board *)board)->b, 1);
    _exit(0);
}

static int lose_the_first_thread(struct rig *rig)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, stay, rig->board) != 0)
        return 1;
    rig->board->ns = (int64_t)twini_process_self();
    rig->board->a = 1;
    pthread_exit(NULL);
}

Test(connpool_crash, a_pid_is_no_identity, .timeout = 60)
{
    struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
    uint64_t self = twini_process_self();
    uint64_t reused = self + (UINT64_C(1) << TWINI_PID_BITS); /* same pid, started later */
    siginfo_t ended;
    pid_t zombie, headless;

    cr_expect_eq(twini_process_pid(self), getpid());
    cr_expect(twini_process_alive(self));
    cr_expect_not(twini_process_alive(reused));
    zombie = child_start(leave_at_once, &rig);
    cr_assert_eq(waitid(P_PID, (id_t)zombie, &ended, WEXITED | WNOWAIT), 0);
    cr_expect_not(twini_process_alive((uint64_t)zombie), "a zombie is dead");
    child_status(zombie);
    cr_expect_not(twini_process_alive((uint64_t)zombie));
    headless = child_start(lose_the_first_thread, &rig);
    await_at_least(&rig.board->a, 1);
    sleep_ns(20 * MS); /* let the first thread end: until then the answer is the same */
    cr_expect(twini_process_alive((uint64_t)rig.board->ns), "other threads still run");
    rig.board->b = 1;
    cr_expect_eq(child_exit(headless), 0);
    rig_close(&rig);
}
