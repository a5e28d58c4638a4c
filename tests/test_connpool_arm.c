/* test_connpool_arm.c: the measured program: its records, its exit codes, its orphans. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct run {
    char text[16384];
    int exit_code;
};

static void run_arm(struct run *run, const char *arguments)
{
    char command[512];
    size_t got;
    FILE *pipe;
    int status;

    snprintf(command, sizeof command, "exec %s %s 2>&1", TWIN_CONNPOOL_ARM, arguments);
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    got = fread(run->text, 1, sizeof run->text - 1, pipe);
    run->text[got] = '\0';
    status = pclose(pipe);
    run->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The number behind key, or -1. */
static long long value_of(const struct run *run, const char *key)
{
    char wanted[64];
    const char *found;

    snprintf(wanted, sizeof wanted, "\n%s=", key);
    found = strstr(run->text, wanted);
    if (!found && strncmp(run->text, wanted + 1, strlen(wanted) - 1) == 0)
        return atoll(run->text + strlen(wanted) - 1);
    return found ? atoll(found + strlen(wanted)) : -1;
}

/* Every line is key=value, the last one end. */
static bool is_record(const struct run *run)
{
    char copy[sizeof run->text];
    const char *last = "";

    strcpy(copy, run->text);
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        if (strcmp(last, "end") == 0)
            return false;
        if (strcmp(line, "end") != 0 && (!strchr(line, '=') || strpbrk(line, ",;\"")))
            return false;
        last = line;
    }
    return strcmp(last, "end") == 0;
}

Test(connpool_arm, workloads_keep_the_bound, .timeout = 120)
{
    static const char *const variants[] = {
        "--backend=proc --driver=sim",     "--backend=omp --driver=sim",
        "--backend=proc --driver=sqlite",  "--backend=omp --driver=sqlite",
        "--backend=proc --admission=bare", "--backend=omp --admission=bare"};

    for (int i = 0; i < 6; i++) {
        char arguments[128];
        struct run run;

        snprintf(arguments, sizeof arguments, "%s --workers 6 --connections 2 --operations 40",
                 variants[i]);
        run_arm(&run, arguments);
        cr_expect_eq(run.exit_code, 0, "%s: %s", arguments, run.text);
        cr_expect(is_record(&run), "%s", run.text);
        cr_expect_not_null(strstr(run.text, "\noutcome=ok\nend\n"));
        cr_expect_eq(value_of(&run, "n_run"), 240);
        cr_expect_eq(value_of(&run, "holders_bound"), 2);
        cr_expect_leq(value_of(&run, "most_holders"), 2);
        cr_expect_eq(value_of(&run, "acquirable_after"), 2);
        cr_expect_eq(value_of(&run, "direct_count") + value_of(&run, "waited_count"), 240);
    }
}

Test(connpool_arm, the_lesson_breaks_what_theory_says, .timeout = 120)
{
    for (int backend = 0; backend < 2; backend++) {
        for (int semaphore = 0; semaphore < 2; semaphore++) {
            for (int atomic = 0; atomic < 2; atomic++) {
                char arguments[160];
                struct run run;

                snprintf(arguments, sizeof arguments,
                         "--experiment=lesson --backend=%s --admission=%s --pick=%s",
                         backend ? "omp" : "proc", semaphore ? "bare" : "none",
                         atomic ? "atomic" : "plain");
                run_arm(&run, arguments);
                cr_expect_eq(run.exit_code, 0, "%s", run.text);
                if (semaphore)
                    cr_expect_eq(value_of(&run, "bound_violations"), 0, "%s", arguments);
                else
                    cr_expect_gt(value_of(&run, "bound_violations"), 0, "%s", arguments);
                if (atomic)
                    cr_expect_eq(value_of(&run, "double_handouts"), 0, "%s", arguments);
                else
                    cr_expect_gt(value_of(&run, "double_handouts"), 0, "%s", arguments);
            }
        }
    }
}

Test(connpool_arm, crash_shows_who_recovers, .timeout = 120)
{
    struct run run;

    run_arm(&run, "--experiment=crash --connections 3 --operations 3");
    cr_expect_eq(run.exit_code, 0, "%s", run.text);
    cr_expect_eq(value_of(&run, "recovered_count"), 3);
    cr_expect_eq(value_of(&run, "permits_lost"), 0);
    cr_expect_gt(value_of(&run, "recovery_ns"), 0);
    run_arm(&run, "--experiment=crash --connections 3 --operations 2 --admission=bare");
    cr_expect_eq(run.exit_code, 0, "%s", run.text);
    cr_expect_eq(value_of(&run, "permits_lost"), 2);
    cr_expect_eq(value_of(&run, "acquirable_after"), 1);
    run_arm(&run, "--experiment=crash --backend=omp");
    cr_expect_eq(run.exit_code, 0);
    cr_expect_not_null(strstr(run.text, "outcome=unsupported"));
}

Test(connpool_arm, soak_loses_nothing, .timeout = 120)
{
    static const char *const drivers[] = {"sim", "sqlite"};

    for (int i = 0; i < 2; i++) {
        char arguments[128];
        struct run run;

        snprintf(arguments, sizeof arguments, "--experiment=soak --operations 200 --driver=%s",
                 drivers[i]);
        run_arm(&run, arguments);
        cr_expect_eq(run.exit_code, 0, "%s", run.text);
        cr_expect_eq(value_of(&run, "killed_count"), 200);
        cr_expect_eq(value_of(&run, "permits_lost"), 0);
        cr_expect_eq(value_of(&run, "double_handouts"), 0);
    }
}

Test(connpool_arm, price_prints_each_way, .timeout = 120)
{
    static const char *const backends[] = {"proc", "omp"};

    for (int i = 0; i < 2; i++) {
        char arguments[128];
        struct run run;

        snprintf(arguments, sizeof arguments, "--experiment=price --operations 1000 --backend=%s",
                 backends[i]);
        run_arm(&run, arguments);
        cr_expect_eq(run.exit_code, 0, "%s", run.text);
        cr_expect_gt(value_of(&run, "sem_pair_ns"), 0);
        cr_expect_gt(value_of(&run, "bare_pair_ns"), 0);
        cr_expect_gt(value_of(&run, "recovering_pair_ns"), 0);
        cr_expect_gt(value_of(&run, "recovering_contended_pair_ns"), 0);
    }
}

Test(connpool_arm, wrong_usage_is_told_and_exits_2, .timeout = 60)
{
    static const char *const wrong[] = {"--connections 0",
                                        "--connections -1",
                                        "--connections 1000000000",
                                        "--connections 8x",
                                        "--connections ''",
                                        "--connections 1e3",
                                        "--workers 0",
                                        "--workers 100000",
                                        "--deadline-ms nan",
                                        "--driver=oracle",
                                        "--experiment=none",
                                        "--backend=gpu",
                                        "--admission=none",
                                        "--unknown",
                                        "argument",
                                        "--connections",
                                        "--operations 0",
                                        "--experiment=lesson --admission=recovering",
                                        "--workers 1024 --operations 1000000"};
    struct run run;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        run_arm(&run, wrong[i]);
        cr_expect_eq(run.exit_code, 2, "%s: %d %s", wrong[i], run.exit_code, run.text);
        cr_expect_null(strstr(run.text, "outcome="), "%s", wrong[i]);
        cr_expect(strstr(run.text, "accepted") || strstr(run.text, "option"), "%s: %s", wrong[i],
                  run.text);
    }
    run_arm(&run, "--help");
    cr_expect_eq(run.exit_code, 0);
    cr_expect_not_null(strstr(run.text, "Experiments:"));
}

/* How many processes of that group are there? */
static int processes_in_group(pid_t group)
{
    char command[96], text[32] = "";
    FILE *pipe;

    snprintf(command, sizeof command, "ps -e -o pgid= -o stat= | awk '$1==%d && $2!~/Z/' | wc -l",
             (int)group);
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    cr_assert_not_null(fgets(text, sizeof text, pipe));
    pclose(pipe);
    return atoi(text);
}

static void no_orphan_after(int signal_number)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    int before = 0, after = 1;
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        if (!freopen("/dev/null", "w", stdout))
            _exit(127);
        execl(TWIN_CONNPOOL_ARM, TWIN_CONNPOOL_ARM, "--service-us", "1000000", "--workers", "5",
              "--connections", "2", (char *)NULL);
        _exit(127);
    }
    cr_assert_gt(pid, 0);
    while (before < 6) { /* the arm and its five workers */
        nanosleep(&moment, NULL);
        before = processes_in_group(pid);
    }
    kill(pid, signal_number); /* the parent alone, not the group */
    waitpid(pid, NULL, 0);
    for (int k = 0; k < 400 && after > 0; k++) {
        nanosleep(&moment, NULL);
        after = processes_in_group(pid);
    }
    cr_expect_eq(after, 0);
}

Test(connpool_arm, leaves_no_orphan_when_interrupted_or_killed, .timeout = 60)
{
    no_orphan_after(SIGINT);
    no_orphan_after(SIGKILL);
}
