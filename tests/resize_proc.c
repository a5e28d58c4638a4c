/* resize_proc.c: more and fewer workers, by forked processes. */
#include "contract.h"

RESIZE_PROMISES(KEEPS, resize_proc, arm_proc)
