/* places.h: prose with named places, {{like_this}}, and what stands in them. */
#ifndef TWIN_REPORT_PLACES_H
#define TWIN_REPORT_PLACES_H

#include "text.h"

/* Zeroed is empty. */
struct places {
    struct place {
        char *name, *value;
    } * place;
    size_t count, room;
};

/* Sets a place, or sets it anew. */
void places_set(struct places *places, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets a place to what text holds, and empties text. */
void places_take(struct places *places, const char *name, struct text *text);
const char *places_get(const struct places *places, const char *name); /* NULL: unknown */
void places_free(struct places *places);

/* Adds prose to out with every place filled in. Values are not looked into again.
 * Returns 0, or -EINVAL with a line in error (file, line number, the unknown place). */
int places_fill(const struct places *places, const char *prose, const char *file, struct text *out,
                struct text *error);

#endif
