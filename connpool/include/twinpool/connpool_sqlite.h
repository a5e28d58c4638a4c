/* twinpool/connpool_sqlite.h: SQLite as a driver: one file, write-ahead log, a handle per process.
 *
 * SQLite forbids to use, or even close, a handle that was opened before a fork, and keeps its file
 * locks in tables of the process that a fork copies while the kernel's locks stay behind. So this
 * driver refuses to open in a process whose parent had a connection open when it forked: fork
 * first, or close the pool before. */
#ifndef TWINPOOL_CONNPOOL_SQLITE_H
#define TWINPOOL_CONNPOOL_SQLITE_H

#include <twinpool/connpool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* path must be given: a real file; it is made when it is not there. */
struct twin_sqlite_options {
    const char *path;
    int busy_timeout_ms; /* how long a statement waits for another's lock; 0: 5000, -1: not at all
                          */
};

#define TWIN_SQLITE_EFORKED                                                                        \
    1001 /* driver code: opened before fork; not one of SQLite's own codes */

struct twin_sqlite;

/* Prepares; no handle is opened yet. One for each file.
 * Returns:    0; EINVAL (no path, or one that names no file: empty or ":memory:"); ENOMEM. */
int twin_sqlite_open(struct twin_sqlite **sqlite, const struct twin_sqlite_options *options);

/* Frees it in this process. After twin_connpool_close(). NULL is fine. */
void twin_sqlite_close(struct twin_sqlite *sqlite);

/* Returns the sqlite3 * of what twin_connpool_connection() returned; NULL for NULL. Use it until
 * release, do not close it. */
struct sqlite3 *twin_sqlite_handle(void *connection);

/* Its driver_context is the struct twin_sqlite; driver codes are SQLite's. exec runs every
 * statement of the text; value gets the first column of the last row, unchanged when there was
 * none. */
extern const struct twin_connpool_driver twin_sqlite_driver;

#ifdef __cplusplus
}
#endif
#endif
