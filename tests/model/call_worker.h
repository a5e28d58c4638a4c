/* call_worker.h: what the two halves of the model's worker call of each other. */
#ifndef TWIN_TESTS_CALL_WORKER_H
#define TWIN_TESTS_CALL_WORKER_H

#include "model/call_model.h"

/* call_worker.c */
void begin_claim(const struct call_model *model, struct call_state *state, unsigned number);
/* call_sleep.c: nothing was found */
void begin_wait(const struct call_model *model, struct worker *me);
bool step_wait(const struct call_model *model, struct call_state *state, unsigned number,
               unsigned way);

#endif
