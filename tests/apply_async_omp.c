/* apply_async_omp.c: apply_async, by OpenMP threads. */
#include "contract.h"

APPLY_ASYNC_PROMISES(KEEPS, apply_async_omp, arm_omp)
