/* resize_omp.c: more and fewer workers, by OpenMP threads. */
#include "contract.h"

RESIZE_PROMISES(KEEPS, resize_omp, arm_omp)
