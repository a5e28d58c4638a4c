/* summary.h: summary.csv, a line per row. */
#ifndef TWIN_REPORT_SUMMARY_H
#define TWIN_REPORT_SUMMARY_H

#include "rows.h"

void summary_write(struct text *out, const struct rows *rows);

#endif
