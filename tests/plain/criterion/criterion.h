/* plain/criterion/criterion.h: as much of Criterion as the contract uses, in plain C.
 *
 * Criterion runs each test in a sandbox that it maps at a fixed address, where ThreadSanitizer has its
 * shadow: the two do not go together. A build with ThreadSanitizer takes this header, and
 * plain/runner.c, in its place: the same tests, each in a forked child under an alarm. */
#ifndef TWIN_TESTS_PLAIN_CRITERION_H
#define TWIN_TESTS_PLAIN_CRITERION_H

#include <stddef.h>
#include <string.h>

struct plain_test {
    const char *suite, *name;
    void (*run)(void);
    double timeout; /* seconds; 0: none of its own */
    struct plain_test *next;
};

void plain_add_test(struct plain_test *test);
/* Ends the test as failed unless holds. After it comes a format with its arguments, or NULL. */
void plain_assert(const char *file, int line, const char *text, int holds, ...);
void plain_skip(const char *why);

#define Test(suite_, name_, ...)                                                                   \
    static void suite_##_##name_##_run(void);                                                      \
    static struct plain_test suite_##_##name_##_test = {#suite_, #name_, suite_##_##name_##_run,   \
                                                        .next = NULL, __VA_ARGS__};                \
    __attribute__((constructor)) static void suite_##_##name_##_add(void)                          \
    {                                                                                              \
        plain_add_test(&suite_##_##name_##_test);                                                  \
    }                                                                                              \
    static void suite_##_##name_##_run(void)

#define PLAIN(holds, text, ...)      plain_assert(__FILE__, __LINE__, text, (holds), __VA_ARGS__)
#define PLAIN_IS(a, op, b, ...)      PLAIN((a)op(b), #a " " #op " " #b, __VA_ARGS__)
#define PLAIN_ASSERT(condition, ...) PLAIN(!!(condition), #condition, __VA_ARGS__)
#define PLAIN_NULL(a, ...)           PLAIN((a) == NULL, #a " is null", __VA_ARGS__)
#define PLAIN_SOME(a, ...)           PLAIN((a) != NULL, #a " is not null", __VA_ARGS__)
#define PLAIN_EQ(a, b, ...)          PLAIN_IS(a, ==, b, __VA_ARGS__)
#define PLAIN_NEQ(a, b, ...)         PLAIN_IS(a, !=, b, __VA_ARGS__)
#define PLAIN_LT(a, b, ...)          PLAIN_IS(a, <, b, __VA_ARGS__)
#define PLAIN_LEQ(a, b, ...)         PLAIN_IS(a, <=, b, __VA_ARGS__)
#define PLAIN_GT(a, b, ...)          PLAIN_IS(a, >, b, __VA_ARGS__)
#define PLAIN_GEQ(a, b, ...)         PLAIN_IS(a, >=, b, __VA_ARGS__)
#define PLAIN_STR(a, b, ...)         PLAIN(strcmp(a, b) == 0, #a " is the text " #b, __VA_ARGS__)
#define PLAIN_BYTES(a, b, size, ...)                                                               \
    PLAIN(memcmp(a, b, size) == 0, #a " and " #b " are the same bytes", __VA_ARGS__)

#define PLAIN_END                   (const char *)NULL
#define cr_assert(...)              PLAIN_ASSERT(__VA_ARGS__, PLAIN_END)
#define cr_assert_null(...)         PLAIN_NULL(__VA_ARGS__, PLAIN_END)
#define cr_assert_not_null(...)     PLAIN_SOME(__VA_ARGS__, PLAIN_END)
#define cr_assert_eq(a, ...)        PLAIN_EQ(a, __VA_ARGS__, PLAIN_END)
#define cr_assert_neq(a, ...)       PLAIN_NEQ(a, __VA_ARGS__, PLAIN_END)
#define cr_assert_lt(a, ...)        PLAIN_LT(a, __VA_ARGS__, PLAIN_END)
#define cr_assert_leq(a, ...)       PLAIN_LEQ(a, __VA_ARGS__, PLAIN_END)
#define cr_assert_gt(a, ...)        PLAIN_GT(a, __VA_ARGS__, PLAIN_END)
#define cr_assert_geq(a, ...)       PLAIN_GEQ(a, __VA_ARGS__, PLAIN_END)
#define cr_assert_str_eq(a, ...)    PLAIN_STR(a, __VA_ARGS__, PLAIN_END)
#define cr_assert_arr_eq(a, b, ...) PLAIN_BYTES(a, b, __VA_ARGS__, PLAIN_END)
#define cr_assert_fail(...)         PLAIN(0, "reached", __VA_ARGS__, PLAIN_END)
#define cr_skip_test(why)           plain_skip(why)

#endif
