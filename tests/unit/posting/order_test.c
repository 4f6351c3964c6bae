/* One order's decision: who is asked, what is refused, what an unsound row does. */
#include "posting/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/zone.h"
#include "posting/batch.h"
#include "scripting/bundle.h"

enum { STRIPE = 2 };

static struct bundle *rules;
static struct posting_decision seen; /* what the renderer was told */

static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    (void)order;
    seen = *decision;
    bytes_add_text(body, "answer");
    return decision->refusal == REFUSAL_NONE ? 201 : 422;
}

static struct account wallet(uint8_t id, int64_t posted)
{
    return (struct account){.id = {{0x20, id}},
                            .kind = ACCOUNT_WALLET,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .owner = {{0x30, id}},
                            .posted = posted,
                            .version = posted == 0 ? 0 : 3};
}

static struct account system_account(enum account_kind kind)
{
    return (struct account){.id = account_system_id(kind, CURRENCY_ZAR, STRIPE),
                            .kind = kind,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .floor = kind == ACCOUNT_SETTLEMENT ? ACCOUNT_FLOOR_NONE : 0};
}

/* Fees, settlement, wallet 1 with money, wallet 2: in the order of their ids. */
static void make_accounts(struct account accounts[4])
{
    accounts[0] = system_account(ACCOUNT_FEES);
    accounts[1] = system_account(ACCOUNT_SETTLEMENT);
    accounts[2] = wallet(1, 100000);
    accounts[3] = wallet(2, 0);
}

static struct posting_order make_order(enum transaction_kind kind)
{
    return (struct posting_order){.kind = kind,
                                  .caller = {{0x30, 1}},
                                  .key = SLICE("k"),
                                  .from = {{0x20, 1}},
                                  .to = {{0x20, 2}},
                                  .amount = {10000, CURRENCY_ZAR},
                                  .render = render};
}

struct outcome {
    enum posting_outcome outcome;
    struct ledger_key key;
    struct ledger_transaction transactions[1];
    struct posting postings[TRANSACTION_POSTINGS_MAX];
    size_t transaction_count;
    size_t posting_count;
};

static struct outcome decide(const struct posting_order *order, struct account *accounts,
                             struct bundle *bundle)
{
    struct outcome o = {.key = {.status = 0}};
    struct arena arena;
    struct book book = {.accounts = accounts, .count = 4};
    const struct batch_terms terms = {bundle, STRIPE, INT64_C(1764547200000000), 0};
    struct order_ink ink = {
        .arena = &arena, .transactions = o.transactions, .postings = o.postings};
    arena_init(&arena);
    memset(&seen, 0, sizeof seen);
    assert_true(order_decide(order, &terms, &book, &ink, &o.key));
    o.outcome = ink.outcome;
    o.transaction_count = ink.transaction_count;
    o.posting_count = ink.posting_count;
    assert_int_equal(o.key.status != 0, o.outcome == POSTING_ANSWERED);
    assert_int_equal(o.transaction_count, o.key.status == 201);
    assert_int_equal(uuid_is_nil(&o.key.transaction), o.key.status != 201);
    arena_release(&arena);
    return o;
}

static void test_accounts(void **state)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    struct uuid ids[ORDER_ACCOUNTS_MAX];
    struct uuid fees = account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, STRIPE);
    struct uuid settlement = account_system_id(ACCOUNT_SETTLEMENT, CURRENCY_ZAR, STRIPE);
    (void)state;
    assert_int_equal(order_accounts(&order, STRIPE, ids), 3);
    assert_true(uuid_equal(&ids[0], &order.from) && uuid_equal(&ids[1], &order.to) &&
                uuid_equal(&ids[2], &fees));
    order.to = (struct uuid){{0}}; /* a phone that is nobody's */
    assert_int_equal(order_accounts(&order, STRIPE, ids), 2);
    order = make_order(TRANSACTION_DEPOSIT);
    assert_int_equal(order_accounts(&order, STRIPE, ids), 2);
    assert_true(uuid_equal(&ids[0], &settlement) && uuid_equal(&ids[1], &order.to));
}

static void test_a_transfer(void **state)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    struct account accounts[4];
    (void)state;
    make_accounts(accounts);
    struct outcome o = decide(&order, accounts, rules);
    assert_int_equal(o.key.status, 201);
    int64_t fee = o.transactions[0].fee;
    assert_true(fee > 0);
    assert_int_equal(o.posting_count, 3);
    assert_int_equal(accounts[2].posted, 100000 - 10000 - fee);
    assert_int_equal(accounts[3].posted, 10000);
    assert_int_equal(accounts[0].posted, fee);
    assert_int_equal(o.transactions[0].from_version, accounts[2].version);
    assert_int_equal(o.transactions[0].to_version, accounts[3].version);
    assert_int_equal(seen.from_after.posted, accounts[2].posted);
    assert_int_equal(seen.to_after.posted, accounts[3].posted);
    assert_int_equal(seen.fee->total, fee);
}

static void test_a_deposit_needs_no_rules(void **state)
{
    struct posting_order order = make_order(TRANSACTION_DEPOSIT);
    struct account accounts[4];
    (void)state;
    make_accounts(accounts);
    struct outcome o = decide(&order, accounts, NULL);
    assert_int_equal(o.key.status, 201);
    assert_int_equal(o.posting_count, 2);
    assert_int_equal(accounts[1].posted, -10000);
    assert_null(seen.fee);
    order.amount.currency = CURRENCY_ZAR + 1; /* nobody serves it here: no settlement */
    o = decide(&order, accounts, NULL);
    assert_int_equal(o.key.status, 422);
    assert_int_equal(seen.refusal, REFUSAL_CURRENCY_MISMATCH);
}

static void expect_refusal(const struct posting_order *order, enum refusal refusal)
{
    struct account accounts[4];
    struct account before[4];
    make_accounts(accounts);
    make_accounts(before);
    struct outcome o = decide(order, accounts, rules);
    assert_int_equal(o.key.status, 422);
    assert_int_equal(seen.refusal, refusal);
    assert_int_equal(o.posting_count, 0);
    assert_memory_equal(accounts, before, sizeof before);
}

static void test_refusals_move_nothing(void **state)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    (void)state;
    order.to = (struct uuid){{0}};
    expect_refusal(&order, REFUSAL_RECIPIENT_NOT_FOUND);
    order.to = (struct uuid){{0x20, 9}};
    expect_refusal(&order, REFUSAL_RECIPIENT_NOT_FOUND);
    order.to = order.from;
    expect_refusal(&order, REFUSAL_SAME_WALLET);
    order = make_order(TRANSACTION_TRANSFER);
    order.caller = (struct uuid){{0x30, 2}}; /* not the owner */
    expect_refusal(&order, REFUSAL_WALLET_NOT_FOUND);
    order = make_order(TRANSACTION_TRANSFER);
    order.amount.minor = 100000; /* all of it, but then there's the fee */
    expect_refusal(&order, REFUSAL_INSUFFICIENT_FUNDS);
}

/* A row that can't be moves nothing, whichever of the parties it is; others are not its business.
 */
static void test_an_unsound_account_is_poison(void **state)
{
    const struct posting_order transfer = make_order(TRANSACTION_TRANSFER);
    const struct posting_order deposit = make_order(TRANSACTION_DEPOSIT);
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct account accounts[4];
        make_accounts(accounts);
        accounts[i].held = -1;
        struct outcome o = decide(&transfer, accounts, rules);
        assert_int_equal(o.outcome, i == 1 ? POSTING_ANSWERED : POSTING_POISONED);
        make_accounts(accounts);
        accounts[i].held = -1;
        o = decide(&deposit, accounts, rules);
        assert_int_equal(o.outcome, i == 1 || i == 3 ? POSTING_POISONED : POSTING_ANSWERED);
    }
}

static int set_up(void **state)
{
    static struct bundle_report report;
    (void)state;
    rules = bundle_load(MOOLAH_SOURCE_DIR "/rules", &report);
    return rules == NULL || zone_open() != NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    bundle_release(rules);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_a_transfer),
        cmocka_unit_test(test_a_deposit_needs_no_rules),
        cmocka_unit_test(test_refusals_move_nothing),
        cmocka_unit_test(test_an_unsound_account_is_poison),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
