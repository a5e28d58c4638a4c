/* map_async_omp.c: map_async, by OpenMP threads. */
#include "contract.h"

MAP_ASYNC_PROMISES(KEEPS, map_async_omp, arm_omp)
