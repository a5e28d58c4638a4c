/* error.c: texts of errors, from the one list in pool.h. */
#include "twinpool/pool.h"

const char *twin_strerror(int error)
{
    switch (error) {
    case TWIN_OK:
        return "success";
#define TWIN_CASE(name, value, text)                                                               \
    case TWIN_E##name:                                                                             \
        return text;
        TWIN_ERRORS(TWIN_CASE)
#undef TWIN_CASE
    default:
        return "not an error of twinpool";
    }
}
