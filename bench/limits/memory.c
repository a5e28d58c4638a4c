/* memory.c: what bytes and pages cost: copying, first touch of new shared pages, and mapping a
 * present shared page into a fresh child, which is what each worker of a first map call pays. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../clock.h"
#include "../memory.h"
#include "limits.h"

static unsigned char *shared_pages(struct limit *limit)
{
    if (!memory_fits(limit->count)) {
        limit->detail = "too large for memory";
        return NULL;
    }
    unsigned char *block =
        mmap(NULL, limit->count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        limit->detail = "mmap of shared memory failed";
        return NULL;
    }
    return block;
}

static uint64_t touch(volatile unsigned char *block, size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uint64_t start_ns = now_ns();
    for (size_t at = 0; at < bytes; at += page)
        block[at] = 1;
    return now_ns() - start_ns;
}

int limit_memcpy(struct limit *limit)
{
    if (!memory_fits(2 * limit->count)) {
        limit->detail = "too large for memory";
        return 1;
    }
    unsigned char *from = malloc(limit->count), *to = malloc(limit->count);
    if (from == NULL || to == NULL) {
        limit->detail = "out of memory";
        free(from);
        free(to);
        return 1;
    }
    memset(from, 1, limit->count);
    memset(to, 2, limit->count);
    const uint64_t start_ns = now_ns();
    memcpy(to, from, limit->count);
    __asm__ volatile("" : : "r"(to) : "memory");
    limit->warm_ns = now_ns() - start_ns;
    free(from);
    free(to);
    return 0;
}

int limit_first_touch(struct limit *limit)
{
    unsigned char *block = shared_pages(limit);
    if (block == NULL)
        return 1;
    limit->warm_ns = touch(block, limit->count);
    return munmap(block, limit->count) == 0 ? 0 : 1;
}

int limit_page_fault(struct limit *limit)
{
    unsigned char *block = shared_pages(limit);
    uint64_t *answer_ns =
        mmap(NULL, sizeof *answer_ns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (block == NULL || answer_ns == MAP_FAILED)
        return 1;
    (void)touch(block, limit->count);
    const pid_t pid = fork();
    if (pid == 0) {
        *answer_ns = touch(block, limit->count);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    limit->warm_ns = *answer_ns;
    limit->detail = "fork failed";
    return limit->warm_ns > 0 ? 0 : 1;
}
