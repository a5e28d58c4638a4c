/* call_worker.h: what the parts of the model's worker call of each other. */
#ifndef TWIN_TESTS_CALL_WORKER_H
#define TWIN_TESTS_CALL_WORKER_H

#include "model/call_model.h"

/* call_worker.c: the call, which it owns now, begins: nothing shared tells */
void begin_call(const struct call_model *model, struct call_state *state, struct worker *me,
                const char **violation);
/* call_claim.c */
void begin_claim(const struct call_model *model, struct call_state *state, unsigned number);
bool step_claim(const struct call_model *model, struct call_state *state, unsigned number,
                unsigned way);
void step_take(const struct call_model *model, struct call_state *state, unsigned number,
               const char **violation);
/* call_sleep.c: nothing was found */
void begin_wait(const struct call_model *model, struct worker *me);
bool step_wait(const struct call_model *model, struct call_state *state, unsigned number,
               unsigned way);

#endif
