/* test_connpool_kit.h: what the tests of the connection pool share: a rig, children, threads. */
#ifndef TWIN_TEST_CONNPOOL_KIT_H
#define TWIN_TEST_CONNPOOL_KIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <twinpool/connpool.h>
#include <twinpool/connpool_sim.h>

#define MS 1000000ll
#define LONG_ENOUGH_NS                                                                             \
    (20000 * MS) /* a wait that is expected to succeed, on however slow a machine */

/* Shared by all processes of a test; the witnesses that the driver below keeps. */
struct board {
    _Atomic unsigned running, most_running; /* statements at the same time, as the server sees it */
    _Atomic unsigned opened, closed, pinged;
    _Atomic unsigned a, b, c; /* free for the test */
    _Atomic int64_t ns;
};

struct rig {
    struct twin_connpool *pool;
    struct twin_sim *sim; /* NULL with the witness driver */
    struct board *board;
};

/* Each asserts success. */
struct rig rig_sim(unsigned connections, enum twin_admission admission, int64_t service_ns);
struct rig rig_witness(unsigned connections, enum twin_admission admission);
struct rig rig_options(const struct twin_connpool_options *options);
void rig_close(struct rig *rig);

/* A driver that counts on the board (its context). Statement: microseconds to take, or NULL. */
extern const struct twin_connpool_driver witness_driver;

/* Forks: the child runs body and exits with what it returns; it dies with its parent. Asserts that
 * the fork succeeded. */
pid_t child_start(int (*body)(struct rig *), struct rig *rig);
int child_status(pid_t pid);  /* waits; a wait status */
int child_exit(pid_t pid);    /* waits; its exit code, or -1 when it was killed */
bool child_killed(pid_t pid); /* waits; was it SIGKILL? */

/* Runs body in count threads, or processes, at once and waits; returns how many returned not 0. */
int in_threads(unsigned count, int (*body)(struct rig *), struct rig *rig);
int in_processes(unsigned count, int (*body)(struct rig *), struct rig *rig);

/* Waits until *flag is at least value. */
void await_at_least(_Atomic unsigned *flag, unsigned value);
void await_waiting(struct twin_connpool *pool, unsigned waiting);
void sleep_ns(int64_t ns);
int64_t now_ns(void);

/* Acquires all that can be had within the time each, and gives it back: how many? */
unsigned acquirable(struct twin_connpool *pool, int64_t timeout_ns);

#endif
