/* test_connpool_sqlite.c: the real thing: one file, many processes, some of them killed. */
#include "test_connpool_kit.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinpool/connpool_sqlite.h>
#include <unistd.h>

struct database {
    char directory[64], path[80];
    struct twin_sqlite *sqlite;
    struct rig rig;
};

static struct rig open_pool(struct twin_sqlite *sqlite, unsigned connections)
{
    struct twin_connpool_options options = {
        .driver = &twin_sqlite_driver, .driver_context = sqlite, .connections = connections};

    return rig_options(&options);
}

static int64_t query(struct twin_connpool *pool, const char *statement)
{
    struct twin_lease lease;
    int64_t value = -1;

    cr_assert_eq(twin_connpool_acquire(pool, &lease, LONG_ENOUGH_NS), 0);
    cr_assert_eq(twin_connpool_exec(pool, &lease, statement, &value), 0, "%s: %d", statement,
                 lease.driver_code);
    cr_assert_eq(twin_connpool_release(pool, &lease), 0);
    return value;
}

/* In a pool of its own, closed again: forking afterwards is allowed. */
static int64_t query_once(struct database *database, const char *statement)
{
    struct rig rig = open_pool(database->sqlite, 1);
    int64_t value = query(rig.pool, statement);

    rig_close(&rig);
    return value;
}

static void database_open(struct database *database, unsigned connections)
{
    struct twin_sqlite_options options = {.path = database->path};

    strcpy(database->directory, "/tmp/twin-test-XXXXXX");
    cr_assert_not_null(mkdtemp(database->directory));
    snprintf(database->path, sizeof database->path, "%s/db", database->directory);
    cr_assert_eq(twin_sqlite_open(&database->sqlite, &options), 0);
    query_once(database, "CREATE TABLE t(n INTEGER); INSERT INTO t VALUES(0)");
    database->rig = open_pool(database->sqlite, connections);
}

static void database_close(struct database *database)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    rig_close(&database->rig);
    twin_sqlite_close(database->sqlite);
    for (int i = 0; i < 3; i++) {
        char path[96];

        snprintf(path, sizeof path, "%s%s", database->path, suffixes[i]);
        unlink(path);
    }
    cr_expect_eq(rmdir(database->directory), 0, "nothing else was left there");
}

static bool is_intact(struct rig *rig)
{
    struct twin_lease lease;
    sqlite3_stmt *statement;
    bool intact = false;

    cr_assert_eq(twin_connpool_acquire(rig->pool, &lease, LONG_ENOUGH_NS), 0);
    if (sqlite3_prepare_v2(twin_sqlite_handle(twin_connpool_connection(rig->pool, &lease)),
                           "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        intact = strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    sqlite3_finalize(statement);
    cr_assert_eq(twin_connpool_release(rig->pool, &lease), 0);
    return intact;
}

static int add_50(struct rig *rig)
{
    for (int k = 0; k < 50; k++) {
        struct twin_lease lease;

        if (twin_connpool_acquire(rig->pool, &lease, -1) != 0)
            return 1;
        if (twin_connpool_exec(rig->pool, &lease, "UPDATE t SET n = n + 1", NULL) != 0)
            return 2;
        if (twin_connpool_release(rig->pool, &lease) != 0)
            return 3;
    }
    return 0;
}

static int add_50_and_close(struct rig *rig)
{
    return add_50(rig) || twin_connpool_close(rig->pool);
}

Test(connpool_sqlite, processes_lose_no_update, .timeout = 120)
{
    struct database database;

    database_open(&database, 3);
    cr_expect_eq(in_processes(8, add_50_and_close, &database.rig), 0);
    cr_expect_eq(query(database.rig.pool, "SELECT n FROM t"), 8 * 50);
    cr_expect(is_intact(&database.rig));
    database_close(&database);
}

Test(connpool_sqlite, threads_lose_no_update, .timeout = 120)
{
    struct database database;

    database_open(&database, 3);
    cr_expect_eq(in_threads(8, add_50, &database.rig), 0);
    cr_expect_eq(query(database.rig.pool, "SELECT n FROM t"), 8 * 50);
    database_close(&database);
}

static int die_in_a_transaction(struct rig *rig)
{
    struct twin_lease lease;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != 0 ||
        twin_connpool_exec(rig->pool, &lease, "BEGIN IMMEDIATE; UPDATE t SET n = n + 1000", NULL))
        return 1;
    raise(SIGKILL);
    return 2;
}

Test(connpool_sqlite, writers_killed_in_a_transaction_leave_no_trace, .timeout = 120)
{
    struct database database;

    database_open(&database, 1);
    for (int round = 0; round < 20; round++) {
        pid_t writer = child_start(die_in_a_transaction, &database.rig);

        cr_expect(child_killed(writer));
        cr_expect_eq(child_exit(child_start(add_50_and_close, &database.rig)), 0,
                     "the next writer has the slot, and the lock");
    }
    cr_expect_eq(query(database.rig.pool, "SELECT n FROM t"), 20 * 50);
    cr_expect(is_intact(&database.rig));
    database_close(&database);
}

Test(connpool_sqlite, an_open_transaction_does_not_reach_the_next_holder, .timeout = 60)
{
    struct database database;
    struct twin_lease lease;

    database_open(&database, 1);
    cr_assert_eq(twin_connpool_acquire(database.rig.pool, &lease, 0), 0);
    cr_assert_eq(twin_connpool_exec(database.rig.pool, &lease, "BEGIN; UPDATE t SET n = 7", NULL),
                 0);
    cr_assert_eq(twin_connpool_release(database.rig.pool, &lease), 0);
    cr_expect_eq(query(database.rig.pool, "SELECT n FROM t"), 0);
    database_close(&database);
}

static int is_refused(struct rig *rig)
{
    struct twin_lease lease;

    if (twin_connpool_acquire(rig->pool, &lease, -1) != TWIN_ETASK)
        return 1;
    return lease.driver_code == TWIN_SQLITE_EFORKED ? 0 : 2;
}

Test(connpool_sqlite, a_child_of_a_process_with_open_handles_is_refused, .timeout = 60)
{
    struct database database;

    database_open(&database, 2);
    query(database.rig.pool, "SELECT 1"); /* leaves a handle open in this process */
    cr_expect_eq(in_processes(2, is_refused, &database.rig), 0);
    cr_expect_eq(query(database.rig.pool, "UPDATE t SET n = 5; SELECT n FROM t"), 5,
                 "the parent is not disturbed");
    cr_expect_eq(acquirable(database.rig.pool, 0), 2, "the refused left their slots");
    database_close(&database);
}

Test(connpool_sqlite, wal_is_on_and_codes_come_through, .timeout = 60)
{
    struct database database;
    struct twin_lease lease;
    sqlite3_stmt *statement;
    sqlite3 *handle;

    database_open(&database, 1);
    cr_assert_eq(twin_connpool_acquire(database.rig.pool, &lease, 0), 0);
    handle = twin_sqlite_handle(twin_connpool_connection(database.rig.pool, &lease));
    cr_assert_eq(sqlite3_prepare_v2(handle, "PRAGMA journal_mode", -1, &statement, NULL), 0);
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    cr_expect_str_eq((const char *)sqlite3_column_text(statement, 0), "wal");
    sqlite3_finalize(statement);
    cr_expect_eq(twin_connpool_exec(database.rig.pool, &lease, "SELECT nonsense", NULL),
                 TWIN_ETASK);
    cr_expect_eq(lease.driver_code, SQLITE_ERROR);
    cr_expect_eq(twin_connpool_exec(database.rig.pool, &lease, NULL, NULL), TWIN_ETASK);
    cr_expect_eq(twin_connpool_release(database.rig.pool, &lease), 0);
    database_close(&database);
}

Test(connpool_sqlite, a_file_that_cannot_be_opened_frees_the_slot, .timeout = 60)
{
    struct twin_sqlite_options options = {.path = "/nonexistent/directory/db"};
    struct twin_lease lease;
    struct twin_sqlite *sqlite;

    cr_assert_eq(twin_sqlite_open(&sqlite, &options), 0);
    struct rig rig = open_pool(sqlite, 1);
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(twin_connpool_acquire(rig.pool, &lease, 0), TWIN_ETASK);
        cr_expect_eq(lease.driver_code & 0xff, SQLITE_CANTOPEN);
    }
    rig_close(&rig);
    twin_sqlite_close(sqlite);
    options.path = ":memory:";
    cr_expect_eq(twin_sqlite_open(&sqlite, &options), TWIN_EINVAL);
    options.path = "";
    cr_expect_eq(twin_sqlite_open(&sqlite, &options), TWIN_EINVAL);
    cr_expect_eq(twin_sqlite_open(&sqlite, NULL), TWIN_EINVAL);
}
