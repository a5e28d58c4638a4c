/* executor_map_proc.c: executor map, by forked processes. */
#include "contract.h"

EXECUTOR_MAP_PROMISES(KEEPS, executor_map_proc, arm_proc)
