/* stop_proc.c: what is stopped, limited, run again and recycled, by forked processes. */
#include "contract.h"

STOP_PROMISES(KEEPS, stop_proc, arm_proc)
