/* record.c: prints records. What would break a line or a CSV cell in a text becomes a blank here,
 * at the source, so that no reader has to think of it. Invariant: nothing is printed inside a timed
 * stretch, and stdout is empty when a pool is opened. */
#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void record_text(const char *key, const char *value)
{
    printf("%s=", key);
    for (; *value != '\0'; value++)
        putchar((unsigned char)*value < ' ' || strchr(",;\"", *value) != NULL ? ' ' : *value);
    putchar('\n');
}

void record_number(const char *key, uint64_t value)
{
    printf("%s=%" PRIu64 "\n", key, value);
}

void record_fraction(const char *key, double value)
{
    printf("%s=%.3f\n", key, value);
}

void record_end(void)
{
    puts("end");
    fflush(stdout);
}
