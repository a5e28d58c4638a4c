/* home.h: a CPU for each worker to sleep on. */
#ifndef TWINI_HOME_H
#define TWINI_HOME_H

#include "engine/worker.h"

/* The worker is about to sleep: does so on a CPU that is no other worker's home. Never fails: at worst
 * it stays where it is. */
void twini_go_home(struct twini_worker *me);

#endif
