/* memory_proc.c: twin_alloc() memory, by forked processes. */
#include "contract.h"

MEMORY_PROMISES(KEEPS, memory_proc, arm_proc)
