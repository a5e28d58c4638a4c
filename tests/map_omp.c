/* map_omp.c: map, by OpenMP threads. */
#include "contract.h"

MAP_PROMISES(KEEPS, map_omp, arm_omp)
