/* course.h: what the course concludes, in our words: see section_course.c, rankings.c and
 * reasons.c. */
#ifndef TWIN_REPORT_COURSE_H
#define TWIN_REPORT_COURSE_H

#include "report.h"

enum { COURSE_SENTENCES = 8, COURSE_BACKENDS = 3 };
extern const char *const course_backends[COURSE_BACKENDS]; /* proc omp python */

struct verdict {
    enum truth truth;
    struct text why; /* the sentence, with what it rests on */
};

/* Decides the ranking (C1..C8 are 0..7) or the reason for one backend. */
void course_ranking(const struct report *report, size_t sentence, const char *backend,
                    struct verdict *verdict);
void course_reason(const struct report *report, size_t sentence, const char *backend,
                   struct verdict *verdict);
void course_unbounded_reason(const struct report *report, const char *backend,
                             struct verdict *verdict); /* C1's */

#endif
