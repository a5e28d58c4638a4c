/* cut.c: see cut.h. The marks are comments on lines of their own, in C syntax, so that moving the
 * code moves the passage and renaming the file breaks the report loudly. Fault points are left out. */
#include "cut.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static size_t indentation(const char *from, const char *to)
{
    size_t least = 80;

    while (from < to) {
        size_t blanks = strspn(from, " ");
        if (from[blanks] != '\n' && blanks < least)
            least = blanks;
        from += strcspn(from, "\n") + 1;
    }
    return least;
}

/* Where tests kill a worker: nothing, in the library. */
static bool is_fault_point(const char *line)
{
    static const char macro[] = "TWINI_FAULT(";

    return strncmp(line + strspn(line, " "), macro, sizeof macro - 1) == 0;
}

static void add_lines(struct text *out, const char *from, const char *to)
{
    size_t less = indentation(from, to);

    while (from < to) {
        size_t length = strcspn(from, "\n");
        size_t skip = length < less ? length : less;
        if (!is_fault_point(from)) {
            text_add_bytes(out, from + skip, length - skip);
            text_add_bytes(out, "\n", 1);
        }
        from += length + 1;
    }
}

static const char *start_of_line(const char *text, const char *at)
{
    while (at > text && at[-1] != '\n')
        at--;
    return at;
}

int cut_passage(struct text *out, const char *source, const char *path, const char *name)
{
    struct text file = {0}, begin = {0}, end = {0};

    text_add(&file, "%s/%s", source, path);
    struct text bytes = {0};
    int status = text_read_file(&bytes, file.bytes);
    text_add(&begin, "/* report: begin %s */", name);
    text_add(&end, "/* report: end %s */", name);
    if (status == 0) {
        const char *from = strstr(text_string(&bytes), begin.bytes);
        const char *to = from ? strstr(from, end.bytes) : NULL;
        if (to && (from = strchr(from, '\n')) != NULL)
            add_lines(out, from + 1, start_of_line(bytes.bytes, to));
        else
            status = -ENOENT;
    }
    text_free(&file);
    text_free(&bytes);
    text_free(&begin);
    text_free(&end);
    return status;
}
