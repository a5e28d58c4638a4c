/* executor_submit_control.c: executor submit, by the process protocol on POSIX threads. */
#include "contract.h"

EXECUTOR_SUBMIT_PROMISES(KEEPS, executor_submit_control, arm_control)
