/* Giving back: never more than the original, fees by their share to the unit, debts only when they
 * are allowed. */
#include "ledger/refund.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct uuid id = {{9}};

struct scene {
    struct account from, to, fees; /* the original's receiver, payer, and its fee */
    struct transfer transfer;
    struct refund_original original;
    struct posting postings[TRANSACTION_POSTINGS_MAX];
};

static struct account account(enum account_kind kind, uint8_t number, int64_t posted)
{
    return (struct account){.id = {{0x10, number}},
                            .kind = kind,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .posted = posted,
                            .floor = kind == ACCOUNT_FEES ? ACCOUNT_FLOOR_NONE : 0,
                            .version = 1};
}

/* After a transfer of `amount` with `fee`, of which `refundable` is given back. */
static void begin(struct scene *s, int64_t amount, int64_t fee, int64_t refundable)
{
    *s = (struct scene){
        .from = account(ACCOUNT_WALLET, 1, amount),
        .to = account(ACCOUNT_WALLET, 2, 0),
        .fees = account(ACCOUNT_FEES, 3, 0), /* another stripe took it */
        .original = {
            .kind = TRANSACTION_TRANSFER, .amount = amount, .fee = fee, .refundable = refundable}};
    s->transfer = (struct transfer){
        .amount = {0, CURRENCY_ZAR}, .from = &s->from, .to = &s->to, .fees = &s->fees};
}

static enum refusal give_back(struct scene *s, int64_t amount, bool reversal, bool allow_negative)
{
    s->transfer.amount.minor = amount;
    s->transfer.fee = 0;
    enum refusal refusal = refund_check(&s->transfer, &s->original, reversal);
    if (refusal != REFUSAL_NONE)
        return refusal;
    s->transfer.fee = refund_fee(&s->original, amount, reversal);
    refusal = refund_check_money(&s->transfer, allow_negative);
    if (refusal == REFUSAL_NONE)
        refund_post(&s->transfer, &s->original, reversal, &id, s->postings);
    return refusal;
}

static void test_parts_up_to_the_whole(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, 1000, 100, 100);
    assert_int_equal(give_back(&s, 333, false, false), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 333 + 33);
    assert_int_equal(s.fees.posted, -33);
    assert_int_equal(refund_left(&s.original), 667);
    assert_int_equal(give_back(&s, 668, false, false), REFUSAL_REFUND_EXCEEDS_ORIGINAL);
    assert_int_equal(give_back(&s, 667, false, false), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 1100); /* all of the fee in the end */
    assert_int_equal(s.from.posted, 0);
    assert_int_equal(give_back(&s, 1, false, false), REFUSAL_REFUND_EXCEEDS_ORIGINAL);
}

static void test_a_fee_that_stays(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, 1000, 100, 0);
    assert_int_equal(give_back(&s, 1000, false, false), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 1000);
    assert_int_equal(s.fees.version, 1);
    begin(&s, 1000, 100, 0); /* operators give it back all the same */
    assert_int_equal(give_back(&s, 1000, true, false), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 1100);
    assert_true(s.original.reversed);
    assert_int_equal(refund_left(&s.original), 0);
}

static void test_a_reversal_takes_what_is_left(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, 1000, 100, 50);
    assert_int_equal(give_back(&s, 400, false, false), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 420);
    assert_int_equal(give_back(&s, refund_left(&s.original), true, false), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 1100);
    assert_int_equal(give_back(&s, 1, false, false), REFUSAL_REFUND_EXCEEDS_ORIGINAL);
    assert_int_equal(give_back(&s, 1, true, false), REFUSAL_REFUND_EXCEEDS_ORIGINAL);
}

static void test_a_debt_only_when_allowed(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, 1000, 0, 0);
    s.from.posted = 300; /* it spent the rest */
    s.from.held = 100;
    assert_int_equal(give_back(&s, 1000, true, false), REFUSAL_INSUFFICIENT_FUNDS);
    assert_int_equal(give_back(&s, 1000, true, true), REFUSAL_NONE);
    assert_int_equal(s.from.posted, -700);
    assert_int_equal(s.from.floor, -800);
    assert_true(s.from.floor_moved);
    s.original.refunded = 0; /* another one's original */
    s.original.reversed = false;
    assert_int_equal(give_back(&s, 1, false, false), REFUSAL_INSUFFICIENT_FUNDS);
    assert_int_equal(give_back(&s, 1, true, true), REFUSAL_NONE); /* a second flagged one may */
    assert_int_equal(s.from.floor, -801);
    begin(&s, 1000, 0, 0);
    assert_int_equal(give_back(&s, 1000, true, true), REFUSAL_NONE); /* allowed, but no need */
    assert_int_equal(s.from.floor, 0);
    assert_false(s.from.floor_moved);
}

static void test_who_may_give_and_get(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, 1000, 0, 0);
    s.to.status = ACCOUNT_FROZEN; /* receives */
    assert_int_equal(give_back(&s, 100, false, false), REFUSAL_NONE);
    s.to.status = ACCOUNT_CLOSED;
    assert_int_equal(give_back(&s, 100, false, false), REFUSAL_RECIPIENT_CANNOT_RECEIVE);
    s.to.status = ACCOUNT_ACTIVE;
    s.from.status = ACCOUNT_FROZEN;
    assert_int_equal(give_back(&s, 100, false, false), REFUSAL_WALLET_FROZEN);
    assert_int_equal(give_back(&s, 900, true, false), REFUSAL_NONE); /* operators froze it */
    s.from.status = ACCOUNT_CLOSED;
    assert_int_equal(give_back(&s, 1, true, false), REFUSAL_WALLET_CLOSED);
    s.from.currency++;
    assert_int_equal(give_back(&s, 1, true, false), REFUSAL_CURRENCY_MISMATCH);
    s.transfer.from = NULL;
    assert_int_equal(give_back(&s, 1, true, false), REFUSAL_WALLET_NOT_FOUND);
    begin(&s, 1000, 0, 0);
    s.to.posted = MONEY_MAX;
    assert_int_equal(give_back(&s, 1, false, false), REFUSAL_RECIPIENT_CANNOT_RECEIVE);
    begin(&s, 1000, 10, 10);
    s.transfer.fees = NULL;
    assert_int_equal(give_back(&s, 1000, false, false), REFUSAL_LIMIT_EXCEEDED);
    begin(&s, 1000, 0, 0);
    s.from.posted = -MONEY_MAX; /* a debt has an end, too */
    s.from.floor = -MONEY_MAX;
    assert_int_equal(give_back(&s, 1, true, true), REFUSAL_INSUFFICIENT_FUNDS);
}

static void test_which_kinds(void **state)
{
    static const struct {
        enum transaction_kind kind;
        bool refund, reversal;
    } kinds[] = {
        {TRANSACTION_DEPOSIT, false, true},    {TRANSACTION_TRANSFER, true, true},
        {TRANSACTION_WITHDRAWAL, false, true}, {TRANSACTION_HOLD, false, false},
        {TRANSACTION_CAPTURE, true, true},     {TRANSACTION_VOID, false, false},
        {TRANSACTION_EXPIRY, false, false},    {TRANSACTION_REFUND, false, false},
        {TRANSACTION_REVERSAL, false, false},  {TRANSACTION_PURCHASE, true, true},
    };
    struct scene s;
    (void)state;
    assert_int_equal(sizeof kinds / sizeof kinds[0], TRANSACTION_KIND_MAX);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_int_equal(refund_is_possible(kinds[i].kind, false), kinds[i].refund);
        assert_int_equal(refund_is_possible(kinds[i].kind, true), kinds[i].reversal);
        begin(&s, 10, 0, 0);
        s.original.kind = kinds[i].kind;
        assert_int_equal(give_back(&s, 10, false, false),
                         kinds[i].refund ? REFUSAL_NONE : REFUSAL_NOT_REFUNDABLE);
    }
}

/* Refunds in any parts: nothing is made or lost, and all of them give back exactly the share. */
static void test_shares_add_up(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 20000; seed++) {
        unsigned dice = seed;
        struct scene s;
        int64_t amount = 1 + rand_r(&dice) % 5000;
        int64_t fee = rand_r(&dice) % 2 == 0 ? rand_r(&dice) % 300 : MONEY_MAX / 4;
        int64_t refundable = fee == 0 ? 0 : rand_r(&dice) % 3 == 0 ? fee : rand_r(&dice) % fee;
        begin(&s, amount, fee, refundable);
        while (refund_left(&s.original) > 0) {
            int64_t part = 1 + rand_r(&dice) % refund_left(&s.original);
            bool reversal = rand_r(&dice) % 50 == 0;
            if (reversal)
                part = refund_left(&s.original);
            assert_int_equal(give_back(&s, part, reversal, false), REFUSAL_NONE);
            assert_int_equal(s.from.posted + s.to.posted + s.fees.posted, amount);
        }
        assert_int_equal(s.to.posted, amount + (s.original.reversed ? fee : refundable));
        assert_int_equal(s.from.posted, 0);
    }
}

/* So that adding them up stays cheap; operators give back the rest. */
static void test_how_many(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, 10000, 0, 0);
    for (int i = 0; i < REFUNDS_MAX; i++)
        assert_int_equal(give_back(&s, 1, false, false), REFUSAL_NONE);
    assert_int_equal(give_back(&s, 1, false, false), REFUSAL_LIMIT_EXCEEDED);
    assert_int_equal(s.to.posted, REFUNDS_MAX);
    assert_int_equal(give_back(&s, refund_left(&s.original), true, false), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_up_to_the_whole),
        cmocka_unit_test(test_a_fee_that_stays),
        cmocka_unit_test(test_a_reversal_takes_what_is_left),
        cmocka_unit_test(test_a_debt_only_when_allowed),
        cmocka_unit_test(test_who_may_give_and_get),
        cmocka_unit_test(test_which_kinds),
        cmocka_unit_test(test_shares_add_up),
        cmocka_unit_test(test_how_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
