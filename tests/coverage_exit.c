/* coverage_exit.c: the counters of a process that leaves by _exit(), as workers and supervisors do,
 * are written first. Part of the tests of a coverage build alone, by the linker's --wrap=_exit; the
 * library knows nothing of it. A killed process loses its counters. Source: gcc, "Gcov and Profiling";
 * ld(1), --wrap. */
#include <unistd.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
