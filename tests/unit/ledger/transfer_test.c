/* Transfers against a model: random accounts and amounts, extremes included; what the model refuses
 * must be refused for the reason that comes first, and what it allows must move exactly what it
 * says. */
#include "ledger/transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct uuid alice = {{1}};
static const struct uuid bob = {{2}};

static struct account wallet(uint8_t id, const struct uuid *owner, int64_t posted)
{
    return (struct account){.id = {{0x10, id}},
                            .kind = ACCOUNT_WALLET,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .owner = *owner,
                            .posted = posted,
                            .version = 1};
}

static struct account fees(int64_t posted)
{
    return (struct account){.id = account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, 0),
                            .kind = ACCOUNT_FEES,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .posted = posted,
                            .version = 9};
}

static enum refusal check(const struct transfer *transfer)
{
    enum refusal refusal = transfer_check_parties(transfer);
    return refusal != REFUSAL_NONE ? refusal : transfer_check_money(transfer);
}

static void test_each_refusal(void **state)
{
    struct account from = wallet(1, &alice, 1000);
    struct account to = wallet(2, &bob, 0);
    struct account fee = fees(0);
    struct transfer good = {{100, CURRENCY_ZAR}, 5, &from, &to, &fee, &alice, false, false, false};
    struct transfer bad = good;
    (void)state;

    assert_int_equal(check(&good), REFUSAL_NONE);
    bad.from = NULL;
    assert_int_equal(check(&bad), REFUSAL_WALLET_NOT_FOUND);
    bad.from = &fee;
    assert_int_equal(check(&bad), REFUSAL_WALLET_NOT_FOUND);
    bad = good;
    bad.payer = &bob; /* another's wallet answers like none */
    assert_int_equal(check(&bad), REFUSAL_WALLET_NOT_FOUND);
    bad = good;
    bad.to = NULL;
    assert_int_equal(check(&bad), REFUSAL_RECIPIENT_NOT_FOUND);
    bad.to = &fee; /* nobody pays into the system's own accounts */
    assert_int_equal(check(&bad), REFUSAL_RECIPIENT_NOT_FOUND);
    bad.to = &from;
    assert_int_equal(check(&bad), REFUSAL_SAME_WALLET);
    bad = good;
    bad.amount.currency = currency_parse(SLICE("USD"));
    assert_int_equal(check(&bad), REFUSAL_CURRENCY_MISMATCH);
    to.currency = bad.amount.currency;
    assert_int_equal(check(&good), REFUSAL_CURRENCY_MISMATCH);
    to.currency = CURRENCY_ZAR;

    from.status = ACCOUNT_FROZEN;
    assert_int_equal(check(&good), REFUSAL_WALLET_FROZEN);
    from.status = ACCOUNT_CLOSED;
    assert_int_equal(check(&good), REFUSAL_WALLET_CLOSED);
    from.status = ACCOUNT_ACTIVE;
    to.status = ACCOUNT_FROZEN; /* receives all the same */
    assert_int_equal(check(&good), REFUSAL_NONE);
    to.status = ACCOUNT_CLOSED;
    assert_int_equal(check(&good), REFUSAL_RECIPIENT_CANNOT_RECEIVE);
    to.status = ACCOUNT_ACTIVE;

    from.held = 896;
    assert_int_equal(check(&good), REFUSAL_INSUFFICIENT_FUNDS); /* 104 available, 105 asked */
    from.held = 895;
    assert_int_equal(check(&good), REFUSAL_NONE);
    to.posted = MONEY_MAX - 99;
    assert_int_equal(check(&good), REFUSAL_RECIPIENT_CANNOT_RECEIVE);
    to.posted = MONEY_MAX - 100;
    assert_int_equal(check(&good), REFUSAL_NONE);
    fee.posted = INT64_MAX - 4;
    assert_int_equal(check(&good), REFUSAL_LIMIT_EXCEEDED);
}

static void test_settlement_pays_deposits_until_its_end(void **state)
{
    struct account settlement = fees(0);
    struct account to = wallet(2, &bob, 0);
    struct transfer deposit = {.amount = {MONEY_MAX, CURRENCY_ZAR}, .from = &settlement, .to = &to};
    struct posting postings[TRANSACTION_POSTINGS_MAX];
    const struct uuid id = {{9}};
    int64_t paid = 0;
    (void)state;
    settlement.kind = ACCOUNT_SETTLEMENT;
    settlement.floor = ACCOUNT_FLOOR_NONE;
    while (check(&deposit) == REFUSAL_NONE) {
        assert_int_equal(transfer_post(&deposit, &id, postings), 2);
        to.posted = 0; /* another wallet, so to say */
        assert_true(paid < 2000);
        paid++;
    }
    assert_int_equal(paid, 1024);
    assert_int_equal(check(&deposit), REFUSAL_LIMIT_EXCEEDED);
}

/* Amounts that matter: small ones and those around every border. */
static int64_t draw(unsigned *dice)
{
    static const int64_t borders[] = {0, 1, 2, 250, 10000, MONEY_MAX / 2, MONEY_MAX - 1, MONEY_MAX};
    int64_t near = rand_r(dice) % 5 - 2;
    int64_t drawn = borders[(size_t)rand_r(dice) % (sizeof borders / sizeof borders[0])] + near;
    return drawn < 0 ? 0 : drawn > MONEY_MAX ? MONEY_MAX : drawn;
}

static enum refusal model(const struct transfer *t)
{
    __int128 total = (__int128)t->amount.minor + t->fee;
    if ((__int128)t->from->posted - t->from->held - total < t->from->floor)
        return REFUSAL_INSUFFICIENT_FUNDS;
    if ((__int128)t->to->posted + t->amount.minor > MONEY_MAX)
        return REFUSAL_RECIPIENT_CANNOT_RECEIVE;
    return REFUSAL_NONE;
}

static void expect_posted(const struct transfer *t, const struct account before[3])
{
    struct posting postings[TRANSACTION_POSTINGS_MAX];
    const struct uuid id = {{7}};
    int count = transfer_post(t, &id, postings);
    int64_t sum = 0;
    assert_int_equal(count, t->fee > 0 ? 3 : 2);
    for (int i = 0; i < count; i++) {
        const struct account *now = i == 0 ? t->from : i == 1 ? t->to : t->fees;
        sum += postings[i].amount;
        assert_true(uuid_equal(&postings[i].account, &now->id));
        assert_true(uuid_equal(&postings[i].transaction, &id));
        assert_int_equal(postings[i].posted_after, before[i].posted + postings[i].amount);
        assert_int_equal(postings[i].posted_after, now->posted);
        assert_int_equal(postings[i].held_after, before[i].held);
        assert_int_equal(postings[i].version, before[i].version + 1);
        assert_int_equal(postings[i].version, now->version);
    }
    assert_int_equal(sum, 0);
    assert_int_equal(t->from->posted, before[0].posted - t->amount.minor - t->fee);
}

static void test_against_the_model(void **state)
{
    int posted = 0;
    int refused = 0;
    (void)state;
    for (unsigned seed = 0; seed < 200000; seed++) {
        unsigned dice = seed;
        struct account from = wallet(1, &alice, draw(&dice));
        struct account to = wallet(2, &bob, draw(&dice));
        struct account fee = fees(draw(&dice));
        int64_t amount = draw(&dice);
        struct transfer t = {{amount < 1 ? 1 : amount, CURRENCY_ZAR},
                             rand_r(&dice) % 3 == 0 ? 0 : draw(&dice),
                             &from,
                             &to,
                             &fee,
                             &alice,
                             false,
                             false,
                             false};
        from.held = rand_r(&dice) % 2 == 0 ? 0 : from.posted / (1 + rand_r(&dice) % 9);
        const struct account before[3] = {from, to, fee};
        enum refusal expected = model(&t);
        assert_int_equal(check(&t), expected);
        assert_memory_equal(&from, &before[0], sizeof from); /* asking changes nothing */
        if (expected == REFUSAL_NONE) {
            expect_posted(&t, before);
            posted++;
        } else {
            refused++;
        }
    }
    assert_true(posted > 10000 && refused > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_refusal),
        cmocka_unit_test(test_settlement_pays_deposits_until_its_end),
        cmocka_unit_test(test_against_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
