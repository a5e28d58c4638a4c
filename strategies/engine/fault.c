/* fault.c: the fault points of the test build; see fault.h. The count is in shared memory made when
 * the program starts, so that it is one count for all processes, and a replacement does not die of
 * the fault that it replaces. The caller passes some of the places too; he is spared. */
#include "engine/fault.h"
#include "strategy.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static _Atomic long *passes;

__attribute__((constructor)) static void make_count(void)
{
    void *page =
        mmap(NULL, sizeof *passes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    passes = page == MAP_FAILED ? NULL : page;
}

static long wanted_pass(const char *place)
{
    const char *fault = getenv("TWIN_FAULT");
    size_t length = strlen(place);
    if (!fault || strncmp(fault, place, length) != 0)
        return 0;
    return fault[length] == ':'    ? strtol(fault + length + 1, NULL, 10)
           : fault[length] == '\0' ? 1
                                   : 0;
}

void twini_pass(const char *place)
{
    long wanted = wanted_pass(place);
    if (wanted && twini_inside_task && passes && atomic_fetch_add(passes, 1) + 1 == wanted)
        raise(SIGKILL);
}

void twini_fault_begin(void)
{
    atomic_store(passes, 0);
}

bool twini_fault_end(void)
{
    const char *fault = getenv("TWIN_FAULT");
    const char *colon = fault ? strchr(fault, ':') : NULL;
    long passed = atomic_exchange(passes, LONG_MIN);
    return fault && passed >= (colon ? strtol(colon + 1, NULL, 10) : 1);
}
