/* spawn_omp.c: a worker per item, by OpenMP threads. */
#include "contract.h"

SPAWN_PROMISES(KEEPS, spawn_omp, arm_omp)
