/* The rarer movements as clients see them: withdrawals, holds and their ends, refunds, reversals;
 * frozen and closed wallets. Each talk ends with a ledger that verifies.
 *
 * Covers: server/api/create_withdrawal.c server/api/create_hold.c server/api/finish_hold.c
 *     server/api/show_hold.c server/api/give_back.c server/api/create_refund.c
 *     server/api/create_reversal.c server/api/operator_users.c server/api/close_wallet.c
 *     server/posting/expiry.c server/store/holds.c server/store/status.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/uuid.h"
#include "support/talk.h"

static char users[STACK_USERS][40];

static const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *text(const char *format, ...)
{
    static char space[32][400];
    static int next;
    char *out = space[next++ % 32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, sizeof space[0], format, arguments);
    va_end(arguments);
    return out;
}

static const char *wallet(int user)
{
    return talk.stack->users[user].wallet;
}

static int post(const char *path, const char *token, const char *body)
{
    return talk_ask("POST", path, token, talk_key(), body);
}

/* A call on the operators' listener. */
static int operate(const char *path, const char *key, const char *body)
{
    struct client_call *call = &talk.call;
    client_call_clear(call);
    int status =
        client_do(talk.operators, call, "POST", path, talk.stack->operator_token, key, body);
    talk_note(call, false);
    return status;
}

static int64_t held(int user)
{
    assert_int_equal(
        talk_ask("GET", text("/v1/wallets/%s", wallet(user)), talk.tokens[user], NULL, NULL), 200);
    return talk_number("balance.held");
}

static const char *hold_body(int from, int to, int amount, const char *more)
{
    return text("{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\"%s}",
                wallet(from), wallet(to), amount, more);
}

/* A hold of user 0 for user 1; its id. */
static const char *make_hold(int amount)
{
    assert_int_equal(post("/v1/holds", talk.tokens[0], hold_body(0, 1, amount, "")), 201);
    return text("%s", talk_member("id"));
}

static const char *hold_status(const char *id)
{
    assert_int_equal(talk_ask("GET", text("/v1/holds/%s", id), talk.tokens[0], NULL, NULL), 200);
    return talk_member("status");
}

static void test_a_hold_captured_whole(void **state)
{
    int64_t before = talk_balance(0);
    int64_t before1 = talk_balance(1);
    const char *key = text("%s", talk_key());
    char first[1500];
    (void)state;
    const char *body = hold_body(0, 1, 10000, ",\"expires_in\":3600,\"note\":\"room 7\"");
    assert_int_equal(talk_ask("POST", "/v1/holds", talk.tokens[0], key, body), 201);
    assert_string_equal(talk_member("kind"), "hold");
    assert_string_equal(talk_member("status"), "open");
    assert_string_equal(talk_member("fee"), "250");
    assert_int_equal(talk_number("balance.held"), 10250);
    assert_int_equal(talk_number("balance.posted"), before);
    const char *id = text("%s", talk_member("id"));
    snprintf(first, sizeof first, "%s", talk.call.answer);
    assert_int_equal(talk_ask("POST", "/v1/holds", talk.tokens[0], key, body), 201);
    assert_string_equal(talk.call.answer, first);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    assert_int_equal(held(0), 10250);

    const char *list = text("/v1/wallets/%s/holds", wallet(0));
    assert_int_equal(talk_ask("GET", list, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("data.id"), id);
    talk_expect(talk_ask("GET", list, talk.tokens[1], NULL, NULL), 404, "wallet_not_found");

    const char *capture = text("/v1/holds/%s/capture", id);
    key = text("%s", talk_key());
    assert_int_equal(talk_ask("POST", capture, talk.tokens[0], key, NULL), 201);
    assert_string_equal(talk_member("kind"), "capture");
    assert_string_equal(talk_member("hold"), id);
    assert_int_equal(talk_number("balance.posted"), before - 10250);
    assert_int_equal(talk_number("balance.held"), 0);
    snprintf(first, sizeof first, "%s", talk.call.answer);
    assert_int_equal(talk_ask("POST", capture, talk.tokens[0], key, NULL), 201);
    assert_string_equal(talk.call.answer, first);
    assert_int_equal(talk_balance(1), before1 + 10000);
    assert_string_equal(hold_status(id), "captured");
    talk_expect(post(capture, talk.tokens[0], "{}"), 422, "hold_finished");
    talk_expect(post(text("/v1/holds/%s/void", id), talk.tokens[0], NULL), 422, "hold_finished");
    assert_int_equal(talk_ask("GET", list, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("data.id"), "(absent)");
}

static void test_a_part_and_the_rest_is_free(void **state)
{
    int64_t before = talk_balance(0);
    (void)state;
    const char *id = make_hold(10000);
    const char *capture = text("/v1/holds/%s/capture", id);
    talk_expect(post(capture, talk.tokens[0], "{\"amount\":10001}"), 422, "capture_exceeds_hold");
    assert_int_equal(talk_number("remaining"), 10000);
    assert_int_equal(post(capture, talk.stack->partner_key, "{\"amount\":3333}"), 201);
    assert_string_equal(talk_member("balance"), "(absent)"); /* none of a partner's business */
    assert_int_equal(talk_number("fee"), 83);
    assert_int_equal(talk_balance(0), before - 3416);
    assert_int_equal(held(0), 0);
    /* the statement shows both, newest first */
    assert_int_equal(talk_ask("GET", text("/v1/wallets/%s/transactions?kind=capture", wallet(0)),
                              talk.tokens[0], NULL, NULL),
                     200);
    assert_int_equal(talk_number("data.change"), -3416);
    assert_int_equal(talk_number("data.held_change"), -10250);
    assert_int_equal(talk_ask("GET", text("/v1/wallets/%s/transactions?kind=hold", wallet(0)),
                              talk.tokens[0], NULL, NULL),
                     200);
    assert_int_equal(talk_number("data.change"), 0);
    assert_int_equal(talk_number("data.held_change"), 10250);
    /* who pays pays the whole fee for any part: a fee isn't divided by holding more */
    before = talk_balance(0);
    id = make_hold(10000);
    assert_int_equal(post(text("/v1/holds/%s/capture", id), talk.tokens[0], "{\"amount\":39}"),
                     201);
    assert_int_equal(talk_number("fee"), 250);
    assert_int_equal(talk_number("balance.posted"), before - 289);
}

static void test_given_up(void **state)
{
    int64_t before = talk_balance(0);
    (void)state;
    const char *id = make_hold(500);
    const char *path = text("/v1/holds/%s/void", id);
    talk_expect(post(path, talk.tokens[1], NULL), 403, "forbidden"); /* who would receive */
    talk_expect(post(path, talk.tokens[2], NULL), 404, "hold_not_found");
    talk_expect(talk_ask("GET", text("/v1/holds/%s", id), talk.tokens[2], NULL, NULL), 404,
                "hold_not_found");
    talk_expect(talk_ask("GET", "/v1/holds/nonsense", talk.tokens[0], NULL, NULL), 404,
                "hold_not_found");
    assert_int_equal(talk_ask("GET", text("/v1/holds/%s", id), talk.tokens[1], NULL, NULL), 200);
    assert_int_equal(post(path, talk.tokens[0], NULL), 200);
    assert_string_equal(talk_member("kind"), "void");
    assert_int_equal(talk_balance(0), before);
    assert_int_equal(held(0), 0);
    assert_string_equal(hold_status(id), "voided");
    const char *tx = text("/v1/transactions/tx_%s", id + 4);
    assert_int_equal(talk_ask("GET", tx, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("hold"), id);
    assert_true(strncmp(talk_member("finished_by"), "tx_", 3) == 0);
}

static void test_held_money_is_not_there_twice(void **state)
{
    char body[300];
    int64_t available = talk_balance(0);
    (void)state;
    const char *id = make_hold(1000);
    snprintf(body, sizeof body, "%s", talk_transfer(0, 1, text("%ld", (long)available - 2600), ""));
    talk_expect(post("/v1/transfers", talk.tokens[0], body), 422, "insufficient_funds");
    assert_int_equal(talk_number("available"), available - 1250);
    talk_expect(post("/v1/holds", talk.tokens[0], hold_body(0, 1, (int)available - 2600, "")), 422,
                "insufficient_funds");
    assert_int_equal(post(text("/v1/holds/%s/void", id), talk.stack->partner_key, "{}"), 200);
    talk_expect(post("/v1/holds", talk.tokens[0], hold_body(0, 1, 100, ",\"expires_in\":59")), 400,
                "invalid_request");
    talk_expect(post("/v1/holds", talk.tokens[0], hold_body(1, 0, 100, "")), 404,
                "wallet_not_found");
    assert_int_equal(post("/v1/holds", talk.stack->partner_key, hold_body(0, 1, 100, "")), 201);
    assert_string_equal(talk_member("balance"), "(absent)");
    assert_int_equal(post(text("/v1/holds/%s/void", talk_member("id")), talk.tokens[0], NULL), 200);
}

static bool is_expired(const char *wanted)
{
    char id[40];
    snprintf(id, sizeof id, "%s", wanted); /* `text` goes round */
    for (int i = 0; i < 100; i++, usleep(50000))
        if (strcmp(hold_status(id), "expired") == 0)
            return true;
    return false;
}

/* The server's own doing, within seconds; before that nobody can capture it any more. */
static void test_expired(void **state)
{
    int64_t before = talk_balance(0);
    (void)state;
    const char *id = make_hold(700);
    talk_sql("update holds set expires_at = now() - interval '3 days' where status = 1");
    int status = post(text("/v1/holds/%s/capture", id), talk.tokens[0], NULL);
    assert_int_equal(status, 422);
    assert_true(strcmp(talk_member("code"), "hold_expired") == 0 ||
                strcmp(talk_member("code"), "hold_finished") == 0);
    assert_true(is_expired(id));
    assert_int_equal(talk_balance(0), before);
    assert_int_equal(held(0), 0);
    talk_expect(post(text("/v1/holds/%s/void", id), talk.tokens[0], NULL), 422, "hold_finished");
    assert_int_equal(talk_ask("GET", text("/v1/wallets/%s/transactions?kind=expiry", wallet(0)),
                              talk.tokens[0], NULL, NULL),
                     200);
    assert_int_equal(talk_number("data.held_change"), -950);
}

static void test_a_withdrawal(void **state)
{
    int64_t before = talk_balance(2);
    const char *body = text(
        "{\"from\":\"%s\",\"amount\":5000,\"currency\":\"ZAR\",\"reference\":\"atm\"}", wallet(2));
    (void)state;
    talk_expect(post("/v1/withdrawals", talk.tokens[2], body), 403, "forbidden");
    assert_int_equal(post("/v1/withdrawals", talk.stack->partner_key, body), 201);
    assert_string_equal(talk_member("kind"), "withdrawal");
    assert_string_equal(talk_member("to"), "(null)");
    assert_string_equal(talk_member("balance"), "(absent)");
    assert_int_equal(talk_balance(2), before - 5000);
    talk_expect(post("/v1/withdrawals", talk.stack->partner_key,
                     text("{\"from\":\"%s\",\"amount\":%d,\"currency\":\"ZAR\","
                          "\"reference\":\"atm\"}",
                          wallet(2), 999999999)),
                422, "insufficient_funds");
    assert_string_equal(talk_member("available"), "(absent)");
}

static void test_refunds(void **state)
{
    int64_t before[2] = {talk_balance(0), talk_balance(1)};
    (void)state;
    assert_int_equal(post("/v1/transfers", talk.tokens[0], talk_transfer(0, 1, "1000", "")), 201);
    const char *original = text("%s", talk_member("id"));
    const char *path = text("/v1/transactions/%s/refunds", original);
    talk_expect(post(path, talk.tokens[0], "{\"reason\":\"mine\"}"), 403, "forbidden");
    talk_expect(post(path, talk.tokens[2], "{\"reason\":\"x\"}"), 404, "transaction_not_found");
    talk_expect(post(path, talk.tokens[1], "{}"), 400, "invalid_request");
    const char *key = text("%s", talk_key());
    const char *body = "{\"amount\":400,\"reason\":\"broken\"}";
    assert_int_equal(talk_ask("POST", path, talk.tokens[1], key, body), 201);
    assert_string_equal(talk_member("kind"), "refund");
    assert_string_equal(talk_member("refund_of"), original);
    assert_string_equal(talk_member("note"), "broken");
    assert_int_equal(talk_number("fee"), 0); /* this rule keeps its fee */
    const char *refund = text("%s", talk_member("id"));
    assert_int_equal(talk_ask("POST", path, talk.tokens[1], key, body), 201);
    assert_string_equal(talk_member("id"), refund);
    talk_expect(post(path, talk.tokens[1], "{\"amount\":601,\"reason\":\"x\"}"), 422,
                "refund_exceeds_original");
    assert_int_equal(talk_number("remaining"), 600);
    assert_int_equal(post(path, talk.stack->partner_key, "{\"reason\":\"the rest\"}"), 201);
    assert_int_equal(talk_number("amount"), 600);
    talk_expect(post(path, talk.tokens[1], "{\"reason\":\"x\"}"), 422, "refund_exceeds_original");
    assert_int_equal(talk_balance(0), before[0] - 250);
    assert_int_equal(talk_balance(1), before[1]);
    assert_int_equal(
        talk_ask("GET", text("/v1/transactions/%s", original), talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("refunds.id"), refund);
    assert_int_equal(
        talk_ask("GET", text("/v1/transactions/%s", refund), talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("refund_of"), original);
    talk_expect(post(text("/v1/transactions/%s/refunds", refund), talk.tokens[0],
                     "{\"reason\":\"and back\"}"),
                422, "not_refundable");
}

static void test_reversals(void **state)
{
    int64_t before[2] = {talk_balance(0), talk_balance(1)};
    (void)state;
    assert_int_equal(post("/v1/transfers", talk.tokens[0], talk_transfer(0, 1, "1000", "")), 201);
    const char *original = text("%s", talk_member("id"));
    const char *path = text("/v1/transactions/%s/reversal", original);
    client_call_clear(&talk.call);
    talk_expect(client_do(talk.operators, &talk.call, "POST", path, talk.tokens[0], talk_key(),
                          "{\"reason\":\"x\"}"),
                401, "unauthenticated");
    talk_note(&talk.call, false);
    talk_expect(operate(path, NULL, "{\"reason\":\"x\"}"), 400, "idempotency_key_missing");
    const char *key = text("%s", talk_key());
    assert_int_equal(operate(path, key, "{\"reason\":\"wrong person\"}"), 201);
    assert_string_equal(talk_member("kind"), "reversal");
    assert_string_equal(talk_member("reversal_of"), original);
    assert_int_equal(talk_number("fee"), 250);
    assert_int_equal(operate(path, key, "{\"reason\":\"wrong person\"}"), 201);
    assert_int_equal(talk_balance(0), before[0]);
    assert_int_equal(talk_balance(1), before[1]);
    talk_expect(operate(path, talk_key(), "{\"reason\":\"again\"}"), 422,
                "refund_exceeds_original");
    talk_expect(operate("/v1/transactions/tx_00000000000000000000000000/reversal", talk_key(),
                        "{\"reason\":\"x\"}"),
                404, "transaction_not_found");
    assert_true(talk_logged("transaction_reversed"));
}

/* Money that was spent already: only with the flag, and then a debt that comes in first pays. */
static void test_a_debt(void **state)
{
    char token[96];
    (void)state;
    talk_sign_up("+27829990001", token);
    assert_int_equal(talk_ask("GET", "/v1/wallets", token, NULL, NULL), 200);
    const char *poor = text("%s", talk_member("data.id"));
    const char *deposit =
        text("{\"to\":\"%s\",\"amount\":1000,\"currency\":\"ZAR\",\"reference\":\"r\"}", poor);
    assert_int_equal(post("/v1/deposits", talk.stack->partner_key, deposit), 201);
    const char *path = text("/v1/transactions/%s/reversal", talk_member("id"));
    assert_int_equal(post("/v1/withdrawals", talk.stack->partner_key,
                          text("{\"from\":\"%s\",\"amount\":900,\"currency\":\"ZAR\","
                               "\"reference\":\"r\"}",
                               poor)),
                     201);
    talk_expect(operate(path, talk_key(), "{\"reason\":\"bounced\"}"), 422, "insufficient_funds");
    assert_int_equal(operate(path, talk_key(), "{\"reason\":\"bounced\",\"allow_negative\":true}"),
                     201);
    const char *one = text("/v1/wallets/%s", poor);
    assert_int_equal(talk_ask("GET", one, token, NULL, NULL), 200);
    assert_int_equal(talk_number("balance.available"), -900);
    talk_expect(post("/v1/transfers", token,
                     text("{\"from\":\"%s\",\"to\":\"%s\",\"amount\":1,\"currency\":\"ZAR\"}", poor,
                          wallet(1))),
                422, "insufficient_funds");
    assert_int_equal(post("/v1/deposits", talk.stack->partner_key, deposit), 201);
    assert_int_equal(talk_ask("GET", one, token, NULL, NULL), 200);
    assert_int_equal(talk_number("balance.available"), 100);
}

static void test_frozen_and_tier(void **state)
{
    int64_t before = talk_balance(3);
    const char *freeze = text("/v1/users/%s/freeze", users[3]);
    (void)state;
    assert_int_equal(post("/v1/holds", talk.tokens[3], hold_body(3, 1, 50, "")), 201);
    const char *capture = text("/v1/holds/%s/capture", talk_member("id"));
    int64_t fee = talk_number("fee");
    client_call_clear(&talk.call);
    talk_expect(client_do(talk.operators, &talk.call, "POST", freeze, NULL, NULL, NULL), 401,
                "unauthenticated");
    talk_note(&talk.call, false);
    assert_int_equal(operate(freeze, NULL, NULL), 200);
    assert_string_equal(talk_member("frozen"), "true");
    assert_true(talk_number("wallets_changed") >= 1);
    talk_sign_in(3); /* it signs in and reads */
    talk_expect(post("/v1/transfers", talk.tokens[3], talk_transfer(3, 1, "100", "")), 422,
                "wallet_frozen");
    talk_expect(post(capture, talk.tokens[3], NULL), 422, "wallet_frozen");
    assert_int_equal(post(capture, talk.stack->partner_key, NULL), 201); /* that was promised */
    assert_int_equal(post("/v1/transfers", talk.tokens[0], talk_transfer(0, 3, "100", "")), 201);
    assert_int_equal(talk_balance(3), before + 50 - fee); /* and receives */
    const char *body = "{\"currency\":\"ZAR\",\"label\":\"way out\"}";
    const char *key = text("%s", talk_key());
    for (int i = 0; i < 2; i++) { /* no way round it: the same again, too */
        talk_expect(talk_ask("POST", "/v1/wallets", talk.tokens[3], key, body), 422,
                    "wallet_frozen");
    }
    assert_int_equal(operate(text("/v1/users/%s/unfreeze", users[3]), NULL, NULL), 200);
    assert_string_equal(talk_member("frozen"), "false");
    assert_int_equal(post("/v1/transfers", talk.tokens[3], talk_transfer(3, 1, "100", "")), 201);
    const char *tier = text("/v1/users/%s/tier", users[3]);
    assert_int_equal(operate(tier, NULL, "{\"tier\":2}"), 200);
    assert_int_equal(talk_number("tier"), 2);
    assert_int_equal(operate(tier, NULL, "{\"tier\":0}"), 200);
    talk_expect(operate(tier, NULL, "{\"tier\":4}"), 400, "invalid_request");
    talk_expect(operate("/v1/users/usr_00000000000000000000000000/freeze", NULL, NULL), 404,
                "user_not_found");
    assert_true(talk_logged("user_frozen") && talk_logged("user_tier_set"));
}

/* Of one transaction there are a thousand at most: all but two were made by hand. */
static void test_how_many_refunds(void **state)
{
    const char *reason = "{\"amount\":1,\"reason\":\"once more\"}";
    (void)state;
    assert_int_equal(post("/v1/transfers", talk.tokens[0],
                          talk_transfer(0, 1, "10000", ",\"reference\":\"thousand\"")),
                     201);
    const char *id = text("%s", talk_member("id"));
    const char *path = text("/v1/transactions/%s/refunds", id);
    talk_sql("insert into links select id, gen_random_uuid(), 8, 1, 0 from transactions, "
             "generate_series(1, 999) where reference = 'thousand'");
    assert_int_equal(post(path, talk.tokens[1], reason), 201);
    talk_expect(post(path, talk.tokens[1], reason), 422, "limit_exceeded");
    assert_int_equal(
        operate(text("/v1/transactions/%s/reversal", id), talk_key(), "{\"reason\":\"the rest\"}"),
        201);
    assert_int_equal(talk_number("amount"), 9000);
    talk_sql("set session_replication_role = replica; delete from links l where kind = 8 and not "
             "exists (select from transactions t where t.id = l.transaction_id)");
}

/* A wallet is being opened when its owner is frozen or gets another tier: the row of the user is
 * taken, the wallet not there yet for anybody else. It's born, and then as the others are. */
static void opened_meanwhile(const char *what, const char *body, const char *becomes)
{
    struct client_call call = {.method = "POST",
                               .path = text("/v1/users/%s/%s", users[2], what),
                               .token = talk.stack->operator_token,
                               .body = body};
    setenv("OWNER", talk.stack->users[2].phone, 1);
    setenv("BECOMES", becomes, 1);
    assert_int_equal(
        stack_shell(talk.stack,
                    "rm -f \"$DATA/go\"; mkfifo \"$DATA/go\"; { echo \"begin; "
                    "with one as (select id, tier, wallet from users where phone = '$OWNER' "
                    "for share), made as (insert into accounts (id, kind, tier, currency, owner) "
                    "select gen_random_uuid(), 1, one.tier, a.currency, one.id from one join "
                    "accounts a on a.id = one.wallet returning id, owner) insert into wallets "
                    "(id, owner, label, created_at) select id, owner, 'late', now() from made;\"; "
                    "read -r _ <\"$DATA/go\"; echo 'commit;'; } | psql -XAtq \"$MOOLAH_DATABASE\" "
                    ">\"$DATA/late\" 2>&1 &"),
        0);
    const char *waits =
        "n=0; until [ \"$(psql -XAtq \"$MOOLAH_DATABASE\" -c \"select count(*) from "
        "pg_stat_activity where $WAITS\")\" = 1 ]; do n=$((n + 1)); "
        "[ $n -lt 200 ] || exit 1; sleep 0.05; done";
    setenv("WAITS", "query like '%late%made%' and state = 'idle in transaction'", 1);
    assert_int_equal(stack_shell(talk.stack, waits), 0);
    assert_true(client_begin(talk.operators, &call));
    client_turn(&talk.operators, 1, 0);
    setenv("WAITS", "query like '%update users set%' and wait_event_type = 'Lock'", 1);
    assert_int_equal(stack_shell(talk.stack, waits), 0);
    assert_int_equal(stack_shell(talk.stack, "echo >\"$DATA/go\""), 0);
    while (!call.done && !call.lost)
        client_turn(&talk.operators, 1, 100);
    assert_int_equal(call.status, 200);
    talk_note(&call, false);
    client_call_clear(&call);
    assert_int_equal(
        stack_shell(talk.stack,
                    "test \"$(psql -XAtq \"$MOOLAH_DATABASE\" -c \"select count(*) from "
                    "wallets w join accounts a on a.id = w.id where w.label = 'late' "
                    "and not ($BECOMES)\")\" = 0"),
        0);
}

static void test_a_wallet_opened_meanwhile(void **state)
{
    (void)state;
    opened_meanwhile("freeze", NULL, "a.status = 2");
    assert_int_equal(operate(text("/v1/users/%s/unfreeze", users[2]), NULL, NULL), 200);
    opened_meanwhile("tier", "{\"tier\":3}", "a.tier = 3");
    assert_int_equal(operate(text("/v1/users/%s/tier", users[2]), NULL, "{\"tier\":0}"), 200);
}

static void test_closed(void **state)
{
    (void)state;
    assert_int_equal(
        post("/v1/wallets", talk.tokens[2], "{\"currency\":\"ZAR\",\"label\":\"old\"}"), 201);
    const char *id = text("%s", talk_member("id"));
    const char *close = text("/v1/wallets/%s/close", id);
    const char *in =
        text("{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}", wallet(2), id);
    assert_int_equal(post("/v1/transfers", talk.tokens[2], in), 201);
    talk_expect(talk_ask("POST", close, talk.tokens[2], NULL, NULL), 422, "wallet_not_empty");
    talk_expect(talk_ask("POST", close, talk.tokens[1], NULL, NULL), 404, "wallet_not_found");
    talk_expect(
        talk_ask("POST", text("/v1/wallets/%s/close", wallet(2)), talk.tokens[2], NULL, NULL), 422,
        "wallet_not_empty");
    const char *out =
        text("{\"from\":\"%s\",\"to\":\"%s\",\"amount\":100,\"currency\":\"ZAR\"}", id, wallet(2));
    assert_int_equal(post("/v1/transfers", talk.tokens[2], out), 201);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk_ask("POST", close, talk.tokens[2], NULL, NULL), 200);
        assert_string_equal(talk_member("status"), "closed");
    }
    talk_expect(post("/v1/transfers", talk.tokens[2], in), 422, "recipient_cannot_receive");
    talk_expect(post("/v1/transfers", talk.tokens[2], out), 422, "wallet_closed");
}

/* Many at once for one hold: one of them wins, the others say that it's finished. */
static void test_one_winner(void **state)
{
    enum { RACERS = 12 };
    struct client_call calls[RACERS];
    char keys[RACERS][40];
    int won = 0;
    (void)state;
    int64_t before = talk_balance(0);
    const char *id = make_hold(1000);
    const char *paths[2] = {text("/v1/holds/%s/capture", id), text("/v1/holds/%s/void", id)};
    memset(calls, 0, sizeof calls);
    talk_sql("update holds set expires_at = now() where status = 1 and random() < 0.5");
    for (int i = 0; i < RACERS; i++) {
        snprintf(keys[i], sizeof keys[i], "%s", talk_key());
        calls[i].method = "POST";
        calls[i].path = paths[i % 2];
        calls[i].token = i % 3 == 0 ? talk.stack->partner_key : talk.tokens[0];
        calls[i].key = keys[i];
        assert_true(client_begin(talk.client, &calls[i]));
    }
    for (int i = 0; i < RACERS; i++) {
        for (int turns = 0; !calls[i].done && turns < 500; turns++)
            client_turn(&talk.client, 1, 20);
        assert_true(calls[i].status == 201 || calls[i].status == 200 || calls[i].status == 422);
        won += calls[i].status < 300;
        client_call_clear(&calls[i]);
    }
    assert_true(won <= 1);
    assert_true(won == 1 || is_expired(id));
    bool captured = strcmp(hold_status(id), "captured") == 0;
    assert_int_equal(talk_balance(0), before - (captured ? 1250 : 0));
    assert_int_equal(held(0), 0);
}

/* ---- what every one of them has in common */

struct common {
    const char *path;
    const char *body;  /* acceptable */
    const char *wrong; /* a field that isn't */
    int caller;        /* a user, or PARTNER, or OPERATOR */
    bool keyed;
};

enum { PARTNER = -1, OPERATOR = -2 };

static int ask_as(const struct common *c, const char *key, const char *body, const char *type)
{
    struct client_call question = {.method = "POST", .path = c->path, .key = key, .body = body};
    question.type = type;
    question.token = c->caller == PARTNER    ? talk.stack->partner_key
                     : c->caller == OPERATOR ? talk.stack->operator_token
                                             : talk.tokens[c->caller];
    if (c->caller != OPERATOR)
        return talk_send(&question);
    client_call_clear(&talk.call);
    talk.call = question;
    assert_true(client_call(talk.operators, &talk.call));
    talk_note(&talk.call, false);
    return talk.call.status;
}

static void expect_common(const struct common *c)
{
    static char large[70000];
    const char *key = c->keyed ? text("%s", talk_key()) : NULL;
    memset(large, ' ', sizeof large - 1);
    talk_expect(ask_as(c, key, "{", NULL), 400, "malformed_json");
    talk_expect(ask_as(c, key, c->wrong, NULL), 400, "invalid_request");
    talk_expect(ask_as(c, key, c->body, "text/plain"), 415, "unsupported_media_type");
    talk_expect(ask_as(c, key, large, NULL), 413, "body_too_large");
    if (!c->keyed)
        return;
    talk_expect(ask_as(c, NULL, c->body, NULL), 400, "idempotency_key_missing");
    talk_expect(ask_as(c, "a b", c->body, NULL), 400, "idempotency_key_invalid");
    /* a refusal is remembered, and its key is then another request's */
    int status = ask_as(c, key, c->body, NULL);
    assert_true(status == 404 || status == 422);
    assert_int_equal(ask_as(c, key, c->body, NULL), status);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    struct common other = *c;
    const char *slash = strrchr(c->path, '/');
    if (strstr(c->path, "/v1/withdrawals") == NULL && strcmp(c->path, "/v1/holds") != 0) {
        other.path = text("%.*s1%s", (int)(slash - c->path - 1), c->path, slash); /* another id */
        talk_expect(ask_as(&other, key, c->body, NULL), 422, "idempotency_key_reused");
    } else {
        char more[300];
        snprintf(more, sizeof more, "%s", c->body);
        strstr(more, ":5")[1] = '6'; /* another amount */
        talk_expect(ask_as(c, key, more, NULL), 422, "idempotency_key_reused");
    }
    client_call_clear(&talk.call);
    if (c->caller == OPERATOR)
        return;
    talk_expect(talk_ask("POST", c->path, NULL, key, c->body), 401, "unauthenticated");
}

static void test_what_all_have_in_common(void **state)
{
    static const char none[] = "00000000000000000000000000";
    const char *stranger = text("wal_%s", none);
    const struct common all[] = {
        {"/v1/holds",
         text("{\"from\":\"%s\",\"to\":\"%s\",\"amount\":5,\"currency\":\"ZAR\"}", stranger,
              wallet(1)),
         "{\"from\":7}", 0, true},
        {"/v1/withdrawals",
         text("{\"from\":\"%s\",\"amount\":5,\"currency\":\"ZAR\",\"reference\":\"r\"}", stranger),
         "{\"from\":7}", PARTNER, true},
        {text("/v1/holds/hld_%s/capture", none), "{\"amount\":5}", "{\"amount\":0}", 0, true},
        {text("/v1/holds/hld_%s/void", none), "{}", "{\"x\":0}", PARTNER, true},
        {text("/v1/transactions/tx_%s/refunds", none), "{\"reason\":\"x\"}", "{}", 0, true},
        {text("/v1/transactions/tx_%s/reversal", none), "{\"reason\":\"x\"}",
         "{\"reason\":\"x\",\"allow_negative\":1}", OPERATOR, true},
        {text("/v1/users/%s/tier", users[2]), "{\"tier\":1}", "{\"tier\":\"1\"}", OPERATOR, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        expect_common(&all[i]);
}

/* ---- who may not, and what is refused, call by call */

static void set_status(const char *id, int status)
{
    struct uuid uuid;
    char hex[33];
    assert_true(uuid_parse(slice_of(id), "wal_", &uuid));
    for (size_t k = 0; k < 16; k++)
        snprintf(hex + 2 * k, 3, "%02x", uuid.bytes[k]);
    talk_sql(text("update accounts set status = %d where id = '%s'", status, hex));
}

static void test_reading_holds(void **state)
{
    const char *list = text("/v1/wallets/%s/holds", wallet(0));
    struct client_call question = {.method = "GET", .token = talk.tokens[0]};
    (void)state;
    const char *id = make_hold(10);
    const char *next = text("%s?limit=1", list);
    make_hold(20);
    assert_int_equal(talk_ask("GET", next, talk.tokens[0], NULL, NULL), 200);
    assert_int_equal(talk_number("data.amount"), 20);
    next = text("%s?limit=1&after=%s", list, talk_member("next"));
    assert_int_equal(talk_ask("GET", next, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("data.id"), id);
    assert_string_equal(talk_member("next"), "(null)");
    talk_expect(talk_ask("GET", text("%s?x=1", list), talk.tokens[0], NULL, NULL), 400,
                "invalid_request");
    talk_expect(talk_ask("GET", list, NULL, NULL, NULL), 401, "unauthenticated");
    talk_expect(talk_ask("GET", list, talk.stack->partner_key, NULL, NULL), 403, "forbidden");
    const char *one = text("/v1/holds/%s", id);
    talk_expect(talk_ask("GET", text("%s?x=1", one), talk.tokens[0], NULL, NULL), 400,
                "invalid_request");
    talk_expect(talk_ask("GET", one, NULL, NULL, NULL), 401, "unauthenticated");
    assert_int_equal(talk_ask("GET", one, talk.tokens[0], NULL, NULL), 200);
    question.path = one;
    talk_extra(&question, "if-none-match", talk_header("etag"));
    assert_int_equal(talk_send(&question), 304);
    talk_expect(post(text("%s/capture", one), talk.tokens[1], NULL), 403, "forbidden");
    talk_sql("update holds set expires_at = now() + interval '1 second' where status = 1");
}

/* Each wallet of the four that a movement may meet: closed, frozen, of another currency, none. */
static void test_what_is_refused(void **state)
{
    static const char none[] = "wal_00000000000000000000000000";
    const char *partner = talk.stack->partner_key;
    const char *out = "{\"from\":\"%s\",\"amount\":5,\"currency\":\"%s\",\"reference\":\"r\"}";
    const char *to = "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":5,\"currency\":\"%s\"}";
    static const struct {
        int status;
        const char *code;
    } bad[] = {{2, "wallet_frozen"}, {3, "wallet_closed"}};
    char body[300];
    (void)state;
    assert_int_equal(post("/v1/transfers", talk.tokens[0], talk_transfer(0, 2, "50", "")), 201);
    const char *paid = text("/v1/transactions/%s", talk_member("id"));
    const char *refund = text("%s/refunds", paid);
    const char *reversal = text("%s/reversal", paid);
    const char *id = make_hold(30);
    const char *hold = text("/v1/holds/%s/capture", id);
#define BODY(...) (snprintf(body, sizeof body, __VA_ARGS__), body)
    for (size_t i = 0; i < 2; i++) {
        set_status(wallet(2), bad[i].status);
        talk_expect(post("/v1/withdrawals", partner, BODY(out, wallet(2), "ZAR")), 422,
                    bad[i].code);
        talk_expect(post("/v1/holds", talk.tokens[2], BODY(to, wallet(2), wallet(1), "ZAR")), 422,
                    bad[i].code);
        talk_expect(post(refund, talk.tokens[2], "{\"reason\":\"x\"}"), 422, bad[i].code);
    }
    talk_expect(operate(reversal, talk_key(), "{\"reason\":\"x\"}"), 422, "wallet_closed");
    talk_expect(post("/v1/holds", talk.tokens[0], BODY(to, wallet(0), wallet(2), "ZAR")), 422,
                "recipient_cannot_receive");
    set_status(wallet(2), 1);
    set_status(wallet(0), 3);
    talk_expect(post(refund, talk.tokens[2], "{\"reason\":\"x\"}"), 422,
                "recipient_cannot_receive");
    talk_expect(operate(reversal, talk_key(), "{\"reason\":\"x\"}"), 422,
                "recipient_cannot_receive");
    set_status(wallet(0), 1);
    set_status(wallet(1), 3);
    talk_expect(post(hold, talk.tokens[0], NULL), 422, "recipient_cannot_receive");
    set_status(wallet(1), 1);
    talk_expect(post("/v1/withdrawals", partner, BODY(out, wallet(2), "USD")), 422,
                "currency_mismatch");
    talk_expect(post("/v1/holds", talk.tokens[0], BODY(to, wallet(0), wallet(1), "USD")), 422,
                "currency_mismatch");
    talk_expect(post("/v1/holds", talk.tokens[0], BODY(to, wallet(0), wallet(0), "ZAR")), 422,
                "same_wallet");
    talk_expect(post("/v1/holds", talk.tokens[0], BODY(to, wallet(0), none, "ZAR")), 404,
                "recipient_not_found");
#undef BODY
    assert_int_equal(post("/v1/withdrawals", partner,
                          text("{\"from\":\"%s\",\"amount\":%ld,\"currency\":\"ZAR\","
                               "\"reference\":\"all\"}",
                               wallet(2), (long)talk_balance(2))),
                     201);
    talk_expect(post(refund, talk.tokens[2], "{\"reason\":\"x\"}"), 422, "insufficient_funds");
    talk_expect(
        operate(text("/v1/transactions/tx_%s/reversal", id + 4), talk_key(), "{\"reason\":\"x\"}"),
        422, "not_refundable");
    assert_int_equal(post(hold, talk.tokens[0], NULL), 201);
}

static void test_operators_only(void **state)
{
    static const char *const calls[] = {"freeze", "unfreeze", "tier"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *path = text("/v1/users/%s/%s", users[2], calls[i]);
        client_call_clear(&talk.call);
        talk_expect(client_do(talk.operators, &talk.call, "POST", path, NULL, NULL, "{\"tier\":1}"),
                    401, "unauthenticated");
        talk_note(&talk.call, false);
        talk_expect(operate(text("%s?x=1", path), NULL, "{\"tier\":1}"), 400, "invalid_request");
        talk_expect(operate(text("/v1/users/usr_00000000000000000000000000/%s", calls[i]), NULL,
                            "{\"tier\":1}"),
                    404, "user_not_found");
    }
    const char *close = text("/v1/wallets/%s/close", wallet(2));
    talk_expect(talk_ask("POST", text("%s?x=1", close), talk.tokens[2], NULL, NULL), 400,
                "invalid_request");
    talk_expect(talk_ask("POST", close, NULL, NULL, NULL), 401, "unauthenticated");
    talk_expect(talk_ask("POST", close, talk.stack->partner_key, NULL, NULL), 403, "forbidden");
    assert_int_equal(
        post("/v1/wallets", talk.tokens[2], "{\"currency\":\"ZAR\",\"label\":\"cold\"}"), 201);
    const char *cold = text("%s", talk_member("id"));
    set_status(cold, 2);
    talk_expect(talk_ask("POST", text("/v1/wallets/%s/close", cold), talk.tokens[2], NULL, NULL),
                422, "wallet_frozen");
}

static void test_the_ledger_holds(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(talk.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

static int start(void **state)
{
    if (talk_start(state) != 0)
        return -1;
    for (int i = 0; i < STACK_USERS; i++) {
        assert_int_equal(talk_ask("GET", "/v1/me", talk.tokens[i], NULL, NULL), 200);
        snprintf(users[i], sizeof users[i], "%s", talk_member("id"));
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hold_captured_whole),
        cmocka_unit_test(test_a_part_and_the_rest_is_free),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_held_money_is_not_there_twice),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_a_withdrawal),
        cmocka_unit_test(test_refunds),
        cmocka_unit_test(test_reversals),
        cmocka_unit_test(test_a_debt),
        cmocka_unit_test(test_frozen_and_tier),
        cmocka_unit_test(test_how_many_refunds),
        cmocka_unit_test(test_a_wallet_opened_meanwhile),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_one_winner),
        cmocka_unit_test(test_what_all_have_in_common),
        cmocka_unit_test(test_reading_holds),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_operators_only),
        cmocka_unit_test(test_the_ledger_holds),
    };
    return cmocka_run_group_tests(tests, start, talk_end);
}
