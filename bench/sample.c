/* sample.c: from an arm of the plan to rows of samples.csv.
 *
 * The program prints records; each becomes a row to which the launcher adds what it knows itself.
 * How the process ended is judged afterwards: what it had printed is kept, and a process that was
 * stopped, killed or failed without a word gets a row that says so. Nothing that was started is
 * ever left out. Invariant: an interrupted sample writes nothing. */
#include "sample.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "load.h"
#include "row.h"

/* ---- the command line of an arm ------------------------------------------------------------- */

enum { MOST_ARGS = 40, ARG_BYTES = 2048 };

struct args {
    char *argv[MOST_ARGS + 1];
    int count;
    char text[ARG_BYTES];
    size_t used;
};

static void add(struct args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct args *args, const char *format, ...)
{
    va_list values;
    const size_t room = ARG_BYTES - args->used;
    if (args->count == MOST_ARGS)
        return;
    va_start(values, format);
    const int length = vsnprintf(args->text + args->used, room, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= room)
        return;
    args->argv[args->count++] = args->text + args->used;
    args->argv[args->count] = NULL;
    args->used += (size_t)length + 1;
}

static void add_text(struct args *args, const char *option, const char *value)
{
    if (*value != '\0')
        add(args, "--%s=%s", option, value);
}

static void add_words(struct args *args, const char *words)
{
    while (*words != '\0') {
        const int length = (int)strcspn(words, " ");
        if (length > 0)
            add(args, "%.*s", length, words);
        words += length + (words[length] == ' ');
    }
}

static bool is_peer(const struct plan_arm *arm)
{
    return arm->program >= PEER_GLIB && arm->program <= PEER_MPICH;
}

static void make_args(struct args *args, const struct session *session, const struct plan_arm *arm)
{
    const bool connpool = arm->program == CONNPOOL;
    args->count = 0;
    args->used = 0;
    if (arm->program == COURSE)
        add(args, "%s", session->python);
    add(args, "%s", session->programs[arm->program]);
    if (!connpool)
        add(args, "--strategy=%s", arm->strategy);
    if (arm->program != BARE && arm->program != COURSE && !is_peer(arm))
        add(args, "--backend=%s", arm->backend);
    add(args, "--%s=%zu", connpool ? "operations" : "n", arm->n);
    if (arm->n_run < arm->n)
        add(args, "--prefix=%zu", arm->n_run);
    add(args, "--workers=%u", arm->workers);
    add(args, "--seed=%" PRIu64, session->seed);
    add_words(args, arm->extra);
    if (arm->program == BARE)
        add_text(args, "variant", arm->variant);
    if (arm->program == COURSE)
        add_text(args, "chunk", arm->chunk);
    if (arm->program == ARM) {
        add_text(args, "form", arm->form);
        add_text(args, "memory", arm->memory);
        add_text(args, "chunk", arm->chunk);
        add_text(args, "wait", arm->wait);
        add_text(args, "variant", arm->variant);
    }
    if (arm->program == ARM || arm->program == BARE || is_peer(arm)) {
        add(args, "--calls=%u", arm->calls);
        if (arm->warm_only)
            add(args, "--warm-only");
    }
    if (arm->work_ns > 0) {
        add(args, "--work-ns=%" PRIu64, arm->work_ns);
        add(args, "--spins-per-ms=%" PRIu64, session->spins_per_ms);
    }
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct writing {
    struct session *session;
    const struct plan_arm *arm;
    const struct sample_place *place;
    struct disturbance load;
    uint64_t took_ns; /* of the whole process */
    struct row row;
    unsigned rows;
};

/* Fills in what the launcher knows. */
static void begin_row(struct writing *w)
{
    const struct plan_arm *arm = w->arm;
    struct row *row = &w->row;
    row_clear(row);
    row_set_number(row, COLUMN_round, w->place->round);
    row_set_number(row, COLUMN_position, w->place->position);
    row_set_number(row, COLUMN_repeat, w->place->repeat);
    row_set_number(row, COLUMN_disturbed, w->load.disturbed);
    row_set(row, COLUMN_family, arm->family);
    row_set(row, COLUMN_backend, arm->backend);
    row_set(row, COLUMN_strategy, arm->strategy);
    row_set_number(row, COLUMN_n, arm->n);
    row_set_number(row, COLUMN_workers, strcmp(arm->backend, "seq") == 0 ? 1 : arm->workers);
    row_set(row, COLUMN_chunk, arm->chunk);
    row_set(row, COLUMN_form, arm->form);
    row_set(row, COLUMN_memory, arm->memory);
    row_set(row, COLUMN_wait, arm->wait);
    row_set_number(row, COLUMN_work_ns, arm->work_ns);
    row_set(row, COLUMN_variant, arm->variant);
    char took[24];
    snprintf(took, sizeof took, "%" PRIu64, w->took_ns);
    row_set_named(row, "process_ns", took);
    row_set_share(row, COLUMN_foreign_cpu_share, w->load.foreign_share);
    row_set_share(row, COLUMN_steal_share, w->load.steal_share);
}

static int end_row(struct writing *w)
{
    char line[ROW_BYTES];
    struct row *row = &w->row;
    char *outcome = row->cells[COLUMN_outcome];
    if (*outcome == '\0')
        row_set(row, COLUMN_outcome, "ok");
    if (strcmp(outcome, "ok") == 0 && w->arm->n_run < w->arm->n)
        row_set(row, COLUMN_outcome, "extrapolated");
    else if (strcmp(outcome, "ok") == 0 && w->place->once && w->arm->program == ARM &&
             strcmp(w->arm->backend, "seq") != 0)
        row_set(row, COLUMN_outcome, "single");
    if (strcmp(outcome, "wrong_result") == 0)
        w->session->wrong_result = true;
    if (row->cells[COLUMN_n_run][0] == '\0')
        row_set_number(row, COLUMN_n_run, w->arm->n_run);
    w->rows++;
    w->session->rows++;
    return row_append(w->session->samples_fd, line, row_line(row, line, sizeof line));
}

/* A bar of the timeline: the words of the record, as a line of timeline.csv. */
static int timeline_line(struct session *session, char *words)
{
    char line[256];
    for (char *blank = words; (blank = strchr(blank, ' ')) != NULL;)
        *blank = ',';
    const int length = snprintf(line, sizeof line, "%s\n", words);
    if (session->timeline_fd < 0 || length < 0 || (size_t)length >= sizeof line)
        return 0;
    return row_append(session->timeline_fd, line, (size_t)length);
}

/* Turns each closed record into a row. A record without its end is not one. */
static int write_records(struct writing *w, char *text)
{
    char *rest = text;
    begin_row(w);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *value = strchr(line, '=');
        if (strcmp(line, "end") == 0) {
            if (end_row(w) != 0)
                return -1;
            begin_row(w);
            continue;
        }
        if (value == NULL)
            continue;
        *value++ = '\0';
        if (strcmp(line, "timeline") != 0)
            row_set_named(&w->row, line, value);
        else if (timeline_line(w->session, value) != 0)
            return -1;
    }
    return 0;
}

/* ---- how it ended --------------------------------------------------------------------------- */

static uint64_t oom_kills(void)
{
    char line[256];
    uint64_t kills = 0;
    FILE *file = fopen("/proc/vmstat", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "oom_kill %" SCNu64, &kills) == 1)
            break;
    fclose(file);
    return kills;
}

static const char *last_line(char *text)
{
    for (size_t length = strlen(text); length > 0 && text[length - 1] == '\n';)
        text[--length] = '\0';
    const char *line = strrchr(text, '\n');
    return line != NULL ? line + 1 : text;
}

static int write_failure(struct writing *w, const char *outcome, const char *limit,
                         const char *detail)
{
    begin_row(w);
    row_set(&w->row, COLUMN_outcome, outcome);
    row_set(&w->row, COLUMN_limit, limit);
    row_set(&w->row, COLUMN_detail, detail);
    return end_row(w);
}

/* Writes a row for an end that the program could not report itself. */
static int write_end(struct writing *w, struct child_result *result, uint64_t ooms)
{
    char detail[CELL_BYTES];
    char limit[128] = "";
    const char *outcome = "partial_limit";
    const char *said = last_line(result->err);
    snprintf(detail, sizeof detail, "%s%s", *said != '\0' ? "said: " : "", said);
    if (!result->started) {
        snprintf(limit, sizeof limit, "could not be started: %s", strerror(errno));
    } else if (result->timed_out) {
        outcome = "timeout";
        snprintf(limit, sizeof limit, "deadline of %u s", w->arm->deadline_s);
    } else if (WIFSIGNALED(result->status)) {
        const int number = WTERMSIG(result->status);
        if (number == SIGKILL && oom_kills() > ooms)
            outcome = "oom_killed";
        snprintf(limit, sizeof limit, "died of signal %d (%s)", number, strsignal(number));
    } else if (WEXITSTATUS(result->status) != 0 && w->rows == 0) {
        snprintf(limit, sizeof limit, "exit status %d", WEXITSTATUS(result->status));
    } else if (w->rows == 0) {
        snprintf(limit, sizeof limit, "printed no record");
    } else {
        return 0;
    }
    return write_failure(w, outcome, limit, detail);
}

/* ---- one sample ----------------------------------------------------------------------------- */

struct sample_outcome sample_run(struct session *session, const struct plan_arm *arm,
                                 const struct sample_place *place)
{
    struct writing w = {.session = session, .arm = arm, .place = place};
    struct sample_outcome outcome = {.end = SESSION_DONE};
    struct child_result result;
    struct load before, after;
    struct args args;
    make_args(&args, session, arm);
    const uint64_t ooms = oom_kills();
    load_read(&before);
    (void)child_run(args.argv, arm->deadline_s, &result);
    load_read(&after);
    w.took_ns = after.at_ns - before.at_ns;
    w.load = load_judge(&before, &after, result.own_cpu_ns);
    if (result.interrupted)
        outcome.end = SESSION_INTERRUPTED;
    else if ((result.out != NULL && write_records(&w, result.out) != 0) ||
             write_end(&w, &result, ooms) != 0)
        outcome.end = SESSION_BROKEN;
    outcome.disturbed = w.load.disturbed;
    outcome.timed_out = result.timed_out;
    outcome.took_s = (double)w.took_ns * 1e-9;
    const int error = errno;
    free(result.out);
    errno = error;
    session->samples++;
    session->disturbed += w.load.disturbed;
    return outcome;
}

int sample_skip(struct session *session, const struct plan_arm *arm,
                const struct sample_place *place, const char *why)
{
    struct writing w = {.session = session, .arm = arm, .place = place};
    return write_failure(&w, "skipped", "", why);
}
