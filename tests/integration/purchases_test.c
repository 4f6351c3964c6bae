/* Purchases against a real stack: from our own stock, and from a supplier that is slow, failing,
 * silent, late or lying; and with the server killed at any moment.
 *
 * Covers: server/api/create_purchase.c server/api/show_purchase.c server/api/purchase_view.c
 *     server/api/resolve_purchase.c
 *     server/supply/till.c server/supply/sale.c server/supply/supplier_stock.c
 *     server/supply/supplier_http.c server/store/purchases.c server/cli/stock.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/receiver.h"
#include "support/second.h"
#include "support/talk.h"

#define PATIENCE_US (INT64_C(40) * CLOCK_SECOND)

static struct receiver supplier;
static struct second second;
static char airtime[40], power[40]; /* the products' ids */

static int shell(const char *command)
{
    return stack_shell(talk.stack, command);
}

/* Is that so in the database, as its owner sees it? */
static bool is_so(const char *condition)
{
    setenv("CONDITION", condition, 1);
    return shell("[ \"$(psql -XAtq \"$MOOLAH_DATABASE\" -c \"select $CONDITION\")\" = t ]") == 0;
}

static void assert_so(const char *condition)
{
    if (!is_so(condition))
        fail_msg("not so: %s", condition);
}

/* Time passes: leases of the dead end at once, and whatever rests is due. Those that are being
 * driven meanwhile are left alone. */
static void settle(void)
{
    int64_t end = clock_monotonic() + PATIENCE_US;
    talk_sql("update purchases set next_at = now() where next_at is not null");
    while (!is_so("not exists (select from purchases where next_at is not null)")) {
        assert_true(clock_monotonic() < end);
        talk_sql("update purchases set next_at = now() where next_at < now() + interval '30 s' "
                 "or next_at > now() + interval '70 s'");
        client_turn(&talk.client, 1, 300);
    }
}

static const char *body_of(const char *product, int user)
{
    static char body[300];
    bool voucher = product == airtime;
    snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"product\":\"%s\"%s}",
             talk.stack->users[user].wallet, product,
             voucher ? "" : ",\"amount\":1000,\"fields\":{\"meter\":\"01234567890\"}");
    return body;
}

static int buy(const char *product, int user, const char *key)
{
    return talk_ask("POST", "/v1/purchases", talk.tokens[user], key, body_of(product, user));
}

static void find_products(void)
{
    assert_int_equal(talk_ask("GET", "/v1/products", NULL, NULL, NULL), 200);
    snprintf(airtime, sizeof airtime, "%s", talk_member("data.id"));
    const char *last = strstr(talk.call.answer, "\"code\":\"electricity.prepaid\"");
    assert_non_null(last);
    while (strncmp(last, "\"id\":\"", 6) != 0)
        last--;
    snprintf(power, sizeof power, "%.30s", last + 6);
}

static int begin(void **state)
{
    char script[700];
    if (talk_start(state) != 0)
        return -1;
    receiver_start(&supplier, false);
    snprintf(script, sizeof script,
             "s|^return {|return { outbound = { ca = \"%s\", allow = { \"127.0.0.0/8\" } }, "
             "suppliers = { timeout_ms = 600, list = { \"power https://localhost:%d/shop "
             "secret\" } },|",
             supplier.ca, supplier.port);
    second_start(&second, talk.stack, talk.stack->port + 4, 2, script);
    find_products();
    return 0;
}

static int end(void **state)
{
    receiver_stop(&supplier);
    return talk_end(state);
}

static const char load[] = "\"$MOOLAH\" stock load --config \"$DATA/moolahd.lua\" --database "
                           "\"$MOOLAH_DATABASE\" airtime.r50 \"$DATA/pins\"";

static int load_pins(const char *text, const char *expected)
{
    char command[600];
    setenv("PINS", text, 1);
    setenv("EXPECTED", expected, 1);
    snprintf(command, sizeof command,
             "printf \"$PINS\" >\"$DATA/pins\"; %s >\"$DATA/out\" 2>&1; code=$?; "
             "grep -qF \"$EXPECTED\" \"$DATA/out\" || cat \"$DATA/out\"; exit $code",
             load);
    return shell(command);
}

#define LOAD_AS(product, expected)                                                         \
    "\"$MOOLAH\" stock load --config \"$DATA/moolahd.lua\" --database "                    \
    "\"$MOOLAH_DATABASE\" " product                                                        \
    " \"$DATA/pins\" >\"$DATA/out\" 2>&1; code=$?; grep -qF '" expected "' \"$DATA/out\" " \
    "|| cat \"$DATA/out\"; exit $code"

static void test_stock_is_loaded_once(void **state)
{
    (void)state;
    assert_int_equal(load_pins("1111 2222\\n\\n3333\\r\\n", "2 vouchers of airtime.r50 loaded"), 0);
    assert_int_equal(load_pins("3333\\n4444", "1 vouchers of airtime.r50 loaded, 1 skipped"), 0);
    assert_int_equal(load_pins("5555\\n a\\n", "line 2 is no PIN"), 1);
    assert_int_equal(load_pins("\\n", "holds no PIN"), 1);
    assert_so("count(*) = 3 from voucher_stock");
    /* for nothing that isn't sold from it: nobody could take it back out */
    assert_int_equal(shell(LOAD_AS("airtime.r51", "is no product of")), 1);
    assert_int_equal(shell(LOAD_AS("electricity.prepaid", "comes from the supplier power")), 1);
    assert_so("count(*) = 3 from voucher_stock");
    assert_so("not exists (select from voucher_stock where pin like '%3333%'::bytea)");
    assert_int_equal(shell("\"$MOOLAH\" stock status --json | grep -q '\"free\":3'"), 0);
    assert_int_equal(
        shell("\"$MOOLAH\" stock load airtime.r50 /dev/null 2>&1 | grep -q secret_key"), 0);
}

static void test_vouchers(void **state)
{
    char key[40];
    char first[1024];
    char path[100];
    int64_t before = talk_balance(0);
    (void)state;
    snprintf(key, sizeof key, "%s", talk_key());
    assert_int_equal(buy(airtime, 0, key), 201);
    assert_string_equal(talk_member("status"), "delivered");
    assert_string_equal(talk_member("goods.pin"), "1111 2222");
    assert_int_equal(talk_number("amount"), 5000);
    snprintf(first, sizeof first, "%s", talk.call.answer);
    snprintf(path, sizeof path, "/v1/purchases/%s", talk_member("id"));
    assert_int_equal(buy(airtime, 0, key), 201);
    assert_string_equal(talk.call.answer, first);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    assert_int_equal(talk_balance(0), before - 5000);
    talk_expect(buy(power, 0, key), 422, "idempotency_key_reused");

    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk.call.answer, first);
    talk_expect(talk_ask("GET", path, talk.tokens[1], NULL, NULL), 404, "purchase_not_found");
    talk_expect(talk_ask("GET", "/v1/purchases/x", talk.tokens[1], NULL, NULL), 404,
                "purchase_not_found");

    assert_int_equal(buy(airtime, 1, talk_key()), 201);
    assert_int_equal(buy(airtime, 1, talk_key()), 201);
    snprintf(key, sizeof key, "%s", talk_key());
    talk_expect(buy(airtime, 1, key), 422, "out_of_stock");
    snprintf(first, sizeof first, "%s", talk.call.answer);
    talk_expect(buy(airtime, 1, key), 422, "out_of_stock");
    assert_string_equal(talk.call.answer, first);
    assert_so("count(*) = 3 and count(distinct purchase) = 3 from voucher_stock where status = 3");
    assert_so("count(*) = 3 from transactions where kind = 10");
}

/* What is refused costs nothing, and its voucher is free again. */
static void test_refusals(void **state)
{
    char token[96];
    char body[300];
    (void)state;
    talk_expect(buy(power, 0, NULL), 400, "idempotency_key_missing");
    talk_expect(buy(power, 0, talk_key()), 422, "product_unavailable"); /* it isn't configured */
    talk_expect(buy("prd_00000000000000000000000000", 0, talk_key()), 404, "product_not_found");
    assert_int_equal(load_pins("7777", "1 vouchers"), 0);
    snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"product\":\"%s\"}",
             talk.stack->users[1].wallet, airtime);
    talk_expect(talk_ask("POST", "/v1/purchases", talk.tokens[0], talk_key(), body), 404,
                "wallet_not_found");
    snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"product\":\"%s\",\"amount\":4999}",
             talk.stack->users[0].wallet, airtime);
    talk_expect(talk_ask("POST", "/v1/purchases", talk.tokens[0], talk_key(), body), 400,
                "invalid_request");
    snprintf(body, sizeof body,
             "{\"wallet\":\"%s\",\"product\":\"%s\",\"amount\":1000,\"fields\":{\"meter\":\"1\"}}",
             talk.stack->users[0].wallet, power);
    talk_expect(talk_ask("POST", "/v1/purchases", talk.tokens[0], talk_key(), body), 400,
                "invalid_request");
    assert_non_null(strstr(talk.call.answer,
                           "{\"pointer\":\"/fields/meter\",\"code\":\"format\",\"detail\":"
                           "\"Meter number: 11 to 13 digits\"}"));
    snprintf(body, sizeof body,
             "{\"wallet\":\"%s\",\"product\":\"%s\",\"amount\":1000,\"fields\":{\"metre\":\"1\"}}",
             talk.stack->users[0].wallet, power);
    talk_expect(talk_ask("POST", "/v1/purchases", talk.tokens[0], talk_key(), body), 400,
                "invalid_request");
    assert_non_null(strstr(talk.call.answer, "\"/fields/meter\",\"code\":\"required\""));
    assert_non_null(strstr(talk.call.answer, "\"/fields/metre\",\"code\":\"unknown\""));
    talk_sign_up("+27825550001", token);
    assert_int_equal(talk_ask("GET", "/v1/wallets", token, NULL, NULL), 200);
    snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"product\":\"%s\"}", talk_member("data.id"),
             airtime);
    talk_expect(talk_ask("POST", "/v1/purchases", token, talk_key(), body), 422,
                "insufficient_funds");
    assert_so("count(*) = 1 from voucher_stock where status = 1");
    assert_int_equal(buy(airtime, 0, talk_key()), 201);
    assert_string_equal(talk_member("goods.pin"), "7777");
}

/* A wallet's purchases in pages, each as it is by itself; what was refused isn't among them. */
static void test_listed(void **state)
{
    char path[200];
    char ids[2][40];
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            snprintf(path, sizeof path, "/v1/wallets/%s/purchases?limit=1",
                     talk.stack->users[1].wallet);
        else
            snprintf(path, sizeof path, "/v1/wallets/%s/purchases?limit=1&after=%.48s",
                     talk.stack->users[1].wallet, talk_member("next"));
        assert_int_equal(talk_ask("GET", path, talk.tokens[1], NULL, NULL), 200);
        snprintf(ids[i], sizeof ids[i], "%s", talk_member("data.id"));
    }
    assert_string_equal(talk_member("next"), "(null)");
    assert_true(strcmp(ids[0], ids[1]) > 0);
    snprintf(path, sizeof path, "/v1/wallets/%s/purchases", talk.stack->users[1].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[1], NULL, NULL), 200);
    char all[4000];
    snprintf(all, sizeof all, "%s", talk.call.answer);
    for (int i = 0; i < 2; i++) {
        char one[60];
        snprintf(one, sizeof one, "/v1/purchases/%.40s", ids[i]);
        assert_int_equal(talk_ask("GET", one, talk.tokens[1], NULL, NULL), 200);
        assert_non_null(strstr(all, talk.call.answer));
    }
    talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 404, "wallet_not_found");
    talk_expect(talk_ask("GET", "/v1/wallets/x/purchases", talk.tokens[0], NULL, NULL), 404,
                "wallet_not_found");
    talk_expect(talk_ask("GET", path, NULL, NULL, NULL), 401, "unauthenticated");
    talk_expect(talk_ask("GET", path, talk.stack->partner_key, NULL, NULL), 403, "forbidden");
    snprintf(path, sizeof path, "/v1/wallets/%s/purchases?after=x", talk.stack->users[1].wallet);
    talk_expect(talk_ask("GET", path, talk.tokens[1], NULL, NULL), 400, "invalid_request");
}

static int buy_as(const char *key, const char *body, const char *type)
{
    struct client_call question = {.method = "POST",
                                   .path = "/v1/purchases",
                                   .token = talk.tokens[0],
                                   .key = key,
                                   .body = body,
                                   .type = type};
    return talk_send(&question);
}

static void set_status(int user, int status)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "update accounts set status = %d where owner = (select id from users where phone = "
             "'%s')",
             status, talk.stack->users[user].phone);
    talk_sql(sql);
}

static void test_what_any_call_refuses(void **state)
{
    static char large[70000];
    char body[300];
    (void)state;
    memset(large, ' ', sizeof large - 1);
    talk_expect(buy_as(talk_key(), "{", NULL), 400, "malformed_json");
    talk_expect(buy_as(talk_key(), large, NULL), 413, "body_too_large");
    talk_expect(buy_as(talk_key(), body_of(airtime, 0), "text/plain"), 415,
                "unsupported_media_type");
    talk_expect(buy_as("a b", body_of(airtime, 0), NULL), 400, "idempotency_key_invalid");
    talk_expect(talk_ask("POST", "/v1/purchases", NULL, talk_key(), body_of(airtime, 0)), 401,
                "unauthenticated");
    talk_expect(
        talk_ask("POST", "/v1/purchases", talk.stack->partner_key, talk_key(), body_of(airtime, 0)),
        403, "forbidden");
    talk_expect(talk_ask("GET", "/v1/purchases/x", NULL, NULL, NULL), 401, "unauthenticated");
    talk_expect(talk_ask("GET", "/v1/purchases/x", talk.stack->partner_key, NULL, NULL), 403,
                "forbidden");
    talk_expect(talk_ask("GET", "/v1/purchases/x?y=1", talk.tokens[0], NULL, NULL), 400,
                "invalid_request");

    assert_int_equal(load_pins("8888", "1 vouchers"), 0);
    set_status(3, 2);
    talk_expect(buy(airtime, 3, talk_key()), 422, "wallet_frozen");
    set_status(3, 3);
    talk_expect(buy(airtime, 3, talk_key()), 422, "wallet_closed");
    set_status(3, 1);
    assert_int_equal(talk_ask("POST", "/v1/wallets", talk.tokens[3], NULL,
                              "{\"currency\":\"USD\",\"label\":\"dollars\"}"),
                     201);
    snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"product\":\"%s\"}", talk_member("id"),
             airtime);
    talk_expect(talk_ask("POST", "/v1/purchases", talk.tokens[3], talk_key(), body), 422,
                "currency_mismatch");
    assert_so("count(*) = 1 from voucher_stock where status = 1");
    assert_int_equal(buy(airtime, 3, talk_key()), 201);
}

/* From here on, talk to the server that has a supplier. */
static void use_second(void)
{
    client_close(talk.client);
    talk.client = client_open(second.port, talk.stack->ca);
    assert_non_null(talk.client);
}

static void test_a_supplier_in_every_mood(void **state)
{
    static const struct {
        const char *mode;
        int status;
        const char *then;
    } moods[] = {
        {"200", 201, "delivered"},           {"lost", 202, "delivered"},
        {"decline", 201, "voided"},          {"dropped", 202, "delivered"},
        {"200", 201, "delivered"},           {"pending", 202, "delivered"},
        {"fail", 202, "delivered"},          {"200", 201, "delivered"},
        {"duplicate", 202, "delivered"},     {"garbage", 202, "delivered"},
        {"200", 201, "delivered"},           {"lie-amount", 202, "delivered"},
        {"lie-reference", 202, "delivered"}, {"slow 0.9", 202, "delivered"},
    };
    enum { MOODS = sizeof moods / sizeof moods[0] };
    char ids[MOODS][40] = {""};
    char path[100];
    int64_t before = talk_balance(2);
    (void)state;
    use_second();
    for (int i = 0; i < MOODS; i++) {
        receiver_mode(&supplier, moods[i].mode);
        int status = buy(power, 2, talk_key());
        if (status != moods[i].status)
            fail_msg("%s: %d %s", moods[i].mode, status, talk.call.answer);
        snprintf(ids[i], sizeof ids[i], "%s", talk_member("id"));
        if (status == 201)
            assert_string_equal(talk_member("status"), moods[i].then);
        else
            assert_string_equal(talk_member("goods"), "(null)");
    }
    /* its money is held meanwhile, and nobody gets it back past the purchase */
    assert_string_equal(talk_member("status"), "in_progress");
    snprintf(path, sizeof path, "/v1/holds/%s/void", talk_member("hold"));
    talk_expect(talk_ask("POST", path, talk.tokens[2], talk_key(), NULL), 403, "forbidden");
    receiver_mode(&supplier, "200");
    settle();
    for (int i = 0; i < MOODS; i++) {
        snprintf(path, sizeof path, "/v1/purchases/%.30s", ids[i]);
        assert_int_equal(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 200);
        assert_string_equal(talk_member("status"), moods[i].then);
        if (strcmp(moods[i].then, "delivered") == 0)
            assert_string_equal(talk_member("goods.token") + 2, ids[i]);
    }
    assert_int_equal(talk_balance(2), before - 1000 * (MOODS - 1));
}

/* The one try that is let through isn't theirs who can't pay: with somebody else's wallet, say. */
static void try_beside_strangers(void)
{
    int64_t end = clock_monotonic() + PATIENCE_US;
    int status = 422;
    talk_sql("update purchases set next_at = now() + interval '1 hour' where next_at is not null");
    while (status == 422 && clock_monotonic() < end) {
        client_turn(&talk.client, 1, 20);
        status = talk_ask("POST", "/v1/purchases", talk.tokens[2], talk_key(), body_of(power, 1));
    }
    talk_expect(status, 404, "wallet_not_found");
    assert_int_equal(buy(power, 2, talk_key()), 201);
}

/* After some failures in a row money isn't even held. */
static void test_a_breaker(void **state)
{
    char key[40];
    int status = 202;
    (void)state;
    receiver_mode(&supplier, "fail");
    for (int i = 0; i < 20 && status == 202; i++)
        status = buy(power, 2, talk_key());
    talk_expect(status, 422, "product_unavailable");
    receiver_mode(&supplier, "200");
    try_beside_strangers();
    settle();
    snprintf(key, sizeof key, "%s", talk_key());
    do
        status = buy(power, 2, key);
    while (status == 422);
    assert_int_equal(status, 201);
}

enum { BUYERS = 4, EACH = 8, PER_KILL = 5 };

struct buyer {
    struct client *client;
    struct client_call call;
    char key[40];
    char body[300];
    int bought;
    bool asks;
    int64_t not_before; /* was told to come again */
};

/* Ask for the next one; or again, with the same key, as long as it came to nothing. */
static void press(struct buyer *buyer, int user)
{
    if (buyer->client == NULL || !client_is_open(buyer->client)) {
        client_close(buyer->client);
        buyer->client = client_open(second.port, talk.stack->ca);
        if (buyer->client == NULL)
            return;
    }
    client_call_clear(&buyer->call);
    snprintf(buyer->body, sizeof buyer->body, "%s",
             body_of(buyer->bought % 4 == 0 ? airtime : power, user));
    buyer->call = (struct client_call){.method = "POST",
                                       .path = "/v1/purchases",
                                       .token = talk.tokens[user],
                                       .key = buyer->key,
                                       .body = buyer->body};
    buyer->asks = client_begin(buyer->client, &buyer->call);
}

static void hear(struct buyer *buyer)
{
    buyer->asks = !buyer->call.done && !buyer->call.lost;
    if (!buyer->call.done || (buyer->call.status != 201 && buyer->call.status != 202)) {
        buyer->not_before = clock_monotonic() + (buyer->asks ? 0 : CLOCK_SECOND / 20);
        return;
    }
    buyer->bought++;
    snprintf(buyer->key, sizeof buyer->key, "%s", talk_key());
}

/* Purchases by many while the workers are killed; returns when all are made. */
static void buy_through_kills(void)
{
    struct buyer buyers[BUYERS] = {{.client = NULL}};
    int64_t end = clock_monotonic() + 2 * PATIENCE_US;
    int left = BUYERS * EACH;
    int kills = 0;
    for (int i = 0; i < BUYERS; i++)
        snprintf(buyers[i].key, sizeof buyers[i].key, "%s", talk_key());
    while (left > 0) {
        struct client *clients[BUYERS];
        assert_true(clock_monotonic() < end);
        left = 0;
        for (int i = 0; i < BUYERS; i++) {
            if (buyers[i].asks)
                hear(&buyers[i]);
            if (!buyers[i].asks && buyers[i].bought < EACH &&
                clock_monotonic() >= buyers[i].not_before)
                press(&buyers[i], i);
            clients[i] = buyers[i].client;
            left += EACH - buyers[i].bought;
        }
        if (left < BUYERS * EACH - PER_KILL * (kills + 1)) {
            pid_t worker = second_worker(&second, kills % 2);
            kills += worker > 0 && kill(worker, SIGKILL) == 0;
        }
        client_turn(clients, BUYERS, 50);
    }
    assert_true(kills >= BUYERS * EACH / PER_KILL - 1);
    for (int i = 0; i < BUYERS; i++)
        client_close(buyers[i].client);
}

static void test_killed_at_any_moment(void **state)
{
    char pins[1000] = "";
    (void)state;
    for (int i = 0; i < BUYERS * EACH / 4; i++)
        snprintf(pins + strlen(pins), sizeof pins - strlen(pins), "90%02d\\n", i);
    assert_int_equal(load_pins(pins, "8 vouchers"), 0);
    receiver_mode(&supplier, "random");
    buy_through_kills();
    receiver_mode(&supplier, "200");
    use_second();
    settle();
    setenv("REQUESTS", supplier.requests, 1);
    /* whatever was captured was delivered, once; nothing that was voided was */
    assert_int_equal(
        shell("python3 - \"$REQUESTS\" >\"$DATA/delivered\" <<'END'\n"
              "import json, sys\n"
              "seen = [json.loads(l) for l in open(sys.argv[1])]\n"
              "names = [s['reference'] for s in seen if 'reference' in s]\n"
              "assert len(names) == len(set(names)) and len(names) > 0\n"
              "print(len(names))\n"
              "END\n"
              "[ \"$(cat \"$DATA/delivered\")\" = \"$(psql -XAtq \"$MOOLAH_DATABASE\" -c \"select "
              "count(*) from purchases where status = 7 and supplier = 'power'\")\" ]"),
        0);
    assert_so("count(*) = 0 from purchases where status = 7 and goods is null");
    assert_so("count(*) = 0 from purchases where status = 8 and goods is not null");
    assert_so("count(*) = (select count(*) from purchases where status = 7 and supplier = 'stock') "
              "from voucher_stock where status = 3");
    assert_so("count(*) = 0 from voucher_stock where status = 2");
    assert_so("count(*) = (select count(*) from purchases where status = 7) from transactions "
              "where kind = 10");
    assert_so("sum(posted) = (select sum(amount) from purchases where status = 7) from accounts "
              "where kind = 4");
    assert_so("sum(held) = 0 from accounts");
}

/* Bought while the supplier delivers without a word that can be believed; then time passes, and
 * nobody asks again for now. */
static void buy_unknown(int user, char id[40])
{
    char key[40];
    receiver_mode(&supplier, "200");
    snprintf(key, sizeof key, "%s", talk_key());
    int64_t end = clock_monotonic() + PATIENCE_US;
    while (buy(power, user, key) == 422) { /* its breaker is shut */
        assert_true(clock_monotonic() < end);
        client_turn(&talk.client, 1, 200);
    }
    receiver_mode(&supplier, "duplicate");
    assert_int_equal(buy(power, user, talk_key()), 202);
    snprintf(id, 40, "%s", talk_member("id"));
    talk_sql("update purchases set created_at = created_at - interval '7 min', "
             "next_at = now() + interval '1 h' where next_at is not null");
}

static int decide_in(const char *id, const char *token, const char *body, const char *type)
{
    static char path[100];
    snprintf(path, sizeof path, "/v1/purchases/%s/resolve", id);
    client_call_clear(&talk.call);
    talk.call = (struct client_call){
        .method = "POST", .path = path, .token = token, .body = body, .type = type};
    assert_true(client_call(talk.operators, &talk.call));
    talk_note(&talk.call, false);
    return talk.call.status;
}

static int decide(const char *id, const char *token, const char *body)
{
    return decide_in(id, token, body, NULL);
}

static int decide_as(const char *id, const char *body)
{
    return decide(id, talk.stack->operator_token, body);
}

static const char failed[] = "{\"outcome\":\"failed\",\"reason\":\"they say so by phone\"}";
static const char delivered[] = "{\"outcome\":\"delivered\",\"reason\":\"their list has it\","
                                "\"goods\":{\"token\":\"9-9-9\"},\"supplier_reference\":\"r-1\"}";

static void test_operators_decide(void **state)
{
    char id[40];
    char path[100];
    (void)state;
    buy_unknown(2, id);
    int64_t before = talk_balance(2);
    assert_int_equal(decide_as(id, delivered), 200);
    assert_string_equal(talk_member("status"), "delivered");
    assert_string_equal(talk_member("outcome"), "delivered");
    assert_string_equal(talk_member("supplier_reference"), "r-1");
    assert_null(strstr(talk.call.answer, "9-9-9"));
    assert_int_equal(decide_as(id, delivered), 200); /* again: the same */
    talk_expect(decide_as(id, failed), 422, "purchase_not_open");
    snprintf(path, sizeof path, "/v1/purchases/%s", id);
    assert_int_equal(talk_ask("GET", path, talk.tokens[2], NULL, NULL), 200);
    assert_string_equal(talk_member("status"), "delivered");
    assert_string_equal(talk_member("goods.token"), "9-9-9");
    /* its driver died before it wrote down the capture: the next one does, and charges nobody again
     */
    talk_sql("update purchases set status = 5, transaction_id = null, next_at = now() + interval "
             "'1 h' where decided = 5");
    assert_int_equal(decide_as(id, delivered), 202);
    assert_string_equal(talk_member("status"), "in_progress");
    settle();
    assert_int_equal(decide_as(id, delivered), 200);
    assert_string_equal(talk_member("status"), "delivered");
    assert_int_equal(talk_balance(2), before - 1000);
    assert_true(talk_logged("\"purchase_decided_delivered\""));
    assert_so("count(*) = 1 from purchases where decided_reason = 'their list has it'");

    buy_unknown(2, id);
    before = talk_balance(2);
    assert_int_equal(decide_as(id, failed), 200);
    assert_string_equal(talk_member("status"), "voided");
    assert_string_equal(talk_member("outcome"), "failed");
    talk_expect(decide_as(id, delivered), 422, "purchase_not_open");
    assert_int_equal(talk_balance(2), before);
    assert_so("sum(held) = 0 from accounts");
}

static void expect_fault(const char *id, const char *body, const char *pointer)
{
    talk_expect(decide_as(id, body), 400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), pointer);
}

static void test_what_operators_may_not(void **state)
{
    static const char nobody[] = "pur_00000000000000000000000000";
    static char large[70000];
    char id[40];
    (void)state;
    expect_fault(nobody, "{\"outcome\":\"maybe\",\"reason\":\"x\"}", "/outcome");
    expect_fault(nobody, "{\"outcome\":\"delivered\",\"reason\":\"x\"}", "/goods");
    expect_fault(nobody, "{\"outcome\":\"delivered\",\"reason\":\"x\",\"goods\":{\"A\":\"1\"}}",
                 "/goods/A");
    expect_fault(nobody, "{\"outcome\":\"failed\",\"reason\":\"x\",\"goods\":{\"a\":\"1\"}}",
                 "/goods");
    expect_fault(nobody, "{\"outcome\":\"failed\"}", "/reason");
    expect_fault(nobody,
                 "{\"outcome\":\"failed\",\"reason\":\"x\",\"supplier_reference\":\"\u00fc\"}",
                 "/supplier_reference");
    memset(large, ' ', sizeof large - 1);
    talk_expect(decide_as(nobody, large), 413, "body_too_large");
    talk_expect(decide_as(nobody, "{"), 400, "malformed_json");
    talk_expect(decide_in(nobody, talk.stack->operator_token, failed, "text/plain"), 415,
                "unsupported_media_type");
    talk_expect(decide_as(nobody, failed), 404, "purchase_not_found");
    talk_expect(decide_as("x", failed), 404, "purchase_not_found");
    talk_expect(decide(nobody, talk.tokens[2], failed), 401, "unauthenticated");
    talk_expect(decide(nobody, NULL, failed), 401, "unauthenticated");
    buy_unknown(2, id);
    talk_sql("update purchases set created_at = now() where status = 4");
    talk_expect(decide_as(id, failed), 422, "purchase_not_open"); /* too young */
    talk_sql("update purchases set created_at = now() - interval '7 min' where status = 4");
    receiver_mode(&supplier, "200");
    settle();
    talk_expect(decide_as(id, failed), 422, "purchase_not_open"); /* its supplier was first */
    assert_string_equal(talk_member("detail"), "It has ended by itself");
}

enum { RACES = 6 };

/* Operators against each other, and against the answer of a supplier that is just being asked: one
 * of them has the word, and what became of the money is what that one said. */
static void test_decisions_are_raced(void **state)
{
    static struct client_call calls[RACES + 1];
    static char paths[RACES][100];
    char condition[100];
    char id[40];
    int won = 0;
    (void)state;
    for (int i = 0; i < RACES; i++) {
        buy_unknown(3, id);
        snprintf(paths[i], sizeof paths[i], "/v1/purchases/%s/resolve", id);
    }
    receiver_mode(&supplier, "slow 0.3");
    talk_sql("update purchases set next_at = now() where status = 4");
    for (int i = 0; i <= RACES; i++) { /* the last one twice, with two minds */
        calls[i] = (struct client_call){.method = "POST",
                                        .path = paths[i < RACES ? i : RACES - 1],
                                        .token = talk.stack->operator_token,
                                        .body = i < RACES ? failed : delivered};
        assert_true(client_begin(talk.operators, &calls[i]));
        if (i < RACES - 1)
            client_turn(&talk.operators, 1, 200);
    }
    for (int i = 0; i <= RACES; i++) {
        while (!calls[i].done)
            client_turn(&talk.operators, 1, 1000);
        assert_true(calls[i].status == 200 || calls[i].status == 202 || calls[i].status == 422);
        won += calls[i].status != 422;
    }
    assert_false(calls[RACES - 1].status != 422 && calls[RACES].status != 422);
    for (int i = 0; i <= RACES; i++)
        client_call_clear(&calls[i]);
    receiver_mode(&supplier, "200");
    settle();
    snprintf(condition, sizeof condition, "count(*) = %d from purchases where decided is not null",
             won + 2); /* two before */
    assert_so(condition);
    assert_so("not exists (select from purchases where created_at < now() - interval '6 min' "
              "and (status = 8) <> (decided is not distinct from 6))");
    assert_so("count(*) = (select count(*) from purchases where status = 7) from transactions "
              "where kind = 10");
    assert_so("sum(held) = 0 from accounts");
}

static void test_the_ledger_verifies(void **state)
{
    (void)state;
    assert_int_equal(second_stop(&second), 0);
    assert_int_equal(shell("\"$MOOLAH\" ledger verify --redis \"$REDIS\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stock_is_loaded_once),
        cmocka_unit_test(test_vouchers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_listed),
        cmocka_unit_test(test_what_any_call_refuses),
        cmocka_unit_test(test_a_supplier_in_every_mood),
        cmocka_unit_test(test_a_breaker),
        cmocka_unit_test(test_killed_at_any_moment),
        cmocka_unit_test(test_operators_decide),
        cmocka_unit_test(test_what_operators_may_not),
        cmocka_unit_test(test_decisions_are_raced),
        cmocka_unit_test(test_the_ledger_verifies),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
