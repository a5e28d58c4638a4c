/* executor_map_control.c: executor map, by the process protocol on POSIX threads. */
#include "contract.h"

EXECUTOR_MAP_PROMISES(KEEPS, executor_map_control, arm_control)
