/* Bulks as clients see them: a payroll in one batch, refusals in their order, all or none, replays
 * byte for byte, workers killed in between, and what a body may have. Ends with a ledger that
 * verifies.
 *
 * Covers: server/api/create_bulk.c server/posting/order_bulk.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/currency.h"
#include "base/uuid.h"
#include "support/talk.h"

#define BULK "/v1/transfers/bulk"
enum { STAFF = 1000, BODY_MAX = 256 * 1024 };

static struct bytes body; /* NUL-terminated by `end` */

static void begin(const char *mode)
{
    bytes_clear(&body);
    bytes_printf(&body, "{\"mode\":\"%s\",\"transfers\":[", mode);
}

static void add(const char *from, const char *to, int64_t amount)
{
    if (body.at[body.length - 1] == '}')
        bytes_add_char(&body, ',');
    bytes_printf(&body, "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%lld,\"currency\":\"ZAR\"}",
                 from, to, (long long)amount);
}

static const char *end(void)
{
    bytes_add_text(&body, "]}");
    bytes_add_char(&body, '\0');
    assert_false(body.failed);
    return body.at;
}

static const char *wallet(int user)
{
    return talk.stack->users[user].wallet;
}

/* Wallets of user 1 to be paid, beside those that have an owner's name. */
static const char *staff(int i)
{
    static char text[4][UUID_TEXT_MAX];
    struct uuid id = {{0x20}};
    id.bytes[14] = (uint8_t)(i >> 8);
    id.bytes[15] = (uint8_t)i;
    uuid_format(&id, "wal_", text[i % 4]);
    return text[i % 4];
}

static int post(const char *token, const char *key, const char *text)
{
    return talk_ask("POST", BULK, token, key, text);
}

static void deposit(const char *to, int64_t amount, const char *code)
{
    char text[300];
    snprintf(text, sizeof text,
             "{\"to\":\"%s\",\"amount\":%lld,\"currency\":\"%s\",\"reference\":\"x\"}", to,
             (long long)amount, code);
    assert_int_equal(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), text),
                     201);
}

static int64_t metric(const char *name)
{
    char authorization[120];
    char line[100];
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.stack->operator_token);
    snprintf(line, sizeof line, "\n%s ", name);
    assert_int_equal(talk_operator("/metrics", authorization), 200);
    const char *found = strstr(talk.call.answer, line);
    assert_non_null(found);
    return strtoll(found + strlen(line), NULL, 10);
}

static bool says(const char *part)
{
    bool found = strstr(talk.call.answer, part) != NULL;
    if (!found)
        print_error("%.2000s\n    doesn't say %s\n", talk.call.answer, part);
    return found;
}

/* The same again gives the same bytes. */
static void expect_replayed(const char *token, const char *key, const char *text)
{
    int status = talk.call.status;
    char *first = strdup(talk.call.answer);
    assert_int_equal(post(token, key, text), status);
    assert_string_equal(talk.call.answer, first);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    free(first);
}

static void test_a_payroll_is_one_batch(void **state)
{
    char key[80];
    char path[100];
    (void)state;
    int64_t before = talk_balance(0);
    snprintf(key, sizeof key, "%s", talk_key());
    begin("all");
    for (int i = 0; i < STAFF; i++)
        add(wallet(0), staff(i), 10000 + i);
    const char *text = end();
    assert_true(strlen(text) > 65536); /* more than others may send */
    int64_t batches = metric("moolah_posting_batch_orders_count");
    assert_int_equal(post(talk.tokens[0], key, text), 201);
    assert_int_equal(talk_number("posted"), STAFF);
    assert_int_equal(talk_number("refused"), 0);
    assert_string_equal(talk_member("mode"), "all");
    assert_int_equal(talk_number("results.index"), 0);
    assert_int_equal(talk_number("results.fee"), 250);
    assert_true(says("{\"index\":999,\"status\":\"posted\",\"transaction\":\"tx_"));
    snprintf(path, sizeof path, "/v1/transactions/%s", talk_member("results.transaction"));
    expect_replayed(talk.tokens[0], key, text);
    assert_int_equal(metric("moolah_posting_batch_orders_count"), batches + 2);
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_int_equal(talk_number("amount"), 10000);
    assert_string_equal(talk_member("kind"), "transfer");
    int64_t paid = before - talk_balance(0);
    assert_true(paid >= STAFF * 10250 + STAFF * (STAFF - 1) / 2);
    begin("each");
    add(wallet(0), staff(1), 1);
    talk_expect(post(talk.tokens[0], key, end()), 422, "idempotency_key_reused");
    assert_int_equal(talk_balance(0), before - paid);
}

static void add_mixed(void)
{
    add(wallet(0), wallet(1), 100);
    add(wallet(0), wallet(1), INT64_C(9000000000000000));
    add(wallet(1), wallet(0), 100); /* another's */
    add(wallet(0), "wal_00000000000000000000000000", 100);
    add(wallet(0), wallet(0), 100);
    add(wallet(0), wallet(1), 200);
}

static void test_each_for_itself_in_order(void **state)
{
    char key[80];
    char part[200];
    (void)state;
    int64_t before = talk_balance(0);
    int64_t before1 = talk_balance(1);
    snprintf(key, sizeof key, "%s", talk_key());
    begin("each");
    add_mixed();
    const char *text = end();
    assert_int_equal(post(talk.tokens[0], key, text), 201);
    assert_int_equal(talk_number("posted"), 2);
    assert_int_equal(talk_number("refused"), 4);
    int64_t fee = talk_number("results.fee");
    snprintf(part, sizeof part,
             "{\"index\":1,\"status\":\"refused\",\"code\":\"insufficient_funds\",\"detail\":\"Not "
             "enough money available\",\"available\":%lld,",
             (long long)(before - 100 - fee)); /* it saw the one before */
    assert_true(says(part));
    assert_true(says("{\"index\":2,\"status\":\"refused\",\"code\":\"wallet_not_found\","));
    assert_true(says("{\"index\":3,\"status\":\"refused\",\"code\":\"recipient_not_found\","));
    assert_true(says("{\"index\":4,\"status\":\"refused\",\"code\":\"same_wallet\","));
    assert_true(says("{\"index\":5,\"status\":\"posted\",\"transaction\":\"tx_"));
    expect_replayed(talk.tokens[0], key, text);
    assert_int_equal(talk_balance(1), before1 + 300);
    assert_true(talk_balance(0) <= before - 300 - 2 * fee);

    /* a partner's may come from anybody, and it learns of nobody's balance */
    begin("each");
    add(wallet(0), wallet(1), INT64_C(9000000000000000));
    add(wallet(1), wallet(0), 300);
    assert_int_equal(post(talk.stack->partner_key, talk_key(), end()), 201);
    assert_true(says("\"code\":\"insufficient_funds\""));
    assert_null(strstr(talk.call.answer, "available\":"));

    /* each for itself, and each refused */
    begin("each");
    add(wallet(0), wallet(0), 100);
    talk_expect(post(talk.tokens[0], talk_key(), end()), 422, "bulk_refused");
    assert_int_equal(talk_number("refused"), 1);
}

static void test_all_or_none(void **state)
{
    char key[80];
    (void)state;
    int64_t before = talk_balance(0);
    int64_t before1 = talk_balance(1);
    snprintf(key, sizeof key, "%s", talk_key());
    begin("all");
    add_mixed();
    const char *text = end();
    talk_expect(post(talk.tokens[0], key, text), 422, "bulk_refused");
    assert_int_equal(talk_number("posted"), 0);
    assert_int_equal(talk_number("refused"), 4);
    assert_true(says("{\"index\":0,\"status\":\"not_posted\"}"));
    assert_true(says("{\"index\":1,\"status\":\"refused\",\"code\":\"insufficient_funds\","));
    assert_true(says("{\"index\":4,\"status\":\"refused\",\"code\":\"same_wallet\","));
    assert_true(says("{\"index\":5,\"status\":\"not_posted\"}"));
    expect_replayed(talk.tokens[0], key, text);
    assert_int_equal(talk_balance(0), before);
    assert_int_equal(talk_balance(1), before1);
}

/* A new wallet of a user; its id. */
static void make_wallet(int user, char id[UUID_TEXT_MAX])
{
    assert_int_equal(talk_ask("POST", "/v1/wallets", talk.tokens[user], NULL,
                              "{\"currency\":\"USD\",\"label\":\"dollars\"}"),
                     201);
    snprintf(id, UUID_TEXT_MAX, "%s", talk_member("id"));
}

/* No rule prices dollars: nothing of it, and nothing is remembered. */
static void test_a_rule_that_fails(void **state)
{
    char dollars[2][UUID_TEXT_MAX];
    (void)state;
    int64_t before = talk_balance(0);
    make_wallet(0, dollars[0]);
    make_wallet(1, dollars[1]);
    deposit(dollars[0], 1000, "USD");
    for (int all = 0; all < 2; all++) {
        begin(all ? "all" : "each");
        add(wallet(0), wallet(1), 100);
        bytes_printf(&body, ",{\"from\":\"%s\",\"to\":\"%s\",\"amount\":5,\"currency\":\"USD\"}",
                     dollars[0], dollars[1]);
        const char *text = end();
        const char *key = talk_key();
        for (int i = 0; i < 2; i++) {
            talk_expect(post(talk.tokens[0], key, text), 503, "rule_failed");
            assert_null(talk_header("idempotency-replayed"));
        }
    }
    assert_int_equal(talk_balance(0), before);
}

static void expect_fault(const char *text, const char *pointer)
{
    talk_expect(post(talk.tokens[0], talk_key(), text), 400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), pointer);
}

static void test_what_a_body_may_have(void **state)
{
    static char large[BODY_MAX + 2];
    (void)state;
    begin("each");
    add(wallet(0), wallet(1), 1);
    const char *text = end();
    memset(large, ' ', BODY_MAX + 1);
    memcpy(large, text, strlen(text));
    talk_expect(post(talk.tokens[0], talk_key(), large), 413, "body_too_large");
    large[BODY_MAX] = '\0';
    assert_int_equal(post(talk.tokens[0], talk_key(), large), 201);
    large[70000] = '\0';
    talk_expect(talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(), large), 413,
                "body_too_large");
    talk_expect(post(NULL, talk_key(), large), 401, "unauthenticated");

    begin("each");
    for (int i = 0; i <= STAFF; i++)
        add(wallet(0), wallet(1), 1);
    expect_fault(end(), "/transfers");
    begin("each");
    expect_fault(end(), "/transfers");
    expect_fault("{\"mode\":\"all\",\"transfers\":{}}", "/transfers");
    expect_fault("{\"mode\":\"all\",\"transfers\":[7]}", "/transfers/0");
    expect_fault("{\"mode\":\"all\"}", "/transfers");
    begin("some");
    add(wallet(0), wallet(1), 1);
    expect_fault(end(), "/mode");
    begin("all");
    for (int i = 0; i < 3; i++)
        add(wallet(0), wallet(1), 1);
    add(wallet(0), wallet(1), 0);
    expect_fault(end(), "/transfers/3/amount");
    begin("all");
    bytes_printf(&body,
                 "{\"from\":\"%s\",\"to\":{\"phone\":\"+27820000002\"},\"amount\":1,"
                 "\"currency\":\"ZAR\"}",
                 wallet(0));
    expect_fault(end(), "/transfers/0/to");
}

static void test_what_all_calls_have_in_common(void **state)
{
    (void)state;
    begin("each");
    add(wallet(0), wallet(1), 1);
    const char *text = end();
    talk_expect(post(talk.tokens[0], NULL, text), 400, "idempotency_key_missing");
    talk_expect(post(talk.tokens[0], "a b", text), 400, "idempotency_key_invalid");
    talk_expect(post(talk.tokens[0], talk_key(), "{"), 400, "malformed_json");
    struct client_call question = {
        .method = "POST", .path = BULK, .token = talk.tokens[0], .key = talk_key(), .body = text};
    question.type = "text/plain";
    talk_expect(talk_send(&question), 415, "unsupported_media_type");
}

static void connect_again(void)
{
    client_close(talk.client);
    talk.client = NULL;
    for (int i = 0; talk.client == NULL; i++) {
        assert_true(i < 100);
        talk.client = client_open(talk.stack->port, talk.stack->ca);
    }
}

static void kill_workers(void)
{
    for (int i = 0; i < 8; i++) {
        pid_t pid = stack_pid(talk.stack, STACK_WORKER, i);
        if (pid == 0)
            return;
        kill(pid, SIGKILL);
    }
}

/* Asked, and the workers killed a moment later: wherever they were, the key tells, and it's booked
 * once. */
static void test_workers_are_killed_in_between(void **state)
{
    enum { ROUNDS = 5, ITEMS = 300 };
    (void)state;
    int64_t before = talk_balance(2);
    for (int round = 0; round < ROUNDS; round++) {
        char key[80];
        snprintf(key, sizeof key, "%s", talk_key());
        begin(round % 2 == 0 ? "all" : "each");
        for (int i = 0; i < ITEMS; i++)
            add(wallet(0), wallet(2), 1);
        struct client_call call = {
            .method = "POST", .path = BULK, .token = talk.tokens[0], .key = key, .body = end()};
        assert_true(client_begin(talk.client, &call));
        client_turn(&talk.client, 1, 1); /* it's sent; at most a part is answered */
        usleep((useconds_t)round * 6000);
        kill_workers();
        connect_again();
        client_call_clear(&call);
        int status = 0;
        for (int i = 0; status != 201; i++) {
            assert_true(i < 100);
            client_call_clear(&talk.call);
            talk.call = (struct client_call){.method = "POST",
                                             .path = BULK,
                                             .token = talk.tokens[0],
                                             .key = key,
                                             .body = body.at};
            if (client_call(talk.client, &talk.call))
                status = talk.call.status;
            else
                connect_again();
            assert_true(status == 0 || status == 201 || status == 503);
        }
        assert_int_equal(talk_number("posted"), ITEMS);
        expect_replayed(talk.tokens[0], key, body.at);
    }
    assert_int_equal(talk_balance(2), before + (int64_t)ROUNDS * ITEMS);
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
    bytes_init(&body, NULL);
    deposit(wallet(0), INT64_C(100000000), "ZAR");
    /* a thousand wallets, by hand */
    char statement[400];
    snprintf(statement, sizeof statement,
             "insert into accounts (id, kind, currency, owner) select ('20' || lpad(to_hex(n), 30, "
             "'0'))::uuid, 1, %d, (select id from users where phone = '%s') "
             "from generate_series(0, %d) n",
             (int)CURRENCY_ZAR, talk.stack->users[1].phone, STAFF - 1);
    talk_sql(statement);
    return 0;
}

static int stop(void **state)
{
    bytes_release(&body);
    return talk_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_payroll_is_one_batch),
        cmocka_unit_test(test_each_for_itself_in_order),
        cmocka_unit_test(test_all_or_none),
        cmocka_unit_test(test_a_rule_that_fails),
        cmocka_unit_test(test_what_a_body_may_have),
        cmocka_unit_test(test_what_all_calls_have_in_common),
        cmocka_unit_test(test_workers_are_killed_in_between),
        cmocka_unit_test(test_the_ledger_holds),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
