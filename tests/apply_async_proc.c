/* apply_async_proc.c: apply_async, by forked processes. */
#include "contract.h"

APPLY_ASYNC_PROMISES(KEEPS, apply_async_proc, arm_proc)
