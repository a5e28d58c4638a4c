/* imap_control.c: streams, by the process protocol on POSIX threads. */
#include "contract.h"

IMAP_PROMISES(KEEPS, imap_control, arm_control)
