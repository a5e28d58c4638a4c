/* csv.h: samples.csv in memory, exactly as bench/samples.h says it is, or a clear refusal. */
#ifndef TWIN_REPORT_CSV_H
#define TWIN_REPORT_CSV_H

#include "samples.h"
#include "text.h"

enum column {
#define COLUMN_ENUMERATOR(name) COLUMN_##name,
    SAMPLE_COLUMNS(COLUMN_ENUMERATOR)
#undef COLUMN_ENUMERATOR
        COLUMN_COUNT
};

/* One line. Every field is a string, "" when unknown; they point into the table's text. */
struct sample {
    const char *field[COLUMN_COUNT];
};

struct table {
    struct text bytes;
    struct sample *samples;
    size_t count;
};

/* Reads and checks the file. Returns 0, -EINVAL when it is not a samples.csv, or -errno; error then
 * holds one line for the user. A table that was not read may be closed as well. */
int table_read(struct table *table, const char *path, struct text *error);
void table_close(struct table *table);

const char *column_name(enum column column);

/* Return NaN when unknown. A metric is what an arm printed under a name that is no column. */
double sample_number(const struct sample *sample, enum column column);
double sample_metric(const struct sample *sample, const char *name);

#endif
