/* map_proc.c: map, by forked processes. */
#include "contract.h"

MAP_PROMISES(KEEPS, map_proc, arm_proc)
