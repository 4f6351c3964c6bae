/* Receipts and their kin: byte for byte what API.md promises, each refusal a problem of its own,
 * and what is stored and read back looks like what was answered first. */
#include "api/receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/zone.h"
#include "http/problem.h"
#include "ledger/refusal.h"
#include "posting/batch.h"
#include "posting/order.h"
#include "scripting/bundle.h"

static const struct uuid from_id = {{1, 0x93, 0x2c, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};
static const struct uuid to_id = {{1, 0x93, 0x2c, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 2}};
static const struct uuid tx_id = {{1, 0x93, 0x2c, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 3}};
static const uint8_t bundle[32] = {0xab, 0xcd};
static const int64_t moment = INT64_C(1796112000000001); /* 2026-12-01T08:00:00.000001Z */

static const struct fee_decision fee = {
    .outcome = FEE_OK, .count = 1, .lines = {{"transfer.p2p@3", "fee", 250}}, .total = 250};

static struct receipt_order make_order(enum transaction_kind kind)
{
    return (struct receipt_order){
        .order = {.kind = kind,
                  .from = from_id,
                  .to = to_id,
                  .amount = {10000, CURRENCY_ZAR},
                  .note = SLICE("rent \"\xc3\xa9\"")},
        .request_id = tx_id,
    };
}

static struct posting_decision make_decision(void)
{
    return (struct posting_decision){
        .transaction = tx_id,
        .created_at = moment,
        .from_after = {.id = from_id, .kind = ACCOUNT_WALLET, .posted = 89750, .held = 50},
        .to_after = {.id = to_id, .kind = ACCOUNT_WALLET, .posted = 10000},
        .amount = {10000, CURRENCY_ZAR},
        .charged = 250,
        .fee = &fee,
        .bundle = bundle,
    };
}

/* A text with %1 %2 %3 replaced by from, to and the transaction. */
static void expect_text(struct slice got, const char *pattern)
{
    char from[UUID_TEXT_MAX], to[UUID_TEXT_MAX], tx[UUID_TEXT_MAX];
    struct bytes expected;
    uuid_format(&from_id, "wal_", from);
    uuid_format(&to_id, "wal_", to);
    uuid_format(&tx_id, "tx_", tx);
    bytes_init(&expected, NULL);
    for (; *pattern != '\0'; pattern++) {
        if (pattern[0] != '%') {
            bytes_add_char(&expected, *pattern);
            continue;
        }
        pattern++;
        bytes_add_text(&expected, *pattern == '1' ? from : *pattern == '2' ? to : tx);
    }
    if (!slice_equal(got, bytes_view(&expected)))
        fail_msg("expected %.*s\n     got %.*s", (int)expected.length, expected.at, (int)got.length,
                 got.at);
    bytes_release(&expected);
}

#define HEAD(kind, fee_text, from)                                                              \
    "{\"id\":\"%3\",\"kind\":\"" kind                                                           \
    "\",\"status\":\"posted\",\"amount\":10000,\"fee\":" fee_text                               \
    ",\"currency\":\"ZAR\",\"from\":" from ",\"to\":\"%2\",\"note\":\"rent \\\"\xc3\xa9\\\"\"," \
    "\"reference\":null,\"created_at\":\"2026-12-01T08:00:00.000001Z\""
#define PRICING                                                                                    \
    ",\"pricing\":{\"bundle\":\"sha256:"                                                           \
    "abcd000000000000000000000000000000000000000000000000000000000000\",\"rules\":["               \
    "\"transfer.p2p@3\"],\"lines\":[{\"rule\":\"transfer.p2p@3\",\"code\":\"fee\",\"amount\":250}" \
    "]}"

static void test_a_receipt(void **state)
{
    struct receipt_order order = make_order(TRANSACTION_TRANSFER);
    struct posting_decision decision = make_decision();
    struct bytes body;
    (void)state;
    bytes_init(&body, NULL);
    assert_int_equal(receipt_render(&order.order, &decision, &body), 201);
    expect_text(bytes_view(&body),
                HEAD("transfer", "250", "\"%1\"") ",\"balance\":{\"posted\":89750,"
                                                  "\"held\":50,\"available\":89700}" PRICING "}");
    bytes_clear(&body);
    order = make_order(TRANSACTION_DEPOSIT);
    decision.from_after.id = account_system_id(ACCOUNT_SETTLEMENT, CURRENCY_ZAR, 3);
    decision.fee = NULL;
    decision.charged = 0;
    assert_int_equal(receipt_render(&order.order, &decision, &body), 201);
    expect_text(bytes_view(&body), HEAD("deposit", "0", "null") "}"); /* nobody's balance */
    bytes_release(&body);
}

static struct wallets_transaction make_stored(void)
{
    return (struct wallets_transaction){
        .id = tx_id,
        .kind = TRANSACTION_TRANSFER,
        .from = from_id,
        .to = to_id,
        .amount = 10000,
        .fee = 250,
        .currency = CURRENCY_ZAR,
        .note = SLICE("rent \"\xc3\xa9\""),
        .pricing = SLICE("[{\"rule\":\"transfer.p2p@3\",\"code\":\"fee\",\"amount\":250}]"),
        .bundle = {0xab, 0xcd},
        .has_bundle = true,
        .created_at = moment,
        .posted_after = 89750,
        .held_after = 50,
        .to_posted_after = 10000,
        .to_touched = true,
    };
}

/* The same transaction out of the database: the same bytes for the payer, the receiver's balance
 * for the receiver, nobody's for others. */
static void test_read_back(void **state)
{
    const struct wallets_transaction stored = make_stored();
    struct bytes body;
    (void)state;
    bytes_init(&body, NULL);
    receipt_write_transaction(&stored, RECEIPT_FROM, &body);
    expect_text(bytes_view(&body),
                HEAD("transfer", "250", "\"%1\"") ",\"balance\":{\"posted\":89750,"
                                                  "\"held\":50,\"available\":89700}" PRICING "}");
    bytes_clear(&body);
    receipt_write_transaction(&stored, RECEIPT_TO, &body);
    expect_text(bytes_view(&body),
                HEAD("transfer", "250", "\"%1\"") ",\"balance\":{\"posted\":10000,"
                                                  "\"held\":0,\"available\":10000}" PRICING "}");
    bytes_clear(&body);
    receipt_write_transaction(&stored, RECEIPT_NEITHER, &body);
    expect_text(bytes_view(&body), HEAD("transfer", "250", "\"%1\"") PRICING "}");
    bytes_release(&body);
}

/* What the database gives back of what a decision had written down. */
static struct wallets_transaction read_back(const struct ledger_transaction *written,
                                            const struct account *payer, int64_t created_at)
{
    struct wallets_transaction t = {
        .id = written->id,
        .kind = (int)written->kind,
        .from = written->from,
        .to = written->to,
        .amount = written->amount,
        .fee = written->fee,
        .currency = written->currency,
        .note = written->note,
        .reference = written->reference,
        .pricing = written->pricing,
        .has_bundle = written->bundle != NULL,
        .created_at = created_at,
        .posted_after = payer->posted,
        .held_after = payer->held,
    };
    if (t.has_bundle)
        memcpy(t.bundle, written->bundle, sizeof t.bundle);
    return t;
}

static struct account make_account(enum account_kind kind, struct uuid id, unsigned *dice)
{
    return (struct account){.id = id,
                            .kind = kind,
                            .status = ACCOUNT_ACTIVE,
                            .tier = rand_r(dice) % 4,
                            .currency = CURRENCY_ZAR,
                            .owner = {{0x30, (uint8_t)(rand_r(dice) % 2)}},
                            .posted = rand_r(dice) % 3 == 0 ? 0 : rand_r(dice),
                            .held = rand_r(dice) % 2,
                            .floor = kind == ACCOUNT_SETTLEMENT ? ACCOUNT_FLOOR_NONE : 0,
                            .version = 1 + rand_r(dice) % 100};
}

/* A receipt isn't kept: whatever the real rules decide, it's the same bytes when it's written again
 * from what was. */
static void test_a_receipt_is_recalled(void **state)
{
    static const struct slice notes[] = {
        {NULL, 0}, SLICE(""), SLICE("lunch"), SLICE("\"\\\n\x01\x7f\xc3\xa9")};
    struct bundle_report report;
    struct bundle *rules = bundle_load(MOOLAH_SOURCE_DIR "/rules", &report);
    int posted[2] = {0, 0};
    (void)state;
    assert_non_null(rules);
    for (unsigned seed = 1; seed < 2000; seed++) {
        unsigned dice = seed;
        bool deposit = rand_r(&dice) % 4 == 0;
        struct arena arena;
        struct ledger_transaction written;
        struct posting postings[TRANSACTION_POSTINGS_MAX];
        struct order_ink ink = {.arena = &arena, .transactions = &written, .postings = postings};
        struct ledger_key key = {.status = 0};
        struct account accounts[3] = {
            make_account(ACCOUNT_FEES, account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, 0), &dice),
            make_account(ACCOUNT_WALLET, from_id, &dice),
            make_account(ACCOUNT_WALLET, to_id, &dice)};
        if (deposit)
            accounts[0] = make_account(
                ACCOUNT_SETTLEMENT, account_system_id(ACCOUNT_SETTLEMENT, CURRENCY_ZAR, 0), &dice);
        struct book book = {.accounts = accounts, .count = 3};
        const struct batch_terms terms = {rules, 0, moment + rand_r(&dice), 0};
        struct receipt_order asked =
            make_order(deposit ? TRANSACTION_DEPOSIT : TRANSACTION_TRANSFER);
        asked.order.caller = accounts[1].owner;
        asked.order.amount.minor = 1 + rand_r(&dice) % (1 << rand_r(&dice) % 24);
        asked.order.note = notes[rand_r(&dice) % 4];
        asked.order.reference = notes[rand_r(&dice) % 4];
        asked.order.render = receipt_render;
        arena_init(&arena);
        assert_true(order_decide(&asked.order, &terms, &book, &ink, &key));
        if (key.status == 201) {
            struct bytes again;
            const struct account *payer = &accounts[deposit ? 0 : 1];
            const struct wallets_transaction stored = read_back(&written, payer, terms.now);
            bytes_init(&again, &arena);
            receipt_recall(&asked.order, &stored, &again);
            assert_null(key.answer.at);
            if (!slice_equal(ink.body, bytes_view(&again)))
                fail_msg("answered %.*s\n recalled %.*s", (int)ink.body.length, ink.body.at,
                         (int)again.length, again.at);
            posted[deposit]++;
        }
        arena_release(&arena);
    }
    assert_true(posted[0] > 100 && posted[1] > 100);
    bundle_release(rules);
}

static void test_a_line_a_wallet_and_a_user(void **state)
{
    const struct wallets_transaction line = {.id = tx_id,
                                             .kind = TRANSACTION_TRANSFER,
                                             .from = from_id,
                                             .to = to_id,
                                             .amount = 10000,
                                             .fee = 250,
                                             .currency = CURRENCY_ZAR,
                                             .note = SLICE("rent \"\xc3\xa9\""),
                                             .created_at = moment,
                                             .change = -10250,
                                             .hold = 3,
                                             .version = 17,
                                             .posted_after = -5,
                                             .held_after = 1};
    const struct wallet wallet = {.id = from_id,
                                  .label = SLICE("Main"),
                                  .currency = CURRENCY_ZAR,
                                  .status = ACCOUNT_FROZEN,
                                  .zone = 2,
                                  .posted = 7,
                                  .held = 3,
                                  .version = 4,
                                  .created_at = moment};
    const struct user user = {.id = tx_id,
                              .phone = SLICE("+27821234567"),
                              .name = SLICE("Th\xff"),
                              .tier = 2,
                              .totp_enabled = true,
                              .wallet = from_id,
                              .created_at = moment};
    char id[UUID_TEXT_MAX];
    char expected[400];
    struct bytes body;
    struct json_writer writer;
    (void)state;
    bytes_init(&body, NULL);
    json_write_init(&writer, &body);
    receipt_write_line(&writer, &line);
    expect_text(bytes_view(&body),
                HEAD("transfer", "250",
                     "\"%1\"") ",\"change\":-10250,\"held_change\":3,\"version\":17,"
                               "\"balance_after\":{\"posted\":-5,\"held\":1,\"available\":-6}}");
    bytes_clear(&body);
    json_write_init(&writer, &body);
    receipt_write_wallet(&writer, &wallet);
    expect_text(bytes_view(&body),
                "{\"id\":\"%1\",\"label\":\"Main\",\"currency\":\"ZAR\",\"time_zone\":\"UTC\","
                "\"status\":\"frozen\","
                "\"balance\":{\"posted\":7,\"held\":3,\"available\":4},\"version\":4,"
                "\"created_at\":\"2026-12-01T08:00:00.000001Z\"}");
    bytes_clear(&body);
    json_write_init(&writer, &body);
    receipt_write_user(&writer, &user);
    uuid_format(&tx_id, "usr_", id);
    snprintf(expected, sizeof expected,
             "{\"id\":\"%s\",\"phone\":\"+27821234567\",\"name\":\"Th\xef\xbf\xbd\",\"tier\":2,"
             "\"totp_enabled\":true,\"wallet\":\"%%1\",\"created_at\":"
             "\"2026-12-01T08:00:00.000001Z\"}",
             id);
    expect_text(bytes_view(&body), expected);
    bytes_release(&body);
}

/* Each refusal has a problem of its own name. */
static void test_every_refusal_is_a_problem(void **state)
{
    struct receipt_order order = make_order(TRANSACTION_TRANSFER);
    struct posting_decision decision = make_decision();
    (void)state;
    for (int refusal = REFUSAL_NONE + 1; refusal < REFUSAL_COUNT; refusal++) {
        struct arena arena;
        struct bytes body;
        struct json_error error;
        arena_init(&arena);
        bytes_init(&body, &arena);
        decision.refusal = (enum refusal)refusal;
        decision.reason = refusal == REFUSAL_RULE_DENIED ? "not on Sundays" : NULL;
        int status = receipt_render(&order.order, &decision, &body);
        assert_true(status == 422 || status == 404);
        const struct json *problem = json_parse(bytes_view(&body), &arena, &error);
        assert_non_null(problem);
        assert_true(slice_equals(json_string(json_member(problem, "code")),
                                 refusal_name((enum refusal)refusal)));
        assert_int_equal(json_integer(json_member(problem, "status")), status);
        if (refusal == REFUSAL_RULE_DENIED)
            assert_true(
                slice_equals(json_string(json_member(problem, "detail")), "not on Sundays"));
        const struct json *available = json_member(problem, "available");
        assert_int_equal(available != NULL, refusal == REFUSAL_INSUFFICIENT_FUNDS);
        if (available != NULL) {
            assert_int_equal(json_integer(available), 89700);
            assert_int_equal(json_integer(json_member(problem, "fee")), 250);
        }
        arena_release(&arena);
    }
}

/* The n-th allocation fails: the buffer says so, nothing else happens. Nor is it another receipt.
 */
static void test_memory_runs_out(void **state)
{
    struct receipt_order order = make_order(TRANSACTION_TRANSFER);
    struct posting_decision decision = make_decision();
    const struct wallets_transaction stored = make_stored();
    bool failed = true;
    (void)state;
    for (long n = 0; failed; n++) {
        struct bytes body;
        bytes_init(&body, NULL);
        memory_fail_after(n);
        receipt_render(&order.order, &decision, &body);
        failed = memory_failed();
        memory_fail_never();
        assert_int_equal(body.failed, failed);
        bytes_release(&body);
    }
    failed = true;
    for (long n = 0; failed; n++) {
        struct bytes body;
        bytes_init(&body, NULL);
        memory_fail_after(n);
        receipt_recall(&order.order, &stored, &body);
        failed = memory_failed();
        memory_fail_never();
        assert_int_equal(body.failed, failed);
        bytes_release(&body);
    }
}

static int set_up(void **state)
{
    (void)state;
    return zone_open() == NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_receipt),
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_a_receipt_is_recalled),
        cmocka_unit_test(test_a_line_a_wallet_and_a_user),
        cmocka_unit_test(test_every_refusal_is_a_problem),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
