/* plan.c: turns the tables into the arms of one mode.
 *
 * A row stands for one arm per backend that it names and that was chosen. A group that carries seq
 * gets two arms of it in front, the second as variant aa: what differs between these two is noise,
 * and the width of every verdict. How often a pass is repeated inside a process follows from its
 * estimated length, not from a clock: the plan is the same on every machine. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

const char *const plan_mode_names[MODES] = {"smoke", "quick", "full"};

enum mode plan_mode(const char *name)
{
    unsigned mode = 0;
    while (mode < MODES && strcmp(plan_mode_names[mode], name) != 0)
        mode++;
    return mode;
}

void plan_name(const struct plan_arm *arm, char *name, size_t size)
{
    snprintf(name, size, "%s/%s/%s", arm->family, arm->backend, arm->strategy);
}

/* A row leaves out what is the default. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* ---- how long ------------------------------------------------------------------------------- */

/* Rough prices, for the time left before anything was measured and for the number of passes. What
 * stands further down, and names the backend, counts. */
static const struct price {
    const char *strategy, *backend;
    double ns;    /* per item */
    bool crowded; /* only where there are more workers than CPUs */
} prices[] = {
    {"sequential", NULL, 2},
    {"sequential", "python", 140},
    {"map", NULL, 1.4}, /* so that 10^8 have a whole first pass: see warm_only */
    {"map", "python", 200},
    {"map_async", NULL, 2},
    {"map_async", "python", 160},
    {"executor_map", NULL, 3},
    {"executor_map", "python", 850},
    {"apply", NULL, 1300},
    {"apply", "glib", 22000},
    {"apply", "libuv", 40000},
    {"apply", "python", 400000},
    {"apply_async", NULL, 130},
    {"apply_async", "omp", 5000, true}, /* a pass takes a second, and has a short warm-up */
    {"apply_async", "glib", 500},
    {"apply_async", "libuv", 300},
    {"apply_async", "tbb", 400},
    {"apply_async", "python", 60000},
    {"executor_submit", NULL, 200},
    {"executor_submit", "python", 250000},
    {"spawn_bounded", NULL, 100000},
    {"spawn_bounded", "python", 4000000},
    {"bare_for", NULL, 2},
    {"bare_task", NULL, 800},
    {"bare_tasks", NULL, 30},
    {"bare_sem", NULL, 5000},
    {"fork_wait", NULL, 20000},
    {"thread_create", NULL, 3000},
    {"open_close", NULL, 500000},
    {"idle", NULL, 1000000000},
    {"death", NULL, 22000000},
};

static double item_ns(const struct plan_arm *arm, unsigned usual_workers)
{
    double ns = 1;
    uint64_t chunk;
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++)
        if (strcmp(prices[i].strategy, arm->strategy) == 0 &&
            (prices[i].backend == NULL || strcmp(prices[i].backend, arm->backend) == 0) &&
            (!prices[i].crowded || arm->workers > usual_workers))
            ns = prices[i].ns;
    if (number_read(arm->chunk, 1, UINT64_MAX, &chunk))
        ns += 150.0 / (double)chunk;
    if (strcmp(arm->wait, "block") == 0)
        ns *= 10;
    return ns + (double)arm->work_ns;
}

static double idle_s(const struct plan_arm *arm)
{
    double gap_s = 0;
    if (strcmp(arm->variant, "idle_1ms") == 0)
        gap_s = 0.0011;
    else if (strcmp(arm->variant, "idle_20ms") == 0)
        gap_s = 0.0201;
    return strcmp(arm->strategy, "apply") == 0 || strcmp(arm->strategy, "bare_sem") == 0
               ? gap_s * (double)arm->n_run
               : gap_s;
}

static void set_passes(struct plan_arm *arm, unsigned calls, unsigned usual_workers)
{
    const double pass_s = (double)arm->n_run * item_ns(arm, usual_workers) * 1e-9 + idle_s(arm);
    arm->warm_only = pass_s > 0.15 || strcmp(arm->strategy, "spawn_bounded") == 0;
    arm->calls = calls > 0 ? calls : pass_s > 0.03 ? 1 : pass_s > 0.01 ? 3 : 5;
    const double passes = arm->calls + (arm->warm_only ? 0.0 : 1.0);
    switch (arm->program) {
    case ARM:
    case PEER_GLIB:
    case PEER_LIBUV:
    case PEER_TBB:
    case PEER_MPICH:
        arm->estimate_s = 0.025 + (double)arm->n_run * (12 + 2 * passes) * 1e-9 + passes * pass_s +
                          (arm->work_ns > 0 ? 0.03 : 0);
        break;
    case BARE:
        arm->estimate_s = 0.02 + passes * pass_s;
        break;
    case COURSE:
        arm->estimate_s = 0.15 + (double)arm->n_run * 1.2e-6 + pass_s;
        break;
    case LIFE:
        arm->estimate_s = 0.6 + pass_s;
        break;
    case UNBOUNDED:
        arm->estimate_s = 2;
        break;
    case CONNPOOL: /* where holders are killed at random, each costs a process */
        arm->estimate_s =
            0.3 + (strcmp(arm->variant, "soak_sim") == 0 ? 0.005 : 0) * (double)arm->n;
        break;
    case TIMELINE:
    case PROGRAMS:
        arm->estimate_s = 0.1;
        break;
    }
    const double deadline_s = 15 + 20 * arm->estimate_s;
    arm->deadline_s = deadline_s > 3600 ? 3600 : (unsigned)deadline_s;
}

/* ---- one arm -------------------------------------------------------------------------------- */

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static void set_chunk(struct plan_arm *arm, const char *chunk)
{
    if (strcmp(chunk, "per_worker") == 0)
        snprintf(arm->chunk, sizeof arm->chunk, "%zu",
                 (arm->n_run + arm->workers - 1) / arm->workers);
    else if (strcmp(chunk, "all") == 0)
        snprintf(arm->chunk, sizeof arm->chunk, "%zu", arm->n_run);
    else
        snprintf(arm->chunk, sizeof arm->chunk, "%s", chunk);
}

static const char *memory_of(const char *memory, const char *backend)
{
    if (strcmp(memory, "copied") == 0)
        return strcmp(backend, "omp") == 0 ? "private" : "staged";
    return memory;
}

/* Who measures a backend that has a program of its own; the others are the group's. */
static enum program program_of(const struct plan_group *group, const struct plan_row *row,
                               const char *backend)
{
    static const struct {
        const char *backend;
        enum program program;
    } own[] = {{"seq", ARM},          {"bare", BARE},    {"python", COURSE},   {"glib", PEER_GLIB},
               {"libuv", PEER_LIBUV}, {"tbb", PEER_TBB}, {"mpich", PEER_MPICH}};
    if (row->program != 0)
        return row->program;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i].backend, backend) == 0)
            return own[i].program;
    return group->program;
}

static void set_arm(struct plan_arm *arm, const struct plan_group *group,
                    const struct plan_row *row, const char *backend,
                    const struct plan_choice *choice)
{
    const enum mode mode = choice->mode;
    memset(arm, 0, sizeof *arm);
    arm->program = program_of(group, row, backend);
    arm->family = group->family;
    arm->backend = backend;
    arm->strategy = row->strategy;
    arm->form = or_else(row->form, "");
    arm->memory = memory_of(or_else(row->memory, ""), backend);
    arm->wait = or_else(row->wait, arm->program == ARM ? "adaptive" : "");
    arm->variant = or_else(row->variant, "");
    arm->extra = or_else(row->extra, "");
    arm->work_ns = group->work_ns;
    arm->workers = row->workers > 0 ? row->workers : choice->workers;
    arm->n = row->n[mode] > 0 ? row->n[mode] : group->n[mode];
    arm->n_run = row->run[mode] > 0 && row->run[mode] < arm->n ? row->run[mode] : arm->n;
    set_chunk(arm, or_else(row->chunk, arm->program == ARM ? "auto" : ""));
    set_passes(arm, row->calls, choice->workers);
}

static const struct plan_row seq_rows[] = {
    {"sequential", "seq", "kernel", "private"},
    {"sequential", "seq", "kernel", "private", .variant = "aa"},
};

/* ---- the set of a group --------------------------------------------------------------------- */

static const char *const backends[] = {"seq",  "proc", "omp",   "control", "python",
                                       "bare", "glib", "libuv", "tbb",     "mpich"};

static bool names(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return true;
    return false;
}

static bool chosen(const struct plan_choice *choice, const char *backend)
{
    if (strcmp(backend, "proc") == 0 || strcmp(backend, "control") == 0)
        return choice->proc;
    if (strcmp(backend, "omp") == 0)
        return choice->omp;
    return true;
}

static bool wanted(const struct plan_choice *choice, const struct plan_arm *arm)
{
    char name[128];
    plan_name(arm, name, sizeof name);
    return choice->wanted == NULL || choice->wanted(name, choice->arg);
}

static void add_row(struct plan_set *set, const struct plan_row *row,
                    const struct plan_choice *choice, bool always)
{
    if (row->run[choice->mode] == NOT_HERE)
        return;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        struct plan_arm *arm = &set->arms[set->count];
        if (!names(row->backends, backends[i]) || !chosen(choice, backends[i]))
            continue;
        set_arm(arm, set->group, row, backends[i], choice);
        if (always || wanted(choice, arm))
            set->count++;
    }
}

/* Fills the set; leaves it empty if nothing but seq would be in it without having been asked for.
 */
static int set_build(struct plan_set *set, const struct plan_group *group,
                     const struct plan_choice *choice)
{
    const size_t most = 2 + group->row_count * sizeof backends / sizeof *backends + 1;
    set->group = group;
    set->rounds = group->rounds[choice->mode];
    set->count = 0;
    set->arms = calloc(most, sizeof *set->arms);
    if (set->arms == NULL)
        return -1;
    if (set->rounds == 0)
        return 0;
    const size_t seqs = group->seq ? sizeof seq_rows / sizeof *seq_rows : 0;
    for (size_t i = 0; i < seqs; i++)
        add_row(set, &seq_rows[i], choice, true);
    for (size_t i = 0; i < group->row_count; i++)
        add_row(set, &group->rows[i], choice, false);
    if (set->count == seqs && (seqs == 0 || choice->wanted == NULL || !wanted(choice, set->arms)))
        set->count = 0;
    return 0;
}

int plan_build(struct plan *plan, const struct plan_choice *choice)
{
    plan->count = 0;
    plan->sets = calloc(plan_group_count, sizeof *plan->sets);
    if (plan->sets == NULL)
        return -1;
    for (size_t i = 0; i < plan_group_count; i++) {
        struct plan_set *set = &plan->sets[plan->count];
        if (set_build(set, &plan_groups[i], choice) != 0) {
            plan_free(plan);
            return -1;
        }
        if (set->count > 0)
            plan->count++;
        else
            free(set->arms);
    }
    return 0;
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->sets[i].arms);
    free(plan->sets);
    plan->sets = NULL;
    plan->count = 0;
}
