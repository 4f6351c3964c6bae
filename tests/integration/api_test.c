/* The API as a client sees it: real TLS, real server, real PostgreSQL and Redis. Every call, every
 * convention, every bad input. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "support/client.h"
#include "support/stack.h"
#include <unistd.h>

static struct stack *stack;
static struct client *client;
static struct client_call call;
static char tokens[STACK_USERS][96];
static int serial;

static const char *fresh_key(void)
{
    static char key[40];
    snprintf(key, sizeof key, "api-test-%d-%d", (int)getpid(), ++serial);
    return key;
}

/* A member of the last answer, as text; nested by dots. */
static const char *member(const char *path)
{
    static char text[4][512];
    static int turn;
    char *out = text[turn++ % 4];
    struct arena arena;
    struct json_error error;
    char part[64];
    arena_init(&arena);
    const struct json *value =
        json_parse((struct slice){call.answer, call.answer_length}, &arena, &error);
    snprintf(out, 512, "(absent)");
    while (value != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        path += length + (path[length] == '.');
        if (json_kind(value) == JSON_ARRAY)
            value = json_count(value) == 0 ? NULL : json_element(value, 0);
        if (value != NULL)
            value = json_kind(value) == JSON_OBJECT ? json_member(value, part) : NULL;
    }
    if (value != NULL && json_kind(value) == JSON_STRING)
        snprintf(out, 512, "%.*s", (int)json_string(value).length, json_string(value).at);
    else if (value != NULL && json_kind(value) == JSON_INTEGER)
        snprintf(out, 512, "%lld", (long long)json_integer(value));
    else if (value != NULL)
        snprintf(out, 512, "(%s)", json_kind_name(json_kind(value)));
    arena_release(&arena);
    return out;
}

/* For the check against openapi.yaml: each call and its answer, a line of JSON each. */
static void note_exchange(const char *method, const char *path, const char *body)
{
    const char *file_name = getenv("MOOLAH_EXCHANGES");
    FILE *file = file_name == NULL ? NULL : fopen(file_name, "a");
    struct bytes line;
    struct json_writer writer;
    if (file == NULL)
        return;
    bytes_init(&line, NULL);
    json_write_init(&writer, &line);
    json_write_object(&writer);
    json_write_key(&writer, "method");
    json_write_text(&writer, method);
    json_write_key(&writer, "path");
    json_write_text(&writer, path);
    json_write_key(&writer, "request");
    json_write_text(&writer, body == NULL ? "" : body);
    json_write_key(&writer, "status");
    json_write_int(&writer, call.status);
    json_write_key(&writer, "answer");
    json_write_string(&writer, (struct slice){call.answer, call.answer_length});
    json_write_object_end(&writer);
    fprintf(file, "%.*s\n", (int)line.length, line.at);
    bytes_release(&line);
    fclose(file);
}

static int ask(const char *method, const char *path, const char *token, const char *key,
               const char *body)
{
    int status = client_do(client, &call, method, path, token, key, body);
    note_exchange(method, path, body);
    return status;
}

static void expect_problem(int status, int expected_status, const char *code)
{
    if (status != expected_status || strcmp(member("code"), code) != 0)
        fail_msg("expected %d %s, got %d %s", expected_status, code, status,
                 call.answer == NULL ? "" : call.answer);
    assert_string_equal(client_header(&call, "content-type"), "application/problem+json");
    assert_string_equal(member("request_id"), client_header(&call, "x-request-id"));
    if (expected_status == 503 || expected_status == 429)
        assert_non_null(client_header(&call, "retry-after"));
}

static const char *transfer_body(int from, int to, const char *amount, const char *more)
{
    static char body[2][600];
    static int turn;
    char *out = body[turn++ % 2];
    snprintf(out, 600, "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%s,\"currency\":\"ZAR\"%s}",
             stack->users[from].wallet, stack->users[to].wallet, amount, more);
    return out;
}

static void sign_in(int user)
{
    char body[200];
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}", stack->users[user].phone,
             stack->users[user].password);
    assert_int_equal(ask("POST", "/v1/sessions", NULL, NULL, body), 201);
    snprintf(tokens[user], sizeof tokens[user], "%s", member("token"));
}

static int64_t balance_of(int user)
{
    char path[80];
    snprintf(path, sizeof path, "/v1/wallets/%s", stack->users[user].wallet);
    assert_int_equal(ask("GET", path, tokens[user], NULL, NULL), 200);
    return strtoll(member("balance.posted"), NULL, 10);
}

static void test_a_transfer_and_its_receipt(void **state)
{
    char key[40];
    char first[1024];
    char path[100];
    int64_t before[2] = {balance_of(0), balance_of(1)};
    (void)state;
    snprintf(key, sizeof key, "%s", fresh_key());
    const char *body =
        transfer_body(0, 1, "10000", ",\"note\":\"secret note\",\"reference\":\"r-1\"");
    assert_int_equal(ask("POST", "/v1/transfers", tokens[0], key, body), 201);
    assert_string_equal(member("kind"), "transfer");
    assert_string_equal(member("status"), "posted");
    assert_string_equal(member("fee"), "250");
    assert_string_equal(member("note"), "secret note");
    assert_string_equal(member("reference"), "r-1");
    assert_string_equal(member("from"), stack->users[0].wallet);
    assert_int_equal(strtoll(member("balance.posted"), NULL, 10), before[0] - 10250);
    assert_string_equal(member("pricing.lines.rule"), "transfer.p2p@3");
    assert_null(client_header(&call, "idempotency-replayed"));
    snprintf(first, sizeof first, "%s", call.answer);
    snprintf(path, sizeof path, "/v1/transactions/%s", member("id"));

    assert_int_equal(ask("POST", "/v1/transfers", tokens[0], key, body), 201);
    assert_string_equal(client_header(&call, "idempotency-replayed"), "true");
    assert_string_equal(call.answer, first);
    expect_problem(ask("POST", "/v1/transfers", tokens[0], key, transfer_body(0, 1, "10001", "")),
                   422, "idempotency_key_reused");
    /* whoever got an answer sees it in the next read; and it was booked once */
    assert_int_equal(balance_of(0), before[0] - 10250);
    assert_int_equal(balance_of(1), before[1] + 10000);

    assert_int_equal(ask("GET", path, tokens[0], NULL, NULL), 200);
    assert_string_equal(call.answer, first);
    assert_int_equal(ask("GET", path, tokens[1], NULL, NULL), 200);
    assert_int_equal(strtoll(member("balance.posted"), NULL, 10), before[1] + 10000);
    expect_problem(ask("GET", path, tokens[2], NULL, NULL), 404, "transaction_not_found");
    expect_problem(ask("GET", path, stack->partner_key, NULL, NULL), 404, "transaction_not_found");
    expect_problem(ask("GET", path, NULL, NULL, NULL), 401, "unauthenticated");
}

static void test_refusals_are_remembered(void **state)
{
    char key[40];
    char first[1024];
    (void)state;
    snprintf(key, sizeof key, "%s", fresh_key());
    const char *body = transfer_body(2, 1, "99999999", "");
    expect_problem(ask("POST", "/v1/transfers", tokens[2], key, body), 422, "insufficient_funds");
    assert_int_equal(strtoll(member("available"), NULL, 10), 1000000);
    snprintf(first, sizeof first, "%s", call.answer);
    assert_int_equal(ask("POST", "/v1/transfers", tokens[2], key, body), 422);
    assert_string_equal(call.answer, first); /* its request_id, too, is the first one's */
    assert_string_equal(client_header(&call, "idempotency-replayed"), "true");
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
    int64_t before[2] = {balance_of(0), balance_of(1)};
    (void)state;
    for (size_t i = 0; i < sizeof bad_transfers / sizeof bad_transfers[0]; i++) {
        char body[700];
        bool from_given = strstr(bad_transfers[i].body, "\"from\":\"%s\"") != NULL;
        const char *first = stack->users[from_given ? 0 : 1].wallet;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(body, sizeof body, bad_transfers[i].body, first, stack->users[1].wallet);
#pragma GCC diagnostic pop
        expect_problem(ask("POST", "/v1/transfers", tokens[0], fresh_key(), body),
                       bad_transfers[i].status, bad_transfers[i].code);
        if (bad_transfers[i].pointer != NULL)
            assert_string_equal(member("errors.pointer"), bad_transfers[i].pointer);
    }
    expect_problem(
        ask("POST", "/v1/transfers", tokens[0], fresh_key(), transfer_body(0, 0, "1", "")), 422,
        "same_wallet");
    expect_problem(
        ask("POST", "/v1/transfers", tokens[0], fresh_key(), transfer_body(1, 0, "1", "")), 404,
        "wallet_not_found");
    expect_problem(ask("POST", "/v1/transfers", tokens[0], NULL, transfer_body(0, 1, "1", "")), 400,
                   "idempotency_key_missing");
    expect_problem(
        ask("POST", "/v1/transfers", tokens[0], "two words", transfer_body(0, 1, "1", "")), 400,
        "idempotency_key_invalid");
    expect_problem(ask("POST", "/v1/transfers", NULL, fresh_key(), transfer_body(0, 1, "1", "")),
                   401, "unauthenticated");
    expect_problem(
        ask("POST", "/v1/transfers", "mlt_nonsense", fresh_key(), transfer_body(0, 1, "1", "")),
        401, "unauthenticated");
    expect_problem(
        ask("POST", "/v1/transfers", stack->partner_key, fresh_key(), transfer_body(0, 1, "1", "")),
        403, "forbidden");
    assert_int_equal(balance_of(0), before[0]);
    assert_int_equal(balance_of(1), before[1]);
}

static void test_deep_and_large_bodies(void **state)
{
    static char body[200000];
    (void)state;
    memset(body, '[', 60000);
    expect_problem(ask("POST", "/v1/transfers", tokens[0], fresh_key(), body), 400,
                   "malformed_json");
    memset(body, ' ', sizeof body - 1);
    expect_problem(ask("POST", "/v1/transfers", tokens[0], fresh_key(), body), 413,
                   "body_too_large");
    client_call_clear(&call);
    call.method = "POST";
    call.path = "/v1/transfers";
    call.token = tokens[0];
    call.key = fresh_key();
    call.body = "{}";
    call.type = "text/plain";
    assert_true(client_call(client, &call));
    expect_problem(call.status, 415, "unsupported_media_type");
}

static void test_paths_and_methods(void **state)
{
    (void)state;
    expect_problem(ask("GET", "/v1/nothing", tokens[0], NULL, NULL), 404, "not_found");
    expect_problem(ask("GET", "/v1/me/", tokens[0], NULL, NULL), 404, "not_found");
    expect_problem(ask("PUT", "/v1/me", tokens[0], NULL, "{}"), 405, "method_not_allowed");
    assert_string_equal(client_header(&call, "allow"), "GET, PATCH");
    expect_problem(ask("GET", "/v1/wallets/wal_nonsense", tokens[0], NULL, NULL), 404,
                   "wallet_not_found");
    expect_problem(ask("GET", "/v1/me?x=1", tokens[0], NULL, NULL), 400, "invalid_request");
    assert_int_equal(ask("OPTIONS", "/v1/me", NULL, NULL, NULL), 204);
    assert_int_equal(ask("HEAD", "/v1/me", tokens[0], NULL, NULL), 200);
    assert_int_equal(call.answer_length, 0);
}

static void test_etags(void **state)
{
    char path[80];
    char tag[80];
    (void)state;
    snprintf(path, sizeof path, "/v1/wallets/%s", stack->users[3].wallet);
    assert_int_equal(ask("GET", path, tokens[3], NULL, NULL), 200);
    snprintf(tag, sizeof tag, "%s", client_header(&call, "etag"));
    for (int round = 0; round < 2; round++) {
        client_call_clear(&call);
        call.method = "GET";
        call.path = path;
        call.token = tokens[3];
        snprintf(call.extra[0].name, sizeof call.extra[0].name, "if-none-match");
        snprintf(call.extra[0].value, sizeof call.extra[0].value, "%s", tag);
        assert_true(client_call(client, &call));
        assert_int_equal(call.status, round == 0 ? 304 : 200);
        if (round == 0)
            assert_int_equal(
                ask("POST", "/v1/transfers", tokens[3], fresh_key(), transfer_body(3, 2, "1", "")),
                201);
    }
}

static void test_statement_pages(void **state)
{
    char path[200];
    char next[64] = "";
    int lines = 0;
    int64_t last_version = INT64_MAX;
    (void)state;
    for (int i = 0; i < 7; i++)
        assert_int_equal(
            ask("POST", "/v1/transfers", tokens[2], fresh_key(), transfer_body(2, 3, "5", "")),
            201);
    do {
        snprintf(path, sizeof path, "/v1/wallets/%s/transactions?limit=3%s%s",
                 stack->users[2].wallet, next[0] == '\0' ? "" : "&after=", next);
        assert_int_equal(ask("GET", path, tokens[2], NULL, NULL), 200);
        int64_t version = strtoll(member("data.version"), NULL, 10);
        assert_true(version < last_version);
        last_version = version;
        for (const char *at = call.answer; (at = strstr(at, "\"change\":")) != NULL; at++)
            lines++;
        snprintf(next, sizeof next, "%s", member("next"));
    } while (strcmp(next, "(null)") != 0);
    snprintf(path, sizeof path, "/v1/wallets/%s", stack->users[2].wallet);
    assert_int_equal(ask("GET", path, tokens[2], NULL, NULL), 200);
    assert_int_equal(lines, strtoll(member("version"), NULL, 10)); /* each posting once */

    snprintf(path, sizeof path, "/v1/wallets/%s/transactions?kind=deposit", stack->users[2].wallet);
    assert_int_equal(ask("GET", path, tokens[2], NULL, NULL), 200);
    assert_string_equal(member("data.kind"), "deposit");
    assert_string_equal(member("data.from"), "(null)");
    static const char *const bad[] = {"limit=0",    "limit=101",      "limit=x",   "after=abc",
                                      "kind=theft", "from=yesterday", "unknown=1", "reference=%zz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(path, sizeof path, "/v1/wallets/%s/transactions?%s", stack->users[2].wallet,
                 bad[i]);
        expect_problem(ask("GET", path, tokens[2], NULL, NULL), 400, "invalid_request");
    }
    snprintf(path, sizeof path, "/v1/wallets/%s/transactions", stack->users[2].wallet);
    expect_problem(ask("GET", path, tokens[1], NULL, NULL), 404, "wallet_not_found");
}

static void test_users_and_sessions(void **state)
{
    char body[200];
    char token[96];
    char path[80];
    char key[40];
    char first[600];
    (void)state;
    snprintf(key, sizeof key, "%s", fresh_key());
    snprintf(body, sizeof body,
             "{\"phone\":\"+2783%07d\",\"password\":\"long enough\",\"name\":\"Thandi\"}", 1234567);
    assert_int_equal(ask("POST", "/v1/users", NULL, key, body), 201);
    assert_string_equal(member("tier"), "0");
    snprintf(first, sizeof first, "%s", call.answer);
    assert_int_equal(ask("POST", "/v1/users", NULL, key, body), 201);
    assert_string_equal(call.answer, first);
    expect_problem(ask("POST", "/v1/users", NULL, NULL, body), 409, "phone_taken");
    expect_problem(ask("POST", "/v1/users", NULL, NULL, "{\"phone\":\"1\",\"password\":\"x\"}"),
                   400, "invalid_request");

    expect_problem(ask("POST", "/v1/sessions", NULL, NULL,
                       "{\"phone\":\"+27831234567\",\"password\":\"wrong\"}"),
                   401, "sign_in_failed");
    snprintf(first, sizeof first, "%s", member("detail"));
    expect_problem(ask("POST", "/v1/sessions", NULL, NULL,
                       "{\"phone\":\"+27837777777\",\"password\":\"wrong\"}"),
                   401, "sign_in_failed");
    assert_string_equal(member("detail"), first); /* known or not: the same words */

    assert_int_equal(ask("POST", "/v1/sessions", NULL, NULL,
                         "{\"phone\":\"+27831234567\",\"password\":\"long enough\"}"),
                     201);
    snprintf(token, sizeof token, "%s", member("token"));
    snprintf(path, sizeof path, "/v1/sessions/%s", member("id"));
    assert_int_equal(ask("PATCH", "/v1/me", token, NULL, "{\"name\":\"Thandi M.\"}"), 200);
    assert_string_equal(member("name"), "Thandi M.");
    assert_int_equal(ask("GET", "/v1/sessions", token, NULL, NULL), 200);
    assert_string_equal(member("data.ip"), "127.0.0.1");
    expect_problem(ask("DELETE", path, tokens[0], NULL, NULL), 404, "session_not_found");
    assert_int_equal(ask("DELETE", path, token, NULL, NULL), 204);
    expect_problem(ask("GET", "/v1/me", token, NULL, NULL), 401, "unauthenticated");
}

static void test_guessing_passwords_is_limited(void **state)
{
    int limited = 0;
    (void)state;
    for (int i = 0; i < 30; i++) {
        int status = ask("POST", "/v1/sessions", NULL, NULL,
                         "{\"phone\":\"+27830000001\",\"password\":\"guess\"}");
        limited += status == 429;
        if (status == 429)
            expect_problem(status, 429, "rate_limited");
    }
    assert_true(limited >= 5);
}

static void test_password_change_signs_others_out(void **state)
{
    char other[96];
    char own[96];
    const char *sign = "{\"phone\":\"+27841111111\",\"password\":\"first password\"}";
    (void)state;
    assert_int_equal(
        ask("POST", "/v1/users", NULL, NULL,
            "{\"phone\":\"+27841111111\",\"password\":\"first password\",\"name\":\"S\"}"),
        201);
    assert_int_equal(ask("POST", "/v1/sessions", NULL, NULL, sign), 201);
    snprintf(other, sizeof other, "%s", member("token"));
    assert_int_equal(ask("POST", "/v1/sessions", NULL, NULL, sign), 201);
    snprintf(own, sizeof own, "%s", member("token"));
    assert_int_equal(ask("GET", "/v1/me", other, NULL, NULL), 200);
    expect_problem(ask("POST", "/v1/me/password", own, NULL,
                       "{\"current_password\":\"no\",\"new_password\":\"second password\"}"),
                   403, "forbidden");
    assert_int_equal(
        ask("POST", "/v1/me/password", own, NULL,
            "{\"current_password\":\"first password\",\"new_password\":\"second password\"}"),
        204);
    expect_problem(ask("GET", "/v1/me", other, NULL, NULL), 401, "unauthenticated");
    assert_int_equal(ask("GET", "/v1/me", own, NULL, NULL), 200);
    expect_problem(ask("POST", "/v1/sessions", NULL, NULL, sign), 401, "sign_in_failed");
}

static void test_deposits(void **state)
{
    char body[300];
    int64_t before = balance_of(1);
    (void)state;
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":777,\"currency\":\"ZAR\",\"reference\":\"bank-1\"}",
             stack->users[1].wallet);
    expect_problem(ask("POST", "/v1/deposits", tokens[1], fresh_key(), body), 403, "forbidden");
    assert_int_equal(ask("POST", "/v1/deposits", stack->partner_key, fresh_key(), body), 201);
    assert_string_equal(member("kind"), "deposit");
    assert_int_equal(balance_of(1), before + 777);
}

static void test_other_wallets(void **state)
{
    char usd[40];
    char body[400];
    (void)state;
    assert_int_equal(
        ask("POST", "/v1/wallets", tokens[3], NULL, "{\"currency\":\"USD\",\"label\":\"Dollars\"}"),
        201);
    snprintf(usd, sizeof usd, "%s", member("id"));
    snprintf(body, sizeof body, "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\"}",
             stack->users[3].wallet, usd);
    expect_problem(ask("POST", "/v1/transfers", tokens[3], fresh_key(), body), 422,
                   "currency_mismatch");
    assert_int_equal(
        ask("POST", "/v1/wallets", tokens[3], NULL, "{\"currency\":\"ZAR\",\"label\":\"Savings\"}"),
        201);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}",
             stack->users[3].wallet, member("id"));
    assert_int_equal(ask("POST", "/v1/transfers", tokens[3], fresh_key(), body), 201);
    assert_string_equal(member("fee"), "0"); /* between own wallets: another rule */
    expect_problem(
        ask("POST", "/v1/wallets", tokens[3], NULL, "{\"currency\":\"JPY\",\"label\":\"Yen\"}"),
        400, "invalid_request");
}

static void test_equal_keys_at_once_move_once(void **state)
{
    enum { TIMES = 40 };
    static struct client_call calls[TIMES];
    char key[40];
    int64_t before = balance_of(1);
    int fresh = 0;
    (void)state;
    snprintf(key, sizeof key, "%s", fresh_key());
    const char *body = transfer_body(0, 1, "11", "");
    struct client *second = client_open(stack->port, stack->ca);
    assert_non_null(second);
    struct client *both[] = {client, second};
    for (int i = 0; i < TIMES; i++) {
        calls[i] = (struct client_call){.method = "POST",
                                        .path = "/v1/transfers",
                                        .token = tokens[0],
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
    assert_int_equal(balance_of(1), before + 11);
}

static void test_second_factor(void **state)
{
    char code[8] = "000000";
    char body[60];
    (void)state;
    assert_int_equal(ask("POST", "/v1/me/totp", tokens[3], NULL, "{}"), 200);
    assert_int_equal(strlen(member("secret")), 32);
    snprintf(body, sizeof body, "{\"code\":\"%s\"}", code);
    /* one in a million would be right */
    expect_problem(ask("POST", "/v1/me/totp", tokens[3], NULL, body), 403, "forbidden");
    assert_int_equal(ask("GET", "/v1/wallets", tokens[3], NULL, NULL), 200);
    assert_int_equal(ask("DELETE", "/v1/sessions/current", tokens[3], NULL, NULL), 204);
    expect_problem(ask("GET", "/v1/wallets", tokens[3], NULL, NULL), 401, "unauthenticated");
}

static void test_log_holds_no_secrets(void **state)
{
    char command[800];
    (void)state;
    snprintf(command, sizeof command,
             "! grep -qE '%s|%s|secret note|\\+2782|%s|demo-password|long enough|first password' "
             "\"$DATA/moolahd.log\"",
             tokens[0], stack->partner_key, stack->operator_token);
    assert_int_equal(stack_shell(stack, command), 0);
    assert_int_equal(stack_shell(stack, "grep -q '\"route\":\"/v1/transfers\".*\"batch_size\":' "
                                        "\"$DATA/moolahd.log\""),
                     0);
}

static void test_ledger_verifies(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    client = client_open(stack->port, stack->ca);
    if (client == NULL)
        return -1;
    for (int i = 0; i < STACK_USERS; i++)
        sign_in(i);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_call_clear(&call);
    client_close(client);
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transfer_and_its_receipt),
        cmocka_unit_test(test_refusals_are_remembered),
        cmocka_unit_test(test_bad_transfers_move_nothing),
        cmocka_unit_test(test_deep_and_large_bodies),
        cmocka_unit_test(test_paths_and_methods),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_statement_pages),
        cmocka_unit_test(test_users_and_sessions),
        cmocka_unit_test(test_guessing_passwords_is_limited),
        cmocka_unit_test(test_password_change_signs_others_out),
        cmocka_unit_test(test_deposits),
        cmocka_unit_test(test_other_wallets),
        cmocka_unit_test(test_equal_keys_at_once_move_once),
        cmocka_unit_test(test_second_factor),
        cmocka_unit_test(test_log_holds_no_secrets),
        cmocka_unit_test(test_ledger_verifies),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
