/* fault.c: the fault points of the test build; see fault.h.
 *
 * The environment is read at each point: a test forks, sets the variable in the child alone, and
 * the child dies at exactly that step of the protocol, as if by somebody's kill -9. */
#include "fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

void twini_fault(const char *name)
{
    const char *kill_at = getenv("TWIN_FAULT");
    const char *stop_at = getenv("TWIN_FAULT_STOP");

    if (kill_at && strcmp(kill_at, name) == 0)
        raise(SIGKILL);
    if (stop_at && strcmp(stop_at, name) == 0) {
        unsetenv("TWIN_FAULT_STOP"); /* once */
        raise(SIGSTOP);
    }
}
