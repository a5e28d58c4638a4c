/* target.c: what the experiments work on: a pool over the simulated driver or over a SQLite file.
 *
 * The SQLite file is new for each run, in a directory of its own under TMPDIR; it goes when the
 * program ends, also by SIGINT or SIGTERM. An operation is one committed UPDATE, so the database
 * itself can say afterwards how many there were. */
#include "arm.h"
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinpool/connpool_sqlite.h>
#include <unistd.h>

#define CREATE                                                                                     \
    "CREATE TABLE tally(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO tally VALUES(1, 0)"
#define UPDATE "UPDATE tally SET n = n + 1 WHERE id = 1"
#define SELECT "SELECT n FROM tally WHERE id = 1"

static char directory[256];
static char files[3][300];
static pid_t owner;

/* Only what a signal handler may call. */
static void remove_files(void)
{
    if (owner != getpid())
        return;
    for (int i = 0; i < 3; i++)
        unlink(files[i]); /* ENOENT is fine: SQLite removes two of them itself */
    rmdir(directory);
    owner = 0;
}

static void on_signal(int number)
{
    remove_files();
    signal(number, SIG_DFL);
    raise(number);
}

static int make_directory(void)
{
    const char *base = getenv("TMPDIR");
    static const char *const suffix[] = {"", "-wal", "-shm"};

    if (!base || !base[0])
        base = "/tmp";
    if (snprintf(directory, sizeof directory, "%s/twin-connpool-XXXXXX", base) >=
        (int)sizeof directory) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (!mkdtemp(directory))
        return -1;
    for (int i = 0; i < 3; i++)
        snprintf(files[i], sizeof files[i], "%s/db%s", directory, suffix[i]);
    owner = getpid();
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    return 0;
}

/* Executes one statement in a pool of its own, which is closed again: no handle is left to be
 * inherited by workers. */
static int execute_once(struct target *target, const char *statement, int64_t *value)
{
    struct twin_connpool *pool;
    struct twin_lease lease;
    int status = twin_connpool_open(&pool, &target->options);

    if (status)
        return status;
    status = twin_connpool_acquire(pool, &lease, 0);
    if (status == 0) {
        status = twin_connpool_exec(pool, &lease, statement, value);
        twin_connpool_release(pool, &lease);
    }
    twin_connpool_close(pool);
    return status;
}

static int open_sim(struct target *target, const struct arm_options *options)
{
    struct twin_sim_options sim = {.connections = options->connections,
                                   .distribution = TWIN_SIM_EXPONENTIAL,
                                   .service_ns = options->service_ns,
                                   .seed = options->seed};
    int status = twin_sim_open(&target->sim, &sim);

    target->options.driver = &twin_sim_driver;
    target->options.driver_context = target->sim;
    return status;
}

static int open_sqlite(struct target *target)
{
    struct twin_sqlite_options sqlite = {.path = files[0]};
    int status;

    if (make_directory() != 0)
        return TWIN_ESYSTEM;
    status = twin_sqlite_open(&target->sqlite, &sqlite);
    if (status)
        return status;
    target->options.driver = &twin_sqlite_driver;
    target->options.driver_context = target->sqlite;
    target->statement = UPDATE;
    return execute_once(target, CREATE, NULL);
}

int target_open(struct target *target, const struct arm_options *options)
{
    int status;

    memset(target, 0, sizeof *target);
    target->options.connections = options->connections;
    target->options.clients = 2 * (options->workers + options->connections) + 16;
    target->options.admission =
        options->admission == ARM_BARE ? TWIN_ADMIT_BARE : TWIN_ADMIT_RECOVERING;
    status = options->driver == ARM_SQLITE ? open_sqlite(target) : open_sim(target, options);
    if (status == 0)
        status = twin_connpool_open(&target->pool, &target->options);
    if (status)
        target_close(target);
    return status;
}

void target_close(struct target *target)
{
    twin_connpool_close(target->pool);
    twin_sim_close(target->sim);
    twin_sqlite_close(target->sqlite);
    target->pool = NULL;
    target->sim = NULL;
    target->sqlite = NULL;
    remove_files();
}

int64_t target_committed(struct target *target)
{
    int64_t committed = -1;

    if (!target->sqlite || execute_once(target, SELECT, &committed) != 0)
        return -1;
    return committed;
}

unsigned target_acquirable(struct target *target)
{
    unsigned n = target->options.connections, got = 0;
    struct twin_lease *leases = calloc(n, sizeof *leases);

    if (!leases)
        return 0;
    while (got < n && twin_connpool_try_acquire(target->pool, &leases[got]) == 0)
        got++;
    for (unsigned i = 0; i < got; i++)
        twin_connpool_release(target->pool, &leases[i]);
    free(leases);
    return got;
}
