/* section_course.c: the eight sentences that the course ends with, held against these data.
 *
 * Each sentence says that something is so (the ranking) and why (the reason); the two are judged
 * apart, for processes, for threads, and for Python's own pool, because one can be right while the
 * other is not, and because a verdict in C does not refute a claim about Python. */
#include "course.h"

#include <math.h>
#include <string.h>

const char *const course_backends[COURSE_BACKENDS] = {"proc", "omp", "python"};

static const struct {
    const char *name, *ranking, *reason;
} sentences[COURSE_SENTENCES] = {
    {"C1", "A process per number crashes with a memory error.",
     "Memory, and the overhead of each process."},
    {"C2", "The sequential loop is the most efficient for squares.", "Small input, simple work."},
    {"C3", "map beats apply.", "apply creates a new process per call."},
    {"C4", "map_async is slightly slower than map.", "The cost of managing asynchronous calls."},
    {"C5", "apply_async beats apply.", "It does not block, so other tasks proceed meanwhile."},
    {"C6", "apply_async is the efficient one where not blocking helps.",
     "Less idle time, better use of resources."},
    {"C7", "The ProcessPoolExecutor is the most efficient of those tested.",
     "A high-level interface that distributes tasks efficiently."},
    {"C8", "Chunking improves pool and executor.",
     "Less frequent communication, fewer management operations."},
};

/* ranked: what became of the ranking on each backend: without it a reason has nothing to explain. */
static void add_cells(struct report *report, size_t sentence, bool reason,
                      enum truth ranked[COURSE_BACKENDS], struct text *table, struct text *details)
{
    text_add(table, "| %s %s | %s |", sentences[sentence].name, reason ? "reason" : "ranking",
             reason ? sentences[sentence].reason : sentences[sentence].ranking);
    text_add(details, "\n*%s:* %s\n\n", reason ? "Reason" : "Ranking",
             reason ? sentences[sentence].reason : sentences[sentence].ranking);
    for (size_t b = 0; b < COURSE_BACKENDS; b++) {
        struct verdict verdict = {0};
        if (reason)
            course_reason(report, sentence, course_backends[b], &verdict);
        else
            course_ranking(report, sentence, course_backends[b], &verdict);
        if (!reason)
            ranked[b] = verdict.truth;
        else if (ranked[b] == TRUTH_FAILS && verdict.truth == TRUTH_HOLDS) {
            text_add(&verdict.why,
                     " The reason is true, but the ranking that it should explain is not.");
            verdict.truth = TRUTH_FAILS;
        }
        text_add(table, " %s |", truth_name(verdict.truth));
        if (verdict.truth != TRUTH_NOT_MEASURED)
            text_add(details, "- %s: **%s**. %s\n", backend_name(course_backends[b]),
                     truth_name(verdict.truth), text_string(&verdict.why));
        struct text name = {0};
        text_add(&name, "claim:%s:%s:%s", sentences[sentence].name, reason ? "W" : "R",
                 course_backends[b]);
        places_set(&report->places, name.bytes, "%s", text_string(&verdict.why));
        text_free(&name);
        text_free(&verdict.why);
    }
    text_add(table, "\n");
}

static const char *fill_course(struct report *report)
{
    struct text table = {0}, details = {0};

    if (!isfinite(report->large))
        return "Family strategies was not measured in this run.";
    text_add(&table, "| | the course's sentence, in our words | processes | threads | Python |\n"
                     "|---|---|---|---|---|\n");
    for (size_t s = 0; s < COURSE_SENTENCES; s++) {
        text_add(&details, "%s### %s\n", s ? "\n" : "", sentences[s].name);
        enum truth ranked[COURSE_BACKENDS];
        add_cells(report, s, false, ranked, &table, &details);
        add_cells(report, s, true, ranked, &table, &details);
    }
    places_take(&report->places, "course_table", &table);
    places_take(&report->places, "course_details", &details);
    return NULL;
}

const struct section section_course = {"course", fill_course, {NULL}};
