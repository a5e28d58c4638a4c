/* control_runtime.h: the control arm: the process protocol, carried by POSIX threads.
 *
 * For measuring (proc minus control is what being a process costs; control minus omp is our
 * protocol against libgomp's) and for ThreadSanitizer, which cannot see across processes. Not part
 * of the API. */
#ifndef TWINI_CONTROL_RUNTIME_H
#define TWINI_CONTROL_RUNTIME_H

#include "twinpool/pool.h"

/* As twin_pool_open() and twin_executor_open(); options->backend is ignored. A task that crashes
 * takes the program with it. */
int twini_control_open(struct twin_pool **pool, const struct twin_pool_options *options);
int twini_control_executor_open(struct twin_executor **executor,
                                const struct twin_pool_options *options);

#endif
