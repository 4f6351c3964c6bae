/* The API as a client sees it: moving money, and what it looks like afterwards. Real TLS, real
 * server, real PostgreSQL and Redis.
 *
 * Covers: server/api/create_transfer.c server/api/create_deposit.c server/api/movement.c
 *     server/api/show_product.c scripting/rule_reader.c server/api/show_transaction.c
 * server/api/list_transactions.c server/api/receipt.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json.h"
#include "support/talk.h"

static void test_a_transfer_and_its_receipt(void **state)
{
    char key[40];
    char first[1024];
    char path[100];
    int64_t before[2] = {talk_balance(0), talk_balance(1)};
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    const char *body =
        talk_transfer(0, 1, "10000", ",\"note\":\"secret note\",\"reference\":\"r-1\"");
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, body), 201);
    assert_string_equal(talk_member("kind"), "transfer");
    assert_string_equal(talk_member("status"), "posted");
    assert_string_equal(talk_member("fee"), "250");
    assert_string_equal(talk_member("note"), "secret note");
    assert_string_equal(talk_member("reference"), "r-1");
    assert_string_equal(talk_member("from"), talk.stack->users[0].wallet);
    assert_int_equal(talk_number("balance.posted"), before[0] - 10250);
    assert_string_equal(talk_member("pricing.lines.rule"), "transfer.p2p@3");
    assert_null(talk_header("idempotency-replayed"));
    snprintf(first, sizeof first, "%s", talk.call.answer);
    snprintf(path, sizeof path, "/v1/transactions/%s", talk_member("id"));

    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, body), 201);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    assert_string_equal(talk.call.answer, first);
    talk_expect(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], key, talk_transfer(0, 1, "10001", "")),
        422, "idempotency_key_reused");
    /* whoever got an answer sees it in the next read; and it was booked once */
    assert_int_equal(talk_balance(0), before[0] - 10250);
    assert_int_equal(talk_balance(1), before[1] + 10000);

    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk.call.answer, first);
    assert_int_equal(talk_ask("GET", path, talk.tokens[1], NULL, NULL), 200);
    assert_int_equal(talk_number("balance.posted"), before[1] + 10000);
    talk_expect(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 404, "transaction_not_found");
    talk_expect(talk_ask("GET", path, talk.stack->partner_key, NULL, NULL), 404,
                "transaction_not_found");
    talk_expect(talk_ask("GET", path, NULL, NULL, NULL), 401, "unauthenticated");
}

static void test_refusals_are_remembered(void **state)
{
    char key[40];
    char first[1024];
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    const char *body = talk_transfer(2, 1, "99999999", "");
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[2], key, body), 422,
                "insufficient_funds");
    assert_int_equal(talk_number("available"), 1000000);
    snprintf(first, sizeof first, "%s", talk.call.answer);
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[2], key, body), 422);
    assert_string_equal(talk.call.answer, first); /* its request_id, too, is the first one's */
    assert_string_equal(talk_header("idempotency-replayed"), "true");
}

/* What may be wrong with a transfer; %s are the wallets of users 0 and 1. */
static const struct {
    const char *body;
    int status;
    const char *code;
    const char *pointer;
} bad_transfers[] = {
    {"", 400, "malformed_json", NULL},
    {"{", 400, "malformed_json", NULL},
    {"[]", 400, "invalid_request", ""},
    {"null", 400, "invalid_request", ""},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\"} x", 400, "malformed_json",
     NULL},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"amount\":2,\"currency\":\"ZAR\"}", 400,
     "malformed_json", "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":0,\"currency\":\"ZAR\"}", 400, "invalid_request",
     "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":-1,\"currency\":\"ZAR\"}", 400, "invalid_request",
     "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1.0,\"currency\":\"ZAR\"}", 400, "invalid_request",
     "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1e2,\"currency\":\"ZAR\"}", 400, "invalid_request",
     "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":\"5\",\"currency\":\"ZAR\"}", 400,
     "invalid_request", "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":9007199254740992,\"currency\":\"ZAR\"}", 400,
     "invalid_request", "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":123456789012345678901234567890,\"currency\":"
     "\"ZAR\"}",
     400, "invalid_request", "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"currency\":\"ZAR\"}", 400, "invalid_request", "/amount"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"zar\"}", 400, "invalid_request",
     "/currency"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\",\"tip\":1}", 400,
     "invalid_request", "/tip"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\",\"note\":\"\\u0000\"}", 400,
     "malformed_json", NULL},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\",\"note\":\"a\\nb\"}", 400,
     "invalid_request", "/note"},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\",\"note\":\"\xff\"}", 400,
     "malformed_json", NULL},
    {"{\"from\":\"wal_x\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\"}", 400, "invalid_request",
     "/from"},
    {"{\"from\":\"%s\",\"to\":{\"phone\":\"0821234567\"},\"amount\":1,\"currency\":\"ZAR\"}", 400,
     "invalid_request", "/to"},
    {"{\"from\":\"%s\",\"to\":{\"phone\":\"+27829999999\"},\"amount\":1,\"currency\":\"ZAR\"}", 404,
     "recipient_not_found", NULL},
    {"{\"from\":\"%s\",\"to\":\"wal_01jb0000000000000000000000\",\"amount\":1,\"currency\":"
     "\"ZAR\"}",
     404, "recipient_not_found", NULL},
    {"{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"USD\"}", 422, "currency_mismatch",
     NULL},
};

static void test_bad_transfers_move_nothing(void **state)
{
    int64_t before[2] = {talk_balance(0), talk_balance(1)};
    (void)state;
    for (size_t i = 0; i < sizeof bad_transfers / sizeof bad_transfers[0]; i++) {
        char body[700];
        bool from_given = strstr(bad_transfers[i].body, "\"from\":\"%s\"") != NULL;
        const char *first = talk.stack->users[from_given ? 0 : 1].wallet;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(body, sizeof body, bad_transfers[i].body, first, talk.stack->users[1].wallet);
#pragma GCC diagnostic pop
        talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(), body),
                    bad_transfers[i].status, bad_transfers[i].code);
        if (bad_transfers[i].pointer != NULL)
            assert_string_equal(talk_member("errors.pointer"), bad_transfers[i].pointer);
    }
    talk_expect(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(), talk_transfer(0, 0, "1", "")),
        422, "same_wallet");
    talk_expect(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(), talk_transfer(1, 0, "1", "")),
        404, "wallet_not_found");
    talk_expect(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], NULL, talk_transfer(0, 1, "1", "")), 400,
        "idempotency_key_missing");
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[0], "two words",
                         talk_transfer(0, 1, "1", "")),
                400, "idempotency_key_invalid");
    talk_expect(talk_ask("POST", "/v1/transfers", NULL, talk_key(), talk_transfer(0, 1, "1", "")),
                401, "unauthenticated");
    talk_expect(
        talk_ask("POST", "/v1/transfers", "mlt_nonsense", talk_key(), talk_transfer(0, 1, "1", "")),
        401, "unauthenticated");
    talk_expect(talk_ask("POST", "/v1/transfers", talk.stack->partner_key, talk_key(),
                         talk_transfer(0, 1, "1", "")),
                403, "forbidden");
    assert_int_equal(talk_balance(0), before[0]);
    assert_int_equal(talk_balance(1), before[1]);
}

static void test_statement_pages(void **state)
{
    char path[200];
    char next[64] = "";
    int lines = 0;
    int64_t last_version = INT64_MAX;
    (void)state;
    for (int i = 0; i < 7; i++)
        assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[2], talk_key(),
                                  talk_transfer(2, 3, "5", "")),
                         201);
    do {
        snprintf(path, sizeof path, "/v1/wallets/%s/transactions?limit=3%s%s",
                 talk.stack->users[2].wallet, next[0] == '\0' ? "" : "&after=", next);
        assert_int_equal(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 200);
        int64_t version = talk_number("data.version");
        assert_true(version < last_version);
        last_version = version;
        for (const char *at = talk.call.answer; (at = strstr(at, "\"change\":")) != NULL; at++)
            lines++;
        snprintf(next, sizeof next, "%s", talk_member("next"));
    } while (strcmp(next, "(null)") != 0);
    snprintf(path, sizeof path, "/v1/wallets/%s", talk.stack->users[2].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 200);
    assert_int_equal(lines, talk_number("version")); /* each posting once */

    snprintf(path, sizeof path, "/v1/wallets/%s/transactions?kind=deposit",
             talk.stack->users[2].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 200);
    assert_string_equal(talk_member("data.kind"), "deposit");
    assert_string_equal(talk_member("data.from"), "(null)");
    static const char *const bad[] = {"limit=0",    "limit=101",      "limit=x",   "after=abc",
                                      "kind=theft", "from=yesterday", "unknown=1", "reference=%zz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(path, sizeof path, "/v1/wallets/%s/transactions?%s", talk.stack->users[2].wallet,
                 bad[i]);
        talk_expect(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 400, "invalid_request");
    }
    snprintf(path, sizeof path, "/v1/wallets/%s/transactions", talk.stack->users[2].wallet);
    talk_expect(talk_ask("GET", path, talk.tokens[1], NULL, NULL), 404, "wallet_not_found");
}

/* A line of the statement, as far as filters look at it. */
struct line {
    char id[40], kind[16], from[40], to[40], reference[70], created_at[40];
    int64_t change;
};

static void copy_text(const struct json *object, const char *name, char *out, size_t size)
{
    const struct json *value = json_member(object, name);
    assert_non_null(value);
    out[0] = '\0';
    if (json_kind(value) == JSON_STRING)
        snprintf(out, size, "%.*s", (int)json_string(value).length, json_string(value).at);
}

/* The lines of user 2's statement that `query` asks for. */
static size_t read_lines(const char *query, struct line lines[100])
{
    char path[400];
    struct arena arena;
    struct json_error error;
    const struct json *item;
    size_t at = 0;
    size_t count = 0;
    snprintf(path, sizeof path, "/v1/wallets/%s/transactions?limit=100%s",
             talk.stack->users[2].wallet, query);
    assert_int_equal(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 200);
    arena_init(&arena);
    const struct json *answer =
        json_parse((struct slice){talk.call.answer, talk.call.answer_length}, &arena, &error);
    assert_non_null(answer);
    while (json_next_element(json_member(answer, "data"), &at, &item)) {
        struct line *line = &lines[count++];
        copy_text(item, "id", line->id, sizeof line->id);
        copy_text(item, "kind", line->kind, sizeof line->kind);
        copy_text(item, "from", line->from, sizeof line->from);
        copy_text(item, "to", line->to, sizeof line->to);
        copy_text(item, "reference", line->reference, sizeof line->reference);
        copy_text(item, "created_at", line->created_at, sizeof line->created_at);
        line->change = json_integer(json_member(item, "change"));
    }
    arena_release(&arena);
    return count;
}

/* What the filters let pass, said once more in another language. */
enum filter { KIND, SINCE, UNTIL, LEAST, MOST, COUNTERPARTY, REFERENCE, FILTERS };

static bool passes(const struct line *line, enum filter filter, const struct line *middle)
{
    switch (filter) {
    case KIND:
        return strcmp(line->kind, "transfer") == 0;
    case SINCE:
        return strcmp(line->created_at, middle->created_at) >= 0;
    case UNTIL:
        return strcmp(line->created_at, middle->created_at) < 0;
    case LEAST:
        return llabs(line->change) >= llabs(middle->change);
    case MOST:
        return llabs(line->change) <= llabs(middle->change);
    case COUNTERPARTY:
        return strcmp(line->from, talk.stack->users[3].wallet) == 0 ||
               strcmp(line->to, talk.stack->users[3].wallet) == 0;
    case REFERENCE:
    case FILTERS:
        break;
    }
    return strcmp(line->reference, "shop 7") == 0;
}

static void write_filter(char *query, size_t size, enum filter filter, const struct line *middle)
{
    static const char *const names[] = {
        [KIND] = "kind",          [SINCE] = "from",      [UNTIL] = "to",
        [LEAST] = "min_amount",   [MOST] = "max_amount", [COUNTERPARTY] = "counterparty",
        [REFERENCE] = "reference"};
    char value[70] = "transfer";
    if (filter == SINCE || filter == UNTIL)
        snprintf(value, sizeof value, "%s", middle->created_at);
    if (filter == LEAST || filter == MOST)
        snprintf(value, sizeof value, "%lld", llabs((long long)middle->change));
    if (filter == COUNTERPARTY)
        snprintf(value, sizeof value, "%s", talk.stack->users[3].wallet);
    if (filter == REFERENCE)
        snprintf(value, sizeof value, "shop%%207");
    size_t length = strlen(query);
    snprintf(query + length, size - length, "&%s=%s", names[filter], value);
}

/* Each filter and each pair of them, against the whole statement filtered here. */
static void test_statement_filters(void **state)
{
    static struct line all[100];
    static struct line some[100];
    (void)state;
    for (int i = 0; i < 12; i++) {
        char amount[16];
        int from = i % 3 == 0 ? 3 : 2;
        int to = i % 3 == 0 ? 2 : i % 3 == 1 ? 1 : 3;
        const char *more = i % 2 == 0 ? ",\"reference\":\"shop 7\"" : "";
        snprintf(amount, sizeof amount, "%d", 1 + i * 37 % 11);
        assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[from], talk_key(),
                                  talk_transfer(from, to, amount, more)),
                         201);
    }
    size_t count = read_lines("", all);
    assert_in_range(count, 13, 99);
    const struct line *middle = &all[count / 2];
    for (int first = 0; first < FILTERS; first++) {
        for (int second = first; second < FILTERS; second++) {
            char query[300] = "";
            size_t got = 0;
            write_filter(query, sizeof query, (enum filter)first, middle);
            if (second != first)
                write_filter(query, sizeof query, (enum filter)second, middle);
            size_t answered = read_lines(query, some);
            for (size_t i = 0; i < count; i++) {
                if (!passes(&all[i], (enum filter)first, middle) ||
                    !passes(&all[i], (enum filter)second, middle))
                    continue;
                assert_true(got < answered);
                assert_string_equal(some[got++].id, all[i].id);
            }
            assert_int_equal(answered, got);
        }
    }
}

static void test_deposits(void **state)
{
    char body[300];
    int64_t before = talk_balance(1);
    (void)state;
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":777,\"currency\":\"ZAR\",\"reference\":\"bank-1\"}",
             talk.stack->users[1].wallet);
    talk_expect(talk_ask("POST", "/v1/deposits", talk.tokens[1], talk_key(), body), 403,
                "forbidden");
    talk_expect(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, NULL, body), 400,
                "idempotency_key_missing");
    assert_int_equal(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), body),
                     201);
    assert_string_equal(talk_member("kind"), "deposit");
    assert_int_equal(talk_balance(1), before + 777);
}

static void test_other_wallets(void **state)
{
    char usd[40];
    char body[400];
    (void)state;
    assert_int_equal(talk_ask("POST", "/v1/wallets", talk.tokens[3], NULL,
                              "{\"currency\":\"USD\",\"label\":\"Dollars\"}"),
                     201);
    snprintf(usd, sizeof usd, "%s", talk_member("id"));
    snprintf(body, sizeof body, "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\"}",
             talk.stack->users[3].wallet, usd);
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[3], talk_key(), body), 422,
                "currency_mismatch");
    assert_int_equal(talk_ask("POST", "/v1/wallets", talk.tokens[3], NULL,
                              "{\"currency\":\"ZAR\",\"label\":\"Savings\"}"),
                     201);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}",
             talk.stack->users[3].wallet, talk_member("id"));
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[3], talk_key(), body), 201);
    assert_string_equal(talk_member("fee"), "0"); /* between own wallets: another rule */
    talk_expect(talk_ask("POST", "/v1/wallets", talk.tokens[3], NULL,
                         "{\"currency\":\"JPY\",\"label\":\"Yen\"}"),
                400, "invalid_request");
}

static void test_the_catalogue(void **state)
{
    struct client_call question = {.method = "GET", .path = "/v1/products"};
    char path[100];
    (void)state;
    assert_int_equal(talk_ask("GET", "/v1/products", NULL, NULL, NULL), 200);
    assert_string_equal(talk_member("data.code"), "airtime.r50");
    assert_non_null(strstr(talk.call.answer, "\"amounts\":[5000]"));
    snprintf(path, sizeof path, "/v1/products/%s", talk_member("data.id"));
    talk_extra(&question, "if-none-match", talk_header("etag"));
    assert_int_equal(talk_send(&question), 304);
    assert_int_equal(talk_ask("GET", path, NULL, NULL, NULL), 200);
    assert_string_equal(talk_member("name"), "Airtime R50");
    question.path = path;
    memset(question.extra, 0, sizeof question.extra);
    talk_extra(&question, "if-none-match", talk_header("etag"));
    assert_int_equal(talk_send(&question), 304);
    talk_expect(talk_ask("GET", "/v1/products/prd_00000000000000000000000000", NULL, NULL, NULL),
                404, "product_not_found");
    talk_expect(talk_ask("GET", "/v1/products?limit=3", NULL, NULL, NULL), 400, "invalid_request");
    snprintf(path, sizeof path, "/v1/products/x?y=1");
    talk_expect(talk_ask("GET", path, NULL, NULL, NULL), 400, "invalid_request");
}

static void test_equal_keys_at_once_move_once(void **state)
{
    enum { TIMES = 40 };
    static struct client_call calls[TIMES];
    char key[40];
    int64_t before = talk_balance(1);
    int fresh = 0;
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    const char *body = talk_transfer(0, 1, "11", "");
    struct client *second = client_open(talk.stack->port, talk.stack->ca);
    assert_non_null(second);
    struct client *both[] = {talk.client, second};
    for (int i = 0; i < TIMES; i++) {
        calls[i] = (struct client_call){.method = "POST",
                                        .path = "/v1/transfers",
                                        .token = talk.tokens[0],
                                        .key = key,
                                        .body = body};
        assert_true(client_begin(both[i % 2], &calls[i]));
    }
    for (int i = 0; i < TIMES; i++) {
        while (!calls[i].done && !calls[i].lost)
            client_turn(both, 2, 1000);
        assert_int_equal(calls[i].status, 201);
        assert_string_equal(calls[i].answer, calls[0].answer);
        fresh += client_header(&calls[i], "idempotency-replayed") == NULL;
    }
    assert_int_equal(fresh, 1);
    for (int i = 0; i < TIMES; i++)
        client_call_clear(&calls[i]);
    client_close(second);
    assert_int_equal(talk_balance(1), before + 11);
}

static void test_log_holds_no_secrets(void **state)
{
    char command[800];
    (void)state;
    snprintf(command, sizeof command,
             "! grep -qE '%s|%s|secret note|\\+2782|%s|demo-password|long enough|first password' "
             "\"$DATA/moolahd.log\"",
             talk.tokens[0], talk.stack->partner_key, talk.stack->operator_token);
    assert_int_equal(stack_shell(talk.stack, command), 0);
    assert_int_equal(stack_shell(talk.stack,
                                 "grep -q '\"route\":\"/v1/transfers\".*\"batch_size\":' "
                                 "\"$DATA/moolahd.log\""),
                     0);
}

static void test_ledger_verifies(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(talk.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transfer_and_its_receipt),
        cmocka_unit_test(test_refusals_are_remembered),
        cmocka_unit_test(test_bad_transfers_move_nothing),
        cmocka_unit_test(test_statement_pages),
        cmocka_unit_test(test_statement_filters),
        cmocka_unit_test(test_deposits),
        cmocka_unit_test(test_other_wallets),
        cmocka_unit_test(test_the_catalogue),
        cmocka_unit_test(test_equal_keys_at_once_move_once),
        cmocka_unit_test(test_log_holds_no_secrets),
        cmocka_unit_test(test_ledger_verifies),
    };
    return cmocka_run_group_tests(tests, talk_start, talk_end);
}
