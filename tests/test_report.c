/* test_report.c: the generator, on samples whose medians are chosen here.
 *
 * A small maker writes samples.csv row by row, so that every expected figure can be read off the
 * test. The golden report in report/golden/ is rendered again and compared byte for byte, without
 * gnuplot, and with stand-ins for the sources; after a wanted change of prose or tables, run this
 * test once with TWIN_GOLDEN=write in the environment and read the difference before committing it.
 */
#include "claim.h"
#include "cut.h"
#include "report.h"
#include "summary.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the maker ---------------------------------------------------------------------------------
 */

struct maker {
    char dir[64];
    struct text csv;
};

/* Empty texts are the usual; n_run 0 is n. */
struct given {
    const char *family, *backend, *strategy, *variant, *outcome, *form, *phase, *limit, *metrics;
    const char *chunk;
    double n, n_run, work_ns, elapsed_ns, return_ns, wakes;
    unsigned round, disturbed;
};

static void add_header(struct text *csv)
{
    for (enum column c = 0; c < COLUMN_COUNT; c++)
        text_add(csv, "%s%s", c ? "," : "", column_name(c));
    text_add(csv, "\n");
}

static struct maker make_begin(void)
{
    struct maker maker = {.dir = "/tmp/twin_report_XXXXXX"};

    cr_assert_not_null(mkdtemp(maker.dir));
    add_header(&maker.csv);
    return maker;
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static void number(char *cell, size_t size, double value)
{
    snprintf(cell, size, "%.0f", value);
}

static void make_row(struct maker *maker, struct given g)
{
    char round[16], n[24], run[24], work[24], elapsed[24], returned[24], wakes[24];
    const char *cell[COLUMN_COUNT] = {0};

    snprintf(round, sizeof round, "%u", g.round);
    number(n, sizeof n, g.n);
    number(run, sizeof run, g.n_run > 0 ? g.n_run : g.n);
    number(work, sizeof work, g.work_ns);
    number(elapsed, sizeof elapsed, g.elapsed_ns);
    number(returned, sizeof returned, g.return_ns);
    number(wakes, sizeof wakes, g.wakes);
    cell[COLUMN_round] = round;
    cell[COLUMN_repeat] = "0";
    cell[COLUMN_disturbed] = g.disturbed ? "1" : "0";
    cell[COLUMN_family] = or_else(g.family, "strategies");
    cell[COLUMN_backend] = g.backend;
    cell[COLUMN_strategy] = or_else(g.strategy, "sequential");
    cell[COLUMN_n] = n;
    cell[COLUMN_n_run] = run;
    cell[COLUMN_workers] = strcmp(g.backend, "seq") == 0 ? "1" : "2";
    cell[COLUMN_chunk] = or_else(g.chunk, "auto");
    cell[COLUMN_form] = or_else(g.form, "kernel");
    cell[COLUMN_memory] = strcmp(g.backend, "seq") == 0 ? "private" : "in_place";
    cell[COLUMN_wait] = "adaptive";
    cell[COLUMN_work_ns] = work;
    cell[COLUMN_variant] = g.variant;
    cell[COLUMN_phase] = or_else(g.phase, "warm");
    cell[COLUMN_outcome] = or_else(g.outcome, "ok");
    cell[COLUMN_elapsed_ns] = g.elapsed_ns > 0 ? elapsed : "";
    cell[COLUMN_return_ns] = g.return_ns > 0 ? returned : "";
    cell[COLUMN_wakes] = wakes;
    cell[COLUMN_limit] = g.limit;
    cell[COLUMN_metrics] = g.metrics;
    for (enum column c = 0; c < COLUMN_COUNT; c++)
        text_add(&maker->csv, "%s%s", c ? "," : "", or_else(cell[c], ""));
    text_add(&maker->csv, "\n");
}

/* Rounds of seq (twice, the second off by aa_percent) and of one other row, at times given for n
 * items. The times carry a wobble of up to half a percent that the ratio cannot see. */
static void make_rounds(struct maker *maker, unsigned rounds, double seq_ns, double aa_percent,
                        struct given other)
{
    for (unsigned r = 0; r < rounds; r++) {
        double wobble = 1 + 0.001 * ((double)(r * 7 % 11) - 5);
        struct given seq = {.family = other.family,
                            .backend = "seq",
                            .n = other.n,
                            .work_ns = other.work_ns,
                            .round = r,
                            .elapsed_ns = seq_ns * wobble};
        struct given one = other;
        make_row(maker, seq);
        seq.variant = "aa";
        seq.elapsed_ns *= 1 + aa_percent / 100;
        make_row(maker, seq);
        one.round = r;
        one.elapsed_ns *= wobble;
        make_row(maker, one);
    }
}

static void path_in(const struct maker *maker, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", maker->dir, name);
}

static void make_file(const struct maker *maker, const char *name, const struct text *content)
{
    char path[128];

    path_in(maker, name, path, sizeof path);
    cr_assert_eq(text_write_file(content, path), 0);
}

static int render_from(struct maker *maker, const char *source, struct text *error)
{
    struct text notes = {0};

    make_file(maker, "samples.csv", &maker->csv);
    int status = report_make(maker->dir, source, error, &notes);
    text_free(&notes);
    return status;
}

static int render(struct maker *maker)
{
    struct text error = {0};
    int status = render_from(maker, TWIN_REPORT_SOURCE, &error);

    if (status != 0)
        cr_log_info("%s", text_string(&error));
    text_free(&error);
    return status;
}

static bool is_there(const struct maker *maker, const char *name)
{
    char path[128];

    path_in(maker, name, path, sizeof path);
    return access(path, F_OK) == 0;
}

/* The caller frees it. */
static struct text output(const struct maker *maker, const char *name)
{
    char path[128];
    struct text text = {0};

    path_in(maker, name, path, sizeof path);
    cr_assert_eq(text_read_file(&text, path), 0, "%s is not there", path);
    return text;
}

static bool contains(const struct maker *maker, const char *name, const char *words)
{
    struct text text = output(maker, name);
    bool found = strstr(text_string(&text), words) != NULL;

    text_free(&text);
    return found;
}

static void make_end(struct maker *maker)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", maker->dir);
    cr_assert_eq(system(command), 0);
    text_free(&maker->csv);
}

/* ---- rows and verdicts -------------------------------------------------------------------------
 */

Test(report, medians_ratios_and_verdicts_are_those_of_the_samples, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 50000};

    make_rounds(&maker, 11, 100000, 0, map);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "summary.csv",
                       "strategies,proc,map,1000,2,auto,kernel,in_place,adaptive,warm,ok,11,50000,"
                       "49800,50200,0.5,0.5,0.5,faster,0.03,,0,50,0,,\n"));
    make_end(&maker);
}

Test(report, three_rounds_have_no_interval_and_no_verdict, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 50000};

    make_rounds(&maker, 3, 100000, 0, map);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "summary.csv", ",warm,ok,3,49900,,,0.5,,,too few rounds,"));
    cr_assert(contains(&maker, "REPORT.md", "too few rounds were measured for a verdict"));
    make_end(&maker);
}

Test(report, noise_of_the_same_arm_widens_the_margin, .timeout = 30)
{
    struct maker quiet = make_begin(), noisy = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 94000};

    make_rounds(&quiet, 11, 100000, 0, map);
    make_rounds(&noisy, 11, 100000, 9, map);
    cr_assert_eq(render(&quiet), 0);
    cr_assert_eq(render(&noisy), 0);
    cr_assert(contains(&quiet, "summary.csv", "0.94,0.94,0.94,faster,0.03,"));
    cr_assert(contains(&noisy, "summary.csv", "0.94,0.94,0.94,equivalent,0.09,"));
    make_end(&quiet);
    make_end(&noisy);
}

Test(report, noise_does_not_show_that_two_are_the_same, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 85000};

    make_rounds(&maker, 11, 100000, 30, map);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "summary.csv", "0.85,0.85,0.85,unresolved,0.3,"));
    make_end(&maker);
}

Test(report, disturbed_samples_are_kept_and_not_used, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 50000};

    make_rounds(&maker, 11, 100000, 0, map);
    map.elapsed_ns = 9e9;
    map.disturbed = 1;
    for (map.round = 0; map.round < 11; map.round++)
        make_row(&maker, map);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "summary.csv", ",warm,ok,11,50000,"));
    cr_assert(contains(&maker, "summary.csv", ",0.5,0.5,0.5,faster,0.03,,0,50,11,"));
    make_end(&maker);
}

Test(report, prefixes_give_the_line_and_never_a_verdict, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1e6, .elapsed_ns = 1e6};
    static const double runs[] = {100, 200, 400};

    make_rounds(&maker, 11, 1e6, 0, map);
    for (unsigned r = 0; r < 3; r++)
        for (int i = 0; i < 3; i++)
            make_row(&maker, (struct given){.backend = "proc",
                                            .strategy = "spawn_bounded",
                                            .form = "task",
                                            .n = 1e6,
                                            .n_run = runs[i],
                                            .outcome = "extrapolated",
                                            .round = r,
                                            .elapsed_ns = 5000 + 130000 * runs[i]});
    cr_assert_eq(render(&maker), 0);
    cr_assert(
        contains(&maker, "summary.csv", "extrapolated,9,130000005000,,,130000,,,no verdict,"));
    cr_assert(contains(&maker, "REPORT.md", "from 3 prefixes: 5.00 us + n x 130 us"));
    make_end(&maker);
}

Test(report, a_failed_row_stands_in_its_place_with_its_limit, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 50000};

    make_rounds(&maker, 11, 100000, 0, map);
    make_row(&maker, (struct given){.backend = "proc",
                                    .strategy = "apply",
                                    .n = 1000,
                                    .outcome = "timeout",
                                    .limit = "deadline of 5 s"});
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "| apply | timed out: deadline of 5 s |"));
    cr_assert(contains(&maker, "summary.csv", ",timeout,0,,,,,,,failed,"));
    make_end(&maker);
}

Test(report, one_failed_sample_takes_the_verdict_away, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 50000};

    make_rounds(&maker, 11, 100000, 0, map);
    map.outcome = "wrong_result";
    make_row(&maker, map);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "summary.csv", "warm,wrong_result,11,,,,,,,failed,"));
    make_end(&maker);
}

/* ---- conclusions -------------------------------------------------------------------------------
 */

/* map with processes and with threads at these times, seq at 1000 us. */
static struct maker two_maps(double proc_ns, double omp_ns)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = proc_ns};

    make_rounds(&maker, 11, 1e6, 0, map);
    map.backend = "omp";
    for (map.round = 0; map.round < 11; map.round++) {
        map.elapsed_ns = omp_ns * (1 + 0.001 * ((double)(map.round * 7 % 11) - 5));
        make_row(&maker, map);
    }
    return maker;
}

Test(conclusions, swapped_rows_flip_the_sentence, .timeout = 30)
{
    struct maker slow = two_maps(800000, 400000), fast = two_maps(400000, 800000);

    cr_assert_eq(render(&slow), 0);
    cr_assert_eq(render(&fast), 0);
    cr_assert(contains(&slow, "REPORT.md",
                       "map takes 2.00 times as long with processes as with threads"));
    cr_assert_not(contains(&slow, "REPORT.md", "map is faster with processes than with threads"));
    cr_assert(
        contains(&fast, "REPORT.md", "map is faster with processes than with threads: 0.50 of"));
    cr_assert_not(contains(&fast, "REPORT.md", "times as long with processes as with threads"));
    make_end(&slow);
    make_end(&fast);
}

Test(conclusions, equal_rows_are_called_equal, .timeout = 30)
{
    struct maker maker = two_maps(400000, 401000);

    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "map costs the same with processes as with threads."));
    make_end(&maker);
}

Test(conclusions, name_rows_interval_rounds_and_margin, .timeout = 30)
{
    struct maker maker = two_maps(800000, 400000);

    cr_assert_eq(render(&maker), 0);
    cr_assert(
        contains(&maker, "REPORT.md",
                 "Rests on: map with processes, n = 1000, kernel, in_place / map with threads, n = "
                 "1000, kernel, in_place = 2.00 [2.00, 2.00], 11 rounds, margin 3 %: slower."));
    make_end(&maker);
}

Test(conclusions, the_course_is_judged_by_the_data, .timeout = 30)
{
    struct maker beaten = two_maps(400000, 2000000), upheld = two_maps(2000000, 2000000);

    cr_assert_eq(render(&beaten), 0);
    cr_assert_eq(render(&upheld), 0);
    cr_assert(
        contains(&beaten, "REPORT.md",
                 "| C2 ranking | The sequential loop is the most efficient for squares. | does not "
                 "hold | holds | not measured |"));
    cr_assert(
        contains(&upheld, "REPORT.md",
                 "| C2 ranking | The sequential loop is the most efficient for squares. | holds | "
                 "holds | not measured |"));
    make_end(&beaten);
    make_end(&upheld);
}

Test(conclusions, a_contest_is_not_won_against_an_open_rival, .timeout = 30)
{
    static const char *const rivals[] = {"map_async", "apply", NULL};
    static const struct claim claim = {
        .name = "test", .one = {.strategy = "map"}, .rivals = rivals};
    struct maker maker = make_begin();
    struct table table = {0};
    struct rows rows = {0};
    struct text error = {0};
    struct finding finding;
    struct given row = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 100000};
    char path[128];

    make_rounds(&maker, 11, 1e6, 0, row);
    for (row.round = 0; row.round < 11; row.round++) {
        row.strategy = "apply"; /* clearly slower */
        row.elapsed_ns = 900000;
        make_row(&maker, row);
        row.strategy = "map_async"; /* now faster, now slower */
        row.elapsed_ns = row.round % 2 ? 80000 : 120000;
        make_row(&maker, row);
    }
    make_file(&maker, "samples.csv", &maker.csv);
    path_in(&maker, "samples.csv", path, sizeof path);
    cr_assert_eq(table_read(&table, path, &error), 0);
    rows_gather(&rows, &table);
    claim_decide(&rows, &claim, "proc", 1000, &finding);
    cr_assert_eq(finding.standing, STANDS_UNRESOLVED);
    cr_assert_eq(truth_of_faster(finding.standing), TRUTH_UNDECIDED);
    finding_free(&finding);
    claim_decide(&rows, &claim, "omp", 1000, &finding);
    cr_assert_eq(finding.standing, STANDS_NOT_MEASURED);
    finding_free(&finding);
    rows_free(&rows);
    table_close(&table);
    make_end(&maker);
}

Test(conclusions, break_even_is_where_it_was_put, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given call = {
        .family = "grain", .backend = "proc", .strategy = "apply_async", .form = "task", .n = 100};

    /* Speed-up 0.1 at 10 ns a task and 10 at 100 us: in logarithms 1 lies half way, at 1 us. */
    call.elapsed_ns = 10 * 100 * 10;
    make_rounds(&maker, 11, 10 * 100, 0, call);
    call.work_ns = 100000;
    call.elapsed_ns = 1e5 * 100 / 10;
    make_rounds(&maker, 11, 1e5 * 100, 0, call);
    cr_assert_eq(render(&maker), 0);
    cr_assert(
        contains(&maker, "REPORT.md", "| apply_async | processes | 1.00 us | from 1.00 us to "));
    make_end(&maker);
}

Test(conclusions, the_semaphores_questions_are_answered_from_counts, .timeout = 30)
{
    static const char *const cells[][2] = {
        {"semaphore_plain", "bound_violations=0;double_handouts=3"},
        {"semaphore_atomic", "bound_violations=0;double_handouts=0"},
        {"none_plain", "bound_violations=7;double_handouts=9"},
        {"none_atomic", "bound_violations=5;double_handouts=0"}};
    struct maker maker = make_begin();

    for (int i = 0; i < 4; i++)
        make_row(&maker, (struct given){.family = "connpool",
                                        .backend = "proc",
                                        .strategy = cells[i][0],
                                        .variant = "lesson_sim",
                                        .n = 10,
                                        .elapsed_ns = 1000,
                                        .metrics = cells[i][1]});
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "never too many at once, without it 12 times."));
    cr_assert(contains(&maker, "REPORT.md",
                       "3 times two of them got the same one; with an atomic pick never."));
    make_end(&maker);
}

/* ---- peers, growth, targets --------------------------------------------------------------------
 */

/* Eleven rounds of two rows, the first per item at 100 ns, the other at other_ns. */
static struct maker two_rows(struct given one, struct given other, double other_ns)
{
    struct maker maker = make_begin();

    for (one.round = other.round = 0; one.round < 11; one.round++, other.round++) {
        double wobble = 1 + 0.001 * ((double)(one.round * 7 % 11) - 5);
        one.elapsed_ns = 100 * one.n * wobble;
        other.elapsed_ns = other_ns * other.n * wobble;
        make_row(&maker, one);
        make_row(&maker, other);
    }
    return maker;
}

static struct maker call_and_peer(const char *peer, double peer_ns)
{
    const struct given one = {.family = "peers",
                              .backend = "proc",
                              .strategy = "apply",
                              .form = "task",
                              .n = 5000,
                              .metrics = "cpu_ns=1000000"};
    struct given other = one;

    other.backend = peer;
    other.n = 100; /* a slow peer makes fewer calls: what is compared is one */
    return two_rows(one, other, peer_ns);
}

Test(peers, ten_times_ahead_is_said_when_it_is_so, .timeout = 30)
{
    struct maker ahead = call_and_peer("python", 1100), behind = call_and_peer("python", 900);

    cr_assert_eq(render(&ahead), 0);
    cr_assert_eq(render(&behind), 0);
    cr_assert(contains(&ahead, "REPORT.md",
                       "Processes are ahead of every other process pool that was measured by 10 "
                       "times at least. Of 1 comparisons the closest is apply: 11.0 times ahead"));
    cr_assert(contains(&behind, "REPORT.md",
                       "Processes are *not* ahead of every other process pool by 10 times. Of 1 "
                       "comparisons the closest is apply: 9.00 times ahead"));
    make_end(&ahead);
    make_end(&behind);
}

Test(peers, a_thread_pool_does_not_count_as_a_process_pool, .timeout = 30)
{
    struct maker maker = call_and_peer("glib", 200);

    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "No other process pool was measured in this run."));
    cr_assert(contains(&maker, "REPORT.md", "| 0.50 [0.50, 0.50] | processes |"));
    cr_assert(contains(&maker, "REPORT.md", "No peer was judged faster than the processes"));
    make_end(&maker);
}

Test(peers, a_loss_stands_with_what_was_counted, .timeout = 30)
{
    struct maker maker = call_and_peer("tbb", 50);

    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "| 2.00 [2.00, 2.00] | oneTBB |"));
    cr_assert(contains(&maker, "REPORT.md",
                       "- apply, n = 100: processes take 2.00 times as long as oneTBB, 50.0 ns "
                       "more for each. Processes: 200 ns of CPU time"));
    make_end(&maker);
}

Test(peers, a_skipped_one_stands_in_its_place_with_the_reason, .timeout = 30)
{
    struct maker maker = call_and_peer("glib", 200);

    make_row(&maker, (struct given){.family = "peers",
                                    .backend = "libuv",
                                    .strategy = "apply",
                                    .phase = "",
                                    .n = 5000,
                                    .outcome = "skipped",
                                    .limit = "libuv was not found"});
    cr_assert_eq(render(&maker), 0);
    cr_assert(
        contains(&maker, "REPORT.md", "| libuv | thread pool | 5000 | skipped: libuv was not"));
    make_end(&maker);
}

Test(growth, a_step_is_held_against_the_one_before, .timeout = 30)
{
    const struct given one = {.family = "growth", .backend = "proc", .strategy = "map", .n = 1000};
    struct given next = one;

    next.n = 10000;
    struct maker flat = two_rows(one, next, 140), steep = two_rows(one, next, 160);
    cr_assert_eq(render(&flat), 0);
    cr_assert_eq(render(&steep), 0);
    cr_assert(contains(&flat, "REPORT.md", "Of 1 steps 1 cost at most 1.5 times the step before"));
    cr_assert(contains(&steep, "REPORT.md", "Of 1 steps 0 cost at most 1.5 times the step before"));
    cr_assert(contains(&steep, "REPORT.md", "| 1.60 | [1.60, 1.60] | not met |"));
    make_end(&flat);
    make_end(&steep);
}

Test(targets, are_met_by_the_whole_interval, .timeout = 30)
{
    const struct given bare = {
        .family = "targets", .backend = "bare", .strategy = "fork_wait", .variant = "two", .n = 10};
    const struct given pool = {
        .family = "targets", .backend = "proc", .strategy = "open_close", .n = 10};
    struct maker met = two_rows(bare, pool, 220), missed = two_rows(bare, pool, 250);

    cr_assert_eq(render(&met), 0);
    cr_assert_eq(render(&missed), 0);
    cr_assert(contains(&met, "REPORT.md", "fork + wait of two | 2.20 | [2.20, 2.20] | 11 | met |"));
    cr_assert(
        contains(&missed, "REPORT.md", "fork + wait of two | 2.50 | [2.50, 2.50] | 11 | not met"));
    make_end(&met);
    make_end(&missed);
}

Test(targets, one_switch_of_an_idle_pool_is_too_many, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given idle = {.family = "targets",
                         .backend = "proc",
                         .strategy = "idle",
                         .n = 10,
                         .elapsed_ns = 1e10,
                         .metrics = "idle_switches=0"};

    make_row(&maker, idle);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "| none | 0 in 10 s |  | 1 | met |"));
    idle.round = 1;
    idle.metrics = "idle_switches=1";
    make_row(&maker, idle);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "| none | 1 in 10 s |  | 2 | not met |"));
    make_end(&maker);
}

Test(targets, a_disturbed_time_shows_and_decides_nothing, .timeout = 30)
{
    struct maker maker = make_begin();

    make_row(&maker, (struct given){.family = "targets",
                                    .backend = "proc",
                                    .strategy = "death",
                                    .n = 10,
                                    .elapsed_ns = 1e7,
                                    .disturbed = 1,
                                    .metrics = "failed_max_ns=9000000"});
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md",
                       "| the same, longest | at most 5.00 ms | 9.00 ms |  | 1 | unresolved |"));
    make_end(&maker);
}

Test(targets, a_death_stands_beside_a_bare_one, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given death = {.family = "targets",
                          .backend = "proc",
                          .strategy = "death",
                          .n = 10,
                          .elapsed_ns = 1e7,
                          .metrics = "failed_p50_ns=900000;failed_max_ns=2000000;"
                                     "whole_p50_ns=3000000;whole_max_ns=4000000"};

    make_row(&maker, death);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "for a death was not measured in this run"));
    death.backend = "bare";
    death.metrics = "failed_p50_ns=500000;failed_max_ns=1500000;"
                    "whole_p50_ns=2500000;whole_max_ns=3500000";
    make_row(&maker, death);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "500 us after the kill (median; longest 1.50 ms)"));
    cr_assert(contains(&maker, "REPORT.md", "2.50 ms after it (longest 3.50 ms)"));
    cr_assert(contains(&maker, "REPORT.md", "median | at most 1.00 ms | 900 us |"));
    make_end(&maker);
}

Test(targets, the_pages_of_a_first_map_have_their_price, .timeout = 30)
{
    const struct given first = {
        .backend = "proc", .strategy = "map", .phase = "first", .n = 512000, .elapsed_ns = 5e6};
    const struct given page = {.family = "limits",
                               .backend = "bare",
                               .strategy = "page_fault",
                               .n = 4096000,
                               .n_run = 1000,
                               .elapsed_ns = 7e6};
    struct maker maker = make_begin();

    make_row(&maker, first);
    make_row(&maker, (struct given){.family = "targets",
                                    .backend = "proc",
                                    .strategy = "idle",
                                    .n = 10,
                                    .elapsed_ns = 1e10,
                                    .metrics = "idle_switches=0"});
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "for a page was not measured in this run"));
    make_row(&maker, page);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md",
                       "use 2000 pages, of items and results, for the first time. For each a bare "
                       "child paid 7.00 us: shared by 2 workers that would be 7.00 ms. The first "
                       "map took 5.00 ms, so pages are what it pays for."));
    make_end(&maker);
}

Test(factors, a_call_s_times_stand_beside_its_wakes, .timeout = 30)
{
    struct given call = {.family = "peers",
                         .backend = "proc",
                         .strategy = "apply",
                         .form = "task",
                         .n = 1000,
                         .elapsed_ns = 1e6,
                         .wakes = 3};
    struct maker maker = make_begin();

    make_row(&maker, call);
    call.family = "factors";
    call.elapsed_ns = 4e6;
    call.wakes = 50;
    make_row(&maker, call);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md",
                       "| peers | 1000 | 1.00 us | 3.00 |\n| factors | 1000 | 4.00 us | 50.0 |\n"));
    cr_assert(contains(&maker, "REPORT.md", "The more often a worker had to be woken"));
    call.family = "growth";
    call.elapsed_ns = 9e6;
    call.wakes = 1;
    make_row(&maker, call);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "does not explain it all"));
    make_end(&maker);
}

/* ---- what is missing ---------------------------------------------------------------------------
 */

static void assert_sober(const struct maker *maker)
{
    cr_assert_not(contains(maker, "REPORT.md", "nan"));
    cr_assert_not(contains(maker, "REPORT.md", "inf "));
    cr_assert_not(contains(maker, "REPORT.md", "{{"));
    cr_assert_not(contains(maker, "summary.csv", "nan"));
    cr_assert_not(contains(maker, "summary.csv", "inf"));
}

Test(missing, no_samples_at_all_still_make_a_report, .timeout = 30)
{
    struct maker maker = make_begin();

    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "Family connpool was not measured in this run."));
    assert_sober(&maker);
    make_end(&maker);
}

Test(missing, one_backend_alone_makes_a_report, .timeout = 30)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 50000};

    make_rounds(&maker, 11, 100000, 0, map);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "Not measured in this run."));
    assert_sober(&maker);
    make_end(&maker);
}

Test(missing, a_lone_failure_makes_a_report, .timeout = 30)
{
    struct maker maker = make_begin();

    make_row(&maker, (struct given){.backend = "omp",
                                    .strategy = "spawn_unbounded",
                                    .n = 1000,
                                    .outcome = "partial_limit",
                                    .limit = "our_ceiling"});
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "stopped by a limit: our ceiling"));
    assert_sober(&maker);
    make_end(&maker);
}

Test(missing, without_gnuplot_the_report_says_so, .timeout = 30)
{
    struct maker maker = two_maps(800000, 400000);

    cr_assert_eq(setenv("PATH", "/nonexistent", 1), 0);
    cr_assert_eq(render(&maker), 0);
    cr_assert(contains(&maker, "REPORT.md", "figures are missing: gnuplot is not installed"));
    cr_assert(is_there(&maker, "plots/answer.gp"));
    cr_assert_not(is_there(&maker, "plots/answer.svg"));
    cr_assert_not(is_there(&maker, "plots/answer.svg.tmp"));
    cr_assert_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
    make_end(&maker);
}

/* ---- bad input ---------------------------------------------------------------------------------
 */

/* Renders csv and expects a refusal that holds these words, in one line, with no file written. */
static void refuse(const char *csv, size_t length, const char *words)
{
    struct maker maker = make_begin();
    struct text error = {0};

    maker.csv.length = 0;
    text_add_bytes(&maker.csv, csv, length);
    cr_assert_eq(render_from(&maker, TWIN_REPORT_SOURCE, &error), 2);
    cr_assert(strstr(text_string(&error), words), "'%s' lacks '%s'", text_string(&error), words);
    cr_assert(strstr(text_string(&error), "accepted: "), "%s", text_string(&error));
    cr_assert_null(strchr(text_string(&error), '\n'));
    cr_assert_not(is_there(&maker, "REPORT.md"));
    cr_assert_not(is_there(&maker, "summary.csv"));
    cr_assert_not(is_there(&maker, "plots"));
    text_free(&error);
    make_end(&maker);
}

/* A good line, with one column replaced. */
static void refuse_cell(enum column column, const char *value, const char *words)
{
    struct maker maker = make_begin();
    struct given map = {.backend = "proc", .strategy = "map", .n = 1000, .elapsed_ns = 50000};

    make_row(&maker, map);
    const char *line = strchr(maker.csv.bytes, '\n') + 1;
    struct text csv = {0};
    text_add_bytes(&csv, maker.csv.bytes, (size_t)(line - maker.csv.bytes));
    for (enum column c = 0; c < COLUMN_COUNT; c++) {
        size_t length = strcspn(line, ",\n");
        text_add(&csv, "%s%.*s", c ? "," : "", c == column ? (int)strlen(value) : (int)length,
                 c == column ? value : line);
        line += length + 1;
    }
    text_add(&csv, "\n");
    refuse(csv.bytes, csv.length, words);
    text_free(&csv);
    make_end(&maker);
}

Test(bad_input, is_refused_with_line_fault_and_what_is_accepted, .timeout = 60)
{
    struct text header = {0}, bad = {0};

    add_header(&header);
    refuse("", 0, "the file is empty");
    refuse("a,b\n1,2\n", 8, "line 1: the header is not that of a samples.csv");
    refuse("\x7f\x45\0\x46\n", 5, "a zero byte");
    text_add(&bad, "%s1,2,3\n", header.bytes);
    refuse(bad.bytes, bad.length, "line 2: 3 fields");
    text_free(&bad);
    text_add(&bad, "%s0,0,0", header.bytes);
    refuse(bad.bytes, bad.length, "line 2: cut off");
    text_free(&bad);
    text_free(&header);
    refuse_cell(COLUMN_elapsed_ns, "fast", "line 2: elapsed_ns is 'fast'");
    refuse_cell(COLUMN_elapsed_ns, "-1", "line 2: elapsed_ns is '-1'");
    refuse_cell(COLUMN_n, "nan", "line 2: n is 'nan'");
    refuse_cell(COLUMN_outcome, "great", "line 2: outcome is 'great'");
    refuse_cell(COLUMN_backend, "mpi", "line 2: backend is 'mpi'");
    refuse_cell(COLUMN_phase, "hot", "line 2: phase is 'hot'");
    refuse_cell(COLUMN_strategy, "", "line 2: family or strategy is empty");
}

Test(bad_input, a_missing_file_is_named, .timeout = 30)
{
    struct text error = {0}, notes = {0};

    cr_assert_eq(report_make("/nonexistent", TWIN_REPORT_SOURCE, &error, &notes), 2);
    cr_assert(strstr(text_string(&error), "/nonexistent/samples.csv: No such file"));
    text_free(&error);
}

Test(bad_input, an_unknown_place_in_the_prose_is_an_error, .timeout = 30)
{
    struct places places = {0};
    struct text out = {0}, error = {0};

    places_set(&places, "known", "%d", 7);
    cr_assert_eq(places_fill(&places, "a {{known}} b", "x.md", &out, &error), 0);
    cr_assert_str_eq(out.bytes, "a 7 b");
    cr_assert_eq(places_fill(&places, "one\ntwo {{knwon}}\n", "x.md", &out, &error), -EINVAL);
    cr_assert(strstr(error.bytes, "x.md: line 2: {{knwon}}"));
    text_free(&error);
    cr_assert_eq(places_fill(&places, "{{known", "x.md", &out, &error), -EINVAL);
    places_free(&places);
    text_free(&out);
    text_free(&error);
}

Test(bad_input, a_full_disk_leaves_what_was_there, .timeout = 30)
{
    struct maker maker = two_maps(800000, 400000);
    struct text before, after, error = {0};
    struct rlimit limit = {.rlim_cur = 20000, .rlim_max = RLIM_INFINITY};

    cr_assert_eq(render(&maker), 0);
    before = output(&maker, "REPORT.md");
    for (int i = 0; i < 400; i++) /* rows enough for more than the limit */
        make_row(&maker,
                 (struct given){
                     .backend = "proc", .strategy = "map", .n = 2000 + i, .elapsed_ns = 1000});
    make_file(&maker, "samples.csv", &maker.csv);
    cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(report_make(maker.dir, TWIN_REPORT_SOURCE, &error, &error), 1);
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert(strstr(error.bytes, strerror(EFBIG)), "%s", error.bytes);
    after = output(&maker, "REPORT.md");
    cr_assert_str_eq(before.bytes, after.bytes);
    cr_assert_not(is_there(&maker, "summary.csv.tmp"));
    cr_assert_not(is_there(&maker, "REPORT.md.tmp"));
    text_free(&before);
    text_free(&after);
    text_free(&error);
    make_end(&maker);
}

/* ---- passages and the golden report ------------------------------------------------------------
 */

static void make_source(const struct maker *maker)
{
    static const char *const names[] = {"map", "apply", "async", "executor", "spawn"};
    char path[128], prose[256];

    path_in(maker, "strategies", path, sizeof path);
    cr_assert_eq(mkdir(path, 0755), 0);
    path_in(maker, "report", path, sizeof path);
    cr_assert_eq(mkdir(path, 0755), 0);
    path_in(maker, "report/text", path, sizeof path);
    cr_assert_not_null(realpath(TWIN_REPORT_SOURCE "/report/text", prose));
    cr_assert_eq(symlink(prose, path), 0);
    for (int i = 0; i < 5; i++)
        for (int b = 0; b < 2; b++) {
            struct text code = {0};
            snprintf(path, sizeof path, "strategies/%s_%s.c", names[i], b ? "omp" : "proc");
            text_add(
                &code,
                "above\n    /* report: begin %s */\n    one(%d);\n\n        TWINI_FAULT(\"x\");\n"
                "        two();\n"
                "    /* report: end %s */\nbelow\n",
                names[i], b, names[i]);
            make_file(maker, path, &code);
            text_free(&code);
        }
}

Test(report, passages_are_cut_between_their_marks, .timeout = 30)
{
    struct maker maker = make_begin();
    struct text out = {0};

    make_source(&maker);
    cr_assert_eq(cut_passage(&out, maker.dir, "strategies/map_omp.c", "map"), 0);
    cr_assert_str_eq(out.bytes, "one(1);\n\n    two();\n");
    cr_assert_eq(cut_passage(&out, maker.dir, "strategies/map_omp.c", "other"), -ENOENT);
    cr_assert_eq(cut_passage(&out, maker.dir, "strategies/none.c", "map"), -ENOENT);
    text_free(&out);
    make_end(&maker);
}

/* Something of each family. */
static void make_golden(struct maker *maker)
{
    static const struct {
        const char *strategy, *form;
        double proc_ns, omp_ns;
    } rows[] = {{"map", "kernel", 0.74, 0.72},          {"map_async", "kernel", 0.75, 0.80},
                {"executor_map", "kernel", 0.78, 0.79}, {"apply_async", "task", 33, 45},
                {"executor_submit", "task", 52, 70},    {"apply", "task", 900, 420}};
    static const double sizes[] = {1e6, 1e7};

    for (int s = 0; s < 2; s++)
        for (unsigned r = 0; r < 7; r++) {
            double n = sizes[s], wobble = 1 + 0.002 * ((double)(r * 3 % 7) - 3);
            struct given seq = {
                .backend = "seq", .n = n, .round = r, .elapsed_ns = 1.45 * n * wobble};
            make_row(maker, seq);
            seq.variant = "aa";
            make_row(maker, seq);
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                for (int b = 0; b < 2; b++) {
                    double ns = n * wobble * (b ? rows[i].omp_ns : rows[i].proc_ns);
                    make_row(maker, (struct given){.backend = b ? "omp" : "proc",
                                                   .strategy = rows[i].strategy,
                                                   .form = rows[i].form,
                                                   .n = n,
                                                   .round = r,
                                                   .elapsed_ns = ns,
                                                   .return_ns = ns * 0.9,
                                                   .metrics = "chunks=8;overlap=0.5"});
                }
        }
    make_row(maker, (struct given){.backend = "proc",
                                   .strategy = "spawn_unbounded",
                                   .n = 1e6,
                                   .n_run = 4096,
                                   .elapsed_ns = 9e8,
                                   .outcome = "partial_limit",
                                   .limit = "our_ceiling",
                                   .metrics = "kib_per_worker=76"});
    for (unsigned r = 0; r < 7; r++) {
        make_row(maker, (struct given){.family = "limits",
                                       .backend = "bare",
                                       .strategy = "fork_wait",
                                       .n = 100,
                                       .round = r,
                                       .elapsed_ns = 15e6});
        make_row(maker, (struct given){.family = "connpool",
                                       .backend = "proc",
                                       .strategy = "recovering",
                                       .variant = "workload_sim",
                                       .n = 100,
                                       .round = r,
                                       .elapsed_ns = 3e6,
                                       .metrics = "holders_bound=4;most_holders=4;waited_count=90;"
                                                  "wait_p50_ns=300000;wait_max_ns=900000;"
                                                  "timed_out_count=0"});
    }
    struct text environment = {0};
    text_add(&environment, "date: 2000-01-01T00:00:00Z\ncpus_online: 2\n");
    make_file(maker, "environment.txt", &environment);
    text_free(&environment);
    text_add(&environment, "backend,strategy,task,worker,start_ns,end_ns\nproc,map,0,71,1000,3000\n"
                           "proc,map,1,72,1500,3500\nomp,map,0,0,0,2000\n");
    make_file(maker, "timeline.csv", &environment);
    text_free(&environment);
}

static void compare_golden(const struct maker *maker, const char *name)
{
    char path[256];
    struct text expected = {0}, got = output(maker, name);

    snprintf(path, sizeof path, "%s/report/golden/%s", TWIN_REPORT_SOURCE, name);
    if (getenv("TWIN_GOLDEN"))
        cr_assert_eq(text_write_file(&got, path), 0);
    cr_assert_eq(text_read_file(&expected, path), 0, "%s", path);
    cr_assert_str_eq(text_string(&got), text_string(&expected), "%s differs from %s", name, path);
    text_free(&expected);
    text_free(&got);
}

Test(report, the_golden_report_is_rendered_byte_for_byte, .timeout = 30)
{
    struct maker maker = make_begin();
    struct text error = {0};

    make_source(&maker);
    make_golden(&maker);
    cr_assert_eq(setenv("PATH", "/nonexistent", 1), 0);
    cr_assert_eq(render_from(&maker, maker.dir, &error), 0, "%s", text_string(&error));
    cr_assert_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
    assert_sober(&maker);
    compare_golden(&maker, "REPORT.md");
    compare_golden(&maker, "summary.csv");
    make_end(&maker);
}

Test(report, the_order_of_samples_does_not_matter, .timeout = 30)
{
    struct maker maker = two_maps(800000, 400000);
    struct text once, again, turned = {0};

    cr_assert_eq(render(&maker), 0);
    once = output(&maker, "REPORT.md");
    add_header(&turned); /* the lines after the header, last first */
    for (const char *end = maker.csv.bytes + maker.csv.length, *at = end - 1;
         at > maker.csv.bytes;) {
        at--;
        if (*at != '\n')
            continue;
        text_add_bytes(&turned, at + 1, (size_t)(end - at - 1));
        end = at + 1;
    }
    text_free(&maker.csv);
    maker.csv = turned;
    cr_assert_eq(render(&maker), 0);
    again = output(&maker, "REPORT.md");
    cr_assert_str_eq(once.bytes, again.bytes);
    text_free(&once);
    text_free(&again);
    make_end(&maker);
}
