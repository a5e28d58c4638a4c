/* apply_omp.c: apply, by OpenMP threads. */
#include "contract.h"

APPLY_PROMISES(KEEPS, apply_omp, arm_omp)
