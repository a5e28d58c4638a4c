/* bare.c: twin_bare, the reference limits: what libgomp, the kernel and the memory charge by
 * themselves.
 *
 * Linked to libgomp but not to twinpool. One process measures one limit and prints a record for the
 * phase warm, and for loops one for the phase first too. n_run is the number of operations (of
 * pages for first_touch and page_fault, of bytes for memcpy), elapsed_ns the time of all of them.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "limits/limits.h"
#include "option.h"
#include "record.h"

static const struct bare {
    const char *name;
    limit_run *run;
    int by_page; /* count is bytes, but an operation is a page */
} bares[] = {
    {"bare_for", limit_for, 0},          {"bare_task", limit_task, 0},
    {"bare_tasks", limit_tasks, 0},      {"bare_region", limit_region, 0},
    {"bare_sem", limit_sem, 0},          {"bare_semop", limit_semop, 0},
    {"bare_spin", limit_spin, 0},        {"bare_slot", limit_slot, 0},
    {"fork_wait", limit_fork_wait, 0},   {"thread_create", limit_thread_create, 0},
    {"memcpy", limit_memcpy, 0},         {"first_touch", limit_first_touch, 1},
    {"page_fault", limit_page_fault, 1},
};

enum { BARES = sizeof bares / sizeof *bares };

enum key {
    KEY_STRATEGY = 256,
    KEY_N,
    KEY_WORKERS,
    KEY_VARIANT,
    KEY_SEED,
    KEY_CALLS,
    KEY_WARM_ONLY
};

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0,
     "which limit: bare_for, bare_task, bare_tasks, "
     "bare_region, bare_sem, bare_semop, bare_spin, bare_slot, fork_wait, "
     "thread_create, memcpy, first_touch or page_fault",
     0},
    {"n", KEY_N, "COUNT", 0, "operations; bytes for the last three", 0},
    {"workers", KEY_WORKERS, "COUNT", 0, "threads of a team (2)", 0},
    {"variant", KEY_VARIANT, "NAME", 0,
     "same_cpu, two_cpus, idle_20ms (bare_sem), or two (fork_wait)", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "seed of the values", 0},
    {"calls", KEY_CALLS, "COUNT", 0, "of loops: warm calls, the median of which is reported (5)",
     0},
    {"warm-only", KEY_WARM_ONLY, 0, 0, "of loops: a short warm-up instead of a first call", 0},
    {0}};

struct request {
    const struct bare *bare;
    struct limit limit;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case KEY_STRATEGY:
        for (int i = 0; i < BARES; i++)
            if (strcmp(bares[i].name, text) == 0)
                request->bare = &bares[i];
        if (request->bare == NULL)
            argp_failure(state, 2, 0, "--strategy=%s: unknown; --help lists what is accepted",
                         text);
        break;
    case KEY_N:
        request->limit.count = option_number(state, "n", text, 1, 4000000000u);
        break;
    case KEY_WORKERS:
        request->limit.workers = (unsigned)option_number(state, "workers", text, 1, 1024);
        break;
    case KEY_VARIANT:
        request->limit.variant = text;
        break;
    case KEY_CALLS:
        request->limit.calls = (unsigned)option_number(state, "calls", text, 1, MOST_CALLS);
        break;
    case KEY_WARM_ONLY:
        request->limit.warm_only = true;
        break;
    case KEY_SEED:
        request->limit.seed = option_number(state, "seed", text, 0, UINT64_MAX);
        break;
    case ARGP_KEY_ARG:
        option_no_argument(state, text);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void print(const char *phase, uint64_t n_run, uint64_t elapsed_ns)
{
    record_text("phase", phase);
    record_text("outcome", "ok");
    record_number("n_run", n_run);
    record_number("elapsed_ns", elapsed_ns);
    record_fraction("per_operation_ns", (double)elapsed_ns / (double)n_run);
    record_end();
}

int main(int argc, char **argv)
{
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .doc = "Measures one reference limit and prints records."};
    static const char *const outcomes[] = {"ok", "partial_limit", "unsupported", "wrong_result"};
    struct request request = {
        .limit = {.count = 1000, .workers = 2, .variant = "", .seed = 1, .calls = 5}};
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    if (request.bare == NULL) {
        fputs("twin_bare: --strategy is missing; --help lists what is accepted\n", stderr);
        return 2;
    }
    struct limit *limit = &request.limit;
    const int status = request.bare->run(limit);
    if (status != 0) {
        record_text("outcome", outcomes[status]);
        record_text("detail", limit->detail != NULL ? limit->detail : "needs a second CPU");
        record_end();
        return status == 2 ? 0 : status;
    }
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t n_run = request.bare->by_page ? (limit->count + page - 1) / page : limit->count;
    if (limit->first_ns > 0)
        print("first", n_run, limit->first_ns);
    print("warm", n_run, limit->warm_ns);
    return 0;
}
