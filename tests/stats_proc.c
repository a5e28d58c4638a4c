/* stats_proc.c: the counters, of forked processes. */
#include "contract.h"

STATS_PROMISES(KEEPS, stats_proc, arm_proc)
