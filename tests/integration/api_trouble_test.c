/* When something is wrong: wallets that are frozen or closed, rules that fail, a row the database
 * refuses, no database, too much at once. What each gets, that nothing moved, and that asking again
 * with the same key is right.
 *
 * Covers: server/api/movement.c server/api/idempotency.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/talk.h"

static void set_status(int user, int status)
{
    char statement[300];
    snprintf(statement, sizeof statement,
             "update accounts set status = %d where id = (select wallet from users where phone = "
             "'%s')",
             status, talk.stack->users[user].phone);
    talk_sql(statement);
    /* by hand, so the cache doesn't know */
    assert_int_equal(stack_shell(talk.stack, "redis-cli -s \"${REDIS#unix:}\" flushall >/dev/null"),
                     0);
}

static void expect_refused(int from, int to, const char *code)
{
    int64_t before[2] = {talk_balance(from), talk_balance(to)};
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[from], talk_key(),
                         talk_transfer(from, to, "100", "")),
                422, code);
    assert_int_equal(talk_balance(from), before[0]);
    assert_int_equal(talk_balance(to), before[1]);
}

static void test_frozen_and_closed_wallets(void **state)
{
    char path[100];
    char body[300];
    (void)state;
    set_status(3, 2);
    expect_refused(3, 2, "wallet_frozen");
    snprintf(path, sizeof path, "/v1/wallets/%s", talk.stack->users[3].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 200);
    assert_string_equal(talk_member("status"), "frozen");
    set_status(3, 3);
    expect_refused(3, 2, "wallet_closed");
    expect_refused(2, 3, "recipient_cannot_receive");
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":5,\"currency\":\"ZAR\",\"reference\":\"x\"}",
             talk.stack->users[3].wallet);
    talk_expect(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), body), 422,
                "recipient_cannot_receive");
    set_status(3, 1);
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[3], talk_key(),
                              talk_transfer(3, 2, "100", "")),
                     201);
}

static void test_deposits_that_are_refused(void **state)
{
    char body[300];
    char key[40];
    (void)state;
    const char *format = "{\"to\":\"%s\",\"amount\":%s,\"currency\":\"%s\",\"reference\":\"x\"}";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, format, "wal_01jb0000000000000000000000", "5", "ZAR");
    talk_expect(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), body), 404,
                "recipient_not_found");
    snprintf(body, sizeof body, format, talk.stack->users[2].wallet, "5", "USD");
    talk_expect(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), body), 422,
                "currency_mismatch");
    snprintf(body, sizeof body, format, talk.stack->users[2].wallet, "9007199254740991", "ZAR");
    snprintf(key, sizeof key, "%s", talk_key());
    talk_expect(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, key, body), 422,
                "recipient_cannot_receive"); /* it would hold more than 2^53-1 */
    snprintf(body, sizeof body, format, talk.stack->users[2].wallet, "5", "ZAR");
#pragma GCC diagnostic pop
    talk_expect(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, key, body), 422,
                "idempotency_key_reused");
}

/* Nobody has priced transfers in euro: then they are refused, never free. */
static void test_no_rule_no_movement(void **state)
{
    char wallets[2][40];
    char body[400];
    char key[40];
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk_ask("POST", "/v1/wallets", talk.tokens[i], NULL,
                                  "{\"currency\":\"EUR\",\"label\":\"Euro\"}"),
                         201);
        snprintf(wallets[i], sizeof wallets[i], "%s", talk_member("id"));
    }
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":1000,\"currency\":\"EUR\",\"reference\":\"bank\"}",
             wallets[0]);
    assert_int_equal(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), body),
                     201);
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":10,\"currency\":\"EUR\"}", wallets[0],
             wallets[1]);
    snprintf(key, sizeof key, "%s", talk_key());
    for (int round = 0; round < 2; round++) { /* it isn't remembered */
        talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, body), 503,
                    "rule_failed");
        assert_null(talk_header("idempotency-replayed"));
    }
}

/* One order that the database refuses is answered so, and not remembered: its neighbours go on. */
static void test_a_poisonous_order(void **state)
{
    char key[40];
    int64_t before = talk_balance(1);
    (void)state;
    talk_sql("alter table transactions add constraint poison check (note is distinct from "
             "'poison')");
    snprintf(key, sizeof key, "%s", talk_key());
    const char *body = talk_transfer(0, 1, "100", ",\"note\":\"poison\"");
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, body), 500, "internal");
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(),
                              talk_transfer(0, 1, "100", ",\"note\":\"fine\"")),
                     201);
    assert_int_equal(talk_balance(1), before + 100);
    talk_sql("alter table transactions drop constraint poison");
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, body), 201);
    assert_null(talk_header("idempotency-replayed"));
    assert_int_equal(talk_balance(1), before + 200);
}

/* Two at once under one key, with a password to verify and one to hash: both begin before either
 * can have ended. */
static void test_still_running(void **state)
{
    char token[96];
    struct client_call calls[2];
    int seen[2] = {0, 0};
    (void)state;
    talk_sign_up("+27851111111", token);
    for (int i = 0; i < 2; i++) {
        calls[i] = (struct client_call){.method = "POST",
                                        .path = "/v1/me/password",
                                        .token = token,
                                        .key = "at-once",
                                        .body = "{\"current_password\":\"first password\","
                                                "\"new_password\":\"second password\"}"};
        assert_true(client_begin(talk.client, &calls[i]));
    }
    for (int i = 0; i < 2; i++) {
        while (!calls[i].done && !calls[i].lost)
            client_turn(&talk.client, 1, 1000);
        talk_note(&calls[i], true);
        seen[0] += calls[i].status == 204;
        seen[1] += calls[i].status == 409;
    }
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 1);
    for (int i = 0; i < 2; i++)
        client_call_clear(&calls[i]);
    assert_int_equal(talk_ask("POST", "/v1/me/password", token, "at-once",
                              "{\"current_password\":\"first password\","
                              "\"new_password\":\"second password\"}"),
                     204);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
}

/* More passwords at once than the thread pool's queue takes: refused before work begins. The others
 * aren't waited for: their clients leave. */
static void test_too_much_at_once(void **state)
{
    enum { TIMES = 100 };
    static struct client_call calls[TIMES];
    static char bodies[TIMES][100];
    struct client *client = client_open(talk.stack->port, talk.stack->ca);
    int overloaded = 0;
    (void)state;
    assert_non_null(client);
    for (int i = 0; i < TIMES; i++) {
        snprintf(bodies[i], sizeof bodies[i], "{\"phone\":\"+2786%07d\",\"password\":\"guess\"}",
                 i);
        calls[i] =
            (struct client_call){.method = "POST", .path = "/v1/sessions", .body = bodies[i]};
        assert_true(client_begin(client, &calls[i]));
    }
    while (overloaded == 0) {
        client_turn(&client, 1, 1000);
        for (int i = 0; i < TIMES; i++)
            overloaded += calls[i].done && calls[i].status == 503;
    }
    client_close(client);
    for (int i = 0; i < TIMES; i++) {
        if (calls[i].done && calls[i].status == 503) {
            talk_note(&calls[i], true);
            assert_non_null(strstr(calls[i].answer, "\"code\":\"overloaded\""));
            assert_non_null(client_header(&calls[i], "retry-after"));
            /* at once, not after the deadline */
            assert_true(calls[i].ended_us - calls[i].began_us < 9000000);
        }
        client_call_clear(&calls[i]);
    }
}

#define SIGNAL_READERS                                                                \
    "psql -qXAt -d \"$MOOLAH_DATABASE\" -c \"select pid from pg_stat_activity where " \
    "application_name = 'moolahd'\" | xargs kill -"

/* A database that stands still for a moment: whoever asks then waits, nobody is sent away. The last
 * call of each connection needs no database: with its answer all before it have been asked. */
static void test_a_burst_of_reads(void **state)
{
    enum { CLIENTS = 6, READS = 90 };
    static struct client_call calls[CLIENTS][READS + 1];
    struct client *clients[CLIENTS];
    char path[120];
    int answered = 0;
    (void)state;
    snprintf(path, sizeof path, "/v1/wallets/%s", talk.stack->users[0].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    for (int i = 0; i < CLIENTS; i++)
        assert_non_null(clients[i] = client_open(talk.stack->port, talk.stack->ca));
    assert_int_equal(stack_shell(talk.stack, SIGNAL_READERS "STOP"), 0);
    for (int i = 0; i < CLIENTS; i++)
        for (int j = 0; j <= READS; j++) {
            calls[i][j] = (struct client_call){.method = "GET",
                                               .path = j < READS ? path : "/v1/wallets/nobodys",
                                               .token = talk.tokens[0]};
            assert_true(client_begin(clients[i], &calls[i][j]));
        }
    while (answered < CLIENTS) {
        client_turn(clients, CLIENTS, 1000);
        answered = 0;
        for (int i = 0; i < CLIENTS; i++)
            answered += calls[i][READS].done;
    }
    assert_int_equal(stack_shell(talk.stack, SIGNAL_READERS "CONT"), 0);
    for (int i = 0; i < CLIENTS; i++) {
        while (client_in_flight(clients[i]) > 0)
            client_turn(clients, CLIENTS, 1000);
        for (int j = 0; j <= READS; j++) {
            assert_int_equal(calls[i][j].status, j < READS ? 200 : 404);
            client_call_clear(&calls[i][j]);
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        client_close(clients[i]);
}

/* Until the database is back: nothing but 503 before. */
static void await(const struct client_call *question, int expected)
{
    int status;
    while ((status = talk_send(question)) == 503)
        usleep(20000);
    assert_int_equal(status, expected);
}

static void test_no_database(void **state)
{
    char path[120];
    char key[40];
    const char *body = talk_transfer(0, 1, "100", "");
    int64_t before = talk_balance(1);
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    snprintf(path, sizeof path, "/v1/wallets/%s", talk.stack->users[0].wallet);
    talk_sql("alter role moolah_server nologin");
    talk_sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = "
             "'moolah_server'");
    talk_expect(talk_ask("GET", "/v1/wallets", talk.tokens[0], NULL, NULL), 503,
                "database_unavailable");
    talk_expect(talk_ask("GET", "/v1/sessions", talk.tokens[0], NULL, NULL), 503,
                "database_unavailable");
    talk_expect(talk_ask("GET", "/v1/me", talk.tokens[0], NULL, NULL), 503, "database_unavailable");
    talk_expect(talk_ask("POST", "/v1/wallets", talk.tokens[0], key,
                         "{\"currency\":\"ZAR\",\"label\":\"x\"}"),
                503, "database_unavailable");
    talk_expect(talk_ask("POST", "/v1/me/totp", talk.tokens[0], NULL, "{}"), 503,
                "database_unavailable");
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[0], key, body), 503,
                "database_unavailable");
    assert_int_equal(talk_operator("/readyz", NULL), 503);
    assert_string_equal(talk_member("checks.database"), "failing");
    assert_int_equal(talk_operator("/livez", NULL), 200);
    talk_sql("alter role moolah_server login");
    const struct client_call questions[] = {
        {.method = "POST",
         .path = "/v1/transfers",
         .token = talk.tokens[0],
         .key = key,
         .body = body},
        {.method = "GET", .path = path, .token = talk.tokens[0]},
        {.method = "GET", .path = "/v1/me", .token = talk.tokens[1]},
    };
    await(&questions[0], 201);
    await(&questions[1], 200);
    await(&questions[2], 200);
    assert_int_equal(talk_balance(1), before + 100);
    while (talk_operator("/readyz", NULL) != 200)
        usleep(20000);
}

static void test_ledger_verifies(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(talk.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frozen_and_closed_wallets),
        cmocka_unit_test(test_deposits_that_are_refused),
        cmocka_unit_test(test_no_rule_no_movement),
        cmocka_unit_test(test_a_poisonous_order),
        cmocka_unit_test(test_still_running),
        cmocka_unit_test(test_too_much_at_once),
        cmocka_unit_test(test_a_burst_of_reads),
        cmocka_unit_test(test_no_database),
        cmocka_unit_test(test_ledger_verifies),
    };
    return cmocka_run_group_tests(tests, talk_start, talk_end);
}
