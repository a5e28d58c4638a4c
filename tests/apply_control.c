/* apply_control.c: apply, by the process protocol on POSIX threads. */
#include "contract.h"

APPLY_PROMISES(KEEPS, apply_control, arm_control)
