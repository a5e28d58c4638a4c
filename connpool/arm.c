/* arm.c: twin_connpool_arm, the measured program of the connection pool: its command line.
 *
 * One process, one experiment, one record on stdout (bench/samples.h). Wrong options end it with
 * one line that says what is accepted, before anything is measured. */
#include "arm.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Measures a pool of N connections that W workers want at once.\v"
    "Experiments:\n"
    "  workload  each worker does K times: acquire, one database operation, release\n"
    "  lesson    the same on a toy pool, with or without semaphore (--admission=bare|none), slot "
    "picked in one atomic step or by look-then-take (--pick): counts broken promises\n"
    "  crash     K holders are killed by SIGKILL, one after the other: does the permit come back, "
    "and when?\n"
    "  soak      K kills at random moments while W workers run: is anything lost?\n"
    "  price     ns for acquire and release beside sem_wait and sem_post; K pairs a round\n"
    "\n"
    "Try:  --experiment=lesson --admission=bare --pick=plain\n"
    "      --experiment=crash --admission=bare        and then  --admission=recovering\n"
    "      --experiment=workload --driver=sqlite --workers 16 --connections 2\n"
    "\n"
    "Exit: 0 done, 1 it could not be run, 2 wrong usage, 3 a wrong result was seen.";

enum {
    KEY_EXPERIMENT = 0x100,
    KEY_BACKEND,
    KEY_ADMISSION,
    KEY_PICK,
    KEY_DRIVER,
    KEY_CONNECTIONS,
    KEY_WORKERS,
    KEY_OPERATIONS,
    KEY_SERVICE,
    KEY_SEED,
    KEY_DEADLINE
};

static const struct argp_option accepted[] = {
    {"experiment", KEY_EXPERIMENT, "NAME", 0, "workload (default), lesson, crash, soak, price", 0},
    {"backend", KEY_BACKEND, "NAME", 0, "workers are processes (proc, default) or threads (omp)",
     0},
    {"admission", KEY_ADMISSION, "NAME", 0,
     "recovering (default), bare, or none (lesson only, where the default is bare)", 0},
    {"pick", KEY_PICK, "NAME", 0, "lesson: atomic (default) or plain", 0},
    {"driver", KEY_DRIVER, "NAME", 0, "sim (default) or sqlite", 0},
    {"connections", KEY_CONNECTIONS, "N", 0, "1..4096; default 4", 0},
    {"workers", KEY_WORKERS, "W", 0, "1..1024; default 8", 0},
    {"operations", KEY_OPERATIONS, "K", 0,
     "1..10000000, for each worker, or kills; default 200, 2000 lesson, 5 crash, 20000 price", 0},
    {"service-us", KEY_SERVICE, "U", 0,
     "sim: mean time of an operation, exponential, 0..10000000; default 100", 0},
    {"seed", KEY_SEED, "S", 0, "0..2^63 - 1; default 1", 0},
    {"deadline-ms", KEY_DEADLINE, "MS", 0,
     "longest wait for a connection, 0..3600000; default: for ever (crash: 5000, bare 100)", 0},
    {0}};

/* ---- parsing one value -------------------------------------------------------------------------
 */

static uint64_t parse_number(struct argp_state *state, const char *name, const char *text,
                             uint64_t least, uint64_t most)
{
    char *end = NULL;
    unsigned long long value = 0;

    errno = 0;
    if (isdigit((unsigned char)text[0]))
        value = strtoull(text, &end, 10);
    if (!end || *end != '\0' || errno || value < least || value > most)
        argp_failure(state, ARM_USAGE, 0, "--%s=%s: accepted is a whole number from %llu to %llu",
                     name, text, (unsigned long long)least, (unsigned long long)most);
    return value;
}

static int parse_choice(struct argp_state *state, const char *name, const char *text,
                        const char *const *choices)
{
    char list[128] = "";

    for (int i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0)
            return i;
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, choices[i], sizeof list - strlen(list) - 1);
    }
    argp_failure(state, ARM_USAGE, 0, "--%s=%s: accepted are %s", name, text, list);
    return 0;
}

/* ---- parsing all of it --------------------------------------------------------------------------
 */

struct parse {
    struct arm_options *options;
    bool admission_given, operations_given;
};

static const char *const experiments[] = {"workload", "lesson", "crash", "soak", "price", NULL};
static const char *const backends[] = {"proc", "omp", NULL};
static const char *const admissions[] = {"recovering", "bare", "none", NULL};
static const char *const picks[] = {"plain", "atomic", NULL};
static const char *const drivers[] = {"sim", "sqlite", NULL};

static void finish(struct argp_state *state, const struct parse *parse)
{
    static const unsigned operations[] = {200, 2000, 5, 200, 20000};
    struct arm_options *options = parse->options;
    bool lesson = options->experiment == ARM_LESSON;

    if (!parse->operations_given)
        options->operations = operations[options->experiment];
    if (lesson && !parse->admission_given)
        options->admission = ARM_BARE;
    if (lesson && options->admission == ARM_RECOVERING)
        argp_failure(state, ARM_USAGE, 0,
                     "--admission=recovering: accepted with --experiment=lesson are bare, none");
    if (!lesson && options->admission == ARM_NONE)
        argp_failure(state, ARM_USAGE, 0,
                     "--admission=none: accepted only with --experiment=lesson");
    if ((uint64_t)options->workers * options->operations > 100000000)
        argp_failure(state, ARM_USAGE, 0,
                     "workers x operations: accepted are at most 100000000 in all");
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct parse *parse = state->input;
    struct arm_options *options = parse->options;

    switch (key) {
    case KEY_EXPERIMENT:
        options->experiment =
            (enum arm_experiment)parse_choice(state, "experiment", text, experiments);
        break;
    case KEY_BACKEND:
        options->backend = (enum twin_backend)parse_choice(state, "backend", text, backends);
        break;
    case KEY_ADMISSION:
        options->admission = (enum arm_admission)parse_choice(state, "admission", text, admissions);
        parse->admission_given = true;
        break;
    case KEY_PICK:
        options->atomic_pick = parse_choice(state, "pick", text, picks) == 1;
        break;
    case KEY_DRIVER:
        options->driver = (enum arm_driver)parse_choice(state, "driver", text, drivers);
        break;
    case KEY_CONNECTIONS:
        options->connections =
            (unsigned)parse_number(state, "connections", text, 1, TWIN_CONNPOOL_MAX_CONNECTIONS);
        break;
    case KEY_WORKERS:
        options->workers = (unsigned)parse_number(state, "workers", text, 1, 1024);
        break;
    case KEY_OPERATIONS:
        options->operations = (unsigned)parse_number(state, "operations", text, 1, 10000000);
        parse->operations_given = true;
        break;
    case KEY_SERVICE:
        options->service_ns = (int64_t)parse_number(state, "service-us", text, 0, 10000000) * 1000;
        break;
    case KEY_SEED:
        options->seed = parse_number(state, "seed", text, 0, INT64_MAX);
        break;
    case KEY_DEADLINE:
        options->timeout_ns =
            (int64_t)parse_number(state, "deadline-ms", text, 0, 3600000) * 1000000;
        break;
    case ARGP_KEY_ARG:
        argp_failure(state, ARM_USAGE, 0, "%s: no argument is accepted, only options", text);
        break;
    case ARGP_KEY_END:
        finish(state, parse);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static int (*const run[])(const struct arm_options *) = {run_workload, run_lesson, run_crash,
                                                             run_soak, run_price};
    const struct argp argp = {accepted, parse_option, NULL, doc, NULL, NULL, NULL};
    struct arm_options options = {.atomic_pick = true,
                                  .connections = 4,
                                  .workers = 8,
                                  .service_ns = 100000,
                                  .seed = 1,
                                  .timeout_ns = -1};
    struct parse parse = {.options = &options};

    argp_err_exit_status = ARM_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &parse) != 0)
        return ARM_USAGE;
    return run[options.experiment](&options);
}
