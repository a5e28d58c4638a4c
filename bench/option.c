/* option.c: options that are right, or one clear line and exit status 2. */
#include "option.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

enum { EXIT_USAGE = 2 };

uint64_t option_number(struct argp_state *state, const char *option, const char *text,
                       uint64_t least, uint64_t most)
{
    uint64_t value = 0;
    if (!number_read(text, least, most, &value))
        argp_failure(state, EXIT_USAGE, 0,
                     "--%s=%s: accepted is a whole number from %" PRIu64 " to %" PRIu64, option,
                     text, least, most);
    return value;
}

unsigned option_choice(struct argp_state *state, const char *option, const char *text,
                       const char *const names[])
{
    char accepted[256] = "";
    for (unsigned i = 0; names[i] != NULL; i++) {
        const size_t used = strlen(accepted);
        if (strcmp(names[i], text) == 0)
            return i;
        snprintf(accepted + used, sizeof accepted - used, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    argp_failure(state, EXIT_USAGE, 0, "--%s=%s: accepted are %s", option, text, accepted);
    return 0;
}

void option_no_argument(struct argp_state *state, const char *text)
{
    argp_failure(state, EXIT_USAGE, 0, "%s: unknown; options are accepted: see --help", text);
}
