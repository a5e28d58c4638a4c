/* ceiling.h: how far an unbounded run may go: a ceiling that leaves the machine alone. */
#ifndef TWIN_BENCH_CEILING_H
#define TWIN_BENCH_CEILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns how many workers may be alive at once: at most 4096, a quarter of the free pids, and a
 * quarter of the available memory at worker_kib each; at least 16. */
size_t ceiling_workers(uint64_t worker_kib);

/* Binds this process and its children to that many processes: as root under a uid of its own first,
 * for RLIMIT_NPROC does not bind root. Returns false if it could not be done. */
bool ceiling_bind_processes(size_t workers);

/* Binds this process's address space to what it has now, that many stacks, and some slack. */
bool ceiling_bind_threads(size_t workers);

#endif
