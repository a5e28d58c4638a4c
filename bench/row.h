/* row.h: a row of samples.csv being made: one cell per column of samples.h, empty until set. */
#ifndef TWIN_BENCH_ROW_H
#define TWIN_BENCH_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "samples.h"

enum column {
#define COLUMN(name) COLUMN_##name,
    SAMPLE_COLUMNS(COLUMN)
#undef COLUMN
        COLUMNS
};

enum { CELL_BYTES = 512, METRICS_BYTES = 4096, ROW_BYTES = 32768 };

struct row {
    char cells[COLUMNS][CELL_BYTES];
    char metrics[METRICS_BYTES];
};

void row_clear(struct row *row);

/* Sets one cell. Text that would break the CSV (comma, quote, semicolon, control characters)
 * becomes blanks; what is too long is cut. */
void row_set(struct row *row, enum column column, const char *text);
void row_set_number(struct row *row, enum column column, uint64_t value);
void row_set_share(struct row *row, enum column column, double value);

/* Sets the cell of that name, or adds name=value to metrics if no column has it. */
void row_set_named(struct row *row, const char *name, const char *text);

/* Writes the header line. Returns its length. */
size_t row_header(char *line, size_t size);

/* Writes the row as a line. Returns its length, 0 if size is too small. */
size_t row_line(const struct row *row, char *line, size_t size);

/* Appends the line to fd, whole or not at all. Returns 0, or -1 with errno. */
int row_append(int fd, const char *line, size_t length);

#endif
