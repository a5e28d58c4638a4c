/* progress.h: tells a person how far the run is and how long it will take. */
#ifndef TWIN_BENCH_PROGRESS_H
#define TWIN_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal;
    uint64_t start_ns, said_ns;
    double left_s; /* of estimated sample time: the caller keeps it */
};

void progress_start(struct progress *progress, double left_s);

/* Says what is being measured now: one rewritten line on a terminal, else a line every five
 * seconds. */
void progress_say(struct progress *progress, const char *what, unsigned round, unsigned rounds);

/* Ends the rewritten line, so that other text can follow. */
void progress_break(const struct progress *progress);

#endif
