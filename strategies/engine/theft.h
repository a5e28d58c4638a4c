/* theft.h: how much of somebody else's range to take.
 *
 * Memory that another process has worked on costs whoever takes it over a fault for each page: a
 * chunk that takes its owner 40 us may take a thief 500, or, under a hypervisor, 8000. Of r chunks
 * left, each of time t for the owner and t + c for a thief, both end together if the thief takes
 * r t / (2 t + c): half where pages cost nothing, none where that rounds to none. Then it waits, for
 * the owner may soon have run them; but not for longer than c, for an owner that takes so long does
 * not take t a chunk (as whoever rents skis until he has paid for a pair: at most twice the best).
 * t is measured on the worker's own chunks; c, for each byte, on those that it took. */
#ifndef TWINI_THEFT_H
#define TWINI_THEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a worker knows of one map. */
struct twini_pace {
    int64_t since_ns; /* when it began with the chunks below */
    size_t chunks;    /* that it has run since */
    bool stolen;      /* they were another's */
    double chunk_ns;  /* what one of its own took; 0: it has had none */
    double
        chunk_bytes; /* items and results of a chunk; 0: whatever runs it has the pages already */
};

/* A fault for each 4 KiB page, 1 us each: until it is known better. And what no page costs: whatever took
 * longer was a longer task, or somebody else's turn on the CPU. */
#define TWINI_FRESH_BYTE_NS (1000.0 / 4096)
#define TWINI_MOST_BYTE_NS  (50000.0 / 4096)

/* The worker has run its range to the end: learns from it. byte_ns: what taking over a byte costs. */
void twini_pace_book(struct twini_pace *pace, double *byte_ns, int64_t now_ns);
/* What it costs a thief that a chunk was another's, in ns. */
double twini_theft_cost(const struct twini_pace *pace, double byte_ns);
/* The share of what is left that a thief should take: at most a half. */
double twini_theft_share(const struct twini_pace *pace, double cost_ns);
/* It was not worth it: the price is forgotten, slowly, for it may have been bad luck. */
void twini_theft_forget(double *byte_ns);

#endif
