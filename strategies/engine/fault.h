/* fault.h: named places where a test can kill the worker, or the supervisor, that passes them.
 *
 * Compiled in only with -DTWIN_FAULTS, which the test build of the library has and the installed
 * one has not. TWIN_FAULT=name:k in the environment raises SIGKILL at the k-th time (1 by default)
 * that any process passes that place, once. */
#ifndef TWINI_ENGINE_FAULT_H
#define TWINI_ENGINE_FAULT_H

#ifdef TWIN_FAULTS
#include <stdbool.h>
void twini_pass(const char *place);
/* For the test: counts from 0 again. */
void twini_fault_begin(void);
/* Nobody is killed any more. Returns whether somebody was. */
bool twini_fault_end(void);
#define TWINI_FAULT(place) twini_pass(place)
#else
#define TWINI_FAULT(place) ((void)0)
#endif

#endif
