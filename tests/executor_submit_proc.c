/* executor_submit_proc.c: executor submit, by forked processes. */
#include "contract.h"

EXECUTOR_SUBMIT_PROMISES(KEEPS, executor_submit_proc, arm_proc)
