/* home.h: a CPU for each worker to sleep on. */
#ifndef TWINI_HOME_H
#define TWINI_HOME_H

#include "engine/worker.h"

/* The worker is about to sleep: where others are not in its way, nor it in theirs. Never fails: at worst
 * it stays where it is. */
void twini_choose_cpu(struct twini_worker *me);
/* What it does after a map. */
void twini_go_home(struct twini_worker *me);

#endif
