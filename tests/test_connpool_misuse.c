/* test_connpool_misuse.c: what callers do wrong is an error, never a corruption; and the end of a
 * pool. */
#include "test_connpool_kit.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const enum twin_admission admissions[] = {TWIN_ADMIT_RECOVERING, TWIN_ADMIT_BARE};

/* ---- release ------------------------------------------------------------------------------------
 */

Test(connpool_misuse, a_second_release_is_an_error, .timeout = 30)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(2, admissions[a]);
        struct twin_lease lease, copy;

        cr_assert_eq(twin_connpool_acquire(rig.pool, &lease, 0), 0);
        copy = lease;
        cr_expect_eq(twin_connpool_release(rig.pool, &lease), 0);
        cr_expect_eq(lease.epoch, 0, "a released lease is no lease");
        cr_expect_eq(twin_connpool_release(rig.pool, &lease), TWIN_EDONE);
        cr_expect_eq(twin_connpool_release(rig.pool, &copy), TWIN_EDONE);
        cr_expect_eq(acquirable(rig.pool, 0), 2, "and posts no permit");
        rig_close(&rig);
    }
}

Test(connpool_misuse, a_stale_copy_does_not_release_the_next_holder, .timeout = 30)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_lease first, stale, second;

        cr_assert_eq(twin_connpool_acquire(rig.pool, &first, 0), 0);
        stale = first;
        cr_assert_eq(twin_connpool_release(rig.pool, &first), 0);
        cr_assert_eq(twin_connpool_acquire(rig.pool, &second, 0), 0);
        cr_assert_eq(second.slot, stale.slot);
        cr_expect_eq(twin_connpool_release(rig.pool, &stale), TWIN_EDONE);
        cr_expect_eq(twin_connpool_exec(rig.pool, &stale, NULL, NULL), TWIN_EDONE);
        cr_expect_null(twin_connpool_connection(rig.pool, &stale));
        cr_expect_not_null(twin_connpool_connection(rig.pool, &second));
        cr_expect_eq(twin_connpool_exec(rig.pool, &second, NULL, NULL), 0, "it is untouched");
        cr_expect_eq(twin_connpool_release(rig.pool, &second), 0);
        rig_close(&rig);
    }
}

static struct twin_lease shared_lease;

static int release_the_shared_lease(struct rig *rig)
{
    struct twin_lease mine = shared_lease;

    if (twin_connpool_release(rig->pool, &mine) == 0)
        rig->board->a++;
    return 0;
}

Test(connpool_misuse, of_many_threads_that_release_one_lease_one_succeeds, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(3, admissions[a]);

        for (unsigned round = 1; round <= 50; round++) {
            cr_assert_eq(twin_connpool_acquire(rig.pool, &shared_lease, 0), 0);
            in_threads(8, release_the_shared_lease, &rig);
            cr_expect_eq(rig.board->a, round);
        }
        cr_expect_eq(acquirable(rig.pool, 0), 3);
        rig_close(&rig);
    }
}

static int release_my_parents_lease(struct rig *rig)
{
    struct twin_lease copy = shared_lease;

    if (twin_connpool_release(rig->pool, &copy) != TWIN_EFORKED)
        return 1;
    return twin_connpool_exec(rig->pool, &copy, NULL, NULL) == TWIN_EFORKED ? 0 : 2;
}

Test(connpool_misuse, a_child_cannot_release_its_parents_lease, .timeout = 30)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);

        cr_assert_eq(twin_connpool_acquire(rig.pool, &shared_lease, 0), 0);
        cr_expect_eq(in_processes(2, release_my_parents_lease, &rig), 0);
        cr_expect_eq(twin_connpool_release(rig.pool, &shared_lease), 0);
        rig_close(&rig);
    }
}

Test(connpool_misuse, a_lease_that_never_was_is_refused, .timeout = 30)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(2, admissions[a]);
        struct twin_lease invented[] = {{.epoch = 1, .slot = 2},
                                        {.epoch = 1, .slot = UINT32_MAX},
                                        {.epoch = 12345, .slot = 0},
                                        {.epoch = UINT64_MAX, .slot = 1}};

        for (int i = 0; i < 4; i++)
            cr_expect_eq(twin_connpool_release(rig.pool, &invented[i]), TWIN_EINVAL);
        cr_expect_eq(twin_connpool_release(rig.pool, NULL), TWIN_EINVAL);
        cr_expect_eq(acquirable(rig.pool, 0), 2);
        rig_close(&rig);
    }
}

static void *release_it(void *rig)
{
    return twin_connpool_release(((struct rig *)rig)->pool, &shared_lease) ? rig : NULL;
}

Test(connpool_misuse, another_thread_of_the_process_may_release, .timeout = 30)
{
    struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
    pthread_t thread;
    void *failed;

    cr_assert_eq(twin_connpool_acquire(rig.pool, &shared_lease, 0), 0);
    cr_assert_eq(pthread_create(&thread, NULL, release_it, &rig), 0);
    pthread_join(thread, &failed);
    cr_expect_null(failed);
    cr_expect_eq(acquirable(rig.pool, 0), 1);
    rig_close(&rig);
}

/* ---- open ---------------------------------------------------------------------------------------
 */

Test(connpool_misuse, a_bad_configuration_is_rejected, .timeout = 30)
{
    struct twin_connpool_driver no_open = witness_driver, no_exec = witness_driver,
                                no_close = witness_driver;
    const struct twin_connpool_options bad[] = {
        {.driver = &witness_driver, .connections = 0},
        {.driver = &witness_driver, .connections = TWIN_CONNPOOL_MAX_CONNECTIONS + 1},
        {.driver = &witness_driver, .connections = UINT_MAX},
        {.driver = &witness_driver, .connections = (unsigned)-1},
        {.driver = NULL, .connections = 1},
        {.driver = &no_open, .connections = 1},
        {.driver = &no_exec, .connections = 1},
        {.driver = &no_close, .connections = 1},
        {.driver = &witness_driver, .connections = 1, .clients = TWIN_CONNPOOL_MAX_CLIENTS + 1},
        {.driver = &witness_driver, .connections = 1, .admission = (enum twin_admission)7},
        {.driver = &witness_driver, .connections = 1, .ping_idle_ns = -1},
    };
    struct twin_connpool *pool = (struct twin_connpool *)&no_open;
    struct twin_connpool_options fair = {
        .driver = &witness_driver, .connections = 1, .admission = TWIN_ADMIT_FAIR};

    no_open.open = NULL;
    no_exec.exec = NULL;
    no_close.close = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(twin_connpool_open(&pool, &bad[i]), TWIN_EINVAL, "case %zu", i);
        cr_expect_null(pool);
    }
    cr_expect_eq(twin_connpool_open(&pool, NULL), TWIN_EINVAL);
    cr_expect_eq(twin_connpool_open(NULL, &fair), TWIN_EINVAL);
    cr_expect_eq(twin_connpool_open(&pool, &fair), TWIN_ENOTSUP);
    cr_expect_eq(twin_connpool_close(NULL), 0);
}

Test(connpool_misuse, the_largest_configuration_is_accepted, .timeout = 60)
{
    struct twin_connpool_options options = {.driver = &witness_driver,
                                            .connections = TWIN_CONNPOOL_MAX_CONNECTIONS,
                                            .clients = TWIN_CONNPOOL_MAX_CLIENTS};
    struct rig rig = rig_options(&options);

    cr_expect_eq(acquirable(rig.pool, 0), TWIN_CONNPOOL_MAX_CONNECTIONS);
    rig_close(&rig);
}

Test(connpool_misuse, bad_arguments_are_rejected, .timeout = 30)
{
    struct rig rig = rig_witness(1, TWIN_ADMIT_RECOVERING);
    struct twin_lease lease;

    cr_expect_eq(twin_connpool_acquire(NULL, &lease, 0), TWIN_EINVAL);
    cr_expect_eq(twin_connpool_acquire(rig.pool, NULL, 0), TWIN_EINVAL);
    cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, -2), TWIN_EINVAL);
    cr_expect_eq(twin_connpool_stats(rig.pool, NULL), TWIN_EINVAL);
    cr_expect_eq(twin_connpool_picture(NULL, NULL), TWIN_EINVAL);
    cr_expect_eq(twin_connpool_shutdown(NULL, 0), TWIN_EINVAL);
    cr_expect_eq(acquirable(rig.pool, 0), 1);
    rig_close(&rig);
}

Test(connpool_misuse, no_memory_for_the_pool_is_said_at_open, .timeout = 30)
{
    struct twin_connpool_options options = {
        .driver = &witness_driver, .connections = 4096, .clients = 65536};
    struct rlimit before, tight = {.rlim_cur = 1, .rlim_max = RLIM_INFINITY};
    struct twin_connpool *pool;
    int status;

    cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
    tight.rlim_max = before.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_AS, &tight), 0);
    status = twin_connpool_open(&pool, &options);
    cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
    cr_expect_eq(status, TWIN_ENOMEM);
    cr_expect_null(pool);
}

/* ---- failing drivers ----------------------------------------------------------------------------
 */

Test(connpool_misuse, a_connection_that_cannot_be_opened_gives_its_slot_back, .timeout = 30)
{
    for (int a = 0; a < 2; a++) {
        struct twin_sim_options sim_options = {.connections = 1, .fail_open_every = 1};
        struct twin_connpool_options options = {
            .driver = &twin_sim_driver, .connections = 1, .admission = admissions[a]};
        struct twin_connpool_stats stats;
        struct twin_lease lease;
        struct twin_sim *sim;

        cr_assert_eq(twin_sim_open(&sim, &sim_options), 0);
        options.driver_context = sim;
        struct rig rig = rig_options(&options);
        for (int i = 0; i < 10; i++) {
            cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 0), TWIN_ETASK);
            cr_expect_eq(lease.driver_code, TWIN_SIM_EFAULT);
            cr_expect_eq(lease.epoch, 0);
        }
        twin_connpool_stats(rig.pool, &stats);
        cr_expect_eq(stats.active, 0);
        rig.sim = sim;
        rig_close(&rig);
    }
}

static int a_turn_or_a_failed_open(struct rig *rig)
{
    struct twin_lease lease;
    int status = twin_connpool_acquire(rig->pool, &lease, LONG_ENOUGH_NS);

    if (status == TWIN_ETASK)
        return 0;
    return status || twin_connpool_release(rig->pool, &lease);
}

Test(connpool_misuse, a_failed_open_wakes_the_next_waiter, .timeout = 60)
{
    struct twin_sim_options sim_options = {.connections = 1, .fail_open_every = 2};
    struct twin_connpool_options options = {.driver = &twin_sim_driver, .connections = 1};
    struct twin_sim *sim;

    cr_assert_eq(twin_sim_open(&sim, &sim_options), 0);
    options.driver_context = sim;
    struct rig rig = rig_options(&options);
    rig.sim = sim;
    cr_expect_eq(in_processes(20, a_turn_or_a_failed_open, &rig), 0);
    rig_close(&rig);
}

static int failing_reset(void *connection)
{
    (void)connection;
    return 1;
}

Test(connpool_misuse, a_connection_that_cannot_be_reset_is_closed, .timeout = 30)
{
    struct twin_connpool_driver driver = witness_driver;
    struct twin_connpool_options options = {.driver = &driver, .connections = 1};
    struct twin_lease lease;

    driver.reset = failing_reset;
    struct rig rig = rig_options(&options);
    for (unsigned i = 1; i <= 3; i++) {
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 0), 0);
        cr_expect_eq(twin_connpool_release(rig.pool, &lease), 0);
        cr_expect_eq(rig.board->opened, i);
        cr_expect_eq(rig.board->closed, i);
    }
    rig_close(&rig);
}

Test(connpool_misuse, a_failed_statement_leaves_the_lease_usable, .timeout = 30)
{
    struct twin_sim_options sim_options = {.connections = 1, .fail_exec_every = 2};
    struct twin_connpool_options options = {.driver = &twin_sim_driver, .connections = 1};
    struct twin_lease lease;
    struct twin_sim *sim;

    cr_assert_eq(twin_sim_open(&sim, &sim_options), 0);
    options.driver_context = sim;
    struct rig rig = rig_options(&options);
    rig.sim = sim;
    cr_assert_eq(twin_connpool_acquire(rig.pool, &lease, 0), 0);
    cr_expect_eq(twin_connpool_exec(rig.pool, &lease, NULL, NULL), 0);
    cr_expect_eq(twin_connpool_exec(rig.pool, &lease, NULL, NULL), TWIN_ETASK);
    cr_expect_eq(lease.driver_code, TWIN_SIM_EFAULT);
    cr_expect_eq(twin_connpool_exec(rig.pool, &lease, NULL, NULL), 0);
    cr_expect_eq(twin_connpool_release(rig.pool, &lease), 0);
    rig_close(&rig);
}

/* ---- the end ------------------------------------------------------------------------------------
 */

static int expect_closed(struct rig *rig)
{
    struct twin_lease lease;

    return twin_connpool_acquire(rig->pool, &lease, LONG_ENOUGH_NS) != TWIN_ECLOSED;
}

static void *expect_closed_in_thread(void *rig)
{
    return expect_closed(rig) ? rig : NULL;
}

Test(connpool_misuse, shutdown_wakes_blocked_waiters, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_lease held, lease;
        pid_t processes[4];
        pthread_t thread;
        void *failed;

        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0), 0);
        for (int i = 0; i < 4; i++)
            processes[i] = child_start(expect_closed, &rig);
        cr_assert_eq(pthread_create(&thread, NULL, expect_closed_in_thread, &rig), 0);
        await_waiting(rig.pool, 5);
        cr_expect_eq(twin_connpool_shutdown(rig.pool, 0), TWIN_ETIMEOUT, "one is still held");
        for (int i = 0; i < 4; i++)
            cr_expect_eq(child_exit(processes[i]), 0);
        pthread_join(thread, &failed);
        cr_expect_null(failed);
        cr_expect_eq(twin_connpool_try_acquire(rig.pool, &lease), TWIN_ECLOSED);
        cr_expect_eq(twin_connpool_exec(rig.pool, &held, NULL, NULL), 0, "a lease stays valid");
        cr_expect_eq(twin_connpool_release(rig.pool, &held), 0);
        cr_expect_eq(twin_connpool_shutdown(rig.pool, 0), 0);
        cr_expect_eq(twin_connpool_shutdown(rig.pool, -1), 0, "again is fine");
        rig_close(&rig);
    }
}

Test(connpool_misuse, close_wakes_blocked_waiters, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(1, admissions[a]);
        struct twin_lease held;
        pid_t processes[3];
        pthread_t thread;
        void *failed;

        cr_assert_eq(twin_connpool_acquire(rig.pool, &held, 0), 0);
        for (int i = 0; i < 3; i++)
            processes[i] = child_start(expect_closed, &rig);
        cr_assert_eq(pthread_create(&thread, NULL, expect_closed_in_thread, &rig), 0);
        await_waiting(rig.pool, 4);
        rig_close(&rig); /* with a lease still held: it goes along */
        pthread_join(thread, &failed);
        cr_expect_null(failed);
        for (int i = 0; i < 3; i++)
            cr_expect_eq(child_exit(processes[i]), 0);
    }
}

static int hold_until_closed_then_release(struct rig *rig)
{
    struct twin_lease lease, none;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
        return 1;
    rig->board->a++;
    while (twin_connpool_try_acquire(rig->pool, &none) != TWIN_ECLOSED) {
        twin_connpool_release(rig->pool, &none); /* or no lease: an error, and fine */
        sleep_ns(MS);
    }
    sleep_ns(20 * MS);
    rig->board->b++;
    return twin_connpool_release(rig->pool, &lease);
}

Test(connpool_misuse, shutdown_waits_until_all_leases_are_back, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(3, admissions[a]);
        pid_t holders[2];

        for (int i = 0; i < 2; i++)
            holders[i] = child_start(hold_until_closed_then_release, &rig);
        await_at_least(&rig.board->a, 2);
        cr_expect_eq(twin_connpool_shutdown(rig.pool, -1), 0);
        cr_expect_eq(rig.board->b, 2, "nobody holds any more");
        for (int i = 0; i < 2; i++)
            cr_expect_eq(child_exit(holders[i]), 0);
        rig_close(&rig);
    }
}

static int close_with_a_lease_in_hand(struct rig *rig)
{
    struct twin_lease lease;

    return twin_connpool_acquire(rig->pool, &lease, -1) || twin_connpool_close(rig->pool);
}

Test(connpool_misuse, a_process_that_closes_gives_back_what_it_holds, .timeout = 60)
{
    for (int a = 0; a < 2; a++) {
        struct rig rig = rig_witness(2, admissions[a]);

        cr_expect_eq(in_processes(6, close_with_a_lease_in_hand, &rig), 0);
        cr_expect_eq(acquirable(rig.pool, 0), 2);
        rig_close(&rig);
    }
}

/* ---- the table of clients -----------------------------------------------------------------------
 */

Test(connpool_misuse, a_full_table_of_clients_is_an_error_not_a_hang, .timeout = 30)
{
    struct twin_connpool_options options = {
        .driver = &witness_driver, .connections = 4, .clients = 2};
    struct rig rig = rig_options(&options);
    struct twin_lease leases[3];

    cr_assert_eq(twin_connpool_acquire(rig.pool, &leases[0], -1), 0);
    cr_assert_eq(twin_connpool_acquire(rig.pool, &leases[1], -1), 0);
    cr_expect_eq(twin_connpool_acquire(rig.pool, &leases[2], -1), TWIN_ENOMEM);
    cr_expect_eq(twin_connpool_release(rig.pool, &leases[0]), 0);
    cr_expect_eq(twin_connpool_acquire(rig.pool, &leases[2], -1), 0);
    cr_expect_eq(twin_connpool_release(rig.pool, &leases[1]), 0);
    cr_expect_eq(twin_connpool_release(rig.pool, &leases[2]), 0);
    rig_close(&rig);
}

static int take_a_turn_and_vanish(struct rig *rig)
{
    struct twin_lease lease;

    return twin_connpool_acquire(rig->pool, &lease, -1) ||
           twin_connpool_release(rig->pool, &lease); /* and no close: the entry stays bound */
}

Test(connpool_misuse, entries_of_ended_processes_are_used_again, .timeout = 60)
{
    struct twin_connpool_options options = {
        .driver = &witness_driver, .connections = 2, .clients = 3};
    struct rig rig = rig_options(&options);

    for (int i = 0; i < 30; i++)
        cr_expect_eq(child_exit(child_start(take_a_turn_and_vanish, &rig)), 0, "child %d", i);
    rig_close(&rig);
}
