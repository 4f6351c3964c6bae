#include "base/currency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_codes_round_trip(void **state)
{
    (void)state;
    int known = 0;
    for (int a = 'A'; a <= 'Z'; a++)
        for (int b = 'A'; b <= 'Z'; b++)
            for (int c = 'A'; c <= 'Z'; c++) {
                char code[4] = {(char)a, (char)b, (char)c, '\0'};
                char text[4];
                currency found = currency_parse((struct slice){code, 3});
                if (found == 0)
                    continue;
                known++;
                currency_text(found, text);
                assert_string_equal(text, code);
            }
    assert_int_equal(known, 155);
    assert_int_equal(currency_parse(SLICE("ZAR")), CURRENCY_ZAR);
}

static void test_strangers_are_refused(void **state)
{
    (void)state;
    assert_int_equal(currency_parse(SLICE("zar")), 0);
    assert_int_equal(currency_parse(SLICE("ZA")), 0);
    assert_int_equal(currency_parse(SLICE("ZARR")), 0);
    assert_int_equal(currency_parse(SLICE("XXX")), 0);
    assert_int_equal(currency_parse((struct slice){NULL, 0}), 0);
}

static void test_digits(void **state)
{
    (void)state;
    assert_int_equal(currency_digits(CURRENCY_ZAR), 2);
    assert_int_equal(currency_digits(currency_parse(SLICE("JPY"))), 0);
    assert_int_equal(currency_digits(currency_parse(SLICE("KWD"))), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_round_trip),
        cmocka_unit_test(test_strangers_are_refused),
        cmocka_unit_test(test_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
