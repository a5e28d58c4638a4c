/* pool_control.c: the life of a pool, by the process protocol on POSIX threads. */
#include "contract.h"

POOL_PROMISES(KEEPS, pool_control, arm_control)
