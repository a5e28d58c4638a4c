/* imap_omp.c: streams, by OpenMP threads. */
#include "contract.h"

IMAP_PROMISES(KEEPS, imap_omp, arm_omp)
