/* apply_proc.c: apply, by forked processes. */
#include "contract.h"

APPLY_PROMISES(KEEPS, apply_proc, arm_proc)
