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

static void test_system_ids_are_recognized(void **state)
{
    const struct uuid wallet = {{0x01, 0x93, 0xab, 0x12, 0x34, 0x56, 0x70}};
    const struct uuid nil = {{0}};
    (void)state;
    for (int kind = ACCOUNT_FEES; kind <= ACCOUNT_SUSPENSE; kind++) {
        struct uuid id = account_system_id((enum account_kind)kind, CURRENCY_ZAR, 300);
        assert_int_equal(account_system_kind(&id), kind);
    }
    assert_int_equal(account_system_kind(&wallet), 0);
    assert_int_equal(account_system_kind(&nil), 0);
}

static void test_a_debt_has_its_floor(void **state)
{
    struct account account = {
        .kind = ACCOUNT_WALLET, .currency = CURRENCY_ZAR, .posted = 100, .held = 40, .version = 1};
    (void)state;
    account_lower_floor(&account, -25);
    assert_int_equal(account.floor, -25);
    assert_true(account.floor_moved);
    account.posted = 15;
    assert_true(account_is_sound(&account));
    account_raise_floor(&account);
    assert_int_equal(account.floor, -25);
    account.posted = 30;
    account_raise_floor(&account);
    assert_int_equal(account.floor, -10);
    account.posted = 1000;
    account_raise_floor(&account);
    assert_int_equal(account.floor, 0);
    account = (struct account){.kind = ACCOUNT_FEES, .floor = ACCOUNT_FLOOR_NONE, .posted = 9};
    account_raise_floor(&account); /* never had one */
    assert_true(account.floor == ACCOUNT_FLOOR_NONE && !account.floor_moved);
    assert_true(account_is_floorless(ACCOUNT_FEES) && account_is_floorless(ACCOUNT_SETTLEMENT));
    assert_false(account_is_floorless(ACCOUNT_WALLET) || account_is_floorless(ACCOUNT_SUPPLIER));
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
        cmocka_unit_test(test_system_ids_are_recognized),
        cmocka_unit_test(test_a_debt_has_its_floor),
        cmocka_unit_test(test_status_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
