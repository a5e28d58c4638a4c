/* pool_omp.c: the life of a pool, by OpenMP threads. */
#include "contract.h"

POOL_PROMISES(KEEPS, pool_omp, arm_omp)
