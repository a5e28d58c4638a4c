/* summary.c: what samples.csv comes down to, for people with a spreadsheet.
 *
 * One line per row, in the order of rows.c. Unknown is empty, as in samples.csv: smoke runs have no
 * intervals, failed rows no time. Extrapolated and single rows have a time and a ratio but no
 * interval and no verdict. */
#include "summary.h"

#include <math.h>

static void add_number(struct text *out, double value, int digits)
{
    text_add(out, ",");
    if (isfinite(value))
        text_add(out, "%.*g", digits, value);
}

static void add_row(struct text *out, const struct row *row)
{
    static const enum column key[] = {
        COLUMN_family, COLUMN_backend, COLUMN_strategy, COLUMN_n,    COLUMN_workers,
        COLUMN_chunk,  COLUMN_form,    COLUMN_memory,   COLUMN_wait, COLUMN_phase};
    const struct comparison *seq = &row->vs_seq;

    for (size_t i = 0; i < sizeof key / sizeof *key; i++)
        text_add(out, "%s%s", i ? "," : "", row_field(row, key[i]));
    text_add(out, ",%s,%zu", outcome_name(row->outcome), row->used);
    add_number(out, row_has_time(row) ? row->time.median : NAN, 12);
    add_number(out, row->time.known ? row->time.lo : NAN, 12);
    add_number(out, row->time.known ? row->time.hi : NAN, 12);
    add_number(out, seq->ratio, 6);
    add_number(out, seq->lo, 6);
    add_number(out, seq->hi, 6);
    text_add(out, ",%s", seq->standing == STANDS_NOT_MEASURED ? "" : standing_name(seq->standing));
    add_number(out, seq->margin, 4);
    text_add(out, ",%s,%s", row_field(row, COLUMN_variant), row_field(row, COLUMN_work_ns));
    add_number(out, row_per_item(row), 6);
    text_add(out, ",%zu,%s,%s\n", row->disturbed, row->limit, row->detail);
}

void summary_write(struct text *out, const struct rows *rows)
{
    text_add(out,
             "family,backend,strategy,n,workers,chunk,form,memory,wait,phase,outcome,rounds,"
             "median_ns,ci_lo_ns,ci_hi_ns,ratio_vs_seq,ratio_lo,ratio_hi,verdict,margin,variant,"
             "work_ns,ns_per_item,disturbed_rounds,limit,detail\n");
    for (size_t i = 0; i < rows->count; i++)
        add_row(out, &rows->row[i]);
}
