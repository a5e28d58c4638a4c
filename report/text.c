/* text.c: see text.h.
 *
 * The generator makes everything in memory first and writes at the very end, each file under a
 * temporary name that is renamed when it is whole: a full disk or a killed generator leaves what
 * was there before. Every number passes through a label function, so that no "nan" can reach a
 * reader. */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *must_alloc(size_t count, size_t size)
{
    void *block = calloc(count ? count : 1, size);

    if (!block) {
        fputs("twin_report: out of memory\n", stderr);
        exit(1);
    }
    return block;
}

static void make_room(struct text *text, size_t more)
{
    size_t need = text->length + more + 1;

    if (need <= text->room)
        return;
    size_t room = text->room * 2 > need ? text->room * 2 : need + 256;
    char *bytes = must_alloc(room, 1);
    if (text->length > 0)
        memcpy(bytes, text->bytes, text->length);
    free(text->bytes);
    text->bytes = bytes;
    text->room = room;
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
    make_room(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length <= 0)
        return;
    make_room(text, (size_t)length);
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

const char *text_string(const struct text *text)
{
    return text->bytes ? text->bytes : "";
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

int text_write_file(const struct text *text, const char *path)
{
    struct text temporary = {0};
    int status;

    text_add(&temporary, "%s.tmp", path);
    int fd = open(temporary.bytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        status = -errno;
        text_free(&temporary);
        return status;
    }
    status = write_all(fd, text_string(text), text->length);
    if (status == 0 && fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        status = -errno; /* some disks say that they are full only now */
    if (close(fd) != 0 && status == 0)
        status = -errno;
    if (status == 0 && rename(temporary.bytes, path) != 0)
        status = -errno;
    if (status != 0)
        unlink(temporary.bytes);
    text_free(&temporary);
    return status;
}

int text_read_file(struct text *text, const char *path)
{
    char block[1 << 16];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    for (;;) {
        got = read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text_add_bytes(text, block, (size_t)got);
    }
    int status = got < 0 ? -errno : 0;
    close(fd);
    return status;
}

static struct label nothing(void)
{
    return (struct label){"-"};
}

static double round_to_three(double value)
{
    double unit = pow(10, floor(log10(fabs(value))) - 2);
    return round(value / unit) * unit;
}

struct label label_number(double value)
{
    struct label label = nothing();
    double size = fabs(value);

    if (!isfinite(value))
        return label;
    int places = size >= 99.95 || size < 1e-12 ? 0 : size >= 9.995 ? 1 : size >= 0.09995 ? 2 : 3;
    if (size > 0 && size < 0.000995)
        snprintf(label.text, sizeof label.text, "%.1e", value);
    else if (size >= 9999.5)
        return label_count(round_to_three(value)); /* 138 000, not 1.38e+05 */
    else
        snprintf(label.text, sizeof label.text, "%.*f", places, value);
    return label;
}

struct label label_time(double ns)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    struct label label = nothing();
    size_t i = 0;

    if (!isfinite(ns))
        return label;
    while (i < 3 && fabs(ns) < 0.9995 * units[i].ns)
        i++;
    snprintf(label.text, sizeof label.text, "%.20s %s", label_number(ns / units[i].ns).text,
             units[i].name);
    return label;
}

struct label label_count(double value)
{
    struct label label = nothing();
    char digits[32];

    if (!isfinite(value))
        return label;
    if (value < 0) {
        snprintf(label.text, sizeof label.text, "-%.40s", label_count(-value).text);
        return label;
    }
    double power = value >= 1e5 ? log10(value) : 0.5;
    if (fabs(power - round(power)) < 1e-12) {
        snprintf(label.text, sizeof label.text, "10^%.0f", power);
        return label;
    }
    if (value >= 1e15) {
        snprintf(label.text, sizeof label.text, "%.3g", value);
        return label;
    }
    int length = snprintf(digits, sizeof digits, "%.0f", value);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && length > 4)
            label.text[at++] = ' ';
        label.text[at++] = digits[i];
    }
    label.text[at] = '\0';
    return label;
}

struct label label_ratio(double ratio)
{
    struct label label = label_number(ratio);

    if (ratio > 0 && ratio < 0.01)
        snprintf(label.text, sizeof label.text, "1/%.20s", label_number(1 / ratio).text);
    return label;
}

struct label label_bytes(double bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct label label = nothing();
    size_t i = 0;

    if (!isfinite(bytes))
        return label;
    while (i < 4 && bytes >= 1024) {
        bytes /= 1024;
        i++;
    }
    snprintf(label.text, sizeof label.text, "%.20s %s", label_number(bytes).text, names[i]);
    return label;
}

struct label label_interval(double lo, double hi)
{
    struct label label = nothing();

    if (!isfinite(lo) || !isfinite(hi))
        return label;
    struct label low = label_ratio(lo), high = label_ratio(hi);
    if (low.text[1] == '/' && hi > 0 && hi < 0.1) /* both in one notation */
        snprintf(high.text, sizeof high.text, "1/%.20s", label_number(1 / hi).text);
    snprintf(label.text, sizeof label.text, "[%.18s, %.18s]", low.text, high.text);
    return label;
}

struct label label_times(double lo_ns, double hi_ns)
{
    struct label label = nothing();

    if (isfinite(lo_ns) && isfinite(hi_ns))
        snprintf(label.text, sizeof label.text, "[%.18s, %.18s]", label_time(lo_ns).text,
                 label_time(hi_ns).text);
    return label;
}

struct label label_percent(double share)
{
    struct label label = nothing();
    double whole = round(100 * share);

    if (fabs(100 * share - whole) < 1e-9)
        snprintf(label.text, sizeof label.text, "%.0f %%", whole);
    else if (isfinite(share))
        snprintf(label.text, sizeof label.text, "%.20s %%", label_number(100 * share).text);
    return label;
}
