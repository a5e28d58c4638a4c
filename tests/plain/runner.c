/* plain/runner.c: runs the tests of plain/criterion/criterion.h, each in a forked child.
 *
 * An assertion prints and leaves by _exit: it may be on any thread. Output and exit status are those
 * of Criterion as far as tests/run_all.sh reads them. */
#include "criterion/criterion.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77, DEFAULT_SECONDS = 120 };

static struct plain_test *tests, **last = &tests;

void plain_add_test(struct plain_test *test)
{
    *last = test;
    last = &test->next;
}

void plain_assert(const char *file, int line, const char *text, int holds, ...)
{
    if (holds)
        return;
    va_list arguments;
    va_start(arguments, holds);
    const char *format = va_arg(arguments, const char *);
    fprintf(stderr, "[----] %s:%d: does not hold: %s\n", file, line, text);
    if (format) {
        fputs("[----]   ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
    }
    va_end(arguments);
    _exit(EXIT_FAILED);
}

void plain_skip(const char *why)
{
    (void)why; /* the test has said it */
    _exit(EXIT_SKIPPED);
}

static int run_one(const struct plain_test *test)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(EXIT_FAILED);
    }
    if (child == 0) {
        alarm(test->timeout > 0 ? (unsigned)test->timeout : DEFAULT_SECONDS);
        test->run();
        exit(0); /* the sanitizer has its say at exit */
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            perror("waitpid");
            exit(EXIT_FAILED);
        }
    return status;
}

static int chosen(const struct plain_test *test, const char *filter)
{
    size_t length = filter ? strcspn(filter, "/") : 0;
    return !filter || (strlen(test->suite) == length && strncmp(test->suite, filter, length) == 0);
}

int main(int argc, char **argv)
{
    const char *filter = NULL;
    unsigned tested = 0, passed = 0, crashed = 0;
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--filter=", 9) == 0)
            filter = argv[i] + 9;
    for (const struct plain_test *test = tests; test; test = test->next) {
        if (!chosen(test, filter))
            continue;
        int status = run_one(test);
        int skipped = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED;
        tested += !skipped;
        passed += status == 0;
        crashed += WIFSIGNALED(status) != 0;
        if (WIFSIGNALED(status))
            printf("[FAIL] %s::%s: %s\n", test->suite, test->name, strsignal(WTERMSIG(status)));
        else if (status && !skipped)
            printf("[FAIL] %s::%s\n", test->suite, test->name);
    }
    printf("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n", tested,
           passed, tested - passed - crashed, crashed);
    return passed != tested;
}
