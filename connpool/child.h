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

/* Kills and waits for each of count children that is > 0. */
void child_kill_all(const pid_t *pids, size_t count);

/* Zeroed memory that children will share; NULL: errno tells. */
void *shared_pages(size_t bytes);
void shared_pages_free(void *pages, size_t bytes);

#endif
