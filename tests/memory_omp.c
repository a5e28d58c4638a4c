/* memory_omp.c: twin_alloc() memory, by OpenMP threads. */
#include "contract.h"

MEMORY_PROMISES(KEEPS, memory_omp, arm_omp)
