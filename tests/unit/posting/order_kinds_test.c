/* The kinds through the decision: random movements over a few wallets, any order of them, against
 * what must always hold. Money is conserved, held is the sum of open holds, nobody gets below a
 * floor but by a reversal that may, each hold ends once, nothing is given back twice.
 *
 * Covers: server/posting/order_move.c server/posting/order_hold.c server/posting/order_refund.c
 *     server/posting/order_price.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/zone.h"
#include "posting/batch.h"
#include "posting/order.h"
#include "scripting/bundle.h"
#include "tests/unit/scripting/folder.h"

enum { STRIPE = 1, WALLETS = 4, ACCOUNTS = WALLETS + 2, BOOKED_MAX = 400, HOUR = 3600 };

static struct bundle *rules;
static struct posting_decision seen;

struct world {
    struct account accounts[ACCOUNTS]; /* fees, settlement, wallets: in the order of their ids */
    struct subject subjects[BOOKED_MAX];
    struct ledger_transaction booked[BOOKED_MAX]; /* of the same place */
    size_t count;
    int64_t now;
    long posted[TRANSACTION_KIND_MAX + 1];
    unsigned dice;
};

/* What one decision came to. */
struct came {
    enum posting_outcome outcome;
    struct ledger_key key;
    struct ledger_transaction transaction;
    struct posting postings[TRANSACTION_POSTINGS_MAX];
    struct hold hold;
    struct ledger_link link;
    size_t transactions, holds, links;
    int posting_count;
};

static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    (void)order;
    seen = *decision;
    bytes_add_text(body, "answer");
    return decision->refusal == REFUSAL_NONE ? 201 : 422;
}

static struct account system_account(enum account_kind kind)
{
    return (struct account){.id = account_system_id(kind, CURRENCY_ZAR, STRIPE),
                            .kind = kind,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .floor = ACCOUNT_FLOOR_NONE};
}

static void make_world(struct world *w, unsigned seed)
{
    memset(w, 0, sizeof *w);
    w->dice = seed;
    w->now = INT64_C(1764547200000000);
    w->accounts[0] = system_account(ACCOUNT_FEES);
    w->accounts[1] = system_account(ACCOUNT_SETTLEMENT);
    for (uint8_t i = 0; i < WALLETS; i++)
        w->accounts[2 + i] = (struct account){.id = {{0x20, i}},
                                              .kind = ACCOUNT_WALLET,
                                              .status = ACCOUNT_ACTIVE,
                                              .currency = CURRENCY_ZAR,
                                              .owner = {{0x30, i}}};
}

static int roll(struct world *w, int sides)
{
    return rand_r(&w->dice) % sides;
}

static struct came decide(struct world *w, const struct posting_order *order)
{
    struct came came = {.key = {.status = 0}};
    static struct arena arena;
    struct book book = {w->accounts, ACCOUNTS, w->subjects, w->count};
    const struct batch_terms terms = {rules, STRIPE, w->now, 0};
    struct order_ink ink = {.arena = &arena,
                            .transactions = &came.transaction,
                            .postings = came.postings,
                            .holds = &came.hold,
                            .links = &came.link};
    arena_release(&arena);
    arena_init(&arena);
    assert_true(order_decide(order, &terms, &book, &ink, &came.key));
    for (int i = 0; i < ACCOUNTS; i++) { /* they lie in the arena */
        w->accounts[i].counters = NULL;
        w->accounts[i].counted = false;
    }
    came.outcome = ink.outcome;
    came.transactions = ink.transaction_count;
    came.holds = ink.hold_count;
    came.links = ink.link_count;
    came.posting_count = (int)ink.posting_count;
    return came;
}

static struct posting_order base(enum transaction_kind kind)
{
    return (struct posting_order){.kind = kind,
                                  .key = SLICE("k"),
                                  .amount = {0, CURRENCY_ZAR},
                                  .expires_in = HOUR,
                                  .render = render};
}

static void move(struct world *w, struct posting_order *order)
{
    int from = roll(w, WALLETS);
    order->from = w->accounts[2 + from].id;
    order->to = w->accounts[2 + roll(w, WALLETS)].id;
    order->caller = w->accounts[2 + from].owner;
    order->anyones = order->kind == TRANSACTION_WITHDRAWAL || roll(w, 5) == 0;
    order->amount.minor = 1 + roll(w, 20000);
}

static void about(struct world *w, struct posting_order *order)
{
    int young = w->count < 12 ? (int)w->count : 12; /* old ones are finished, mostly */
    size_t which = w->count == 0 ? 0 : w->count - 1 - (size_t)roll(w, young);
    const struct ledger_transaction *t = &w->booked[which];
    bool back = transaction_gives_back(order->kind);
    if (w->count == 0)
        return;
    order->subject = (struct posting_subject){t->id, t->kind, t->amount, t->fee,
                                              roll(w, 2) == 0 ? t->fee : t->fee / 2};
    if (back)
        order->subject.refundable = t->fee; /* the same each time: it's written once */
    order->from = back ? t->to : t->from;
    order->to = back ? t->from : t->to;
    order->amount.minor = roll(w, 2) == 0 ? 0 : 1 + roll(w, (int)t->amount + 10);
    if (order->kind == TRANSACTION_REVERSAL)
        order->amount.minor = 0;
    order->anyones = roll(w, 2) == 0;
    order->allow_negative = order->kind == TRANSACTION_REVERSAL && roll(w, 2) == 0;
}

static void remember(struct world *w, const struct came *came)
{
    struct subject *subject = &w->subjects[w->count];
    *subject = (struct subject){.id = came->transaction.id};
    if (came->holds == 1) {
        subject->hold = came->hold;
        subject->hold.pricing = (struct slice){NULL, 0}; /* its arena goes */
        subject->hold.bundle = NULL;
    }
    w->booked[w->count++] = came->transaction;
}

static void expect_chain(const struct world *before, const struct world *w, const struct came *came)
{
    int64_t sum = 0;
    for (int i = 0; i < came->posting_count; i++) {
        const struct posting *p = &came->postings[i];
        sum += p->amount;
        for (int a = 0; a < ACCOUNTS; a++) {
            const struct account *then = &before->accounts[a];
            if (!uuid_equal(&then->id, &p->account))
                continue;
            assert_int_equal(p->version, then->version + 1);
            assert_int_equal(p->posted_after, then->posted + p->amount);
            assert_int_equal(p->held_after, then->held + p->hold);
            assert_int_equal(w->accounts[a].posted, p->posted_after);
        }
    }
    assert_int_equal(sum, 0);
}

static void expect_world(const struct world *before, const struct world *w, bool flagged)
{
    int64_t money = 0;
    for (int a = 0; a < ACCOUNTS; a++) {
        const struct account *now = &w->accounts[a];
        int64_t held = 0;
        int64_t available = account_available(now);
        for (size_t i = 0; i < w->count; i++)
            if (w->subjects[i].hold.status == HOLD_OPEN &&
                uuid_equal(&w->subjects[i].hold.from, &now->id))
                held += w->subjects[i].hold.amount + w->subjects[i].hold.fee;
        assert_int_equal(now->held, held);
        assert_true(account_is_sound(now));
        money += now->posted;
        if (account_is_floorless(now->kind))
            continue;
        assert_int_equal(now->floor, available < 0 ? available : 0);
        assert_true(available >= 0 || flagged ||
                    available >= account_available(&before->accounts[a]));
    }
    assert_int_equal(money, 0);
    assert_true(w->accounts[0].posted >= 0);
    for (size_t i = 0; i < w->count; i++)
        assert_true(w->subjects[i].refunded <= w->booked[i].amount &&
                    w->subjects[i].fee_refunded <= w->booked[i].fee);
}

static void step(struct world *w)
{
    static struct world before;
    struct posting_order order = base((enum transaction_kind)(1 + roll(w, TRANSACTION_KIND_MAX)));
    if (order.kind <= TRANSACTION_HOLD)
        move(w, &order);
    else
        about(w, &order);
    if (order.kind == TRANSACTION_EXPIRY)
        w->now += roll(w, HOUR);
    before = *w;
    struct came came = decide(w, &order);
    assert_int_not_equal(came.outcome, POSTING_POISONED);
    if (came.transactions == 0) {
        assert_memory_equal(w->accounts, before.accounts, sizeof before.accounts);
        assert_int_equal(came.posting_count + (int)came.holds + (int)came.links, 0);
        return;
    }
    assert_int_equal(came.holds, order.kind == TRANSACTION_HOLD);
    assert_int_equal(came.links, order.kind > TRANSACTION_HOLD);
    assert_int_equal(came.key.answer.at == NULL,
                     order.kind == TRANSACTION_DEPOSIT || order.kind == TRANSACTION_TRANSFER);
    remember(w, &came);
    expect_chain(&before, w, &came);
    expect_world(&before, w, order.kind == TRANSACTION_REVERSAL && order.allow_negative);
    w->posted[order.kind]++;
}

static void test_any_sequence(void **state)
{
    static struct world w;
    long posted[TRANSACTION_KIND_MAX + 1] = {0};
    (void)state;
    for (unsigned seed = 1; seed <= 120; seed++) {
        make_world(&w, seed);
        for (int i = 0; i < 600 && w.count < BOOKED_MAX; i++)
            step(&w);
        for (int kind = 0; kind <= TRANSACTION_KIND_MAX; kind++)
            posted[kind] += w.posted[kind];
    }
    for (int kind = TRANSACTION_DEPOSIT; kind <= TRANSACTION_KIND_MAX; kind++)
        assert_true(posted[kind] > 100);
}

/* ---- one by one */

static struct came deposit(struct world *w, int wallet, int64_t amount)
{
    struct posting_order order = base(TRANSACTION_DEPOSIT);
    order.to = w->accounts[2 + wallet].id;
    order.amount.minor = amount;
    struct came came = decide(w, &order);
    remember(w, &came);
    return came;
}

static struct posting_order between(const struct world *w, enum transaction_kind kind,
                                    int64_t amount)
{
    struct posting_order order = base(kind);
    order.from = w->accounts[2].id;
    order.to = w->accounts[3].id;
    order.caller = w->accounts[2].owner;
    order.amount.minor = amount;
    return order;
}

static void test_a_withdrawal_leaves(void **state)
{
    static struct world w;
    (void)state;
    make_world(&w, 1);
    deposit(&w, 0, 5000);
    struct posting_order order = between(&w, TRANSACTION_WITHDRAWAL, 2000);
    order.anyones = true;
    order.to = (struct uuid){{0}};
    struct came came = decide(&w, &order);
    assert_int_equal(came.posting_count, 2); /* free: the rules have nothing about it */
    assert_int_equal(w.accounts[1].posted, -3000);
    assert_true(uuid_equal(&came.transaction.to, &w.accounts[1].id));
    order.amount.minor = 3001;
    decide(&w, &order);
    assert_int_equal(seen.refusal, REFUSAL_INSUFFICIENT_FUNDS);
    order.from = w.accounts[0].id; /* nobody's wallet */
    decide(&w, &order);
    assert_int_equal(seen.refusal, REFUSAL_WALLET_NOT_FOUND);
    order.amount.currency++;
    decide(&w, &order);
    assert_int_equal(seen.refusal, REFUSAL_CURRENCY_MISMATCH);
}

/* A hold of 10,000 with a fee of two lines, captured in part. */
static struct came capture_a_part(bool partner)
{
    static struct world w;
    make_world(&w, 1);
    deposit(&w, 0, 50000);
    struct posting_order order = between(&w, TRANSACTION_HOLD, 10000);
    struct came came = decide(&w, &order);
    assert_int_equal(came.transaction.fee, 250);
    assert_int_equal(came.transaction.to_version, 0); /* the receiver isn't touched */
    assert_int_equal(came.hold.expires_at, w.now + HOUR);
    assert_true(slice_equals(came.hold.pricing,
                             "[{\"rule\":\"transfer.p2p@3\",\"code\":\"fee\",\"amount\":250}]"));
    assert_int_equal(w.accounts[2].held, 10250);
    w.subjects[w.count] = (struct subject){.id = came.hold.id, .hold = came.hold};
    w.subjects[w.count].hold.pricing =
        SLICE("[{\"rule\":\"a@1\",\"code\":\"fee\",\"amount\":100,\"refundable\":true},"
              "{\"rule\":\"b@1\",\"code\":\"vat\",\"amount\":150}]");
    w.subjects[w.count].hold.bundle = bundle_hash(rules);
    w.booked[w.count++] = came.transaction;
    order = between(&w, TRANSACTION_CAPTURE, 3333);
    order.subject.id = came.hold.id;
    order.anyones = partner;
    came = decide(&w, &order);
    assert_int_equal(came.key.status, 201);
    return came;
}

/* The answer is kept with what priced it; a capture's lines are the hold's, a partner's scaled. */
static void test_a_hold_is_priced_once(void **state)
{
    (void)state;
    struct came came = capture_a_part(false);
    assert_int_equal(came.transaction.fee, 250);
    assert_true(
        slice_equals(came.transaction.pricing,
                     "[{\"rule\":\"a@1\",\"code\":\"fee\",\"amount\":100,\"refundable\":true},"
                     "{\"rule\":\"b@1\",\"code\":\"vat\",\"amount\":150}]"));
    assert_int_equal(seen.charged, 250);
    came = capture_a_part(true);
    assert_int_equal(came.transaction.fee, 83);
    assert_true(
        slice_equals(came.transaction.pricing,
                     "[{\"rule\":\"a@1\",\"code\":\"fee\",\"amount\":33,\"refundable\":true},"
                     "{\"rule\":\"b@1\",\"code\":\"vat\",\"amount\":50}]"));
    assert_int_equal(seen.fee->total, 83);
    assert_int_equal(seen.charged, 83);
}

/* What arrives is the amount less the fee: in the books, on the receipt, and for a refund. */
static void test_the_receiver_pays(void **state)
{
    static struct world w;
    struct folder folder;
    struct bundle_report report;
    struct bundle *usual = rules;
    (void)state;
    folder_make(&folder);
    folder_put(&folder, "a.fee.lua",
               "return fee { id = 'a', version = 1, owner = 'x', rounding = 'up', paid_by = "
               "'receiver', applies = { kind = 'transfer', currency = 'ZAR' }, refundable = true, "
               "slabs = { { flat = ZAR '2.50' } } }");
    assert_null(bundle_load(folder.path, &report)); /* what would a hold cost? */
    assert_non_null(strstr(report.findings[0].message, "a hold's can't"));
    folder_put(&folder, "hold.fee.lua",
               "return fee { id = 'h', version = 1, owner = 'x', rounding = 'up', applies = { kind "
               "= 'hold', currency = 'ZAR' }, slabs = { { flat = ZAR '1' } } }");
    rules = bundle_load(folder.path, &report);
    folder_remove(&folder);
    assert_non_null(rules);
    make_world(&w, 1);
    deposit(&w, 0, 10000);

    struct posting_order order = between(&w, TRANSACTION_TRANSFER, 250);
    decide(&w, &order);
    assert_int_equal(seen.refusal, REFUSAL_RULE_DENIED); /* nothing would arrive */
    order.amount.minor = 10000;                          /* all there is: the fee is in it */
    struct came came = decide(&w, &order);
    assert_int_equal(came.key.status, 201);
    assert_true(w.accounts[2].posted == 0 && w.accounts[3].posted == 9750);
    assert_int_equal(w.accounts[0].posted, 250);
    assert_true(came.transaction.amount == 9750 && came.transaction.fee == 250);
    assert_true(seen.amount.minor == 9750 && seen.charged == 250 && seen.fee->receiver_pays);
    assert_true(slice_equals(came.transaction.pricing,
                             "[{\"rule\":\"a@1\",\"code\":\"fee\",\"amount\":250,\"refundable\":"
                             "true,\"paid_by\":\"receiver\"}]"));
    assert_true(slice_equals(came.transaction.facts,
                             "{\"kind\":\"transfer\",\"amount\":10000,\"currency\":\"ZAR\","
                             "\"tier\":0,\"own\":false,\"at\":1764547200000000}"));
    remember(&w, &came);
    order = base(TRANSACTION_REFUND);
    order.subject =
        (struct posting_subject){came.transaction.id, TRANSACTION_TRANSFER, 9750, 250, 250};
    order.from = w.accounts[3].id;
    order.to = w.accounts[2].id;
    order.anyones = true;
    came = decide(&w, &order);
    assert_int_equal(came.key.status, 201);
    assert_true(w.accounts[2].posted == 10000 && w.accounts[3].posted == 0);
    assert_int_equal(w.accounts[0].posted, 0);
    bundle_release(rules);
    rules = usual;
}

static void test_an_early_expiry_is_not_remembered(void **state)
{
    static struct world w;
    (void)state;
    make_world(&w, 1);
    deposit(&w, 0, 50000);
    struct posting_order order = between(&w, TRANSACTION_HOLD, 10000);
    struct came came = decide(&w, &order);
    remember(&w, &came);
    order = between(&w, TRANSACTION_EXPIRY, 0);
    order.subject.id = came.hold.id;
    w.now += HOUR - 1;
    came = decide(&w, &order);
    assert_int_equal(came.outcome, POSTING_EXPIRED);
    assert_int_equal(came.key.status, 0);
    w.now += 1;
    struct posting_order late = between(&w, TRANSACTION_CAPTURE, 0);
    late.subject.id = order.subject.id;
    decide(&w, &late);
    assert_int_equal(seen.refusal, REFUSAL_HOLD_EXPIRED); /* though nobody has swept it yet */
    came = decide(&w, &order);
    assert_int_equal(came.key.status, 201);
    decide(&w, &late);
    assert_int_equal(seen.refusal, REFUSAL_HOLD_FINISHED);
}

/* A hold whose accounts aren't those that are locked moves nothing: who asked has read another. */
static void test_a_hold_of_others_is_poison(void **state)
{
    static struct world w;
    (void)state;
    make_world(&w, 1);
    deposit(&w, 0, 50000);
    struct posting_order order = between(&w, TRANSACTION_HOLD, 10000);
    struct came came = decide(&w, &order);
    remember(&w, &came);
    order = between(&w, TRANSACTION_VOID, 0);
    order.subject.id = came.hold.id;
    order.from = w.accounts[4].id;
    assert_int_equal(decide(&w, &order).outcome, POSTING_POISONED);
}

static void test_nothing_to_be_about(void **state)
{
    static struct world w;
    static const enum transaction_kind kinds[] = {TRANSACTION_CAPTURE, TRANSACTION_VOID,
                                                  TRANSACTION_REFUND, TRANSACTION_REVERSAL};
    (void)state;
    make_world(&w, 1);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct posting_order order = base(kinds[i]);
        struct uuid ids[ORDER_ACCOUNTS_MAX];
        order.amount.currency = 0;
        assert_true(order_is_whole(&order));
        assert_null(order_subject(&order));
        assert_int_equal(order_accounts(&order, STRIPE, ids), 0);
        struct came came = decide(&w, &order);
        assert_int_equal(came.key.status, 422); /* and that is remembered */
        assert_int_equal(seen.refusal, kinds[i] < TRANSACTION_REFUND
                                           ? REFUSAL_HOLD_NOT_FOUND
                                           : REFUSAL_TRANSACTION_NOT_FOUND);
    }
}

/* Settlement is striped: a deposit made by another lane is reversed on one's own stripe. */
static void test_a_reversal_uses_the_lanes_settlement(void **state)
{
    static struct world w;
    (void)state;
    make_world(&w, 1);
    struct came came = deposit(&w, 0, 5000);
    struct posting_order order = base(TRANSACTION_REVERSAL);
    order.subject = (struct posting_subject){came.transaction.id, TRANSACTION_DEPOSIT, 5000, 0, 0};
    order.from = w.accounts[2].id;
    order.to = account_system_id(ACCOUNT_SETTLEMENT, CURRENCY_ZAR, STRIPE + 7);
    order.allow_negative = true;
    came = decide(&w, &order);
    assert_int_equal(came.key.status, 201);
    assert_true(uuid_equal(&came.transaction.to, &w.accounts[1].id));
    assert_int_equal(w.accounts[1].posted, 0);
    assert_true(slice_equals(came.transaction.facts, "{\"allow_negative\":true}"));
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
        cmocka_unit_test(test_any_sequence),
        cmocka_unit_test(test_a_withdrawal_leaves),
        cmocka_unit_test(test_a_hold_is_priced_once),
        cmocka_unit_test(test_the_receiver_pays),
        cmocka_unit_test(test_an_early_expiry_is_not_remembered),
        cmocka_unit_test(test_a_hold_of_others_is_poison),
        cmocka_unit_test(test_nothing_to_be_about),
        cmocka_unit_test(test_a_reversal_uses_the_lanes_settlement),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
