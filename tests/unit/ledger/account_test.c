#include "ledger/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_system_ids_are_distinct(void **state)
{
    struct uuid seen[64];
    size_t count = 0;
    (void)state;
    for (int kind = ACCOUNT_FEES; kind <= ACCOUNT_SUSPENSE; kind++)
        for (unsigned stripe = 0; stripe < ACCOUNT_STRIPES_MAX; stripe += 513)
            seen[count++] = account_system_id((enum account_kind)kind, CURRENCY_ZAR, stripe);
    seen[count++] = account_system_id(ACCOUNT_FEES, currency_parse(SLICE("USD")), 0);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(uuid_equal(&seen[i], &seen[j]));
    struct uuid again = account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, 0);
    assert_true(uuid_equal(&again, &seen[0])); /* the same for ever: they stand in the database */
    assert_int_equal(again.bytes[6] >> 4, 8);
}

static void test_soundness(void **state)
{
    struct account account = {.currency = CURRENCY_ZAR, .posted = 100, .held = 40, .version = 1};
    (void)state;
    assert_int_equal(account_available(&account), 60);
    assert_true(account_is_sound(&account));
    account.floor = 60;
    assert_true(account_is_sound(&account));
    account.floor = 61;
    assert_false(account_is_sound(&account));
    account.floor = 0;
    account.held = -1;
    assert_false(account_is_sound(&account));
    account.held = 0;
    account.version = 0; /* money without a posting */
    assert_false(account_is_sound(&account));
}

static void test_status_names(void **state)
{
    (void)state;
    assert_string_equal(account_status_name(ACCOUNT_ACTIVE), "active");
    assert_string_equal(account_status_name(ACCOUNT_FROZEN), "frozen");
    assert_string_equal(account_status_name(ACCOUNT_CLOSED), "closed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_ids_are_distinct),
        cmocka_unit_test(test_soundness),
        cmocka_unit_test(test_status_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
