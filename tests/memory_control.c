/* memory_control.c: twin_alloc() memory, by the process protocol on POSIX threads. */
#include "contract.h"

MEMORY_PROMISES(KEEPS, memory_control, arm_control)
