/* Batches without a database: random orders over random wallets against a model that posts one
 * order after the other. What the batch writes must be what the model says: balances, gapless
 * postings, zero sums, one key each, followers and replays.
 *
 * Covers: server/posting/batch.c */
#include "posting/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/zone.h"
#include "posting/order.h"
#include "scripting/bundle.h"
#include "store/wallets.h"

enum { WALLETS = 6, ORDERS = 60, KEYS = 40, STRIPE = 3 };

static struct bundle *rules;

/* A wallet as the model knows it. */
static struct account wallet(int i, int64_t posted)
{
    return (struct account){
        .id = {{0x20, (uint8_t)i}},
        .kind = ACCOUNT_WALLET,
        .status = i == 5 ? ACCOUNT_FROZEN : ACCOUNT_ACTIVE,
        .currency = CURRENCY_ZAR,
        .owner = {{0x30, (uint8_t)(i / 2)}}, /* wallets 0 and 1 are of one owner */
        .posted = posted,
        .version = posted == 0 ? 0 : 1};
}

static struct account system_account(enum account_kind kind)
{
    return (struct account){.id = account_system_id(kind, CURRENCY_ZAR, STRIPE),
                            .kind = kind,
                            .status = ACCOUNT_ACTIVE,
                            .currency = CURRENCY_ZAR,
                            .floor = kind == ACCOUNT_SETTLEMENT ? ACCOUNT_FLOOR_NONE : 0};
}

/* The answer says what was decided, so that tests can read it. */
static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    (void)order;
    bytes_printf(body, "%s %lld fee %lld", refusal_name(decision->refusal),
                 (long long)decision->from_after.posted,
                 (long long)(decision->fee == NULL ? 0 : decision->fee->total));
    return decision->refusal == REFUSAL_NONE ? 201 : 422;
}

static int answers;

static void done(struct posting_order *order)
{
    answers++;
    assert_true(order->outcome != POSTING_ANSWERED || order->body.length > 0);
}

static struct posting_order make_order(unsigned *dice, char key[16])
{
    int from = rand_r(dice) % WALLETS;
    struct posting_order order = {
        .kind = rand_r(dice) % 8 == 0 ? TRANSACTION_DEPOSIT : TRANSACTION_TRANSFER,
        .from = {{0x20, (uint8_t)from}},
        .to = {{0x20, (uint8_t)(rand_r(dice) % (WALLETS + 1))}}, /* one of them doesn't exist */
        .amount = {1 + rand_r(dice) % 5000, CURRENCY_ZAR},
        .caller = {{0x30, (uint8_t)(rand_r(dice) % 10 == 0 ? 9 : from / 2)}},
        .deadline = INT64_MAX,
        .render = render,
        .done = done,
    };
    snprintf(key, 16, "key-%d", rand_r(dice) % KEYS);
    order.key = slice_of(key);
    order.request_hash[0] = (uint8_t)(rand_r(dice) % 4 == 0); /* now and then another request */
    return order;
}

/* What the database would answer to the first flight. */
static void lock_accounts(struct batch *batch, const struct account *all, size_t count)
{
    for (size_t i = 0; i < batch->id_count; i++)
        for (size_t k = 0; k < count; k++)
            if (uuid_equal(&batch->ids[i], &all[k].id))
                batch->book.accounts[batch->book.count++] = all[k];
}

static const struct account *find(const struct account *all, size_t count, const struct uuid *id)
{
    for (size_t i = 0; i < count; i++)
        if (uuid_equal(&all[i].id, id))
            return &all[i];
    return NULL;
}

static void expect_zero_sums(const struct ledger_rows_writing *w)
{
    for (size_t t = 0; t < w->transaction_count; t++) {
        int64_t sum = 0;
        int legs = 0;
        for (size_t p = 0; p < w->posting_count; p++)
            if (uuid_equal(&w->postings[p].transaction, &w->transactions[t].id)) {
                sum += w->postings[p].amount;
                legs++;
            }
        assert_int_equal(sum, 0);
        assert_int_equal(legs, w->transactions[t].fee > 0 ? 3 : 2);
    }
}

/* Each account's postings lead from what it was to what is written, version by version. */
static void expect_chains(const struct ledger_rows_writing *w, const struct account *before,
                          size_t count)
{
    size_t seen = 0;
    for (size_t a = 0; a < w->account_count; a++) {
        const struct account *now = &w->accounts[a];
        const struct account *then = find(before, count, &now->id);
        int64_t posted = then->posted;
        int64_t version = then->version;
        for (size_t p = 0; p < w->posting_count; p++) {
            if (!uuid_equal(&w->postings[p].account, &now->id))
                continue;
            posted += w->postings[p].amount;
            assert_int_equal(w->postings[p].version, ++version);
            assert_int_equal(w->postings[p].posted_after, posted);
            assert_true(posted >= now->floor);
            seen++;
        }
        assert_int_equal(now->posted, posted);
        assert_int_equal(now->version, version);
        assert_true(version > then->version); /* only what changed is written */
    }
    assert_int_equal(seen, w->posting_count);
}

/* Equal keys: one answer for the same request, a refusal for another one; remembered exactly once.
 */
static void expect_keys(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct posting_order *order = batch->orders[i];
        const struct batch_verdict *verdict = &batch->verdicts[i];
        size_t first;
        size_t remembered = 0;
        for (first = 0; ledger_rows_compare_keys(
                            &(struct ledger_key){.caller = batch->orders[first]->caller,
                                     .key = batch->orders[first]->key},
                            &(struct ledger_key){.caller = order->caller, .key = order->key}) != 0;
             first++)
            ;
        assert_int_equal(verdict->leader, first);
        bool same = batch->orders[first]->request_hash[0] == order->request_hash[0];
        assert_int_equal(verdict->outcome, same ? POSTING_ANSWERED : POSTING_KEY_REUSED);
        if (same)
            assert_true(slice_equal(verdict->body, batch->verdicts[first].body));
        assert_int_equal(same && first != i, verdict->replayed);
        for (size_t k = 0; k < batch->writing.key_count; k++)
            remembered += slice_equal(batch->writing.keys[k].key, order->key) &&
                          uuid_equal(&batch->writing.keys[k].caller, &order->caller);
        assert_int_equal(remembered, 1);
    }
}

static struct batch *decided(struct posting_order **orders, size_t count,
                             const struct account *accounts, const struct batch_terms *terms)
{
    struct batch *batch = batch_new(orders, count);
    assert_non_null(batch);
    assert_true(batch_prepare(batch, STRIPE));
    lock_accounts(batch, accounts, WALLETS + 2);
    assert_true(batch_decide(batch, terms));
    return batch;
}

static void make_accounts(struct account accounts[WALLETS + 2], unsigned *dice)
{
    accounts[0] = system_account(ACCOUNT_FEES);
    accounts[1] = system_account(ACCOUNT_SETTLEMENT);
    for (int i = 0; i < WALLETS; i++)
        accounts[i + 2] = wallet(i, rand_r(dice) % 3 == 0 ? 0 : rand_r(dice) % 20000);
}

static void test_random_batches(void **state)
{
    long posted = 0;
    (void)state;
    for (unsigned seed = 1; seed < 400; seed++) {
        unsigned dice = seed;
        struct account accounts[WALLETS + 2];
        struct posting_order orders[ORDERS];
        struct posting_order *list[ORDERS];
        static char keys[ORDERS][16];
        size_t count = 1 + (size_t)rand_r(&dice) % ORDERS;
        const struct batch_terms terms = {rules, STRIPE, clock_now(), 0};
        make_accounts(accounts, &dice);
        for (size_t i = 0; i < count; i++) {
            orders[i] = make_order(&dice, keys[i]);
            list[i] = &orders[i];
        }
        struct batch *batch = decided(list, count, accounts, &terms);
        expect_zero_sums(&batch->writing);
        expect_chains(&batch->writing, accounts, WALLETS + 2);
        expect_keys(batch);
        posted += (long)batch->writing.transaction_count;
        answers = 0;
        batch_answer(batch);
        assert_int_equal(answers, count);
        batch_free(batch);
    }
    assert_true(posted > 1000);
}

static struct posting_order simple_order(const char *key, int64_t amount)
{
    return (struct posting_order){.kind = TRANSACTION_TRANSFER,
                                  .from = {{0x20, 0}},
                                  .to = {{0x20, 2}},
                                  .caller = {{0x30, 0}},
                                  .key = slice_of(key),
                                  .amount = {amount, CURRENCY_ZAR},
                                  .deadline = INT64_MAX,
                                  .render = render,
                                  .done = done};
}

static void test_remembered_keys_are_replayed(void **state)
{
    struct account accounts[WALLETS + 2];
    unsigned dice = 5;
    struct posting_order first = simple_order("k", 100);
    struct posting_order other = simple_order("k", 100);
    struct posting_order *list[] = {&other, &first};
    const struct batch_terms terms = {rules, STRIPE, clock_now(), 0};
    struct ledger_key remembered = {.caller = first.caller,
                                    .key = SLICE("k"),
                                    .status = 201,
                                    .answer = SLICE("the first answer")};
    (void)state;
    make_accounts(accounts, &dice);
    other.request_hash[3] = 7;
    struct batch *batch = batch_new(list, 2);
    assert_true(batch_prepare(batch, STRIPE));
    lock_accounts(batch, accounts, WALLETS + 2);
    batch->remembered = &remembered;
    batch->remembered_count = 1;
    assert_true(batch_decide(batch, &terms));
    assert_int_equal(batch->writing.key_count, 0);
    assert_int_equal(batch->writing.posting_count, 0);
    /* the impostor came first, but the one who asked for this gets its answer */
    assert_int_equal(batch->verdicts[0].outcome, POSTING_KEY_REUSED);
    assert_int_equal(batch->verdicts[1].outcome, POSTING_ANSWERED);
    assert_true(batch->verdicts[1].replayed);
    assert_true(slice_equals(batch->verdicts[1].body, "the first answer"));
    batch_free(batch);
}

static void recall(const struct posting_order *order, const struct wallets_transaction *posted,
                   struct bytes *body)
{
    bytes_printf(body, "%.*s moved %d", (int)order->key.length, order->key.at, (int)posted->amount);
}

/* A key that moved something keeps no answer: it's written again from its transaction. */
static void test_receipts_are_recalled(void **state)
{
    struct account accounts[WALLETS + 2];
    unsigned dice = 8;
    struct posting_order first = simple_order("k", 100);
    struct posting_order *list[] = {&first, &first};
    const struct batch_terms terms = {rules, STRIPE, clock_now(), 0};
    const struct wallets_transaction posted = {.amount = 100};
    struct ledger_key remembered = {
        .caller = first.caller, .key = SLICE("k"), .status = 201, .posted = &posted};
    (void)state;
    make_accounts(accounts, &dice);
    first.recall = recall;
    struct batch *batch = batch_new(list, 2);
    assert_true(batch_prepare(batch, STRIPE));
    lock_accounts(batch, accounts, WALLETS + 2);
    batch->remembered = &remembered;
    batch->remembered_count = 1;
    assert_true(batch_decide(batch, &terms));
    assert_int_equal(batch->writing.key_count, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(batch->verdicts[i].outcome, POSTING_ANSWERED);
        assert_int_equal(batch->verdicts[i].status, 201);
        assert_true(batch->verdicts[i].replayed);
        assert_true(slice_equals(batch->verdicts[i].body, "k moved 100"));
    }
    batch_free(batch);
}

/* A key whose transaction is gone: nothing moves a second time, and who came along is served. */
static void test_a_lost_transaction_is_alone(void **state)
{
    struct account accounts[WALLETS + 2];
    unsigned dice = 8;
    struct posting_order lost = simple_order("k", 1);
    struct posting_order next = simple_order("l", 1);
    struct posting_order *list[] = {&lost, &next};
    const struct batch_terms terms = {rules, STRIPE, clock_now(), 0};
    struct ledger_key remembered = {.caller = lost.caller, .key = SLICE("k"), .status = 201};
    (void)state;
    make_accounts(accounts, &dice);
    lost.recall = recall;
    struct batch *batch = batch_new(list, 2);
    assert_true(batch_prepare(batch, STRIPE));
    lock_accounts(batch, accounts, WALLETS + 2);
    batch->remembered = &remembered;
    batch->remembered_count = 1;
    assert_true(batch_decide(batch, &terms));
    assert_int_equal(batch->verdicts[0].outcome, POSTING_POISONED);
    assert_false(batch->verdicts[0].replayed);
    assert_int_equal(batch->verdicts[1].outcome, POSTING_ANSWERED);
    assert_int_equal(batch->writing.key_count, 1);
    assert_true(slice_equals(batch->writing.keys[0].key, "l"));
    batch_free(batch);
}

/* What cannot be read moves nothing, however often it's asked in a batch, and isn't written over;
 * neighbours move, and in their own day. */
static void test_unreadable_counters_are_alone(void **state)
{
    static const char *const broken[] = {
        "\x01\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x01\x05",
        "\x01\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x01\x05\x05"
        "\x05"
        "\x05\x05\x05",
        "?"};
    struct posting_order orders[] = {simple_order("a", 1), simple_order("b", 1),
                                     simple_order("c", 1)};
    struct posting_order *list[] = {&orders[0], &orders[1], &orders[2]};
    const struct batch_terms terms = {rules, STRIPE, clock_now(), 0};
    unsigned dice = 9;
    (void)state;
    orders[2].from = (struct uuid){{0x20, 2}};
    orders[2].to = (struct uuid){{0x20, 3}};
    orders[2].caller = (struct uuid){{0x30, 1}};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct account accounts[WALLETS + 2];
        make_accounts(accounts, &dice);
        accounts[2] = wallet(0, 5000);
        accounts[4] = wallet(2, 5000);
        accounts[2].packed = slice_of(broken[i]);
        struct batch *batch = decided(list, 3, accounts, &terms);
        assert_int_equal(batch->verdicts[0].outcome, POSTING_POISONED);
        assert_int_equal(batch->verdicts[1].outcome, POSTING_POISONED);
        assert_int_equal(batch->verdicts[2].status, 201);
        assert_int_equal(batch->writing.key_count, 1);
        assert_int_equal(batch->writing.created_at, terms.now);
        for (size_t k = 0; k < batch->writing.account_count; k++)
            assert_false(uuid_equal(&batch->writing.accounts[k].id, &orders[0].from));
        batch_free(batch);
    }
}

static void test_without_rules_nothing_moves(void **state)
{
    struct account accounts[WALLETS + 2];
    unsigned dice = 6;
    struct posting_order order = simple_order("k", 1);
    struct posting_order *list[] = {&order};
    const struct batch_terms terms = {NULL, STRIPE, clock_now(), 0};
    (void)state;
    make_accounts(accounts, &dice);
    accounts[2] = wallet(0, 5000);
    struct batch *batch = decided(list, 1, accounts, &terms);
    assert_int_equal(batch->verdicts[0].outcome, POSTING_RULE_FAILED);
    assert_true(slice_equals(batch->verdicts[0].body, "no rules are loaded"));
    assert_int_equal(batch->writing.key_count, 0); /* not remembered: it may come about later */
    batch_free(batch);
}

static void test_expired_unknown_orders_are_only_looked_up(void **state)
{
    struct account accounts[WALLETS + 2];
    unsigned dice = 7;
    struct posting_order order = simple_order("k", 1);
    struct posting_order *list[] = {&order};
    const struct batch_terms terms = {rules, STRIPE, clock_now(), 1000};
    (void)state;
    order.deadline = 999;
    make_accounts(accounts, &dice);
    accounts[2] = wallet(0, 5000);
    struct batch *batch = batch_new(list, 1);
    batch->resubmitted = true;
    assert_true(batch_prepare(batch, STRIPE));
    lock_accounts(batch, accounts, WALLETS + 2);
    assert_true(batch_decide(batch, &terms));
    assert_int_equal(batch->verdicts[0].outcome, POSTING_EXPIRED);
    assert_int_equal(batch->writing.key_count, 0);
    batch_free(batch);
}

static void test_out_of_memory_is_said(void **state)
{
    struct account accounts[WALLETS + 2];
    unsigned dice = 8;
    struct posting_order order = simple_order("k", 1);
    struct posting_order *list[] = {&order};
    const struct batch_terms terms = {rules, STRIPE, clock_now(), 0};
    bool good = false;
    (void)state;
    make_accounts(accounts, &dice);
    accounts[2] = wallet(0, 5000);
    for (long n = 0; !good; n++) {
        assert_true(n < 100);
        memory_fail_after(n);
        struct batch *batch = batch_new(list, 1);
        good = batch != NULL && batch_prepare(batch, STRIPE);
        if (good)
            lock_accounts(batch, accounts, WALLETS + 2);
        good = good && batch_decide(batch, &terms);
        memory_fail_never();
        if (good)
            assert_int_equal(batch->verdicts[0].status, 201);
        if (batch != NULL)
            batch_free(batch);
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
        cmocka_unit_test(test_random_batches),
        cmocka_unit_test(test_remembered_keys_are_replayed),
        cmocka_unit_test(test_receipts_are_recalled),
        cmocka_unit_test(test_a_lost_transaction_is_alone),
        cmocka_unit_test(test_unreadable_counters_are_alone),
        cmocka_unit_test(test_without_rules_nothing_moves),
        cmocka_unit_test(test_expired_unknown_orders_are_only_looked_up),
        cmocka_unit_test(test_out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
