/* callback_control.c: callbacks, by the process protocol on POSIX threads. */
#include "contract.h"

CALLBACK_PROMISES(KEEPS, callback_control, arm_control)
