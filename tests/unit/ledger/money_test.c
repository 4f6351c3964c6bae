#include "ledger/money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_addition_is_checked(void **state)
{
    int64_t out = 7;
    (void)state;
    assert_true(money_add(2, 3, &out));
    assert_int_equal(out, 5);
    assert_true(money_add(INT64_MAX, INT64_MIN, &out));
    assert_int_equal(out, -1);
    assert_false(money_add(INT64_MAX, 1, &out));
    assert_false(money_add(INT64_MIN, -1, &out));
    assert_int_equal(out, -1); /* untouched */
}

static void test_amounts(void **state)
{
    (void)state;
    assert_false(money_is_amount(0));
    assert_false(money_is_amount(-1));
    assert_true(money_is_amount(1));
    assert_true(money_is_amount(MONEY_MAX));
    assert_false(money_is_amount(MONEY_MAX + 1));
    assert_int_equal(MONEY_MAX, (INT64_C(1) << 53) - 1);
}

static void test_shares_are_rounded_down(void **state)
{
    (void)state;
    assert_int_equal(money_share(100, 1, 3), 33);
    assert_int_equal(money_share(100, 3, 3), 100);
    assert_int_equal(money_share(100, 0, 3), 0);
    assert_int_equal(money_share(0, 2, 3), 0);
    assert_int_equal(money_share(MONEY_MAX, MONEY_MAX - 1, MONEY_MAX), MONEY_MAX - 1);
    assert_int_equal(money_share(INT64_MAX, INT64_MAX - 1, INT64_MAX), INT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addition_is_checked),
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_shares_are_rounded_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
