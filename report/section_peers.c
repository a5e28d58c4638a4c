/* section_peers.c: other people's pools against our twins, doing the same in the same rounds.
 *
 * Per item, because a peer that takes 400 us a call makes fewer of them. Other process pools are
 * Python's two; MPICH runs processes too, but is no pool, so it stands beside the thread pools: it
 * is compared, and what is claimed of process pools does not count it. A loss of the processes is
 * shown with what was counted beside it: CPU time and context switches, which is all that the two
 * sides have in common. */
#include "report.h"

#include <math.h>
#include <string.h>

#define LEAD 10.0 /* over every other process pool */

static const struct {
    const char *backend, *what;
} peers[] = {{"python", "process pool"},
             {"mpich", "processes, no pool"},
             {"glib", "thread pool"},
             {"libuv", "thread pool"},
             {"tbb", "thread pool"}};
enum { PEERS = sizeof peers / sizeof *peers, TWINS = 3 };
static const char *const twins[TWINS] = {"proc", "omp", "control"};
static const char *const strategies[] = {"map",   "map_async",   "executor_map",
                                         "apply", "apply_async", "executor_submit"};

/* What was extrapolated stands in the chapter on the course; skipped peers are shown. */
static bool is_peer_row(const struct row *row, const char *backend, const char *strategy)
{
    return row_is(row, COLUMN_family, "peers") && row_is(row, COLUMN_backend, backend) &&
           row_is(row, COLUMN_strategy, strategy) && row->outcome != OUTCOME_EXTRAPOLATED &&
           (row_is(row, COLUMN_phase, "warm") || row_is(row, COLUMN_phase, ""));
}

static bool is_whole_array(const char *strategy)
{
    return strstr(strategy, "map") != NULL;
}

/* The row of our twin that does the same: a map of as many numbers, or any number of calls. */
static const struct row *twin_of(const struct report *report, const struct row *peer,
                                 const char *backend)
{
    const char *strategy = row_field(peer, COLUMN_strategy);
    struct pick pick = {.family = "peers",
                        .backend = backend,
                        .strategy = strategy,
                        .phase = "warm",
                        .n = is_whole_array(strategy) ? row_number(peer, COLUMN_n) : 0};
    return row_find(&report->rows, pick);
}

static const char *winner(enum standing standing, const char *twin, const char *peer)
{
    switch (standing) {
    case STANDS_FASTER:
        return backend_name(twin);
    case STANDS_SLOWER:
        return backend_name(peer);
    case STANDS_EQUIVALENT:
        return "neither";
    default:
        return standing_name(standing);
    }
}

static void add_twin(const struct report *report, const struct row *peer, const char *backend,
                     struct text *out)
{
    const struct row *twin = twin_of(report, peer, backend);
    struct comparison result = rows_compare(&report->rows, twin, peer);

    if (!isfinite(result.ratio)) {
        text_add(out, " | |");
        return;
    }
    text_add(out, " %s", label_ratio(result.ratio).text);
    if (isfinite(result.lo))
        text_add(out, " %s", label_interval(result.lo, result.hi).text);
    text_add(out, " | %s |", winner(result.standing, backend, row_field(peer, COLUMN_backend)));
}

static void add_line(const struct report *report, const struct row *peer, const char *what,
                     struct text *out)
{
    const struct row *own = twin_of(report, peer, "proc");

    text_add(out, "| %s | %s | %s | %s | ", strategy_name(row_field(peer, COLUMN_strategy)),
             backend_name(row_field(peer, COLUMN_backend)), what,
             label_count(row_number(peer, COLUMN_n)).text);
    if (!row_has_time(peer)) {
        add_limit(out, peer);
        text_add(out, " | | | | | | | |\n");
        return;
    }
    text_add(out, "%s | %s |", label_time(row_per_item(peer)).text,
             own && row_has_time(own) ? label_time(row_per_item(own)).text : "");
    for (size_t t = 0; t < TWINS; t++)
        add_twin(report, peer, twins[t], out);
    text_add(out, "\n");
}

static size_t fill_table(struct report *report)
{
    struct text out = {0};
    size_t count = 0;

    text_add(&out, "| does | peer | it is a | n | one costs there | with our processes | "
                   "processes / peer | faster | threads / peer | faster | control / peer | faster "
                   "|\n|---|---|---|---:|---:|---:|---|---|---|---|---|---|\n");
    for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++)
        for (size_t p = 0; p < PEERS; p++)
            for (size_t i = 0; i < report->rows.count; i++)
                if (is_peer_row(&report->rows.row[i], peers[p].backend, strategies[s])) {
                    add_line(report, &report->rows.row[i], peers[p].what, &out);
                    count++;
                }
    places_take(&report->places, "peers_table", &out);
    return count;
}

/* ---- ten times ahead of every other process pool ------------------------------------------------
 */

struct lead {
    const struct row *peer;
    struct comparison result;
};

/* 2: ahead, 1: open, 0: not ahead. */
static int ahead(const struct comparison *result)
{
    if (!isfinite(result->lo))
        return 1;
    return result->hi <= 1 / LEAD ? 2 : result->lo > 1 / LEAD ? 0 : 1;
}

/* Finds what decides: the worst class, and in it the smallest lead. Returns how many there are. */
static size_t find_least_lead(const struct report *report, struct lead *least)
{
    size_t count = 0;

    for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++)
        for (size_t i = 0; i < report->rows.count; i++) {
            const struct row *peer = &report->rows.row[i];
            if (!is_peer_row(peer, "python", strategies[s]))
                continue;
            struct comparison result =
                rows_compare(&report->rows, twin_of(report, peer, "proc"), peer);
            if (!isfinite(result.ratio))
                continue;
            int gain = count++ > 0 ? ahead(&least->result) - ahead(&result) : 1;
            if (gain > 0 || (gain == 0 && result.ratio > least->result.ratio))
                *least = (struct lead){peer, result};
        }
    return count;
}

static void fill_lead(struct report *report)
{
    static const char *const says[] = {
        "Processes are *not* ahead of every other process pool by %.0f times. ",
        "Whether processes are ahead of every other process pool by %.0f times, these data do not "
        "decide. ",
        "Processes are ahead of every other process pool that was measured by %.0f times at "
        "least. "};
    struct lead least = {0};
    struct text out = {0};
    size_t count = find_least_lead(report, &least);

    if (count == 0) {
        places_set(&report->places, "peers_lead",
                   "No other process pool was measured in this run.");
        return;
    }
    text_add(&out, says[ahead(&least.result)], LEAD);
    text_add(&out, "Of %zu comparisons the closest is %s: %s times ahead", count,
             strategy_name(row_field(least.peer, COLUMN_strategy)),
             label_number(1 / least.result.ratio).text);
    if (isfinite(least.result.lo))
        text_add(&out, " %s", label_interval(1 / least.result.hi, 1 / least.result.lo).text);
    text_add(&out, ".  \n  <sub>Rests on: ");
    row_describe(&out, twin_of(report, least.peer, "proc"));
    text_add(&out, " / ");
    row_describe(&out, least.peer);
    text_add(&out, ", %zu rounds.</sub>", least.result.rounds);
    places_take(&report->places, "peers_lead", &out);
}

/* ---- where processes lose -----------------------------------------------------------------------
 */

static double per_item(const struct row *row, enum column column)
{
    double run = row_median(row, COLUMN_n_run);
    return row_median(row, column) / (run > 0 ? run : row_number(row, COLUMN_n));
}

static void add_counts(struct text *out, const char *name, const struct row *row)
{
    double run = row_median(row, COLUMN_n_run), cpu = row_metric(row, "cpu_ns") / run;
    double switches = per_item(row, COLUMN_voluntary_switches);

    text_add(out, " %s:", name);
    if (isfinite(cpu))
        text_add(out, " %s of CPU time and %s context switches each;", label_time(cpu).text,
                 label_number(switches).text);
    else
        text_add(out, " not counted;");
}

static size_t add_loss(const struct report *report, const struct row *peer, struct text *out)
{
    const struct row *own = twin_of(report, peer, "proc");
    struct comparison result = rows_compare(&report->rows, own, peer);

    if (result.standing != STANDS_SLOWER)
        return 0;
    text_add(out, "- %s, n = %s: processes take %s times as long as %s, %s more for each.",
             strategy_name(row_field(peer, COLUMN_strategy)),
             label_count(row_number(peer, COLUMN_n)).text, label_ratio(result.ratio).text,
             backend_name(row_field(peer, COLUMN_backend)),
             label_time(row_per_item(own) - row_per_item(peer)).text);
    add_counts(out, "Processes", own);
    add_counts(out, backend_name(row_field(peer, COLUMN_backend)), peer);
    const struct row *control = twin_of(report, peer, "control");
    struct comparison being = rows_compare(&report->rows, own, control);
    if (isfinite(being.ratio))
        text_add(out, " the same protocol on threads takes %s of the processes' time.",
                 label_ratio(1 / being.ratio).text);
    text_add(out, "\n");
    return 1;
}

static void fill_losses(struct report *report)
{
    struct text out = {0};
    size_t count = 0;

    for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++)
        for (size_t p = 0; p < PEERS; p++)
            for (size_t i = 0; i < report->rows.count; i++)
                if (is_peer_row(&report->rows.row[i], peers[p].backend, strategies[s]))
                    count += add_loss(report, &report->rows.row[i], &out);
    if (count == 0)
        text_add(&out, "- No peer was judged faster than the processes in this run.\n");
    places_take(&report->places, "peers_losses", &out);
}

static const char *fill_peers(struct report *report)
{
    if (fill_table(report) == 0)
        return "No peer was measured in this run.";
    fill_lead(report);
    fill_losses(report);
    return NULL;
}

const struct section section_peers = {"peers", fill_peers, {NULL}};
