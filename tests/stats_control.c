/* stats_control.c: the counters, of the process protocol on POSIX threads. */
#include "contract.h"

STATS_PROMISES(KEEPS, stats_control, arm_control)
