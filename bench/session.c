/* session.c: runs the plan, group by group, round by round.
 *
 * Within a round the arms of a group run in the order of a randomised Latin square. Round numbers
 * go on through all groups of a family, so that (family, round) always means arms that ran
 * interleaved. Rounds in which other load was seen are run again after the group's last round, as
 * repeat 1, 2, 3: at most MOST_REPEATS times each and for at most REPEAT_SHARE of the group's time.
 * Both are kept. An arm that timed out twice is skipped in the rounds that remain; a group that
 * takes far longer than its share of the mode's budget, or comes after the budget is spent, is cut
 * after MIN_ROUNDS, which an interval needs (a shorter group after one). Each of these leaves rows or
 * a line that says so. Seeds: the square of group g comes from seed and g alone, whatever --only left
 * out. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "clock.h"
#include "environment.h"
#include "latin.h"
#include "sample.h"
#include "workloads/random.h"

enum { MOST_REPEATS = 3, MIN_ROUNDS = 6, MOST_TIMEOUTS = 2, MOST_ROUNDS = 64 };
#define REPEAT_SHARE 0.25
#define CUT_FACTOR   3.0 /* times its share of the budget */
#define CUT_GRACE_S  10.0
#define PACE_DAMP_S  30.0

/* What became of each arm of the group at hand. */
struct arm_state {
    double price_s; /* of its last sample; before, the plan's estimate, by the pace */
    unsigned timeouts;
};

struct group_run {
    struct session *session;
    const struct plan_set *set;
    struct arm_state *arms;
    uint64_t seed;
    unsigned first_round;
    double pace;    /* how many times as long as estimated all took before this group */
    double later_s; /* estimate of all groups after this one, by that pace */
    bool disturbed[MOST_ROUNDS];
};

static double set_estimate_s(const struct session *session, const struct plan_set *set)
{
    double sum = 0;
    for (size_t i = 0; i < set->count; i++)
        if (session->missing[set->arms[i].program] == NULL)
            sum += set->arms[i].estimate_s;
    return sum * set->rounds;
}

static double round_price_s(const struct group_run *run)
{
    double sum = 0;
    for (size_t i = 0; i < run->set->count; i++)
        sum += run->arms[i].price_s;
    return sum;
}

static void say(struct group_run *run, const struct plan_arm *arm, unsigned round, size_t place)
{
    char name[128], what[192];
    const struct plan_set *set = run->set;
    const double left = (double)set->rounds - round - (double)place / (double)set->count;
    run->session->progress.left_s = run->later_s + (left > 0 ? left : 0) * round_price_s(run);
    plan_name(arm, name, sizeof name);
    snprintf(what, sizeof what, "%s (%s)", name, set->group->title);
    progress_say(&run->session->progress, what, round + 1, set->rounds);
}

/* Returns why the arm is not run, or NULL. */
static const char *why_skipped(const struct session *session, const struct plan_arm *arm,
                               const struct arm_state *state)
{
    if (session->missing[arm->program] != NULL)
        return session->missing[arm->program];
    return state->timeouts >= MOST_TIMEOUTS ? "timed out in two rounds before" : NULL;
}

/* Runs round number round of the group. disturbed[round] then says whether other load was seen. */
static enum session_end run_round(struct group_run *run, unsigned round, unsigned repeat)
{
    size_t order[LATIN_MOST];
    const struct plan_set *set = run->set;
    run->disturbed[round] = false;
    latin_round(run->seed, set->count, round, order);
    for (size_t place = 0; place < set->count; place++) {
        const struct plan_arm *arm = &set->arms[order[place]];
        struct arm_state *state = &run->arms[order[place]];
        const struct sample_place at = {.round = run->first_round + round,
                                        .position = (unsigned)place,
                                        .repeat = repeat,
                                        .once = set->rounds == 1};
        if (child_interrupted())
            return SESSION_INTERRUPTED;
        say(run, arm, round, place);
        const char *why = why_skipped(run->session, arm, state);
        if (why != NULL) {
            state->price_s = 0;
            if (sample_skip(run->session, arm, &at, why) != 0)
                return SESSION_BROKEN;
            continue;
        }
        const struct sample_outcome outcome = sample_run(run->session, arm, &at);
        if (outcome.end != SESSION_DONE)
            return outcome.end;
        state->price_s = outcome.took_s;
        state->timeouts += outcome.timed_out;
        run->disturbed[round] |= outcome.disturbed;
    }
    return SESSION_DONE;
}

static double elapsed_s(const struct session *session)
{
    return (double)(now_ns() - session->progress.start_ns) * 1e-9;
}

static bool over_budget(const struct session *session)
{
    return elapsed_s(session) > session->budget_s;
}

static bool runs_away(const struct group_run *run, unsigned rounds_done, double gone_s,
                      double share_s)
{
    char text[160];
    const unsigned rounds = run->set->rounds;
    if (rounds_done >= rounds || rounds_done < (rounds > MIN_ROUNDS ? MIN_ROUNDS : 1) ||
        (gone_s < CUT_FACTOR * share_s + CUT_GRACE_S && !over_budget(run->session)))
        return false;
    snprintf(text, sizeof text, "%s (%s) after %u of %u rounds: it took %.0f s",
             run->set->group->family, run->set->group->title, rounds_done, run->set->rounds,
             gone_s);
    progress_break(&run->session->progress);
    fprintf(stderr, "twin_launch: cut short: %s\n", text);
    (void)environment_add(run->session->environment_path, "cut_short", text);
    return true;
}

/* Runs disturbed rounds again. */
static enum session_end repeat_rounds(struct group_run *run, unsigned rounds, double gone_s)
{
    const uint64_t start_ns = now_ns();
    for (unsigned repeat = 1; repeat <= MOST_REPEATS; repeat++)
        for (unsigned round = 0; round < rounds; round++) {
            const double spent_s = (double)(now_ns() - start_ns) * 1e-9;
            if (!run->disturbed[round])
                continue;
            if (spent_s + round_price_s(run) > REPEAT_SHARE * gone_s || over_budget(run->session))
                return SESSION_DONE;
            run->session->repeated++;
            const enum session_end end = run_round(run, round, repeat);
            if (end != SESSION_DONE)
                return end;
        }
    return SESSION_DONE;
}

static enum session_end run_group(struct group_run *run, double share_s)
{
    const struct plan_set *set = run->set;
    const uint64_t start_ns = now_ns();
    unsigned round = 0;
    double gone_s = 0;
    for (size_t i = 0; i < set->count; i++)
        run->arms[i].price_s = set->arms[i].estimate_s * run->pace;
    while (round < set->rounds) {
        const enum session_end end = run_round(run, round, 0);
        if (end != SESSION_DONE)
            return end;
        round++;
        gone_s = (double)(now_ns() - start_ns) * 1e-9;
        if (runs_away(run, round, gone_s, share_s))
            break;
    }
    return set->rounds > 1 ? repeat_rounds(run, round, gone_s) : SESSION_DONE;
}

/* Returns how many rounds the family had in the groups before this one. */
static unsigned rounds_before(const struct plan *plan, size_t group)
{
    unsigned rounds = 0;
    for (size_t i = 0; i < group; i++)
        if (strcmp(plan->sets[i].group->family, plan->sets[group].group->family) == 0)
            rounds += plan->sets[i].rounds;
    return rounds;
}

static uint64_t seed_of(const struct session *session, const struct plan_group *group)
{
    uint64_t state = session->seed + (uint64_t)(group - plan_groups) * 0x9E3779B9u;
    return random_next(&state);
}

enum session_end session_run(struct session *session)
{
    const struct plan *plan = session->plan;
    enum session_end end = SESSION_DONE;
    double all_s = 0, later_s;
    for (size_t i = 0; i < plan->count; i++)
        all_s += set_estimate_s(session, &plan->sets[i]);
    later_s = all_s;
    progress_start(&session->progress, all_s);
    for (size_t i = 0; i < plan->count && end == SESSION_DONE; i++) {
        const struct plan_set *set = &plan->sets[i];
        const double estimate_s = set_estimate_s(session, set);
        /* the prices are rough: what is to come is off as far as what was */
        const double pace = (elapsed_s(session) + PACE_DAMP_S) / (all_s - later_s + PACE_DAMP_S);
        later_s -= estimate_s;
        struct group_run run = {.session = session,
                                .set = set,
                                .arms = calloc(set->count, sizeof *run.arms),
                                .seed = seed_of(session, set->group),
                                .first_round = rounds_before(plan, i),
                                .pace = pace,
                                .later_s = later_s * pace};
        if (run.arms == NULL)
            return SESSION_BROKEN;
        end = run_group(&run, all_s > 0 ? session->budget_s * estimate_s / all_s : 0);
        free(run.arms);
    }
    progress_break(&session->progress);
    return end;
}
