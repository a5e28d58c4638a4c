/* cut.h: passages cut from the sources, so that the report shows the code that was measured. */
#ifndef TWIN_REPORT_CUT_H
#define TWIN_REPORT_CUT_H

#include "text.h"

/* Adds what stands in source/path between the comments "report: begin name" and "report: end name",
 * less the indentation that all its lines share. Returns 0, or -errno (ENOENT also when the marks
 * are missing) with nothing added. */
int cut_passage(struct text *out, const char *source, const char *path, const char *name);

#endif
