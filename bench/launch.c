/* launch.c: twin_launch, which runs the plan of a mode and writes samples.csv and environment.txt.
 *
 * It links neither the library nor libgomp: whatever is measured lives in a process of its own. It
 * asks an arm for what only the library knows (usable CPUs) and for the speed of the busy loop,
 * once. Nothing in DIR is touched before all options have proved good and both answers are there.
 * Exit status: 0 done, 1 the harness failed (a full disk, a program that is not there), 2 usage,
 * 3 done but a wrong result was seen, 130 interrupted; what was measured is kept in each case. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "environment.h"
#include "load.h"
#include "number.h"
#include "plan.h"
#include "programs.h"
#include "row.h"
#include "session.h"

enum { PATH_BYTES = 4096, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_WRONG = 3, EXIT_INTERRUPTED = 130 };

struct request {
    enum mode mode;
    bool proc, omp, list, only_given;
    const char *backend, *only, *out, *peers, *git, *command;
    regex_t regex;
    uint64_t seed;
};

/* ---- command line --------------------------------------------------------------------------- */

enum key {
    KEY_MODE = 256,
    KEY_BACKEND,
    KEY_OUT,
    KEY_ONLY,
    KEY_SEED,
    KEY_LIST,
    KEY_PEERS,
    KEY_GIT,
    KEY_COMMAND
};

static const struct argp_option options[] = {
    {"mode", KEY_MODE, "MODE", 0, "smoke, quick (default) or full", 0},
    {"backend", KEY_BACKEND, "NAME", 0, "proc, omp or both (default)", 0},
    {"out", KEY_OUT, "DIR", 0, "directory that gets samples.csv and environment.txt", 0},
    {"only", KEY_ONLY, "REGEX", 0, "only what matches family/backend/strategy", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "seed of values and orders (20260)", 0},
    {"list", KEY_LIST, 0, 0, "print the plan and end", 0},
    {"peers", KEY_PEERS, "DIR", 0, "directory of course.py", 0},
    {"git", KEY_GIT, "TEXT", 0, "which source this is, for environment.txt", 0},
    {"command", KEY_COMMAND, "TEXT", 0, "the command line, for environment.txt", 0},
    {0}};

static void read_only(struct request *request, struct argp_state *state, const char *text)
{
    char why[128];
    const int error = regcomp(&request->regex, text, REG_EXTENDED | REG_NOSUB);
    if (error != 0) {
        regerror(error, &request->regex, why, sizeof why);
        argp_failure(state, EXIT_USAGE, 0,
                     "--only=%s: %s; accepted is a POSIX extended regular expression, such as "
                     "'^strategies/proc/map'",
                     text, why);
    }
    request->only = text;
    request->only_given = true;
}

static void read_backend(struct request *request, struct argp_state *state, const char *text)
{
    const bool both = strcmp(text, "both") == 0;
    request->proc = both || strcmp(text, "proc") == 0;
    request->omp = both || strcmp(text, "omp") == 0;
    request->backend = text;
    if (!request->proc && !request->omp)
        argp_failure(state, EXIT_USAGE, 0, "--backend=%s: accepted are proc, omp, both", text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case KEY_MODE:
        request->mode = plan_mode(text);
        if (request->mode == MODES)
            argp_failure(state, EXIT_USAGE, 0, "--mode=%s: accepted are smoke, quick, full", text);
        break;
    case KEY_BACKEND:
        read_backend(request, state, text);
        break;
    case KEY_OUT:
        request->out = text;
        break;
    case KEY_ONLY:
        read_only(request, state, text);
        break;
    case KEY_SEED:
        if (!number_read(text, 0, UINT64_MAX, &request->seed))
            argp_failure(state, EXIT_USAGE, 0,
                         "--seed=%s: accepted is a whole number from 0 to %" PRIu64, text,
                         UINT64_MAX);
        break;
    case KEY_LIST:
        request->list = true;
        break;
    case KEY_PEERS:
        request->peers = text;
        break;
    case KEY_GIT:
        request->git = text;
        break;
    case KEY_COMMAND:
        request->command = text;
        break;
    case ARGP_KEY_ARG:
        argp_failure(state, EXIT_USAGE, 0, "%s: no arguments but options are accepted", text);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ---- programs ------------------------------------------------------------------------------- */

/* Asks the arm for a number. Returns 0 if there was none. */
static uint64_t ask_arm(const char *arm, const char *question)
{
    char program[PATH_BYTES], option[64];
    snprintf(program, sizeof program, "%s", arm);
    snprintf(option, sizeof option, "--%s", question);
    char *argv[] = {program, option, NULL};
    struct child_result result;
    uint64_t answer = 0;
    if (child_run(argv, 30, &result) == 0 && WIFEXITED(result.status) &&
        WEXITSTATUS(result.status) == 0) {
        result.out[strcspn(result.out, "\n")] = '\0';
        (void)number_read(result.out, 1, UINT64_MAX, &answer);
    }
    free(result.out);
    return answer;
}

/* ---- the list ------------------------------------------------------------------------------- */

static bool matches(const char *name, void *arg)
{
    return regexec(arg, name, 0, NULL, 0) == 0;
}

static void print_list(const struct plan *plan, const struct request *request)
{
    double all_s = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_set *set = &plan->sets[i];
        double set_s = 0;
        for (size_t j = 0; j < set->count; j++)
            set_s += set->arms[j].estimate_s * set->rounds;
        all_s += set_s;
        printf("%s, %s: %u round%s of %zu arms, about %.0f s\n", set->group->family,
               set->group->title, set->rounds, set->rounds == 1 ? "" : "s", set->count, set_s);
        for (size_t j = 0; j < set->count; j++) {
            const struct plan_arm *arm = &set->arms[j];
            char name[128];
            plan_name(arm, name, sizeof name);
            printf("  %-38s %9zu of %9zu items  %s %s %s %s %s\n", name, arm->n_run, arm->n,
                   arm->form, arm->memory, arm->chunk, arm->wait, arm->variant);
        }
    }
    printf("mode %s: about %.0f s in all, without what other load makes be repeated\n",
           plan_mode_names[request->mode], all_s);
}

/* ---- files ---------------------------------------------------------------------------------- */

static int path_of(char *path, const char *directory, const char *name)
{
    return (size_t)snprintf(path, PATH_BYTES, "%s/%s", directory, name) < PATH_BYTES ? 0 : -1;
}

/* Opens a CSV anew, with its header. Returns the fd, or -1 with errno. */
static int open_csv(const char *directory, const char *name, const char *header, size_t length)
{
    char path[PATH_BYTES];
    if (path_of(path, directory, name) != 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0 && row_append(fd, header, length) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int complain(const char *what, const char *directory)
{
    fprintf(stderr, "twin_launch: cannot write %s in %s: %s\n", what, directory, strerror(errno));
    return EXIT_FAILED;
}

/* Says whether DIR will do. A file, a missing or an unwritable directory is a usage error. */
static int check_out(const char *directory)
{
    struct stat status;
    const char *why = NULL;
    if (stat(directory, &status) != 0)
        why = strerror(errno);
    else if (!S_ISDIR(status.st_mode))
        why = "not a directory";
    else if (access(directory, W_OK | X_OK) != 0)
        why = strerror(errno);
    if (why == NULL)
        return 0;
    fprintf(stderr, "twin_launch: --out=%s: %s; accepted is a directory that can be written\n",
            directory, why);
    return EXIT_USAGE;
}

/* ---- the run -------------------------------------------------------------------------------- */

static const double budgets_s[MODES] = {80, 840, 3400};

static int open_files(struct session *session, const char *directory)
{
    static const char timeline[] = "backend,strategy,task,worker,start_ns,end_ns\n";
    char header[ROW_BYTES];
    session->timeline_fd = open_csv(directory, "timeline.csv", timeline, sizeof timeline - 1);
    session->samples_fd =
        open_csv(directory, "samples.csv", header, row_header(header, sizeof header));
    return session->timeline_fd >= 0 && session->samples_fd >= 0 ? 0 : -1;
}

static void say_end(const struct session *session, enum session_end end, const struct load *start)
{
    static const char *const ends[] = {"complete", "interrupted", "broken off"};
    char text[160];
    snprintf(text, sizeof text,
             "%s: %" PRIu64 " samples in %" PRIu64 " rows; %" PRIu64 " saw other load; %" PRIu64
             " rounds repeated",
             ends[end], session->samples, session->rows, session->disturbed, session->repeated);
    (void)environment_add(session->environment_path, "ended", text);
    fprintf(stderr, "twin_launch: %s\n", text);
    struct load now;
    load_read(&now);
    snprintf(text, sizeof text, "%.2f s of CPU time in %.0f s",
             (double)(now.steal_ns - start->steal_ns) * 1e-9,
             (double)(now.at_ns - start->at_ns) * 1e-9);
    (void)environment_add(session->environment_path, "steal_seen", text);
}

static int run(struct session *session, const struct request *request, unsigned workers)
{
    char path[PATH_BYTES];
    const struct environment environment = {.mode = plan_mode_names[request->mode],
                                            .backends = request->backend,
                                            .only = request->only,
                                            .command_line = request->command,
                                            .seed = request->seed,
                                            .spins_per_ms = session->spins_per_ms,
                                            .workers = workers,
                                            .git = request->git};
    if (path_of(path, request->out, "environment.txt") != 0 ||
        environment_write(path, &environment) != 0)
        return complain("environment.txt", request->out);
    session->environment_path = path;
    if (open_files(session, request->out) != 0)
        return complain("samples.csv", request->out);
    struct load start;
    load_read(&start);
    const enum session_end end = session_run(session);
    if (end == SESSION_BROKEN)
        return complain("samples.csv", request->out);
    say_end(session, end, &start);
    close(session->timeline_fd);
    if (close(session->samples_fd) != 0)
        return complain("samples.csv", request->out);
    if (end == SESSION_INTERRUPTED)
        return EXIT_INTERRUPTED;
    return session->wrong_result ? EXIT_WRONG : 0;
}

/* Peers are built where their library was found; the rest must be there. */
static const struct {
    enum program program;
    const char *name, *why_missing;
} built[] = {
    {ARM, "twin_arm", NULL},
    {BARE, "twin_bare", NULL},
    {UNBOUNDED, "twin_unbounded", NULL},
    {CONNPOOL, "twin_connpool_arm", NULL},
    {TIMELINE, "twin_timeline", NULL},
    {LIFE, "twin_life", NULL},
    {PEER_GLIB, "peer_glib", "GLib was not found when this was built (libglib2.0-dev)"},
    {PEER_LIBUV, "peer_libuv", "libuv was not found when this was built (libuv1-dev)"},
    {PEER_TBB, "peer_tbb",
     "oneTBB or a C++ compiler was not found when this was built "
     "(libtbb-dev g++)"},
    {PEER_MPICH, "peer_mpich", "MPICH was not found when this was built (mpich libmpich-dev)"},
};

static void find_programs(struct session *session, const struct request *request)
{
    char course[PATH_BYTES];
    for (size_t i = 0; i < sizeof built / sizeof *built; i++) {
        char *path = program_find(built[i].name);
        session->programs[built[i].program] = path;
        if (built[i].why_missing != NULL && (path == NULL || access(path, X_OK) != 0))
            session->missing[built[i].program] = built[i].why_missing;
    }
    snprintf(course, sizeof course, "%s/course.py", request->peers);
    session->programs[COURSE] = strdup(course);
    session->python = access(course, R_OK) == 0 ? program_python() : NULL;
    if (session->python == NULL)
        session->missing[COURSE] = "python3 or course.py was not found";
}

static void forget_programs(struct session *session)
{
    for (int i = 0; i < PROGRAMS; i++)
        free(session->programs[i]);
    free(session->python);
}

static int plan_and_run(struct session *session, const struct plan_choice *choice,
                        const struct request *request)
{
    struct plan plan;
    int status = EXIT_USAGE;
    if (plan_build(&plan, choice) != 0) {
        fputs("twin_launch: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    session->plan = &plan;
    if (plan.count == 0) {
        fprintf(stderr, "twin_launch: --only=%s: matches nothing; --list shows what there is\n",
                request->only);
    } else if (request->list) {
        print_list(&plan, request);
        status = 0;
    } else {
        status = run(session, request, choice->workers);
    }
    plan_free(&plan);
    return status;
}

static int launch(struct session *session, struct request *request)
{
    const unsigned workers = (unsigned)ask_arm(session->programs[ARM], "usable-cpus");
    session->spins_per_ms = request->list ? 1 : ask_arm(session->programs[ARM], "calibrate");
    if (child_interrupted())
        return EXIT_INTERRUPTED;
    if (workers == 0 || session->spins_per_ms == 0) {
        fprintf(stderr, "twin_launch: %s does not answer\n", session->programs[ARM]);
        return EXIT_FAILED;
    }
    const struct plan_choice choice = {.mode = request->mode,
                                       .workers = workers,
                                       .proc = request->proc,
                                       .omp = request->omp,
                                       .wanted = request->only_given ? matches : NULL,
                                       .arg = &request->regex};
    return plan_and_run(session, &choice, request);
}

int main(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .doc = "Runs the plan of the study and writes samples.csv."};
    struct request request = {.mode = QUICK,
                              .proc = true,
                              .omp = true,
                              .backend = "both",
                              .only = "",
                              .peers = "bench/peers",
                              .git = "",
                              .command = "twin_launch",
                              .seed = 20260};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    if (!request.list && request.out == NULL) {
        fputs("twin_launch: --out=DIR is missing\n", stderr);
        return EXIT_USAGE;
    }
    const int out = request.list ? 0 : check_out(request.out);
    if (out != 0)
        return out;
    if (child_setup() != 0) {
        perror("twin_launch: signals");
        return EXIT_FAILED;
    }
    struct session session = {.seed = request.seed, .budget_s = budgets_s[request.mode]};
    find_programs(&session, &request);
    const int status = launch(&session, &request);
    forget_programs(&session);
    if (request.only_given)
        regfree(&request.regex);
    return status;
}
