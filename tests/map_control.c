/* map_control.c: map, by the process protocol on POSIX threads. */
#include "contract.h"

MAP_PROMISES(KEEPS, map_control, arm_control)
