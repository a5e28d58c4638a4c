/* memory.h: how much memory may be used without harm to others. */
#ifndef TWIN_BENCH_MEMORY_H
#define TWIN_BENCH_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Returns what the system says is available, or is left under this process's memory cgroup if that
 * is less, in KiB; 0 if unknown. */
uint64_t memory_available_kib(void);

/* Says whether that many bytes fit into three quarters of it. True if unknown. */
bool memory_fits(uint64_t bytes);

/* Reads one number from the first line of a file that format matches; 0 if none does. */
uint64_t memory_read_field(const char *path, const char *format);

#endif
