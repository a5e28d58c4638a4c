/* stats_omp.c: the counters, of OpenMP threads. */
#include "contract.h"

STATS_PROMISES(KEEPS, stats_omp, arm_omp)
