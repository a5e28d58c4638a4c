/* memory.c: available memory, asked before anything large is touched: past it the kernel kills, and
 * not always the one who asked for too much. Source: proc(5), the cgroup v2 documentation of the
 * kernel. */
#include "memory.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t memory_read_field(const char *path, const char *format)
{
    char line[256];
    uint64_t value = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, format, &value) == 1)
            break;
    fclose(file);
    return value;
}

/* What is left under a limit, in KiB; UINT64_MAX where there is no such limit. */
static uint64_t left_kib(const char *most_path, const char *used_path)
{
    const uint64_t most = memory_read_field(most_path, "%" SCNu64);
    const uint64_t used = memory_read_field(used_path, "%" SCNu64);
    if (most == 0) /* no file, or the word max */
        return UINT64_MAX;
    return most > used ? (most - used) / 1024 : 0;
}

uint64_t memory_available_kib(void)
{
    uint64_t least = memory_read_field("/proc/meminfo", "MemAvailable: %" SCNu64);
    const uint64_t left[] = {left_kib("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
                             left_kib("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                      "/sys/fs/cgroup/memory/memory.usage_in_bytes")};
    for (int i = 0; i < 2; i++)
        if (left[i] < least)
            least = left[i];
    return least;
}

bool memory_fits(uint64_t bytes)
{
    const uint64_t available_kib = memory_available_kib();
    return available_kib == 0 || bytes / 1024 <= available_kib / 4 * 3;
}
