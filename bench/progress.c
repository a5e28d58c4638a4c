/* progress.c: one line on stderr. The time left is the sum of what each arm still has to do, priced
 * by what its last sample took, or before there is one by the plan's estimate and by how far that was off
 * so far; the caller keeps that sum. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "clock.h"

#define PLAIN_EVERY_NS    5000000000u
#define TERMINAL_EVERY_NS 100000000u

void progress_start(struct progress *progress, double left_s)
{
    *progress = (struct progress){
        .terminal = isatty(STDERR_FILENO) == 1, .start_ns = now_ns(), .left_s = left_s};
}

void progress_say(struct progress *progress, const char *what, unsigned round, unsigned rounds)
{
    const uint64_t now = now_ns();
    const uint64_t every_ns = progress->terminal ? TERMINAL_EVERY_NS : PLAIN_EVERY_NS;
    if (progress->said_ns != 0 && now - progress->said_ns < every_ns)
        return;
    progress->said_ns = now;
    const unsigned elapsed_s = (unsigned)((now - progress->start_ns) / 1000000000u);
    const double left = progress->left_s > 0 ? progress->left_s : 0;
    const double all_s = (double)elapsed_s + left;
    const unsigned percent = all_s > 0 ? (unsigned)(100.0 * (double)elapsed_s / all_s) : 0;
    const unsigned left_s = (unsigned)left;
    fprintf(stderr, "%s%3u %%  %u:%02u gone, about %u:%02u left  round %u/%u  %s%s",
            progress->terminal ? "\r\033[K" : "", percent, elapsed_s / 60, elapsed_s % 60,
            left_s / 60, left_s % 60, round, rounds, what, progress->terminal ? "" : "\n");
}

void progress_break(const struct progress *progress)
{
    if (progress->terminal && progress->said_ns != 0)
        fputc('\n', stderr);
}
