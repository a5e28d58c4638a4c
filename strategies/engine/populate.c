/* populate.c: fewer page faults on the first map.
 *
 * A worker process starts with none of the arena's pages in its page table, and each first touch
 * costs about a microsecond, although the page is there: more than squaring the numbers on it.
 * MADV_POPULATE_READ maps present pages 16 at a time (measured: 20.7 k faults become 2.5 k). What
 * was asked for is remembered in a few intervals, so that warm maps make no system call; where chunks are
 * dealt out in turn, with the gaps between them, or there would be an interval for each.
 *
 * A page that is mapped may still cost as much again when it is first used, where a hypervisor keeps page
 * tables of its own (measured: 0.3 us to map it, 10 to use it). So a few are used under the clock, which
 * the worker would have used next anyway.
 * Source: madvise(2), Linux 5.14. */
#include "engine/populate.h"
#include "engine/plan.h"

#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

enum { INTERVALS = 8, PAGE = 4096, LEAST_PAGES = 8, PROBES = 4, GUESS_NS = 1000, MOST_NS = 50000 };

struct interval {
    uintptr_t first, end;
};

static _Thread_local struct interval known[INTERVALS];
static _Thread_local unsigned oldest;
static _Thread_local double page_ns = GUESS_NS;

static void remember(uintptr_t first, uintptr_t end, uintptr_t gap)
{
    for (unsigned i = 0; i < INTERVALS; i++) {
        struct interval *one = &known[i];
        if (one->end && first <= one->end + gap && one->first <= end + gap) { /* grow it */
            one->first = first < one->first ? first : one->first;
            one->end = end > one->end ? end : one->end;
            return;
        }
    }
    known[oldest++ % INTERVALS] = (struct interval){first, end};
}

/* Who was interrupted meanwhile has not paid more than MOST_NS. */
static void learn(double paid_ns)
{
    page_ns += ((paid_ns < MOST_NS ? paid_ns : MOST_NS) - page_ns) / 4;
}

double twini_populate_ns(double bytes)
{
    return bytes / PAGE * page_ns;
}

void twini_populate(const void *start, size_t size, size_t gap)
{
    uintptr_t first = (uintptr_t)start & ~(uintptr_t)(PAGE - 1);
    uintptr_t end = ((uintptr_t)start + size + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    if (end - first < (uintptr_t)LEAST_PAGES * PAGE)
        return;
    for (unsigned i = 0; i < INTERVALS; i++)
        if (known[i].first <= first && end <= known[i].end)
            return;
    /* Its failure (an older kernel) only means that pages come one by one. */
    int64_t began_ns = twini_now_ns();
    (void)madvise((void *)first, end - first, MADV_POPULATE_READ);
    int64_t mapped_ns = twini_now_ns();
    for (size_t i = 0; i < PROBES; i++)
        (void)*((const volatile char *)start + i * PAGE);
    learn((double)(mapped_ns - began_ns) * PAGE / (double)(end - first) +
          (double)(twini_now_ns() - mapped_ns) / PROBES);
    remember(first, end, gap);
}
