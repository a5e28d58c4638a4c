/* number.c: strtoull without its kindnesses (signs, white space, wrap-around of negatives, a tail).
 * Here a number is what a person would call one, or an error that the caller can explain. */
#include "number.h"

#include <stddef.h>

bool number_read(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    if (text == NULL || *text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        const uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value < least || value > most)
        return false;
    *out = value;
    return true;
}
