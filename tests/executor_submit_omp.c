/* executor_submit_omp.c: executor submit, by OpenMP threads. */
#include "contract.h"

EXECUTOR_SUBMIT_PROMISES(KEEPS, executor_submit_omp, arm_omp)
