/* peer.c: one peer measured once: open, a first pass (or a short warm-up), warm passes of which the
 * median counts, close. Each pass works on poisoned results and is verified outside the clock. Exit
 * status: 0 measured, 1 the library refused, 2 usage, 3 wrong result. */
#include "peer.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "option.h"
#include "record.h"
#include "usage.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_WRONG = 3, WARM_UP_ITEMS = 1000, MOST_CALLS = 1000 };

struct pass {
    uint64_t elapsed_ns;
    struct usage usage;
};

struct measuring {
    const struct peer *peer;
    const struct peer_way *way;
    struct peer_run run;
    size_t n, n_run;
    uint64_t seed, open_ns;
    unsigned calls;
    bool warm_only;
    int32_t *items;
    int64_t *results;
};

/* ---- command line --------------------------------------------------------------------------- */

enum key { KEY_STRATEGY = 256, KEY_N, KEY_PREFIX, KEY_WORKERS, KEY_SEED, KEY_CALLS, KEY_WARM_ONLY };

static const struct argp_option options[] = {
    {"strategy", KEY_STRATEGY, "NAME", 0, "which of the library's ways, by our name for it", 0},
    {"n", KEY_N, "COUNT", 0, "items (100000)", 0},
    {"prefix", KEY_PREFIX, "COUNT", 0, "run only this many of them", 0},
    {"workers", KEY_WORKERS, "COUNT", 0, "threads or processes that compute (2)", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "seed of the values", 0},
    {"calls", KEY_CALLS, "COUNT", 0, "warm passes, the median of which is reported (5)", 0},
    {"warm-only", KEY_WARM_ONLY, 0, 0, "a short warm-up instead of a whole first pass", 0},
    {0}};

static void read_strategy(struct measuring *m, struct argp_state *state, const char *text)
{
    char accepted[128] = "";
    for (const struct peer_way *way = m->peer->ways; way->strategy != NULL; way++) {
        const size_t used = strlen(accepted);
        if (strcmp(way->strategy, text) == 0)
            m->way = way;
        snprintf(accepted + used, sizeof accepted - used, "%s%s", used > 0 ? ", " : "",
                 way->strategy);
    }
    if (m->way == NULL)
        argp_failure(state, EXIT_USAGE, 0, "--strategy=%s: accepted are %s", text, accepted);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct measuring *m = state->input;
    switch (key) {
    case KEY_STRATEGY:
        read_strategy(m, state, text);
        break;
    case KEY_N:
        m->n = option_number(state, "n", text, 1, 1000000000);
        break;
    case KEY_PREFIX:
        m->n_run = option_number(state, "prefix", text, 1, 1000000000);
        break;
    case KEY_WORKERS:
        m->run.workers = (unsigned)option_number(state, "workers", text, 1, 1024);
        break;
    case KEY_SEED:
        m->seed = option_number(state, "seed", text, 0, UINT64_MAX);
        break;
    case KEY_CALLS:
        m->calls = (unsigned)option_number(state, "calls", text, 1, MOST_CALLS);
        break;
    case KEY_WARM_ONLY:
        m->warm_only = true;
        break;
    case ARGP_KEY_ARG:
        option_no_argument(state, text);
        break;
    case ARGP_KEY_END:
        if (m->way == NULL)
            argp_failure(state, EXIT_USAGE, 0, "--strategy is missing; --help lists the options");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int fail(const char *outcome, const char *column, const char *why, int status)
{
    record_text("outcome", outcome);
    record_text(column, why);
    record_end();
    return status;
}

static int verified_pass(struct measuring *m, struct pass *pass)
{
    struct usage before, after;
    square_poison(m->results, m->run.count);
    usage_read(&before);
    const uint64_t start_ns = now_ns();
    const int error = m->way->pass(&m->run);
    pass->elapsed_ns = now_ns() - start_ns;
    usage_read(&after);
    pass->usage = usage_since(&before, &after);
    if (error != 0)
        return fail("partial_limit", "limit", "the library refused a call", EXIT_REFUSED);
    if (square_checksum(m->results, m->run.count) == square_expected(m->items, m->run.count))
        return 0;
    return fail("wrong_result", "detail", "the checksum of the results is not that of the squares",
                EXIT_WRONG);
}

static void print(const struct measuring *m, const char *phase, const struct pass *pass)
{
    record_text("phase", phase);
    record_text("outcome", "ok");
    record_number("n_run", m->n_run);
    record_number("elapsed_ns", pass->elapsed_ns);
    record_number("open_ns", m->open_ns);
    if (!m->peer->apart)
        usage_record(&pass->usage);
    record_text("peer_version", m->peer->version);
    record_end();
}

static int by_elapsed(const void *a, const void *b)
{
    const uint64_t x = ((const struct pass *)a)->elapsed_ns;
    const uint64_t y = ((const struct pass *)b)->elapsed_ns;
    return (x > y) - (x < y);
}

static int passes(struct measuring *m)
{
    struct pass first, *warm = calloc(m->calls, sizeof *warm);
    if (warm == NULL)
        return fail("partial_limit", "limit", "out of memory", EXIT_REFUSED);
    m->run.count = m->warm_only && m->n_run > WARM_UP_ITEMS ? WARM_UP_ITEMS : m->n_run;
    int status = verified_pass(m, &first);
    m->run.count = m->n_run;
    for (unsigned i = 0; i < m->calls && status == 0; i++)
        status = verified_pass(m, &warm[i]);
    if (status == 0) {
        if (!m->warm_only)
            print(m, "first", &first);
        qsort(warm, m->calls, sizeof *warm, by_elapsed);
        print(m, "warm", &warm[(m->calls - 1) / 2]);
    }
    free(warm);
    return status;
}

static int measure(struct measuring *m)
{
    if (m->n_run == 0 || m->n_run > m->n)
        m->n_run = m->n;
    if (!memory_fits(m->n_run * (sizeof *m->items + sizeof *m->results)))
        return fail("partial_limit", "limit", "too large for memory", EXIT_REFUSED);
    m->items = malloc(m->n_run * sizeof *m->items);
    m->results = malloc(m->n_run * sizeof *m->results);
    int status = EXIT_REFUSED;
    if (m->items == NULL || m->results == NULL) {
        fail("partial_limit", "limit", "out of memory", EXIT_REFUSED);
    } else {
        square_fill(m->items, m->n_run, m->seed);
        m->run.items = m->items;
        m->run.results = m->results;
        m->run.count = m->n_run;
        const uint64_t start_ns = now_ns();
        const int error = m->way->open(&m->run);
        m->open_ns = now_ns() - start_ns;
        status = error == 0 ? passes(m)
                            : fail("partial_limit", "limit", "could not be opened", EXIT_REFUSED);
        m->way->close();
    }
    free(m->items);
    free(m->results);
    return status;
}

int peer_main(int argc, char **argv, const struct peer *peer)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Measures another library's pool on the work of the study and prints records."};
    struct measuring m = {.peer = peer, .run = {.workers = 2}, .n = 100000, .seed = 1, .calls = 5};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &m);
    return measure(&m);
}
