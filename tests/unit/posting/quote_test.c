/* Quotes: what was sealed is opened and nothing else is; a quote fits its movement and no other; it
 * prices what it fits, until it's over, whatever the rules say meanwhile. */
#include "posting/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/zone.h"
#include "posting/batch.h"
#include "posting/order.h"
#include "scripting/bundle.h"

enum { STRIPE = 2 };

#define NOW INT64_C(1764547200000000)

static const uint8_t key[32] = {1, 2, 3};
static struct arena arena;
static struct bundle *rules;
static struct posting_decision seen; /* what the renderer was told */
static struct fee_decision seen_fee;

static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    (void)order;
    seen = *decision;
    if (decision->fee != NULL)
        seen_fee = *decision->fee;
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

static void make_accounts(struct account accounts[4], int64_t money)
{
    accounts[0] = system_account(ACCOUNT_FEES);
    accounts[1] = system_account(ACCOUNT_SETTLEMENT);
    accounts[2] = wallet(1, money);
    accounts[3] = wallet(2, 0);
}

static struct posting_order make_order(enum transaction_kind kind)
{
    struct posting_order order = {.kind = kind,
                                  .caller = {{0x30, 1}},
                                  .key = SLICE("k"),
                                  .from = {{0x20, 1}},
                                  .to = {{0x20, 2}},
                                  .amount = {10000, CURRENCY_ZAR},
                                  .expires_in = 60,
                                  .render = render};
    if (kind == TRANSACTION_WITHDRAWAL)
        order.to = (struct uuid){{0}};
    return order;
}

/* What it would cost a payer with so much money. */
static struct quote_outcome ask(const struct posting_order *order, int64_t money)
{
    struct account accounts[4];
    struct book book = {.accounts = accounts, .count = 4};
    const struct batch_terms terms = {rules, STRIPE, NOW, 0};
    struct quote_outcome result;
    make_accounts(accounts, money);
    assert_true(quote_decide(order, &terms, &book, &arena, &result));
    return result;
}

struct outcome {
    enum posting_outcome outcome;
    struct ledger_transaction transactions[1];
    struct posting postings[TRANSACTION_POSTINGS_MAX];
    struct hold holds[1];
    struct ledger_key key;
};

static struct outcome decide(const struct posting_order *order, const struct bundle *bundle,
                             int64_t now)
{
    struct outcome o = {.outcome = POSTING_POISONED};
    struct account accounts[4];
    struct book book = {.accounts = accounts, .count = 4};
    const struct batch_terms terms = {bundle, STRIPE, now, 0};
    struct order_ink ink = {
        .arena = &arena, .transactions = o.transactions, .postings = o.postings, .holds = o.holds};
    make_accounts(accounts, 100000);
    memset(&seen, 0, sizeof seen);
    assert_true(order_decide(order, &terms, &book, &ink, &o.key));
    o.outcome = ink.outcome;
    return o;
}

static struct quote some_quote(void)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    struct quote_outcome result = ask(&order, 100000);
    assert_int_equal(result.outcome, POSTING_ANSWERED);
    assert_int_equal(result.refusal, REFUSAL_NONE);
    assert_int_equal(result.limits, REFUSAL_NONE);
    return result.quote;
}

static void expect_same(const struct quote *a, const struct quote *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_memory_equal(&a->caller, &b->caller, 16);
    assert_memory_equal(&a->from, &b->from, 16);
    assert_memory_equal(&a->to, &b->to, 16);
    assert_int_equal(a->amount.minor, b->amount.minor);
    assert_int_equal(a->amount.currency, b->amount.currency);
    assert_true(a->expires_at == b->expires_at);
    assert_memory_equal(a->bundle, b->bundle, 32);
    assert_int_equal(a->pricing.length, b->pricing.length);
    assert_int_equal(a->facts.length, b->facts.length);
    assert_memory_equal(a->pricing.at, b->pricing.at, a->pricing.length);
    assert_memory_equal(a->facts.at, b->facts.at, a->facts.length);
    assert_int_equal(a->fee.count, b->fee.count);
    assert_int_equal(a->fee.total, b->fee.total);
    for (int i = 0; i < a->fee.count; i++) {
        assert_string_equal(a->fee.lines[i].rule, b->fee.lines[i].rule);
        assert_string_equal(a->fee.lines[i].code, b->fee.lines[i].code);
        assert_int_equal(a->fee.lines[i].amount, b->fee.lines[i].amount);
        assert_int_equal(a->fee.lines[i].refundable, b->fee.lines[i].refundable);
    }
}

static bool opens(const uint8_t with[32], struct slice text)
{
    struct quote quote;
    assert_true(quote_open(with, text, &arena, &quote));
    return quote.kind != 0;
}

static void test_there_and_back(void **state)
{
    struct quote quote = some_quote();
    struct quote back;
    (void)state;
    assert_true(quote.fee.count >= 1 && quote.fee.total > 0);
    assert_true(quote.expires_at == NOW + QUOTE_LIFETIME_US);
    struct slice text = quote_seal(key, &quote, &arena);
    assert_true(text.length < QUOTE_TEXT_MAX);
    assert_true(quote_open(key, text, &arena, &back));
    expect_same(&quote, &back);
    /* the same promise twice: two texts, nothing to be learnt from comparing them */
    struct slice again = quote_seal(key, &quote, &arena);
    assert_memory_not_equal(text.at, again.at, text.length);
}

/* The largest there can be has room in the text, and comes back whole. */
static void test_eight_lines(void **state)
{
    struct quote quote = some_quote();
    struct quote back;
    struct bytes out;
    (void)state;
    bytes_init(&out, &arena);
    quote.fee.count = FEE_LINES_MAX;
    quote.fee.total = 0;
    for (int i = 0; i < FEE_LINES_MAX; i++) {
        struct fee_line *line = &quote.fee.lines[i];
        memset(line, 0, sizeof *line);
        memset(line->rule, 'r', sizeof line->rule - 1);
        memset(line->code, 'c', sizeof line->code - 1);
        line->amount = INT64_C(1000000000000000) + i;
        line->refundable = true;
        quote.fee.total += line->amount;
        bytes_printf(&out,
                     "%c{\"rule\":\"%s\",\"code\":\"%s\",\"amount\":%lld,\"refundable\":true}",
                     i == 0 ? '[' : ',', line->rule, line->code, (long long)line->amount);
    }
    bytes_add_char(&out, ']');
    quote.pricing = bytes_view(&out);
    struct slice text = quote_seal(key, &quote, &arena);
    assert_true(text.length <= QUOTE_TEXT_MAX);
    assert_true(quote_open(key, text, &arena, &back));
    expect_same(&quote, &back);
}

/* Every bit turned, every end cut off, something behind it, another key: none is ours. */
static void test_nobody_makes_one_up(void **state)
{
    const uint8_t other[32] = {1, 2, 4};
    struct quote quote = some_quote();
    struct slice text = quote_seal(key, &quote, &arena);
    char copy[QUOTE_TEXT_MAX + 8];
    (void)state;
    memcpy(copy, text.at, text.length);
    assert_true(opens(key, text));
    assert_false(opens(other, text));
    for (size_t i = 0; i < text.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            copy[i] = (char)(text.at[i] ^ 1 << bit);
            assert_false(opens(key, (struct slice){copy, text.length}));
        }
        copy[i] = text.at[i];
        assert_false(opens(key, (struct slice){copy, i}));
    }
    memcpy(copy + text.length, "AAAA", 4);
    for (size_t more = 1; more <= 4; more++)
        assert_false(opens(key, (struct slice){copy, text.length + more}));
    static const char *const none[] = {"", "qte_", "qte_AAAA", "qte_01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(opens(key, slice_of(none[i])));
}

/* What was sealed for something else, or says less or more than a quote does, is no quote. */
static void test_sealed_but_no_quote(void **state)
{
    static const uint8_t plain[200] = {1, TRANSACTION_TRANSFER};
    uint8_t sealed[200 + CRYPTO_SEAL_EXTRA];
    char text[400] = "qte_";
    (void)state;
    for (size_t length = 1; length <= sizeof plain; length++) {
        crypto_seal(key, SLICE("quote"), (struct slice){(const char *)plain, length}, sealed);
        crypto_base64url(sealed, length + CRYPTO_SEAL_EXTRA, text + 4);
        /* at 106 bytes it's a whole one, without prices */
        assert_int_equal(opens(key, slice_of(text)), length == 106);
        crypto_seal(key, SLICE("goods"), (struct slice){(const char *)plain, length}, sealed);
        crypto_base64url(sealed, length + CRYPTO_SEAL_EXTRA, text + 4);
        assert_false(opens(key, slice_of(text)));
    }
}

static void test_it_fits_its_movement_only(void **state)
{
    const struct posting_order order = make_order(TRANSACTION_TRANSFER);
    const struct quote quote = some_quote();
    struct posting_order other;
    (void)state;
    assert_true(quote_fits(&quote, &order));
    for (int bit = 0; bit < 128; bit++) {
        other = order;
        other.caller.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(quote_fits(&quote, &other));
        other = order;
        other.from.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(quote_fits(&quote, &other));
        other = order;
        other.to.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(quote_fits(&quote, &other));
    }
    for (int bit = 0; bit < 63; bit++) {
        other = order;
        other.amount.minor ^= INT64_C(1) << bit;
        assert_false(quote_fits(&quote, &other));
    }
    other = order;
    other.amount.currency++;
    assert_false(quote_fits(&quote, &other));
    other = order;
    other.kind = TRANSACTION_HOLD;
    assert_false(quote_fits(&quote, &other));
}

/* The promise against rules that have changed meanwhile: here all of them, and the price is a
 * made-up one that no rule gives. */
static void test_its_price_counts(void **state)
{
    static const enum transaction_kind kinds[] = {TRANSACTION_TRANSFER, TRANSACTION_HOLD};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct posting_order order = make_order(kinds[i]);
        struct quote quote = ask(&order, 100000).quote;
        struct outcome plain = decide(&order, rules, NOW);
        assert_int_equal(plain.transactions[0].fee, quote.fee.total);
        assert_int_equal(plain.transactions[0].facts.length, quote.facts.length);
        memset(quote.bundle, 7, sizeof quote.bundle);
        quote.pricing = SLICE("[{\"rule\":\"old.rule@1\",\"code\":\"fee\",\"amount\":41}]");
        struct quote opened;
        assert_true(quote_open(key, quote_seal(key, &quote, &arena), &arena, &opened));
        order.quote = &opened;
        struct outcome o = decide(&order, rules, NOW + QUOTE_LIFETIME_US - 1);
        assert_int_equal(o.key.status, 201);
        assert_int_equal(o.transactions[0].fee, 41);
        assert_int_equal(o.postings[0].posted_after - o.postings[0].held_after,
                         100000 - 10000 - 41);
        assert_memory_equal(o.transactions[0].bundle, quote.bundle, 32);
        assert_string_equal(seen_fee.lines[0].rule, "old.rule@1");
        assert_int_equal(seen.charged, 41);
        assert_memory_equal(o.transactions[0].pricing.at, quote.pricing.at, quote.pricing.length);
        assert_memory_equal(o.transactions[0].facts.at, quote.facts.at, quote.facts.length);
    }
}

/* A kind without rules is free, and stays so for the minute. */
static void test_free_is_a_price(void **state)
{
    struct posting_order order = make_order(TRANSACTION_WITHDRAWAL);
    (void)state;
    struct quote_outcome result = ask(&order, 100000);
    assert_int_equal(result.refusal, REFUSAL_NONE);
    if (result.quote.pricing.at != NULL)
        return; /* the rules at hand have something about withdrawals */
    order.quote = &result.quote;
    struct outcome o = decide(&order, rules, NOW);
    assert_int_equal(o.key.status, 201);
    assert_int_equal(o.transactions[0].fee, 0);
    assert_null(o.transactions[0].bundle);
    assert_null(seen.fee);
}

static void test_over_or_unfit_moves_nothing(void **state)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    struct quote quote = some_quote();
    (void)state;
    order.quote = &quote;
    struct outcome o = decide(&order, rules, quote.expires_at);
    assert_int_equal(o.key.status, 422);
    assert_int_equal(seen.refusal, REFUSAL_QUOTE_EXPIRED);
    order.amount.minor++;
    o = decide(&order, rules, NOW);
    assert_int_equal(o.key.status, 422);
    assert_int_equal(seen.refusal, REFUSAL_QUOTE_UNFIT);
    order.amount.minor--;
    quote = (struct quote){.kind = 0};
    o = decide(&order, rules, NOW);
    assert_int_equal(seen.refusal, REFUSAL_QUOTE_UNFIT);
    quote = some_quote();
    o = decide(&order, NULL, NOW); /* without rules nobody looks at its limits */
    assert_int_equal(o.outcome, POSTING_RULE_FAILED);
}

/* Money isn't looked at; limits are, and they are told. */
static void test_limits_are_told_and_money_is_not(void **state)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    (void)state;
    struct quote_outcome poor = ask(&order, 0);
    assert_int_equal(poor.refusal, REFUSAL_NONE);
    assert_int_equal(poor.quote.fee.total, some_quote().fee.total);
    order.amount.minor = INT64_C(100000000000);
    struct quote_outcome large = ask(&order, 0);
    assert_int_equal(large.refusal, REFUSAL_NONE);
    assert_int_equal(large.limits, REFUSAL_LIMIT_EXCEEDED);
    assert_non_null(large.breach.cap);
    assert_true(large.quote.kind == TRANSACTION_TRANSFER && large.quote.fee.total > 0);
    order.caller.bytes[0]++;
    assert_int_equal(ask(&order, 0).refusal, REFUSAL_WALLET_NOT_FOUND);
}

/* As the movement would: nobody can mend a rule that isn't named. */
static void test_without_a_rule_it_says_why(void **state)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    struct account accounts[4];
    struct book book = {.accounts = accounts, .count = 4};
    const struct batch_terms terms = {rules, STRIPE, NOW, 0};
    struct quote_outcome result;
    (void)state;
    make_accounts(accounts, 100000);
    order.amount.currency = currency_parse(SLICE("USD"));
    for (size_t i = 0; i < 4; i++)
        accounts[i].currency = order.amount.currency;
    assert_true(quote_decide(&order, &terms, &book, &arena, &result));
    assert_int_equal(result.outcome, POSTING_RULE_FAILED);
    assert_non_null(strstr(result.quote.fee.reason, "no rule applies to: transfer, USD"));
}

/* The key comes before the quote: what was bought with it is told for ever. */
static void test_a_replay_after_its_end(void **state)
{
    struct posting_order order = make_order(TRANSACTION_TRANSFER);
    struct posting_order *orders[] = {&order};
    struct quote quote = some_quote();
    struct ledger_key remembered = {
        .caller = order.caller, .key = order.key, .status = 201, .answer = SLICE("the first")};
    (void)state;
    order.quote = &quote;
    struct batch *batch = batch_new(orders, 1);
    assert_non_null(batch);
    assert_true(batch_prepare(batch, STRIPE));
    batch->remembered = &remembered;
    batch->remembered_count = 1;
    const struct batch_terms terms = {rules, STRIPE, quote.expires_at + 1, 0};
    assert_true(batch_decide(batch, &terms));
    assert_int_equal(batch->verdicts[0].outcome, POSTING_ANSWERED);
    assert_true(batch->verdicts[0].replayed);
    assert_true(slice_equals(batch->verdicts[0].body, "the first"));
    batch_free(batch);
}

static int set_up(void **state)
{
    static struct bundle_report report;
    (void)state;
    arena_init(&arena);
    rules = bundle_load(MOOLAH_SOURCE_DIR "/rules", &report);
    return rules == NULL || !crypto_start() || zone_open() != NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    bundle_release(rules);
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_eight_lines),
        cmocka_unit_test(test_nobody_makes_one_up),
        cmocka_unit_test(test_sealed_but_no_quote),
        cmocka_unit_test(test_it_fits_its_movement_only),
        cmocka_unit_test(test_its_price_counts),
        cmocka_unit_test(test_free_is_a_price),
        cmocka_unit_test(test_over_or_unfit_moves_nothing),
        cmocka_unit_test(test_limits_are_told_and_money_is_not),
        cmocka_unit_test(test_without_a_rule_it_says_why),
        cmocka_unit_test(test_a_replay_after_its_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
