/* The conventions of the API, one by one: headers in and out, bad input, lists, tags, methods, the
 * operators' listener, log lines and metrics.
 *
 * Covers: server/api/call.c server/api/body.c server/api/service.c server/api/operators.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/talk.h"

static void test_methods_and_paths(void **state)
{
    (void)state;
    talk_expect(talk_ask("GET", "/v1/nothing", talk.tokens[0], NULL, NULL), 404, "not_found");
    talk_expect(talk_ask("GET", "/v1/me/", talk.tokens[0], NULL, NULL), 404, "not_found");
    talk_expect(talk_ask("GET", "//v1/me", talk.tokens[0], NULL, NULL), 404, "not_found");
    talk_expect(talk_ask("PUT", "/v1/me", talk.tokens[0], NULL, "{}"), 405, "method_not_allowed");
    assert_string_equal(talk_header("allow"), "GET, PATCH");
    talk_expect(talk_ask("BREW", "/v1/transfers", talk.tokens[0], NULL, "{}"), 405,
                "method_not_allowed");
    assert_string_equal(talk_header("allow"), "POST");
    assert_int_equal(talk_ask("OPTIONS", "/v1/wallets", NULL, NULL, NULL), 204);
    assert_string_equal(talk_header("allow"), "GET, POST");
    assert_int_equal(talk_ask("HEAD", "/v1/me", talk.tokens[0], NULL, NULL), 200);
    assert_int_equal(talk.call.answer_length, 0);
    assert_true(strtol(talk_header("content-length"), NULL, 10) > 100);
    assert_int_equal(talk_ask("HEAD", "/v1/me", NULL, NULL, NULL), 401);
    assert_int_equal(talk.call.answer_length, 0);
    /* the operators' calls are not here, the public's not there */
    talk_expect(talk_ask("GET", "/metrics", talk.tokens[0], NULL, NULL), 404, "not_found");
    talk_expect(talk_operator("/v1/me", NULL), 404, "not_found");
}

/* Every call that reads a body, and a body that is right for it. */
static const struct {
    const char *method;
    const char *path;
} with_body[] = {
    {"POST", "/v1/users"},       {"POST", "/v1/sessions"}, {"PATCH", "/v1/me"},
    {"POST", "/v1/me/password"}, {"POST", "/v1/me/totp"},  {"POST", "/v1/wallets"},
    {"POST", "/v1/transfers"},   {"POST", "/v1/deposits"},
};

/* What no call takes; a length is given where NUL is among it. */
static const struct {
    const char *body;
    size_t length;
    int status;
    const char *code;
} bad_bodies[] = {
    {" ", 0, 400, "malformed_json"},
    {"{\"a\":1,}", 0, 400, "malformed_json"},
    {"{'a':1}", 0, 400, "malformed_json"},
    {"{} {}", 0, 400, "malformed_json"},
    {"\xef\xbb\xbf{}", 0, 400, "malformed_json"},
    {"{\"a\":NaN}", 0, 400, "malformed_json"},
    {"{\"a\":01}", 0, 400, "malformed_json"},
    {"{\"a\":\"\xc0\xaf\"}", 0, 400, "malformed_json"},
    {"{\"a\":\"\xed\xa0\x80\"}", 0, 400, "malformed_json"},
    {"{\"a\":\"\\ud800\"}", 0, 400, "malformed_json"},
    {"{\"a\":\"\0\"}", 9, 400, "malformed_json"},
    {"{}\0", 3, 400, "malformed_json"},
    {"{\"a\":{\"b\":{\"c\":1,\"c\":1}}}", 0, 400, "malformed_json"},
    {"{\"\\u0061\":1,\"a\":2}", 0, 400, "malformed_json"},
    {"[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]", 0, 400, "malformed_json"},
    {"\"text\"", 0, 400, "invalid_request"},
    {"17", 0, 400, "invalid_request"},
    {"{\"unknown\":true}", 0, 400, "invalid_request"},
};

static struct client_call question_to(size_t i)
{
    const char *path = with_body[i].path;
    return (struct client_call){
        .method = with_body[i].method,
        .path = path,
        .token = strcmp(path, "/v1/deposits") == 0 ? talk.stack->partner_key : talk.tokens[0],
        .key = "conventions",
        .body = "{}",
    };
}

static void test_no_call_takes_a_bad_body(void **state)
{
    static char large[70000];
    (void)state;
    memset(large, ' ', sizeof large - 1);
    for (size_t i = 0; i < sizeof with_body / sizeof with_body[0]; i++) {
        struct client_call question = question_to(i);
        for (size_t k = 0; k < sizeof bad_bodies / sizeof bad_bodies[0]; k++) {
            question.body = bad_bodies[k].body;
            question.body_length = bad_bodies[k].length;
            talk_expect(talk_send(&question), bad_bodies[k].status, bad_bodies[k].code);
        }
        question.body_length = 0;
        question.body = large;
        talk_expect(talk_send(&question), 413, "body_too_large");
        static const char *const types[] = {"text/plain", "application/json5",
                                            "application/json; charset=latin1",
                                            "multipart/form-data", ""};
        question.body = "{}";
        for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
            question.type = types[k];
            talk_expect(talk_send(&question), 415, "unsupported_media_type");
        }
        question.type = "Application/JSON; charset=UTF-8";
        question.body = "[]";
        talk_expect(talk_send(&question), 400, "invalid_request");
        question.body = NULL;
        talk_expect(talk_send(&question), 415, "unsupported_media_type");
    }
}

static void test_errors_point_at_fields(void **state)
{
    (void)state;
    talk_expect(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(),
                 "{\"from\":1,\"to\":{\"phone\":\"+1\"},\"amount\":2.5,\"currency\":\"RAND\","
                 "\"note\":\"\",\"a/b~c\":0}"),
        400, "invalid_request");
    static const char *const expected[] = {"{\"pointer\":\"/from\",\"code\":\"type\"",
                                           "{\"pointer\":\"/to\",\"code\":\"format\"",
                                           "{\"pointer\":\"/amount\",\"code\":\"type\"",
                                           "{\"pointer\":\"/currency\",\"code\":\"format\"",
                                           "{\"pointer\":\"/note\",\"code\":\"format\"",
                                           "{\"pointer\":\"/a~1b~0c\",\"code\":\"unknown\""};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_non_null(strstr(talk.call.answer, expected[i]));
}

static void test_headers_have_their_limit(void **state)
{
    static char path[17000] = "/v1/me?";
    static char key[300];
    (void)state;
    memset(path + 7, 'x', sizeof path - 8);
    talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 431, "headers_too_large");
    memset(key, 'k', 256);
    talk_expect(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], key, talk_transfer(0, 1, "1", "")), 400,
        "idempotency_key_invalid");
    key[255] = '\0';
    assert_int_equal(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], key, talk_transfer(0, 1, "1", "")), 201);
}

/* A GET or POST with one more header. */
static int with_header(const char *method, const char *path, const char *name, const char *value)
{
    struct client_call question = {.method = method, .path = path, .token = talk.tokens[0]};
    if (strcmp(method, "POST") == 0)
        question.body = talk_transfer(0, 1, "5", "");
    talk_extra(&question, name, value);
    return talk_send(&question);
}

static void test_keys_bare_and_quoted(void **state)
{
    static const char *const bad[] = {"",        "\"\"",    "two words", "caf\xc3\xa9",
                                      "\"a b\"", "tab\tbed"};
    char first[1024];
    (void)state;
    assert_int_equal(with_header("POST", "/v1/transfers", "idempotency-key", "key-of-mine"), 201);
    snprintf(first, sizeof first, "%s", talk.call.answer);
    assert_int_equal(with_header("POST", "/v1/transfers", "idempotency-key", "\"key-of-mine\""),
                     201);
    assert_string_equal(talk.call.answer, first);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        talk_expect(with_header("POST", "/v1/transfers", "idempotency-key", bad[i]), 400,
                    "idempotency_key_invalid");
    talk_expect(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], NULL, talk_transfer(0, 1, "5", "")), 400,
        "idempotency_key_missing");
    /* the calls that may carry one look at it, too */
    for (size_t i = 0; i < sizeof with_body / sizeof with_body[0]; i++) {
        struct client_call question = question_to(i);
        question.key = "two words";
        if (strcmp(question.method, "POST") == 0)
            talk_expect(talk_send(&question), 400, "idempotency_key_invalid");
    }
    struct client_call twice = {.method = "POST",
                                .path = "/v1/transfers",
                                .token = talk.tokens[0],
                                .key = "one",
                                .body = talk_transfer(0, 1, "5", "")};
    talk_extra(&twice, "idempotency-key", "two");
    talk_expect(talk_send(&twice), 400, "invalid_request");
}

/* What isn't remembered doesn't use up the key; what is, does, whatever its status. */
static void test_what_a_key_remembers(void **state)
{
    char key[40];
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, "{"), 400, "malformed_json");
    talk_expect(talk_ask("POST", "/v1/transfers", NULL, key, talk_transfer(0, 1, "6", "")), 401,
                "unauthenticated");
    talk_expect(talk_ask("POST", "/v1/transfers", talk.stack->partner_key, key,
                         talk_transfer(0, 1, "6", "")),
                403, "forbidden");
    assert_int_equal(
        talk_ask("POST", "/v1/transfers", talk.tokens[0], key, talk_transfer(0, 1, "6", "")), 201);
    assert_null(talk_header("idempotency-replayed"));
    /* the fields' order and a null count for nothing, the path does */
    char body[400];
    snprintf(body, sizeof body,
             "{\"currency\" : \"ZAR\", \"amount\":6, \"note\":null,\"to\":\"%s\",\"from\":\"%s\"}",
             talk.stack->users[1].wallet, talk.stack->users[0].wallet);
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, body), 201);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    talk_expect(talk_ask("POST", "/v1/wallets", talk.tokens[0], key,
                         "{\"currency\":\"ZAR\",\"label\":\"x\"}"),
                422, "idempotency_key_reused");
    /* another caller's key of the same text is another key */
    assert_int_equal(
        talk_ask("POST", "/v1/transfers", talk.tokens[1], key, talk_transfer(1, 0, "6", "")), 201);
    assert_null(talk_header("idempotency-replayed"));
}

static void test_who_may_call_what(void **state)
{
    static const char *const of_users[] = {"/v1/me", "/v1/wallets", "/v1/sessions"};
    char path[120];
    (void)state;
    for (size_t i = 0; i < sizeof of_users / sizeof of_users[0]; i++) {
        talk_expect(talk_ask("GET", of_users[i], talk.stack->partner_key, NULL, NULL), 403,
                    "forbidden");
        talk_expect(talk_ask("GET", of_users[i], NULL, NULL, NULL), 401, "unauthenticated");
        talk_expect(talk_ask("GET", of_users[i], "mlt_AAAA", NULL, NULL), 401, "unauthenticated");
    }
    for (size_t i = 0; i < sizeof with_body / sizeof with_body[0]; i++) {
        struct client_call question = question_to(i);
        static const char *const bodies[] = {
            NULL,
            NULL,
            "{\"name\":\"x\"}",
            "{\"current_password\":\"a\",\"new_password\":\"bbbbbbbb\"}",
            "{}",
            "{\"currency\":\"ZAR\",\"label\":\"x\"}",
            "{\"from\":\"wal_01jb0000000000000000000000\",\"to\":\"wal_"
            "01jb0000000000000000000000\","
            "\"amount\":1,\"currency\":\"ZAR\"}",
            "{\"to\":\"wal_01jb0000000000000000000000\",\"amount\":1,\"currency\":\"ZAR\","
            "\"reference\":\"x\"}"};
        if (bodies[i] == NULL) /* for anyone */
            continue;
        question.body = bodies[i];
        bool partners = question.token == talk.stack->partner_key;
        question.token = partners ? talk.tokens[0] : talk.stack->partner_key;
        talk_expect(talk_send(&question), 403, "forbidden");
        question.token = NULL;
        talk_expect(talk_send(&question), 401, "unauthenticated");
    }
    talk_expect(talk_ask("DELETE", "/v1/sessions/current", talk.stack->partner_key, NULL, NULL),
                403, "forbidden");
    talk_expect(talk_ask("DELETE", "/v1/sessions/current", NULL, NULL, NULL), 401,
                "unauthenticated");
    talk_expect(talk_ask("DELETE", "/v1/sessions/ses_x", talk.stack->partner_key, NULL, NULL), 403,
                "forbidden");
    talk_expect(talk_ask("DELETE", "/v1/sessions/ses_x", NULL, NULL, NULL), 401, "unauthenticated");
    /* another's wallet is answered like none */
    char own[400];
    for (int i = 0; i < 2; i++) {
        const char *rest = i == 0 ? "" : "/transactions";
        snprintf(path, sizeof path, "/v1/wallets/%s%s", talk.stack->users[1].wallet, rest);
        talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 404, "wallet_not_found");
        snprintf(own, sizeof own, "%s %s", talk_member("title"), talk_member("detail"));
        talk_expect(talk_ask("GET", path, NULL, NULL, NULL), 401, "unauthenticated");
        talk_expect(talk_ask("GET", path, talk.stack->partner_key, NULL, NULL), 403, "forbidden");
        snprintf(path, sizeof path, "/v1/wallets/wal_01jb0000000000000000000000%s", rest);
        talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 404, "wallet_not_found");
        char none[400];
        snprintf(none, sizeof none, "%s %s", talk_member("title"), talk_member("detail"));
        assert_string_equal(own, none);
    }
    /* the scheme's case doesn't count, another scheme does */
    snprintf(own, sizeof own, "bEARER %s", talk.tokens[0]);
    struct client_call question = {.method = "GET", .path = "/v1/me"};
    talk_extra(&question, "authorization", own);
    assert_int_equal(talk_send(&question), 200);
    snprintf(question.extra[0].value, sizeof question.extra[0].value, "Basic %s", talk.tokens[0]);
    talk_expect(talk_send(&question), 401, "unauthenticated");
}

static void test_unknown_parameters(void **state)
{
    char paths[11][160] = {"/v1/me?x=1",
                           "/v1/wallets?x=1",
                           "/v1/wallets?limit=0",
                           "/v1/wallets?limit=101",
                           "/v1/wallets?limit=5&limit=5",
                           "/v1/sessions?limit=-1",
                           "/v1/sessions?after=AAAA",
                           "/v1/sessions?after=",
                           "/v1/sessions?%zz=1"};
    (void)state;
    snprintf(paths[9], sizeof paths[9], "/v1/wallets/%s?x", talk.stack->users[0].wallet);
    snprintf(paths[10], sizeof paths[10], "/v1/transactions/tx_01jb0000000000000000000000?x=1");
    for (size_t i = 0; i < 11; i++)
        talk_expect(talk_ask("GET", paths[i], talk.tokens[0], NULL, NULL), 400, "invalid_request");
    talk_expect(talk_ask("DELETE", "/v1/sessions/current?x=1", talk.tokens[0], NULL, NULL), 400,
                "invalid_request");
    talk_expect(talk_ask("DELETE", "/v1/sessions/ses_x?x=1", talk.tokens[0], NULL, NULL), 400,
                "invalid_request");
    talk_expect(talk_ask("POST", "/v1/wallets?x=1", talk.tokens[0], NULL,
                         "{\"currency\":\"ZAR\",\"label\":\"x\"}"),
                400, "invalid_request");
}

static int get_if(const char *path, const char *first, const char *second)
{
    struct client_call question = {.method = "GET", .path = path, .token = talk.tokens[3]};
    talk_extra(&question, "if-none-match", first);
    if (second != NULL)
        talk_extra(&question, "if-none-match", second);
    return talk_send(&question);
}

static void test_etags(void **state)
{
    char path[80];
    char tag[80];
    char list[200];
    (void)state;
    snprintf(path, sizeof path, "/v1/wallets/%s", talk.stack->users[3].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 200);
    snprintf(tag, sizeof tag, "%s", talk_header("etag"));
    assert_string_equal(talk_header("cache-control"), "private, no-cache");
    assert_int_equal(get_if(path, tag, NULL), 304);
    assert_string_equal(talk_header("etag"), tag);
    assert_int_equal(talk.call.answer_length, 0);
    assert_int_equal(get_if(path, "*", NULL), 304);
    snprintf(list, sizeof list, "W/%s", tag);
    assert_int_equal(get_if(path, list, NULL), 304);
    snprintf(list, sizeof list, "\"other\" , W/\"a,b\",%s", tag);
    assert_int_equal(get_if(path, list, NULL), 304);
    assert_int_equal(get_if(path, tag, "\"other\""), 304);
    assert_int_equal(get_if(path, "\"other\"", tag), 304);
    assert_int_equal(get_if(path, "\"other\"", "\"another\""), 200);
    assert_int_equal(get_if("/v1/wallets", "*", NULL), 304);
    assert_int_equal(
        talk_ask("POST", "/v1/transfers", talk.tokens[3], talk_key(), talk_transfer(3, 2, "1", "")),
        201);
    char receipt[80];
    snprintf(receipt, sizeof receipt, "/v1/transactions/%s", talk_member("id"));
    assert_int_equal(get_if(path, tag, NULL), 200);
    assert_int_equal(get_if(receipt, "*", NULL), 304);
}

static void test_version_trace_and_request_id(void **state)
{
    char id[64];
    char pattern[300];
    (void)state;
    assert_int_equal(with_header("GET", "/v1/me", "moolah-version", "2026-12-01"), 200);
    talk_expect(with_header("GET", "/v1/me", "moolah-version", "2024-01-01"), 400,
                "invalid_request");
    assert_int_equal(with_header("GET", "/v1/me", "traceparent",
                                 "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                     200);
    snprintf(id, sizeof id, "%s", talk_header("x-request-id"));
    assert_int_equal(strncmp(id, "req_", 4), 0);
    snprintf(pattern, sizeof pattern,
             "\"event\":\"request\".*\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\","
             "\"request_id\":\"%s\",\"method\":\"GET\",\"route\":\"/v1/me\",\"status\":200,"
             "\"duration_us\":[0-9]+,\"steps_us\":\\{\"ask_gate\":[0-9]+,\"check_gate\":[0-9]+,"
             "\"ask_user\":[0-9]+,\"report\":[0-9]+\\}",
             id);
    assert_true(talk_logged(pattern));
    /* one that is none is replaced, and never refused */
    assert_int_equal(with_header("GET", "/v1/me", "traceparent", "00-zz-1-01"), 200);
    snprintf(pattern, sizeof pattern, "\"trace_id\":\"[0-9a-f]{32}\",\"request_id\":\"%s\"",
             talk_header("x-request-id"));
    assert_true(talk_logged(pattern));
}

static void test_rate_limits_are_told(void **state)
{
    (void)state;
    assert_int_equal(talk_ask("GET", "/v1/me", talk.tokens[0], NULL, NULL), 200);
    assert_int_equal(strncmp(talk_header("ratelimit-policy"), "\"", 1), 0);
    assert_non_null(strstr(talk_header("ratelimit-policy"), ";q=100000;w="));
    assert_non_null(strstr(talk_header("ratelimit"), ";r=9"));
    assert_non_null(strstr(talk_header("ratelimit"), ";t="));
}

static void test_refusals_have_their_code_in_the_log(void **state)
{
    char key[40];
    char id[64];
    char pattern[300];
    const char *body = talk_transfer(2, 1, "99999999", "");
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    for (int round = 0; round < 2; round++) {
        talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[2], key, body), 422,
                    "insufficient_funds");
        snprintf(id, sizeof id, "%s", talk_header("x-request-id"));
        snprintf(pattern, sizeof pattern,
                 "\"request_id\":\"%s\",\"method\":\"POST\",\"route\":\"/v1/transfers\","
                 "\"status\":422,\"code\":\"insufficient_funds\",\"duration_us\":[0-9]+,"
                 "\"batch_size\":[0-9]+,%s\"steps_us\":",
                 id, round == 0 ? "" : "\"kind\":\"replayed\",");
        assert_true(talk_logged(pattern));
    }
    talk_expect(talk_ask("GET", "/v1/secret-path", NULL, NULL, NULL), 404, "not_found");
    assert_true(talk_logged("\"route\":\"none\",\"status\":404,\"code\":\"not_found\""));
}

static void test_operators(void **state)
{
    char authorization[120];
    (void)state;
    assert_int_equal(talk_operator("/livez", NULL), 200);
    assert_int_equal(talk_operator("/readyz", NULL), 200);
    assert_string_equal(talk_member("status"), "ready");
    assert_string_equal(talk_member("checks.database"), "ok");
    assert_string_equal(talk_member("checks.redis"), "ok");
    talk_expect(talk_operator("/metrics", NULL), 401, "unauthenticated");
    talk_expect(talk_operator("/metrics", "Bearer wrong"), 401, "unauthenticated");
    talk_expect(talk_operator("/metrics", "Bearer"), 401, "unauthenticated");
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.tokens[0]);
    talk_expect(talk_operator("/metrics", authorization), 401, "unauthenticated");
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.stack->operator_token);
    assert_int_equal(talk_operator("/metrics", authorization), 200);
    snprintf(authorization, sizeof authorization, "bearer %s", talk.stack->operator_token);
    assert_int_equal(talk_operator("/metrics", authorization), 200);
    assert_string_equal(talk_header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    static const char *const expected[] = {
        "moolah_http_requests_total{method=\"GET\",route=\"/v1/me\",code=\"200\"}",
        "moolah_http_requests_total{method=\"POST\",route=\"/v1/transfers\",code=\"422\"}",
        "moolah_http_requests_total{method=\"GET\",route=\"/v1/wallets/{id}\",code=\"304\"}",
        "moolah_http_requests_total{method=\"POST\",route=\"/v1/transfers\",code=\"other\"} 0",
        "moolah_http_request_duration_seconds_count{method=\"POST\",route=\"/v1/transfers\"}"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        if (strstr(talk.call.answer, expected[i]) == NULL)
            fail_msg("no %s", expected[i]);
    assert_null(strstr(talk.call.answer,
                       "moolah_http_requests_total{method=\"POST\",route=\"/v1/transfers\",code="
                       "\"422\"} 0"));
    assert_null(strstr(talk.call.answer, "secret-path"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods_and_paths),
        cmocka_unit_test(test_no_call_takes_a_bad_body),
        cmocka_unit_test(test_errors_point_at_fields),
        cmocka_unit_test(test_headers_have_their_limit),
        cmocka_unit_test(test_keys_bare_and_quoted),
        cmocka_unit_test(test_what_a_key_remembers),
        cmocka_unit_test(test_who_may_call_what),
        cmocka_unit_test(test_unknown_parameters),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_version_trace_and_request_id),
        cmocka_unit_test(test_rate_limits_are_told),
        cmocka_unit_test(test_refusals_have_their_code_in_the_log),
        cmocka_unit_test(test_operators),
    };
    return cmocka_run_group_tests(tests, talk_start, talk_end);
}
