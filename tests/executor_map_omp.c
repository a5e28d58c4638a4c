/* executor_map_omp.c: executor map, by OpenMP threads. */
#include "contract.h"

EXECUTOR_MAP_PROMISES(KEEPS, executor_map_omp, arm_omp)
