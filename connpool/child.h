/* child.h: forking for the measured programs: a child that never outlives its parent. */
#ifndef TWIN_CONNPOOL_CHILD_H
#define TWIN_CONNPOOL_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* As fork(). The child is killed when its parent dies, however that happens. -1: errno tells. */
pid_t child_fork(void);

/* Waits until the child has ended, EINTR retried. Returns its wait status, or -1. */
int child_wait(pid_t pid);

/* Waits for all of them, whichever ends first; one that fails or is killed takes the others along,
 * since they may be waiting for it. Returns 0 when all ended well, else -1. The caller must have no
 * other children. */
int child_wait_all(pid_t *pids, size_t count);

/* Has a child ended that nobody has waited for yet? */
bool child_has_ended(void);

/* Kills and waits for each of count children that is > 0. */
void child_kill_all(const pid_t *pids, size_t count);

/* Zeroed memory that children will share; NULL: errno tells. */
void *shared_pages(size_t bytes);
void shared_pages_free(void *pages, size_t bytes);

#endif
