/* row.c: rows of samples.csv. Cells hold nothing that CSV would have to quote, so a reader may
 * split at commas. A row is one write(2) to a file opened with O_APPEND; when the disk is full and
 * only a part went out, the file is cut back to where it was: a reader never sees half a row. */
#include "row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const column_names[COLUMNS] = {
#define NAME(name) #name,
    SAMPLE_COLUMNS(NAME)
#undef NAME
};

void row_clear(struct row *row)
{
    for (int i = 0; i < COLUMNS; i++)
        row->cells[i][0] = '\0';
    row->metrics[0] = '\0';
}

/* Copies text into cell without what breaks the CSV. Returns how much it wrote. */
static size_t clean(char *cell, size_t size, const char *text)
{
    size_t length = 0;
    for (; *text != '\0' && length + 1 < size; text++) {
        const bool breaks =
            (unsigned char)*text < ' ' || *text == 127 || strchr(",;\"", *text) != NULL;
        cell[length++] = breaks ? ' ' : *text;
    }
    cell[length] = '\0';
    return length;
}

void row_set(struct row *row, enum column column, const char *text)
{
    if (column == COLUMN_metrics)
        return; /* made of the names that are no column */
    (void)clean(row->cells[column], CELL_BYTES, text);
}

void row_set_number(struct row *row, enum column column, uint64_t value)
{
    snprintf(row->cells[column], CELL_BYTES, "%" PRIu64, value);
}

void row_set_share(struct row *row, enum column column, double value)
{
    snprintf(row->cells[column], CELL_BYTES, "%.3f", value);
}

void row_set_named(struct row *row, const char *name, const char *text)
{
    for (unsigned i = 0; i < COLUMNS; i++)
        if (strcmp(column_names[i], name) == 0) {
            row_set(row, (enum column)i, text);
            return;
        }
    const size_t used = strlen(row->metrics), need = used + strlen(name) + strlen(text) + 3;
    if (need > METRICS_BYTES)
        return;
    char *at = row->metrics + used;
    if (used > 0)
        *at++ = ';';
    at += clean(at, METRICS_BYTES - used - 1, name);
    *at++ = '=';
    (void)clean(at, (size_t)(row->metrics + METRICS_BYTES - at), text);
}

size_t row_header(char *line, size_t size)
{
    size_t length = 0;
    for (int i = 0; i < COLUMNS && length < size; i++)
        length += (size_t)snprintf(line + length, size - length, "%s%c", column_names[i],
                                   i + 1 < COLUMNS ? ',' : '\n');
    return length < size ? length : 0;
}

size_t row_line(const struct row *row, char *line, size_t size)
{
    size_t length = 0;
    for (int i = 0; i < COLUMNS && length < size; i++)
        length += (size_t)snprintf(line + length, size - length, "%s%c",
                                   i == COLUMN_metrics ? row->metrics : row->cells[i],
                                   i + 1 < COLUMNS ? ',' : '\n');
    return length < size ? length : 0;
}

int row_append(int fd, const char *line, size_t length)
{
    struct stat before;
    ssize_t wrote;
    if (fstat(fd, &before) != 0)
        return -1;
    do
        wrote = write(fd, line, length);
    while (wrote < 0 && errno == EINTR);
    if (wrote == (ssize_t)length)
        return 0;
    if (wrote >= 0) {
        (void)!ftruncate(fd, before.st_size);
        errno = ENOSPC;
    }
    return -1;
}
