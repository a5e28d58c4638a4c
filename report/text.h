/* text.h: a growing string, files written whole or not at all, and numbers as people read them. */
#ifndef TWIN_REPORT_TEXT_H
#define TWIN_REPORT_TEXT_H

#include <stddef.h>

/* Zeroed is empty. bytes is always terminated once something was added. */
struct text {
    char *bytes;
    size_t length, room;
};

/* Adds formatted text. Memory that runs out ends the program with status 1 and one line. */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *text, const char *bytes, size_t length);
const char *text_string(const struct text *text); /* never NULL */
void text_free(struct text *text);

/* Writes path.tmp, then renames it to path, so that path is old or new, never half.
 * Returns 0 or -errno; on error the temporary file is gone. */
int text_write_file(const struct text *text, const char *path);

/* Reads a whole file into text. Returns 0 or -errno. */
int text_read_file(struct text *text, const char *path);

/* A short string by value:  text_add(t, "%s", label_time(ns).text). NaN gives "-". */
struct label {
    char text[48];
};
struct label label_time(double ns);                   /* 7.61 ms */
struct label label_number(double value);              /* three significant digits: 0.52, 1830 */
struct label label_ratio(double ratio);               /* 0.52, 1/1230, 2.3 */
struct label label_count(double value);               /* 10^6, 4096, 10 000 */
struct label label_bytes(double bytes);               /* 76.2 KiB */
struct label label_interval(double lo, double hi);    /* [0.51, 0.53] */
struct label label_times(double lo_ns, double hi_ns); /* [7.55 ms, 7.70 ms] */
struct label label_percent(double share);             /* 0.031 -> 3.1 % */

void *must_alloc(size_t count, size_t size); /* zeroed; ends the program when out of memory */

#endif
