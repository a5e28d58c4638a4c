/* spawn_proc.c: a worker per item, by forked processes. */
#include "contract.h"

SPAWN_PROMISES(KEEPS, spawn_proc, arm_proc)
