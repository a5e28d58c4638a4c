/* procfs.h: what the kernel tells of processes: children, life, context switches, memory. No
 * assertion here, so that programs without the test framework can use it too. */
#ifndef TWIN_TESTS_PROCFS_H
#define TWIN_TESTS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Lists children of a process, zombies left out; returns how many, at most most. */
size_t children_of(pid_t parent, pid_t *children, size_t most);

/* The pools' processes: the children of this process, then theirs. */
size_t descendants(pid_t *found, size_t most);

/* Whether a process runs no more: not there, or a zombie that somebody has yet to reap. */
bool is_gone(pid_t pid);

/* Waits until it is gone, at most 10 s, and tells whether it is. */
bool goes_away(pid_t pid);

/* Voluntary and other context switches of a process so far; 0 if it is gone. */
uint64_t context_switches(pid_t pid);

/* Resident memory of this process, in KiB. */
size_t resident_kib(void);

/* How many mappings of this process are of files under /dev/shm. */
size_t count_shm_mappings(void);

/* Whether the long forms of tests were asked for: TWIN_STRESS=1. */
bool is_stress(void);

#endif
