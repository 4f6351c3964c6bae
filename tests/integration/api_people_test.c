/* Users, their sessions, passwords, second factors and wallets, as a client sees them.
 *
 * Covers: server/api/create_user.c server/api/create_session.c server/api/list_sessions.c
 *     server/api/delete_session.c server/api/revocation.c server/api/show_me.c
 *     server/api/change_password.c server/api/change_totp.c server/api/create_wallet.c
 *     server/api/wallet_calls.c server/api/password.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include "support/talk.h"

#define CHANGE(from, to) "{\"current_password\":\"" from "\",\"new_password\":\"" to "\"}"
#define SIGN_IN(phone, password) "{\"phone\":\"" phone "\",\"password\":\"" password "\"}"

static void test_sign_up(void **state)
{
    char key[40];
    char first[600];
    const char *body =
        "{\"phone\":\"+27831234567\",\"password\":\"long enough\",\"name\":\"Thandi\"}";
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    assert_int_equal(talk_ask("POST", "/v1/users", NULL, key, body), 201);
    assert_string_equal(talk_member("tier"), "0");
    assert_string_equal(talk_member("totp_enabled"), "false");
    snprintf(first, sizeof first, "%s", talk.call.answer);
    assert_int_equal(talk_ask("POST", "/v1/users", NULL, key, body), 201);
    assert_string_equal(talk.call.answer, first);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    talk_expect(talk_ask("POST", "/v1/users", NULL, key,
                         "{\"phone\":\"+27831234568\",\"password\":\"long enough\","
                         "\"name\":\"Thandi\"}"),
                422, "idempotency_key_reused");
    talk_expect(talk_ask("POST", "/v1/users", NULL, NULL, body), 409, "phone_taken");
    talk_expect(talk_ask("POST", "/v1/users", NULL, talk_key(), body), 409, "phone_taken");
    talk_expect(talk_ask("POST", "/v1/users", NULL, NULL, "{\"phone\":\"1\",\"password\":\"x\"}"),
                400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "/phone");
}

/* A key changes nothing: the answer holds a secret and is never stored. */
static void test_sign_in_under_a_key(void **state)
{
    char first[96];
    (void)state;
    const char *body = SIGN_IN("+27831234567", "long enough");
    assert_int_equal(talk_ask("POST", "/v1/sessions", NULL, "sign-in", body), 201);
    snprintf(first, sizeof first, "%s", talk_member("token"));
    assert_int_equal(talk_ask("POST", "/v1/sessions", NULL, "sign-in", body), 201);
    assert_null(talk_header("idempotency-replayed"));
    assert_string_not_equal(talk_member("token"), first);
}

static void test_sign_in_tells_nothing(void **state)
{
    char detail[100];
    (void)state;
    talk_expect(talk_ask("POST", "/v1/sessions", NULL, NULL, SIGN_IN("+27831234567", "wrong")), 401,
                "sign_in_failed");
    snprintf(detail, sizeof detail, "%s", talk_member("detail"));
    talk_expect(talk_ask("POST", "/v1/sessions", NULL, NULL, SIGN_IN("+27837777777", "wrong")), 401,
                "sign_in_failed");
    assert_string_equal(talk_member("detail"), detail); /* known or not: the same words */
}

/* The time of the password's verification, as the log tells it, of a sign-in that failed. */
static long verify_us(const char *body)
{
    char command[400];
    char path[160];
    char text[32] = "";
    talk_expect(talk_ask("POST", "/v1/sessions", NULL, NULL, body), 401, "sign_in_failed");
    snprintf(command, sizeof command,
             "\"request_id\":\"%s\".*\"verify_password\":", talk_header("x-request-id"));
    assert_true(talk_logged(command));
    snprintf(command, sizeof command,
             "sed -nE 's/.*\"request_id\":\"%s\".*\"verify_password\":([0-9]+).*/\\1/p' "
             "\"$DATA/moolahd.log\" >\"$DATA/verify\"",
             talk_header("x-request-id"));
    assert_int_equal(stack_shell(talk.stack, command), 0);
    snprintf(path, sizeof path, "%s/verify", talk.stack->data);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    return strtol(text, NULL, 10);
}

/* The least of five: what the machine does beside is no part of it. */
static void test_sign_in_takes_its_time_for_unknown_phones(void **state)
{
    long known = 1000000000;
    long unknown = 1000000000;
    (void)state;
    for (int i = 0; i < 5; i++) {
        long one = verify_us(SIGN_IN("+27831234567", "wrong"));
        long other = verify_us(SIGN_IN("+27838888888", "wrong"));
        known = one < known ? one : known;
        unknown = other < unknown ? other : unknown;
    }
    assert_true(unknown * 3 > known && known * 3 > unknown);
}

/* The same call `times` times at once, so that it's the limit that is measured and not the machine:
 * how many were limited. The others have `otherwise`. */
static int limited_of(struct client_call question, int times, int otherwise)
{
    static struct client_call calls[100];
    static char keys[100][40];
    int limited = 0;
    assert_in_range(times, 1, 100);
    for (int i = 0; i < times; i++) {
        calls[i] = question;
        snprintf(keys[i], sizeof keys[i], "%s", talk_key());
        calls[i].key = keys[i];
        assert_true(client_begin(talk.client, &calls[i]));
    }
    for (int i = 0; i < times; i++) {
        while (!calls[i].done && !calls[i].lost)
            client_turn(&talk.client, 1, 1000);
        assert_true(calls[i].status == otherwise || calls[i].status == 429);
        limited += calls[i].status == 429;
        client_call_clear(&talk.call);
        talk.call = calls[i];
        talk_note(&talk.call, true);
        if (talk.call.status == 429)
            talk_expect(talk.call.status, 429, "rate_limited");
    }
    return limited;
}

static void test_guessing_passwords_is_limited(void **state)
{
    const struct client_call question = {
        .method = "POST", .path = "/v1/sessions", .body = SIGN_IN("+27830000001", "guess")};
    (void)state;
    /* 20 at once; as many again should Redis be slow just now and this worker count for itself */
    int limited = limited_of(question, 100, 401);
    assert_in_range(limited, 50, 80);
}

static void test_me(void **state)
{
    char token[96];
    (void)state;
    talk_sign_up("+27842222222", token);
    assert_int_equal(talk_ask("GET", "/v1/me", token, NULL, NULL), 200);
    assert_string_equal(talk_member("phone"), "+27842222222");
    assert_int_equal(talk_ask("PATCH", "/v1/me", token, NULL, "{\"name\":\"Thandi M.\"}"), 200);
    assert_string_equal(talk_member("name"), "Thandi M.");
    assert_int_equal(talk_ask("GET", "/v1/me", token, NULL, NULL), 200);
    assert_string_equal(talk_member("name"), "Thandi M.");
    talk_expect(talk_ask("PATCH", "/v1/me", token, NULL, "{\"name\":null}"), 400,
                "invalid_request");
    talk_expect(talk_ask("PATCH", "/v1/me", token, NULL, "{\"tier\":3}"), 400, "invalid_request");
}

/* Enough connections that both workers serve some. */
enum { CONNECTIONS = 12 };

static void expect_everywhere(const char *token, int expected)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        struct client_call call = {0};
        struct client *client = client_open(talk.stack->port, talk.stack->ca);
        assert_non_null(client);
        assert_int_equal(client_do(client, &call, "GET", "/v1/me", token, NULL, NULL), expected);
        talk_note(&call, true);
        client_call_clear(&call);
        client_close(client);
    }
}

static void test_sessions(void **state)
{
    char tokens[3][96];
    char ids[3][40];
    char path[100];
    char next[64];
    const char *sign_in = SIGN_IN("+27843333333", "first password");
    (void)state;
    talk_sign_up("+27843333333", tokens[0]);
    snprintf(ids[0], sizeof ids[0], "%s", talk_member("id"));
    for (int i = 1; i < 3; i++) {
        struct client_call question = {.method = "POST", .path = "/v1/sessions", .body = sign_in};
        talk_extra(&question, "user-agent", "Test/1.0");
        assert_int_equal(talk_send(&question), 201);
        snprintf(tokens[i], sizeof tokens[i], "%s", talk_member("token"));
        snprintf(ids[i], sizeof ids[i], "%s", talk_member("id"));
    }
    /* newest first, by pages */
    assert_int_equal(talk_ask("GET", "/v1/sessions?limit=2", tokens[2], NULL, NULL), 200);
    assert_string_equal(talk_member("data.id"), ids[2]);
    assert_string_equal(talk_member("data.ip"), "127.0.0.1");
    assert_string_equal(talk_member("data.device"), "Test/1.0");
    assert_string_equal(talk_member("data.current"), "true");
    snprintf(next, sizeof next, "%s", talk_member("next"));
    snprintf(path, sizeof path, "/v1/sessions?limit=2&after=%s", next);
    assert_int_equal(talk_ask("GET", path, tokens[2], NULL, NULL), 200);
    assert_string_equal(talk_member("data.id"), ids[0]);
    assert_string_equal(talk_member("data.current"), "false");
    assert_string_equal(talk_member("next"), "(null)");
    talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 400, "invalid_request");
    snprintf(path, sizeof path, "/v1/wallets?after=%s", next);
    talk_expect(talk_ask("GET", path, tokens[2], NULL, NULL), 400, "invalid_request");

    /* a revoked token is refused at once, by every worker, though they had it in the cache */
    expect_everywhere(tokens[1], 200);
    snprintf(path, sizeof path, "/v1/sessions/%s", ids[1]);
    talk_expect(talk_ask("DELETE", path, talk.tokens[0], NULL, NULL), 404, "session_not_found");
    talk_expect(talk_ask("DELETE", "/v1/sessions/ses_x", tokens[2], NULL, NULL), 404,
                "session_not_found");
    assert_int_equal(talk_ask("DELETE", path, tokens[2], NULL, NULL), 204);
    expect_everywhere(tokens[1], 401);
    talk_expect(talk_ask("DELETE", path, tokens[2], NULL, NULL), 404, "session_not_found");
    assert_int_equal(talk_ask("DELETE", "/v1/sessions/current", tokens[2], NULL, NULL), 204);
    expect_everywhere(tokens[2], 401);
    expect_everywhere(tokens[0], 200);
}

static void test_password_change(void **state)
{
    char other[96];
    char own[96];
    char key[40];
    const char *change = CHANGE("first password", "second password");
    (void)state;
    talk_sign_up("+27841111111", other);
    assert_int_equal(
        talk_ask("POST", "/v1/sessions", NULL, NULL, SIGN_IN("+27841111111", "first password")),
        201);
    snprintf(own, sizeof own, "%s", talk_member("token"));
    expect_everywhere(other, 200);
    talk_expect(talk_ask("POST", "/v1/me/password", own, NULL, CHANGE("no", "second password")),
                403, "forbidden");
    assert_string_equal(talk_member("errors.pointer"), "/current_password");
    snprintf(key, sizeof key, "%s", talk_key());
    assert_int_equal(talk_ask("POST", "/v1/me/password", own, key, change), 204);
    assert_null(talk_header("idempotency-replayed"));
    expect_everywhere(other, 401);
    assert_int_equal(talk_ask("GET", "/v1/me", own, NULL, NULL), 200);
    talk_expect(
        talk_ask("POST", "/v1/sessions", NULL, NULL, SIGN_IN("+27841111111", "first password")),
        401, "sign_in_failed");

    /* repeated: its answer again; with the key but for another password: refused */
    assert_int_equal(talk_ask("POST", "/v1/me/password", own, key, change), 204);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    talk_expect(
        talk_ask("POST", "/v1/me/password", own, key, CHANGE("second password", "third password")),
        422, "idempotency_key_reused");
    talk_expect(talk_ask("POST", "/v1/me/password", own, NULL, change), 403, "forbidden");
    assert_int_equal(
        talk_ask("POST", "/v1/sessions", NULL, NULL, SIGN_IN("+27841111111", "second password")),
        201);
}

/* RFC 6238, as an app on a phone computes it. */
static void make_code(const char *secret, int64_t step, char code[8])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t key[20];
    uint8_t moving[8];
    uint8_t mac[20];
    uint64_t bits = 0;
    int have = 0;
    size_t length = 0;
    Hmac hmac;
    for (const char *at = secret; *at != '\0'; at++) {
        bits = bits << 5 | (uint64_t)(strchr(alphabet, *at) - alphabet);
        have += 5;
        if (have >= 8 && length < sizeof key)
            key[length++] = (uint8_t)(bits >> (have -= 8));
    }
    assert_int_equal(length, sizeof key);
    for (int i = 0; i < 8; i++)
        moving[i] = (uint8_t)((uint64_t)step >> 8 * (7 - i));
    wc_HmacInit(&hmac, NULL, INVALID_DEVID);
    wc_HmacSetKey(&hmac, WC_SHA, key, sizeof key);
    wc_HmacUpdate(&hmac, moving, sizeof moving);
    wc_HmacFinal(&hmac, mac);
    wc_HmacFree(&hmac);
    unsigned at = mac[19] & 15;
    uint32_t number = (uint32_t)(mac[at] & 127) << 24 | (uint32_t)mac[at + 1] << 16 |
                      (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    snprintf(code, 8, "%06u", number % 1000000);
}

/* Away from the end of a 30 s step, so that the step is the same a few calls later. */
static int64_t step_now(void)
{
    while (time(NULL) % 30 > 24)
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    return time(NULL) / 30;
}

static int sign_in_with(const char *code)
{
    char body[120];
    snprintf(body, sizeof body,
             "{\"phone\":\"+27844444444\",\"password\":\"first password\",\"totp\":\"%s\"}", code);
    return talk_ask("POST", "/v1/sessions", NULL, NULL, body);
}

static void test_second_factor(void **state)
{
    char token[96];
    char secret[40];
    char code[8];
    char wrong[8];
    char body[60];
    char key[40];
    (void)state;
    talk_sign_up("+27844444444", token);
    talk_expect(talk_ask("POST", "/v1/me/totp", token, NULL, "{\"code\":\"123456\"}"), 403,
                "forbidden"); /* no secret was made */
    assert_int_equal(talk_ask("POST", "/v1/me/totp", token, talk_key(), "{}"), 200);
    assert_string_equal(talk_member("enabled"), "false");
    snprintf(secret, sizeof secret, "%s", talk_member("secret"));
    assert_int_equal(strlen(secret), 32);

    int64_t step = step_now();
    make_code(secret, step - 1, code);
    snprintf(wrong, sizeof wrong, "%06ld", (strtol(code, NULL, 10) + 1) % 1000000);
    snprintf(body, sizeof body, "{\"code\":\"%s\"}", wrong);
    talk_expect(talk_ask("POST", "/v1/me/totp", token, NULL, body), 403, "forbidden");
    snprintf(body, sizeof body, "{\"code\":\"%s\"}", code);
    snprintf(key, sizeof key, "%s", talk_key());
    assert_int_equal(talk_ask("POST", "/v1/me/totp", token, key, body), 200);
    assert_string_equal(talk_member("enabled"), "true");
    assert_string_equal(talk_member("secret"), "(absent)");
    assert_int_equal(talk_ask("POST", "/v1/me/totp", token, key, body), 200);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    talk_expect(talk_ask("POST", "/v1/me/totp", token, key, "{\"code\":\"000000\"}"), 422,
                "idempotency_key_reused");
    talk_expect(talk_ask("POST", "/v1/me/totp", token, NULL, "{}"), 403, "forbidden");
    assert_int_equal(talk_ask("GET", "/v1/me", token, NULL, NULL), 200);
    assert_string_equal(talk_member("totp_enabled"), "true");

    /* from now on: not without a code, not with one that was used or isn't right */
    talk_expect(
        talk_ask("POST", "/v1/sessions", NULL, NULL, SIGN_IN("+27844444444", "first password")),
        401, "sign_in_failed");
    talk_expect(sign_in_with(code), 401, "sign_in_failed"); /* the one that enabled it */
    talk_expect(sign_in_with(wrong), 401, "sign_in_failed");
    make_code(secret, step, code);
    assert_int_equal(sign_in_with(code), 201);
    talk_expect(sign_in_with(code), 401, "sign_in_failed");
    make_code(secret, step + 1, code);
    assert_int_equal(sign_in_with(code), 201);
    make_code(secret, step, code);
    talk_expect(sign_in_with(code), 401, "sign_in_failed"); /* older than the last */
}

static int count_wallets(const char *token)
{
    int count = 0;
    assert_int_equal(talk_ask("GET", "/v1/wallets?limit=100", token, NULL, NULL), 200);
    for (const char *at = talk.call.answer; (at = strstr(at, "\"wal_")) != NULL; at++)
        count++;
    return count;
}

static void test_a_wallet_and_its_key(void **state)
{
    char token[96];
    char key[40];
    char first[600];
    const char *body = "{\"currency\":\"USD\",\"label\":\"Dollars\"}";
    const char *same = "{ \"label\" : \"Dollars\", \"currency\" : \"USD\" }";
    (void)state;
    talk_sign_up("+27845555555", token);
    snprintf(key, sizeof key, "%s", talk_key());
    assert_int_equal(talk_ask("POST", "/v1/wallets", token, key, body), 201);
    assert_string_equal(talk_member("currency"), "USD");
    snprintf(first, sizeof first, "%s", talk.call.answer);
    assert_int_equal(talk_ask("POST", "/v1/wallets", token, key, same), 201);
    assert_string_equal(talk.call.answer, first);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    talk_expect(
        talk_ask("POST", "/v1/wallets", token, key, "{\"currency\":\"EUR\",\"label\":\"Dollars\"}"),
        422, "idempotency_key_reused");
    assert_int_equal(count_wallets(token), 2);
    /* the key is this caller's: another one's is another key */
    assert_int_equal(talk_ask("POST", "/v1/wallets", talk.tokens[2], key, body), 201);
    assert_null(talk_header("idempotency-replayed"));
    talk_expect(
        talk_ask("POST", "/v1/wallets", token, NULL, "{\"currency\":\"JPY\",\"label\":\"Yen\"}"),
        400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "/currency");
    assert_int_equal(count_wallets(token), 2);
}

static void test_equal_keys_at_once_make_one_wallet(void **state)
{
    enum { TIMES = 48 };
    static struct client_call calls[TIMES];
    struct client *clients[CONNECTIONS];
    char token[96];
    int fresh = 0;
    (void)state;
    talk_sign_up("+27846666666", token);
    for (int i = 0; i < CONNECTIONS; i++)
        assert_non_null(clients[i] = client_open(talk.stack->port, talk.stack->ca));
    for (int i = 0; i < TIMES; i++) {
        calls[i] = (struct client_call){.method = "POST",
                                        .path = "/v1/wallets",
                                        .token = token,
                                        .key = "one-wallet",
                                        .body = "{\"currency\":\"EUR\",\"label\":\"Euro\"}"};
        assert_true(client_begin(clients[i % CONNECTIONS], &calls[i]));
    }
    for (int i = 0; i < TIMES; i++) {
        while (!calls[i].done && !calls[i].lost)
            client_turn(clients, CONNECTIONS, 1000);
        talk_note(&calls[i], true);
        assert_int_equal(calls[i].status, 201);
        assert_string_equal(calls[i].answer, calls[0].answer);
        fresh += client_header(&calls[i], "idempotency-replayed") == NULL;
    }
    assert_int_equal(fresh, 1);
    for (int i = 0; i < TIMES; i++)
        client_call_clear(&calls[i]);
    for (int i = 0; i < CONNECTIONS; i++)
        client_close(clients[i]);
    assert_int_equal(count_wallets(token), 2);
}

static void test_twenty_wallets_by_pages(void **state)
{
    char token[96];
    char key[40];
    char first[600];
    char path[120];
    char next[64] = "";
    char last[40] = "wal_z";
    int seen = 0;
    (void)state;
    talk_sign_up("+27847777777", token);
    for (int i = 1; i < 20; i++)
        assert_int_equal(talk_ask("POST", "/v1/wallets", token, NULL,
                                  "{\"currency\":\"ZAR\",\"label\":\"One more\"}"),
                         201);
    snprintf(key, sizeof key, "%s", talk_key());
    const char *body = "{\"currency\":\"ZAR\",\"label\":\"Too many\"}";
    talk_expect(talk_ask("POST", "/v1/wallets", token, key, body), 422, "limit_exceeded");
    assert_int_equal(talk_number("limit"), 20);
    snprintf(first, sizeof first, "%s", talk.call.answer);
    talk_expect(talk_ask("POST", "/v1/wallets", token, key, body), 422, "limit_exceeded");
    assert_string_equal(talk.call.answer, first);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    talk_expect(talk_ask("POST", "/v1/wallets", token, NULL, body), 422, "limit_exceeded");
    do {
        snprintf(path, sizeof path, "/v1/wallets?limit=7%s%s",
                 next[0] == '\0' ? "" : "&after=", next);
        assert_int_equal(talk_ask("GET", path, token, NULL, NULL), 200);
        assert_true(strcmp(talk_member("data.id"), last) < 0); /* newest first */
        snprintf(last, sizeof last, "%s", talk_member("data.id"));
        for (const char *at = talk.call.answer; (at = strstr(at, "\"wal_")) != NULL; at++)
            seen++;
        snprintf(next, sizeof next, "%s", talk_member("next"));
    } while (strcmp(next, "(null)") != 0);
    assert_int_equal(seen, 20);
    assert_int_equal(talk_ask("GET", "/v1/wallets?limit=20", token, NULL, NULL), 200);
    assert_string_equal(talk_member("next"), "(null)");
}

static void test_looking_for_phones_is_limited(void **state)
{
    char body[300];
    int limited = 0;
    (void)state;
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":{\"phone\":\"+27829999999\"},\"amount\":1,\"currency\":"
             "\"ZAR\"}",
             talk.stack->users[3].wallet);
    const struct client_call question = {
        .method = "POST", .path = "/v1/transfers", .token = talk.tokens[3], .body = body};
    for (int i = 0; limited == 0 && i < 20; i++)
        limited = limited_of(question, 100, 404);
    assert_true(limited > 0);
    /* by the wallet's id it goes on */
    assert_int_equal(
        talk_ask("POST", "/v1/transfers", talk.tokens[3], talk_key(), talk_transfer(3, 0, "1", "")),
        201);
}

static void test_log_holds_no_secrets(void **state)
{
    (void)state;
    assert_true(talk_logged("\"event\":\"password_changed\""));
    assert_true(talk_logged("\"event\":\"totp_enabled\""));
    assert_true(talk_logged("\"route\":\"/v1/wallets\".*\"code\":\"limit_exceeded\".*replayed"));
    assert_int_equal(stack_shell(talk.stack,
                                 "! grep -nE 'ml[tk]_|\\+278|[a-z]+ password|long enough|Thandi' "
                                 "\"$DATA/moolahd.log\""),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_up),
        cmocka_unit_test(test_sign_in_under_a_key),
        cmocka_unit_test(test_sign_in_tells_nothing),
        cmocka_unit_test(test_sign_in_takes_its_time_for_unknown_phones),
        cmocka_unit_test(test_guessing_passwords_is_limited),
        cmocka_unit_test(test_me),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_password_change),
        cmocka_unit_test(test_second_factor),
        cmocka_unit_test(test_a_wallet_and_its_key),
        cmocka_unit_test(test_equal_keys_at_once_make_one_wallet),
        cmocka_unit_test(test_twenty_wallets_by_pages),
        cmocka_unit_test(test_looking_for_phones_is_limited),
        cmocka_unit_test(test_log_holds_no_secrets),
    };
    return cmocka_run_group_tests(tests, talk_start, talk_end);
}
