/* Holds: what refuses them, what each end does to both accounts, and that whatever is done with one
 * the money is there and held is never below zero. */
#include "ledger/hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct uuid alice = {{1}};
static const struct uuid bob = {{2}};
static const struct uuid hold_id = {{8}};
static const struct uuid end_id = {{9}};

struct scene {
    struct account from, to, fees;
    struct transfer transfer;
    struct hold hold;
    struct posting postings[TRANSACTION_POSTINGS_MAX];
};

static struct account account(enum account_kind kind, uint8_t id, int64_t posted)
{
    return (struct account){.id = {{0x10, id}},
                            .kind = kind,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .owner = id == 1 ? alice : bob,
                            .posted = posted,
                            .version = 1};
}

/* A hold of `amount` and `fee` on 10,000, open until 1,000. */
static void place(struct scene *s, int64_t amount, int64_t fee)
{
    *s = (struct scene){.from = account(ACCOUNT_WALLET, 1, 10000),
                        .to = account(ACCOUNT_WALLET, 2, 0),
                        .fees = account(ACCOUNT_FEES, 3, 0)};
    s->transfer = (struct transfer){.amount = {amount, CURRENCY_ZAR},
                                    .fee = fee,
                                    .from = &s->from,
                                    .to = &s->to,
                                    .fees = &s->fees,
                                    .payer = &alice};
    assert_int_equal(hold_check_money(&s->transfer), REFUSAL_NONE);
    assert_int_equal(hold_place(&s->transfer, &hold_id, s->postings), 1);
    s->hold = (struct hold){.id = hold_id,
                            .from = s->from.id,
                            .to = s->to.id,
                            .currency = CURRENCY_ZAR,
                            .amount = amount,
                            .fee = fee,
                            .expires_at = 1000,
                            .status = HOLD_OPEN};
}

static enum refusal capture(struct scene *s, int64_t amount, int64_t now)
{
    s->transfer.amount.minor = amount;
    enum refusal refusal = hold_check_capture(&s->hold, &s->transfer, now);
    if (refusal != REFUSAL_NONE)
        return refusal;
    s->transfer.fee = hold_fee(&s->hold, &s->transfer);
    hold_capture(&s->hold, &s->transfer, &end_id, s->postings);
    return REFUSAL_NONE;
}

static void test_what_is_held_is_not_available(void **state)
{
    struct scene s;
    (void)state;
    place(&s, 6000, 100);
    assert_int_equal(s.postings[0].amount, 0);
    assert_int_equal(s.postings[0].hold, 6100);
    assert_int_equal(s.from.posted, 10000);
    assert_int_equal(s.from.held, 6100);
    assert_int_equal(s.from.version, 2);
    assert_int_equal(s.to.version, 1);
    s.transfer.amount.minor = 3801; /* one more than is left, with the fee */
    assert_int_equal(hold_check_money(&s.transfer), REFUSAL_INSUFFICIENT_FUNDS);
    assert_int_equal(transfer_check_money(&s.transfer), REFUSAL_INSUFFICIENT_FUNDS);
    s.transfer.amount.minor = 3800;
    assert_int_equal(hold_check_money(&s.transfer), REFUSAL_NONE);
    assert_int_equal(transfer_check_money(&s.transfer), REFUSAL_NONE);
}

static void test_captured_whole(void **state)
{
    struct scene s;
    (void)state;
    place(&s, 6000, 100);
    assert_int_equal(capture(&s, 6000, 999), REFUSAL_NONE);
    assert_int_equal(s.from.posted, 3900);
    assert_int_equal(s.from.held, 0);
    assert_int_equal(s.to.posted, 6000);
    assert_int_equal(s.fees.posted, 100);
    assert_int_equal(s.hold.status, HOLD_CAPTURED);
    assert_int_equal(s.hold.captured, 6000);
    assert_true(uuid_equal(&s.hold.finished_by, &end_id));
    assert_int_equal(capture(&s, 1, 999), REFUSAL_HOLD_FINISHED);
    assert_int_equal(hold_check_open(&s.hold), REFUSAL_HOLD_FINISHED);
}

static void by_partner(struct scene *s)
{
    s->transfer.payer = NULL;
    s->transfer.anyones = true;
}

static void test_a_partners_part_pays_its_share_and_frees_the_rest(void **state)
{
    struct scene s;
    (void)state;
    place(&s, 6000, 100);
    by_partner(&s);
    assert_int_equal(capture(&s, 1000, 0), REFUSAL_NONE);
    assert_int_equal(s.fees.posted, 16); /* 100 / 6, rounded down */
    assert_int_equal(s.from.posted, 10000 - 1016);
    assert_int_equal(s.from.held, 0);
    place(&s, 6000, 100);
    by_partner(&s);
    assert_int_equal(capture(&s, 59, 0), REFUSAL_NONE);
    assert_int_equal(s.fees.version, 1); /* no fee, no posting */
}

/* What was promised is paid; but nobody sends by way of a hold what a frozen wallet can't. */
static void test_a_frozen_payer_captures_nothing(void **state)
{
    struct scene s;
    (void)state;
    place(&s, 6000, 100);
    s.from.status = ACCOUNT_FROZEN;
    assert_int_equal(capture(&s, 6000, 999), REFUSAL_WALLET_FROZEN);
    assert_int_equal(s.hold.status, HOLD_OPEN);
    by_partner(&s);
    assert_int_equal(capture(&s, 6000, 999), REFUSAL_NONE);
    assert_int_equal(s.to.posted, 6000);
}

/* Else who pays would hold much, at a fee that is capped, and send a little of it for nothing. */
static void test_the_payers_part_pays_the_whole_fee(void **state)
{
    struct scene s;
    (void)state;
    place(&s, 6000, 100);
    assert_int_equal(capture(&s, 1, 0), REFUSAL_NONE);
    assert_int_equal(s.fees.posted, 100);
    assert_int_equal(s.to.posted, 1);
    assert_int_equal(s.from.posted, 10000 - 101);
    assert_int_equal(s.from.held, 0);
}

static void test_each_refusal(void **state)
{
    struct scene s;
    (void)state;
    place(&s, 6000, 100);
    assert_int_equal(hold_check_open(NULL), REFUSAL_HOLD_NOT_FOUND);
    assert_int_equal(hold_check_open(&(struct hold){.status = HOLD_NONE}), REFUSAL_HOLD_NOT_FOUND);
    assert_int_equal(capture(&s, 6001, 0), REFUSAL_CAPTURE_EXCEEDS_HOLD);
    assert_int_equal(capture(&s, 6000, 1000), REFUSAL_HOLD_EXPIRED); /* to the microsecond */
    s.to.status = ACCOUNT_CLOSED;
    assert_int_equal(capture(&s, 1, 0), REFUSAL_RECIPIENT_CANNOT_RECEIVE);
    s.to.status = ACCOUNT_FROZEN;
    s.to.posted = MONEY_MAX;
    assert_int_equal(capture(&s, 1, 0), REFUSAL_RECIPIENT_CANNOT_RECEIVE);
    s.to.posted = 0;
    s.transfer.fees = NULL;
    assert_int_equal(capture(&s, 6000, 0), REFUSAL_LIMIT_EXCEEDED);
    s.transfer.to = NULL;
    assert_int_equal(capture(&s, 6000, 0), REFUSAL_RECIPIENT_CANNOT_RECEIVE);
    assert_int_equal(s.hold.status, HOLD_OPEN);
}

static void test_given_up_or_expired(void **state)
{
    static const enum hold_status ends[] = {HOLD_VOIDED, HOLD_EXPIRED};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        place(&s, 6000, 100);
        assert_int_equal(hold_release(&s.hold, ends[i], &s.from, &end_id, s.postings), 1);
        assert_int_equal(s.postings[0].amount, 0);
        assert_int_equal(s.postings[0].hold, -6100);
        assert_int_equal(s.from.posted, 10000);
        assert_int_equal(s.from.held, 0);
        assert_int_equal(s.hold.status, ends[i]);
        assert_int_equal(capture(&s, 1, 0), REFUSAL_HOLD_FINISHED);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(hold_status_name(HOLD_OPEN), "open");
    assert_string_equal(hold_status_name(HOLD_CAPTURED), "captured");
    assert_string_equal(hold_status_name(HOLD_VOIDED), "voided");
    assert_string_equal(hold_status_name(HOLD_EXPIRED), "expired");
    assert_string_equal(hold_status_name(HOLD_NONE), "unknown");
}

/* Any amounts, extremes included: nothing is made or lost, and a part never costs more than the
 * whole fee. */
static void test_money_is_conserved(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 50000; seed++) {
        unsigned dice = seed;
        struct scene s;
        int64_t amount = 1 + rand_r(&dice) % 9000;
        int64_t fee = rand_r(&dice) % 1000;
        int64_t part = 1 + rand_r(&dice) % amount;
        bool partner = rand_r(&dice) % 2 == 0;
        place(&s, amount, fee);
        if (partner)
            by_partner(&s);
        assert_int_equal(capture(&s, part, 0), REFUSAL_NONE);
        assert_int_equal(s.from.posted + s.to.posted + s.fees.posted, 10000);
        assert_int_equal(s.from.held, 0);
        assert_true(s.fees.posted <= fee && ((part < amount && partner) || s.fees.posted == fee));
        assert_int_equal(s.to.posted, part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_held_is_not_available),
        cmocka_unit_test(test_captured_whole),
        cmocka_unit_test(test_a_partners_part_pays_its_share_and_frees_the_rest),
        cmocka_unit_test(test_a_frozen_payer_captures_nothing),
        cmocka_unit_test(test_the_payers_part_pays_the_whole_fee),
        cmocka_unit_test(test_each_refusal),
        cmocka_unit_test(test_given_up_or_expired),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_money_is_conserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
