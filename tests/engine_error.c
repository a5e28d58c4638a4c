/* engine_error.c: every error has a text of its own, and nothing else has one of theirs. */
#include <criterion/criterion.h>
#include <limits.h>
#include <string.h>
#include <twinpool/pool.h>

static const int codes[] = {TWIN_OK,
#define CODE(name, value, text) TWIN_E##name,
                            TWIN_ERRORS(CODE)
#undef CODE
};
enum { COUNT = sizeof codes / sizeof codes[0] };

Test(engine_error, has_a_text_for_every_enumerator)
{
    for (size_t i = 0; i < COUNT; i++) {
        const char *text = twin_strerror(codes[i]);
        cr_assert_not_null(text);
        cr_assert_gt(strlen(text), 3, "%d", codes[i]);
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(codes[i], codes[j]);
            cr_assert_str_neq(text, twin_strerror(codes[j]));
        }
    }
}

Test(engine_error, are_negative_and_small)
{
    cr_assert_eq(TWIN_OK, 0);
    for (size_t i = 1; i < COUNT; i++)
        cr_assert(codes[i] < 0 && codes[i] > -100);
}

Test(engine_error, knows_a_stranger)
{
    static const int strangers[] = {1, 7, -99, INT_MIN, INT_MAX};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        const char *text = twin_strerror(strangers[i]);
        cr_assert_not_null(text);
        for (size_t j = 0; j < COUNT; j++)
            cr_assert_str_neq(text, twin_strerror(codes[j]));
    }
}
