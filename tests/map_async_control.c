/* map_async_control.c: map_async, by the process protocol on POSIX threads. */
#include "contract.h"

MAP_ASYNC_PROMISES(KEEPS, map_async_control, arm_control)
