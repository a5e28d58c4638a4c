/* fault.h: named places where a test can kill (or stop) the process that passes them.
 *
 * Compiled in only with -DTWIN_FAULTS, which the test build of the library has and the installed
 * one has not. TWIN_FAULT=name in the environment raises SIGKILL there, TWIN_FAULT_STOP=name
 * SIGSTOP. */
#ifndef TWINI_CONNPOOL_FAULT_H
#define TWINI_CONNPOOL_FAULT_H

#ifdef TWIN_FAULTS
void twini_fault(const char *name);
#define FAULT(name) twini_fault(name)
#else
#define FAULT(name) ((void)0)
#endif

#endif
