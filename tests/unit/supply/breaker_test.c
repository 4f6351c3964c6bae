#include "supply/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_it_shuts_and_tries(void **state)
{
    struct breaker breaker = {.pause_us = 100};
    (void)state;
    for (int i = 0; i < BREAKER_FAILURES; i++) {
        assert_true(breaker_admits(&breaker, i));
        breaker_note(&breaker, false, i);
    }
    assert_false(breaker_admits(&breaker, 103));
    assert_true(breaker_is_shut(&breaker, 103));
    assert_false(breaker_is_shut(&breaker, 104) || breaker_is_shut(&breaker, 104)); /* only asked */
    assert_true(breaker_admits(&breaker, 104));                                     /* one tries */
    assert_true(breaker_is_shut(&breaker, 105));
    assert_false(breaker_admits(&breaker, 105));
    assert_false(breaker_admits(&breaker, 203));
    assert_true(breaker_admits(&breaker, 204)); /* nothing was heard of it: another one */
    breaker_note(&breaker, false, 210);
    assert_false(breaker_admits(&breaker, 309));
    breaker_note(&breaker, true, 311);
    assert_true(breaker_admits(&breaker, 311) && breaker_admits(&breaker, 311));
}

static void test_only_in_a_row(void **state)
{
    struct breaker breaker = {.pause_us = 100};
    (void)state;
    for (int i = 0; i < 3 * BREAKER_FAILURES; i++) {
        breaker_note(&breaker, i % BREAKER_FAILURES == 0, i);
        assert_true(breaker_admits(&breaker, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_shuts_and_tries),
        cmocka_unit_test(test_only_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
