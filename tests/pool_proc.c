/* pool_proc.c: the life of a pool, by forked processes. */
#include "contract.h"

POOL_PROMISES(KEEPS, pool_proc, arm_proc)
