/* callback_omp.c: callbacks, by OpenMP threads. */
#include "contract.h"

CALLBACK_PROMISES(KEEPS, callback_omp, arm_omp)
