/* apply_async_control.c: apply_async, by the process protocol on POSIX threads. */
#include "contract.h"

APPLY_ASYNC_PROMISES(KEEPS, apply_async_control, arm_control)
