/* theft.h: how much of somebody else's range to take.
 *
 * Memory that another process has worked on costs whoever takes it over a fault for each page: a
 * chunk that takes its owner 40 us may take a thief 200, or, where a hypervisor keeps tables of its own,
 * 2000. Its pages are then the thief's, too, and the next map may find the owner without them: so c is that
 * price twice. Of r chunks left, each of time o for the owner and t + c for a thief, both end together if
 * the thief takes r o / (o + t + c): half where pages cost nothing, none where that rounds to none. Then it
 * waits, and watches: the longer the owners take for what they end meanwhile, the larger is o, and with it
 * the share. An owner that ends nothing for as long as t + c loses a chunk even if it is his last: as
 * whoever rents skis until he has paid for a pair, at most twice the best.
 * t is measured on the worker's own chunks; what a page costs, when it maps them: populate.h. */
#ifndef TWINI_THEFT_H
#define TWINI_THEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a worker knows of one map. */
struct twini_pace {
    int64_t since_ns;       /* when it began with the chunks below */
    size_t chunks;          /* that it has run since */
    bool stolen;            /* they were another's */
    double chunk_ns;        /* what one of its own took; 0: it has had none */
    int64_t waits_since_ns; /* for the owners; 0: it does not */
    size_t waits_left;      /* what they had then */
};

/* The worker has run its range to the end. */
void twini_pace_book(struct twini_pace *pace, int64_t now_ns);
/* What owners take for a chunk, in ns, if so many of them have so many left now. */
double twini_owner_ns(struct twini_pace *pace, size_t owners, size_t left, int64_t now_ns);
/* The share of what is left that a thief should take: at most a half. cost_ns: c. */
double twini_theft_share(const struct twini_pace *pace, double owner_ns, double cost_ns);

#endif
