#include "scripting/fee.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ledger/money.h"
#include "scripting/bundle.h"
#include "tests/unit/base/dies.h"
#include "tests/unit/scripting/folder.h"

static struct bundle *bundle;

static int begin(void **state)
{
    struct folder folder;
    struct bundle_report report;

    (void)state;
    folder_make(&folder);
    folder_put(&folder, "own.fee.lua",
               "return fee { id = 'own', version = 1, owner = 'x', rounding = 'up', applies = { "
               "kind = 'transfer', currency = 'ZAR', own = true }, slabs = { { flat = ZAR '0' } } "
               "}");
    folder_put(&folder, "low.fee.lua",
               "return fee { id = 'low', version = 12, owner = 'x', rounding = 'up', applies = { "
               "kind = 'transfer', currency = 'ZAR', own = false, tiers = { 0, 1 } }, slabs = { { "
               "flat = ZAR '1', rate = pct '1' } } }");
    folder_put(&folder, "high.fee.lua",
               "return fee { id = 'high', version = 3, owner = 'x', rounding = 'up', applies = { "
               "kind = 'transfer', currency = 'ZAR', own = false, tiers = { 2 } }, slabs = { { "
               "flat = ZAR '1' } }, may_exceed_amount = true }");
    folder_put(&folder, "much.fee.lua",
               "return fee { id = 'much', version = 1, owner = 'x', rounding = 'up', applies = { "
               "kind = 'hold', currency = 'ZAR' }, slabs = { { rate = pct '100', flat = ZAR '1' } "
               "}, may_exceed_amount = true }");
    bundle = bundle_load(folder.path, &report);
    folder_remove(&folder);
    return bundle == NULL;
}

static int end(void **state)
{
    (void)state;
    bundle_release(bundle);
    return 0;
}

static struct fee_decision price(int64_t amount, int tier, bool own)
{
    const struct fee_facts facts = {"transfer", amount, CURRENCY_ZAR, tier, own, 0};
    struct fee_decision decision;

    memset(&decision, 0x55, sizeof decision);
    fee_price(bundle, &facts, &decision);
    return decision;
}

static void expect(const struct fee_decision *decision, const char *rule, int64_t fee)
{
    assert_int_equal(decision->outcome, FEE_OK);
    assert_int_equal(decision->count, 1);
    assert_string_equal(decision->lines[0].rule, rule);
    assert_string_equal(decision->lines[0].code, "fee");
    assert_int_equal(decision->lines[0].amount, fee);
    assert_int_equal(decision->total, fee);
    assert_string_equal(decision->reason, "");
}

static void refused(const struct fee_decision *decision, const char *reason)
{
    assert_int_equal(decision->outcome, FEE_FAILED);
    assert_int_equal(decision->count, 0);
    assert_int_equal(decision->total, 0);
    assert_string_equal(decision->reason, reason);
}

static void test_the_rule_that_applies(void **state)
{
    (void)state;
    struct fee_decision decision = price(10000, 0, false);

    expect(&decision, "low@12", 200);
    decision = price(10001, 1, false);
    expect(&decision, "low@12", 201);
    decision = price(10000, 2, false);
    expect(&decision, "high@3", 100);
    for (int tier = 0; tier < 4; tier++) {
        decision = price(1, tier, true);
        expect(&decision, "own@1", 0);
    }
}

/* What no rule prices is refused, never free. */
static void test_no_rule(void **state)
{
    (void)state;
    struct fee_decision decision = price(10000, 3, false);
    struct fee_facts facts = {"transfer", 1, currency_parse(SLICE("USD")), 0, true, 0};

    refused(&decision,
            "no rule applies to: transfer, ZAR, tier 3, between different owners' wallets");
    fee_price(bundle, &facts, &decision);
    refused(&decision, "no rule applies to: transfer, USD, tier 0, between own wallets");
    facts.currency = CURRENCY_ZAR;
    facts.kind = "transfers";
    fee_price(bundle, &facts, &decision);
    refused(&decision, "no rule applies to: transfers, ZAR, tier 0, between own wallets");
}

static void test_a_fee_above_the_amount(void **state)
{
    (void)state;
    struct fee_decision decision = price(102, 0, false); /* 1.02 costs 1.02 */

    expect(&decision, "low@12", 102);
    decision = price(101, 0, false);
    refused(&decision, "the fee is more than the amount, and the rule has no may_exceed_amount: "
                       "low@12");
    decision = price(1, 2, false);
    expect(&decision, "high@3", 100);
}

/* It refuses the movement; it doesn't end the worker. */
static void test_a_fee_that_is_no_money(void **state)
{
    struct fee_facts facts = {"hold", MONEY_MAX - 100, CURRENCY_ZAR, 0, false, 0};
    struct fee_decision decision;
    (void)state;
    fee_price(bundle, &facts, &decision);
    expect(&decision, "much@1", MONEY_MAX);
    facts.amount++;
    fee_price(bundle, &facts, &decision);
    refused(&decision, "the fee is more than money can be: much@1");
}

/* What adjust makes of it counts, and is held against the amount like any other fee. */
static void test_an_adjusted_fee(void **state)
{
    (void)state;
    struct folder folder;
    struct bundle_report report;
    struct bundle *usual = bundle;

    folder_make(&folder);
    folder_put(
        &folder, "a.fee.lua",
        "return fee { id = 'a', version = 1, owner = 'x', rounding = 'up', applies = { kind = "
        "'transfer', currency = 'ZAR' }, slabs = { { rate = pct '1' } },\n"
        "adjust = function(tx, q, m)\n"
        "if tx.amount == 500 then return { fee = 501 } end\n"
        "if tx.amount == 501 then return m.deny 'no' end\n"
        "if tx.amount == 502 then error 'oh' end\n"
        "if tx.amount > 502 then return { fee = 9007199254740991 } end\n"
        "return { fee = 7 } end }");
    bundle = bundle_load(folder.path, &report);
    folder_remove(&folder);
    assert_non_null(bundle);

    struct fee_decision decision = price(400, 0, false);

    expect(&decision, "a@1", 7);
    decision = price(500, 0, false);
    refused(&decision, "the fee is more than the amount, and the rule has no may_exceed_amount: "
                       "a@1");
    decision = price(501, 0, false);
    assert_int_equal(decision.outcome, FEE_DENIED);
    assert_string_equal(decision.reason, "no");
    assert_true(decision.count == 0 && decision.total == 0);
    decision = price(502, 0, false);
    refused(&decision, "a@1: adjust, line 5: oh");
    decision = price(503, 0, false);
    assert_int_equal(decision.outcome, FEE_FAILED);
    bundle_release(bundle);
    bundle = usual;
}

static void no_tier(void *unused)
{
    (void)unused;
    price(1, 4, false);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(no_tier, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rule_that_applies),
        cmocka_unit_test(test_no_rule),
        cmocka_unit_test(test_a_fee_above_the_amount),
        cmocka_unit_test(test_a_fee_that_is_no_money),
        cmocka_unit_test(test_an_adjusted_fee),
        cmocka_unit_test(test_misuse_dies),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
