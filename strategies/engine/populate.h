/* populate.h: maps the pages of an array into this process many at a time, before it is used. */
#ifndef TWINI_POPULATE_H
#define TWINI_POPULATE_H

#include <stddef.h>

/* Maps the pages of [start, start + size) that this process has not asked for before. gap: it will ask
 * for more of this kind, with so many bytes of others' between. Only ever a matter of speed. Safe from
 * any thread. */
void twini_populate(const void *start, size_t size, size_t gap);
/* What it cost this thread lately to map bytes as many at a time and then use them, in ns. */
double twini_populate_ns(double bytes);

#endif
