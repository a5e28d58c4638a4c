/* barrier.c: see barrier.h. glibc has no wrapper. */
#include "engine/barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool ask(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

bool twini_barrier_join(void)
{
    return ask(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

bool twini_barrier(void)
{
    return ask(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}
