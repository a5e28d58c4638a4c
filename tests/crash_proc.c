/* crash_proc.c: death and what it leaves, by forked processes. */
#include "contract.h"

CRASH_PROMISES(KEEPS, crash_proc, arm_proc)
