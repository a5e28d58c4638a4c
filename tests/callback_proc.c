/* callback_proc.c: callbacks, by forked processes. */
#include "contract.h"

CALLBACK_PROMISES(KEEPS, callback_proc, arm_proc)
