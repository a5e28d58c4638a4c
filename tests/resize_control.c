/* resize_control.c: more and fewer workers, by the process protocol on POSIX threads. */
#include "contract.h"

RESIZE_PROMISES(KEEPS, resize_control, arm_control)
