/* places.c: fills prose.
 *
 * The prose of the report is written by people, in text/<section>.md; every figure in it is a place
 * that the generator fills from data. A place that nobody fills is an error and not an empty spot:
 * a typing mistake must not silently remove a result. */
#include "places.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct place *find(const struct places *places, const char *name, size_t length)
{
    for (size_t i = 0; i < places->count; i++)
        if (strlen(places->place[i].name) == length &&
            memcmp(places->place[i].name, name, length) == 0)
            return &places->place[i];
    return NULL;
}

static char *copy(const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(must_alloc(size, 1), string, size);
}

static struct place *find_or_add(struct places *places, const char *name)
{
    struct place *place = find(places, name, strlen(name));

    if (place)
        return place;
    if (places->count == places->room) {
        size_t room = places->room ? 2 * places->room : 64;
        struct place *more = must_alloc(room, sizeof *more);
        if (places->count > 0)
            memcpy(more, places->place, places->count * sizeof *more);
        free(places->place);
        places->place = more;
        places->room = room;
    }
    place = &places->place[places->count++];
    place->name = copy(name);
    return place;
}

void places_take(struct places *places, const char *name, struct text *text)
{
    struct place *place = find_or_add(places, name);

    free(place->value);
    place->value = text->bytes ? text->bytes : copy("");
    *text = (struct text){0};
}

void places_set(struct places *places, const char *name, const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    char *value = NULL;

    va_start(arguments, format);
    int length = vasprintf(&value, format, arguments);
    va_end(arguments);
    if (length > 0)
        text_add_bytes(&text, value, (size_t)length);
    if (length >= 0)
        free(value);
    places_take(places, name, &text);
}

const char *places_get(const struct places *places, const char *name)
{
    struct place *place = find(places, name, strlen(name));
    return place ? place->value : NULL;
}

void places_free(struct places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        free(places->place[i].name);
        free(places->place[i].value);
    }
    free(places->place);
    *places = (struct places){0};
}

static int line_of(const char *prose, const char *at)
{
    int line = 1;

    for (; prose < at; prose++)
        line += *prose == '\n';
    return line;
}

int places_fill(const struct places *places, const char *prose, const char *file, struct text *out,
                struct text *error)
{
    const char *at = prose, *open;

    while ((open = strstr(at, "{{")) != NULL) {
        const char *close = strstr(open, "}}");
        size_t length = close ? (size_t)(close - open) - 2 : strcspn(open, "\n") - 2;
        struct place *place = close ? find(places, open + 2, length) : NULL;
        if (!place) {
            text_add(error, "%s: line %d: {{%.*s}} is no place that this section fills%s", file,
                     line_of(prose, open), (int)(length < 60 ? length : 60), open + 2,
                     close ? "" : " (it is not closed by }})");
            return -EINVAL;
        }
        text_add_bytes(out, at, (size_t)(open - at));
        text_add_bytes(out, place->value, strlen(place->value));
        at = close + 2;
    }
    text_add_bytes(out, at, strlen(at));
    return 0;
}
