/* sqlite.c: SQLite as a driver.
 *
 * Handles and fork. A handle must be neither used nor closed in a forked child. The pool forgets a
 * parent's handles in the child by itself; here each handle remembers its pid all the same. That is
 * not enough: SQLite keeps one table per process of which file it has locked (fcntl locks belong to
 * the process, not to the descriptor). A child inherits the table without the locks, and a handle
 * that it opens itself on the same file believes to be covered by locks which are not there. Seen
 * with 3.40: the parent closes, deletes the log under the child, and the child's next COMMIT says
 * OK and is gone. So open is refused in a process that inherited an open handle: count_handle().
 *
 * Flags. NOMUTEX: a lease gives a connection to one thread at a time, so its own mutex is waste.
 * PRIVATECACHE: whatever the program's global setting, no page cache is shared between handles.
 * EXRESCODE: codes that say more. WAL: readers do not stop writers. busy_timeout: waiting
 * for another's write lock is SQLite's affair, not an error.
 * Source: sqlite.org/howtocorrupt.html sections 2.2 and 2.6, sqlite.org/wal.html. */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <twinpool/connpool_sqlite.h>
#include <unistd.h>

#define DEFAULT_BUSY_TIMEOUT_MS 5000
#define OPEN_FLAGS                                                                                 \
    (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | \
     SQLITE_OPEN_EXRESCODE)

struct twin_sqlite {
    int busy_timeout_ms;
    /* pid << 32 | handles open in that process. A fork copies it, and so it tells the child, at its
     * first open, what its parent had. relaxed: it guards no other memory. */
    _Atomic uint64_t handles;
    char path[];
};

struct sqlite_connection {
    sqlite3 *handle;
    struct twin_sqlite *sqlite;
    pid_t pid;
};

/* Counts one handle more, before it is opened: a fork in the middle must know of it. Returns false
 * when there are some that this process has inherited. */
static bool count_handle(struct twin_sqlite *sqlite)
{
    uint64_t self = (uint64_t)getpid() << 32;
    uint64_t before = atomic_load_explicit(&sqlite->handles, memory_order_relaxed);
    uint64_t after;

    do {
        bool mine = before >> 32 == self >> 32;

        if (!mine && (uint32_t)before > 0)
            return false;
        after = (mine ? before : self) + 1;
    } while (!atomic_compare_exchange_weak_explicit(&sqlite->handles, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void discount_handle(struct twin_sqlite *sqlite)
{
    atomic_fetch_sub_explicit(&sqlite->handles, 1, memory_order_relaxed);
}

static int configure(sqlite3 *handle, int busy_timeout_ms)
{
    int code = sqlite3_busy_timeout(handle, busy_timeout_ms);

    if (code == SQLITE_OK)
        code = sqlite3_exec(handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    /* In WAL mode NORMAL keeps the file consistent over a crash of the process or the machine; only
     * the last commits before a power failure may be missing. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(handle, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
    return code;
}

static int sqlite_connect(void **result, unsigned slot, void *context)
{
    struct twin_sqlite *sqlite = context;
    struct sqlite_connection *connection;
    int code;

    (void)slot;
    if (!count_handle(sqlite))
        return TWIN_SQLITE_EFORKED;
    connection = calloc(1, sizeof *connection);
    code = connection ? sqlite3_open_v2(sqlite->path, &connection->handle, OPEN_FLAGS, NULL)
                      : SQLITE_NOMEM;
    if (code == SQLITE_OK)
        code = configure(connection->handle, sqlite->busy_timeout_ms);
    if (code != SQLITE_OK) {
        if (connection)
            sqlite3_close(connection->handle); /* NULL is fine, and a failed open wants it too */
        free(connection);
        discount_handle(sqlite);
        return code;
    }
    connection->sqlite = sqlite;
    connection->pid = getpid();
    *result = connection;
    return 0;
}

static int sqlite_run_one(sqlite3_stmt *statement, int64_t *value)
{
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int sqlite_execute(void *opaque, const char *text, int64_t *value)
{
    struct sqlite_connection *connection = opaque;
    int code = SQLITE_OK;

    if (connection->pid != getpid() || !text)
        return SQLITE_MISUSE;
    while (code == SQLITE_OK && *text) {
        sqlite3_stmt *statement;

        code = sqlite3_prepare_v2(connection->handle, text, -1, &statement, &text);
        if (code == SQLITE_OK && statement) /* none: white space or a comment */
            code = sqlite_run_one(statement, value);
        if (code == SQLITE_OK || statement)
            sqlite3_finalize(statement); /* its code was seen already, by the step */
    }
    return code;
}

static int sqlite_ping(void *opaque)
{
    int64_t value = 0;

    return sqlite_execute(opaque, "SELECT 1", &value);
}

/* A holder that left a transaction open does not hand it on. */
static int sqlite_reset(void *opaque)
{
    struct sqlite_connection *connection = opaque;
    int64_t value;

    if (connection->pid != getpid())
        return SQLITE_MISUSE;
    return sqlite3_get_autocommit(connection->handle) ? 0
                                                      : sqlite_execute(opaque, "ROLLBACK", &value);
}

static void sqlite_disconnect(void *opaque)
{
    struct sqlite_connection *connection = opaque;

    if (connection->pid != getpid())
        return;                           /* the parent's: left alone */
    sqlite3_close_v2(connection->handle); /* v2: also with a statement that a user left open */
    discount_handle(connection->sqlite);
    free(connection);
}

struct sqlite3 *twin_sqlite_handle(void *opaque)
{
    struct sqlite_connection *connection = opaque;

    return connection ? connection->handle : NULL;
}

const struct twin_connpool_driver twin_sqlite_driver = {
    .name = "sqlite",
    .open = sqlite_connect,
    .ping = sqlite_ping,
    .reset = sqlite_reset,
    .exec = sqlite_execute,
    .close = sqlite_disconnect,
};

int twin_sqlite_open(struct twin_sqlite **result, const struct twin_sqlite_options *options)
{
    struct twin_sqlite *sqlite;
    size_t length;

    if (!result)
        return TWIN_EINVAL;
    *result = NULL;
    if (!options || !options->path || !options->path[0] || options->busy_timeout_ms < -1 ||
        strcmp(options->path, ":memory:") == 0)
        return TWIN_EINVAL;
    length = strlen(options->path) + 1;
    sqlite = calloc(1, sizeof *sqlite + length);
    if (!sqlite)
        return TWIN_ENOMEM;
    memcpy(sqlite->path, options->path, length);
    sqlite->busy_timeout_ms = options->busy_timeout_ms == 0    ? DEFAULT_BUSY_TIMEOUT_MS
                              : options->busy_timeout_ms == -1 ? 0
                                                               : options->busy_timeout_ms;
    *result = sqlite;
    return 0;
}

void twin_sqlite_close(struct twin_sqlite *sqlite)
{
    free(sqlite);
}
