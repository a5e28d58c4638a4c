/* map_async_proc.c: map_async, by forked processes. */
#include "contract.h"

MAP_ASYNC_PROMISES(KEEPS, map_async_proc, arm_proc)
