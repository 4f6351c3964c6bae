#include "ledger/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_names_round_trip(void **state)
{
    (void)state;
    for (int kind = TRANSACTION_DEPOSIT; kind <= TRANSACTION_KIND_MAX; kind++) {
        const char *name = transaction_kind_name((enum transaction_kind)kind);
        assert_int_equal(transaction_kind_parse(slice_of(name)), kind);
    }
    assert_int_equal(transaction_kind_parse(SLICE("theft")), 0);
    assert_int_equal(transaction_kind_parse(SLICE("")), 0);
}

static struct account account(int64_t posted, int64_t held)
{
    return (struct account){.id = {{1}},
                            .kind = ACCOUNT_WALLET,
                            .currency = CURRENCY_ZAR,
                            .posted = posted,
                            .held = held,
                            .version = 7};
}

/* Every change is the next version, and its posting says what stands after it. */
static void test_a_posting_is_a_version(void **state)
{
    const struct uuid id = {{9}};
    struct account a = account(100, 10);
    (void)state;
    struct posting p = transaction_post(&a, -40, 0, &id);
    assert_int_equal(p.version, 8);
    assert_int_equal(p.posted_after, 60);
    assert_int_equal(p.held_after, 10);
    p = transaction_post(&a, 0, 20, &id);
    assert_int_equal(p.version, 9);
    assert_int_equal(p.amount, 0);
    assert_int_equal(p.hold, 20);
    assert_int_equal(p.held_after, 30);
    p = transaction_post(&a, -25, -30, &id);
    assert_int_equal(p.posted_after, 35);
    assert_int_equal(a.held, 0);
    assert_int_equal(a.version, 10);
    assert_false(a.floor_moved);
}

/* What comes in takes the floor of a debt along, and no further than zero. */
static void test_a_debt_is_made_good(void **state)
{
    const struct uuid id = {{9}};
    struct account a = account(-50, 10);
    (void)state;
    a.floor = -60;
    transaction_post(&a, 20, 0, &id);
    assert_int_equal(a.floor, -40);
    transaction_post(&a, 0, -10, &id); /* a void frees money, too */
    assert_int_equal(a.floor, -30);
    transaction_post(&a, 100, 0, &id);
    assert_int_equal(a.floor, 0);
    assert_true(a.floor_moved);
    a.floor_moved = false;
    transaction_post(&a, -70, 0, &id);
    assert_int_equal(a.floor, 0);
    assert_false(a.floor_moved);
}

static void test_who_gives_back(void **state)
{
    (void)state;
    for (int kind = TRANSACTION_DEPOSIT; kind <= TRANSACTION_KIND_MAX; kind++)
        assert_int_equal(transaction_gives_back((enum transaction_kind)kind),
                         kind == TRANSACTION_REFUND || kind == TRANSACTION_REVERSAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_round_trip),
        cmocka_unit_test(test_a_posting_is_a_version),
        cmocka_unit_test(test_a_debt_is_made_good),
        cmocka_unit_test(test_who_gives_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
