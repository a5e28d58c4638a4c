/* imap_proc.c: streams, by forked processes. */
#include "contract.h"

IMAP_PROMISES(KEEPS, imap_proc, arm_proc)
