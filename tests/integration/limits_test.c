/* Limits against the whole server: to the cent, raced from many connections over two workers, by
 * the day of the wallet's zone, in rolling windows, given back.
 *
 * Covers: server/posting/order_limit.c server/store/limit_rows.c server/store/limits.c
 *     server/api/show_limits.c server/supply/breach.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/talk.h"

enum { RACERS = 12, EACH = 4 };

static char folder[] = "/tmp/moolah-limits-XXXXXX";

static const char limits[] =
    "return limit { id = 'w', version = 1, owner = 'test', currency = 'ZAR', tiers = {\n"
    "    [0] = { single = ZAR '50.00', daily = ZAR '100.00', daily_count = 20 },\n"
    "    [1] = { monthly_count = 3, balance = ZAR '100000.00' },\n"
    "    [2] = { rolling = { { window = '10m', count = 3 }, { window = '24h', sum = ZAR '30.00' } "
    "} "
    "},\n"
    "    [3] = {},\n"
    "} }\n";

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    char command[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static int begin(void **state)
{
    char path[100];
    assert_non_null(mkdtemp(folder));
    shell("cp %s/rules/*.lua %s", MOOLAH_SOURCE_DIR, folder);
    snprintf(path, sizeof path, "%s/wallet.limit.lua", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(limits, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return talk_start_with(folder, state);
}

static int end(void **state)
{
    shell("rm -r %s", folder);
    return talk_end(state);
}

/* A user of that tier who has sent nothing yet. */
static void reset(int user, int tier)
{
    char statement[400];
    snprintf(statement, sizeof statement,
             "update accounts set tier = %d, counters = null where id = (select wallet from users "
             "where phone = '%s')",
             tier, talk.stack->users[user].phone);
    talk_sql(statement);
}

static int send_money(int from, int to, const char *amount)
{
    return talk_ask("POST", "/v1/transfers", talk.tokens[from], talk_key(),
                    talk_transfer(from, to, amount, ""));
}

static void test_to_the_cent(void **state)
{
    (void)state;
    reset(0, 0);
    talk_expect(send_money(0, 1, "5001"), 422, "limit_exceeded");
    assert_string_equal(talk_member("which"), "single");
    assert_int_equal(talk_number("limit"), 5000);
    assert_string_equal(talk_member("resets_at"), "(absent)");
    assert_int_equal(send_money(0, 1, "5000"), 201);
    assert_int_equal(send_money(0, 1, "4999"), 201);
    int64_t before = talk_balance(0);
    talk_expect(send_money(0, 1, "2"), 422, "limit_exceeded");
    assert_string_equal(talk_member("which"), "daily");
    assert_int_equal(talk_number("limit"), 10000);
    assert_int_equal(talk_number("used"), 9999);
    assert_int_equal(talk_number("remaining"), 1);
    assert_non_null(strstr(talk_member("resets_at"), "T22:00:00.000000Z")); /* Johannesburg */
    assert_int_equal(talk_balance(0), before);
    assert_int_equal(send_money(0, 1, "1"), 201);
    talk_expect(send_money(0, 1, "1"), 422, "limit_exceeded");
}

/* What a customer has sent is told to the customer. */
static void test_a_partner_hears_of_the_limit_only(void **state)
{
    (void)state;
    reset(0, 0);
    assert_int_equal(send_money(0, 1, "5000"), 201);
    assert_int_equal(send_money(0, 1, "4000"), 201);
    talk_expect(talk_ask("POST", "/v1/holds", talk.stack->partner_key, talk_key(),
                         talk_transfer(0, 1, "1001", "")),
                422, "limit_exceeded");
    assert_string_equal(talk_member("which"), "daily");
    assert_int_equal(talk_number("limit"), 10000);
    assert_string_equal(talk_member("used"), "(absent)");
    assert_string_equal(talk_member("remaining"), "(absent)");
    assert_string_equal(talk_member("resets_at"), "(absent)");
    char body[200];
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"amount\":1001,\"currency\":\"ZAR\",\"reference\":\"x\"}",
             talk.stack->users[0].wallet);
    talk_expect(talk_ask("POST", "/v1/withdrawals", talk.stack->partner_key, talk_key(), body), 422,
                "limit_exceeded");
    assert_string_equal(talk_member("used"), "(absent)");
}

/* Many connections at once, over both workers: as many pass as fit, not one more. */
static void test_raced(void **state)
{
    struct client *clients[RACERS];
    static struct client_call calls[RACERS * EACH];
    static char keys[RACERS * EACH][40];
    static char bodies[RACERS * EACH][300];
    int passed = 0;
    int left = RACERS * EACH;
    (void)state;
    reset(0, 0);
    for (int i = 0; i < RACERS; i++) {
        clients[i] = client_open(talk.stack->port, talk.stack->ca);
        assert_non_null(clients[i]);
    }
    for (int i = 0; i < RACERS * EACH; i++) {
        snprintf(keys[i], sizeof keys[i], "%s", talk_key());
        snprintf(bodies[i], sizeof bodies[i], "%s", talk_transfer(0, 1, "700", ""));
        calls[i] = (struct client_call){.method = "POST",
                                        .path = "/v1/transfers",
                                        .token = talk.tokens[0],
                                        .key = keys[i],
                                        .body = bodies[i]};
        assert_true(client_begin(clients[i % RACERS], &calls[i]));
    }
    for (int turns = 0; left > 0 && turns < 1000; turns++) {
        client_turn(clients, RACERS, 100);
        left = 0;
        for (int i = 0; i < RACERS * EACH; i++)
            left += !calls[i].done;
    }
    assert_int_equal(left, 0);
    for (int i = 0; i < RACERS * EACH; i++) {
        assert_true(calls[i].status == 201 || calls[i].status == 422);
        passed += calls[i].status == 201;
        client_call_clear(&calls[i]);
    }
    assert_int_equal(passed, 14); /* 14 x 7.00 = 98.00 */
    for (int i = 0; i < RACERS; i++)
        client_close(clients[i]);
    talk_expect(send_money(0, 1, "201"), 422, "limit_exceeded");
    assert_int_equal(send_money(0, 1, "200"), 201);
}

/* Counters of a day that is over: the first movement after it starts afresh; the month goes on. */
static void test_a_new_day(void **state)
{
    char statement[400];
    (void)state;
    reset(0, 0);
    assert_int_equal(send_money(0, 1, "5000"), 201);
    assert_int_equal(send_money(0, 1, "5000"), 201);
    talk_expect(send_money(0, 1, "1"), 422, "limit_exceeded");
    /* the day's begin, in milliseconds, is bytes 1 to 6: it was two days ago */
    snprintf(statement, sizeof statement,
             "update accounts set counters = overlay(counters placing "
             "substring(int8send((extract(epoch from now()) * 1000)::bigint - 172800000) from 3) "
             "from 2 for 6) where id = (select wallet from users where phone = '%s')",
             talk.stack->users[0].phone);
    talk_sql(statement);
    assert_int_equal(send_money(0, 1, "5000"), 201);
    assert_int_equal(send_money(0, 1, "5000"), 201);
    talk_expect(send_money(0, 1, "1"), 422, "limit_exceeded");
    assert_int_equal(talk_number("used"), 10000);
}

static void test_count_and_balance(void **state)
{
    char body[300];
    (void)state;
    reset(2, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_money(2, 3, "1"), 201);
    talk_expect(send_money(2, 3, "1"), 422, "limit_exceeded");
    assert_string_equal(talk_member("which"), "monthly_count");
    assert_int_equal(talk_number("used"), 3);
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":10000000,\"currency\":\"ZAR\",\"reference\":\"x\"}",
             talk.stack->users[2].wallet);
    talk_expect(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), body), 422,
                "limit_exceeded");
    assert_string_equal(talk_member("which"), "balance");
    assert_string_equal(talk_member("used"), "(absent)"); /* what is in it is nobody's business */
    reset(3, 3);
    talk_sql("update accounts set tier = 3, counters = null where kind = 1");
    reset(2, 1);
    talk_expect(send_money(3, 2, "9900000"), 422,
                talk_balance(3) < 9900500 ? "insufficient_funds" : "recipient_cannot_receive");
}

static void test_windows(void **state)
{
    (void)state;
    shell("true");
    talk_sql("update accounts set tier = 3, counters = null where kind = 1");
    assert_int_equal(send_money(3, 2, "1000"), 201); /* counted by whichever tier comes next */
    reset(3, 2);
    assert_int_equal(send_money(3, 2, "1000"), 201);
    talk_expect(send_money(3, 2, "2000"), 422, "limit_exceeded");
    assert_string_equal(talk_member("which"), "rolling_24h");
    assert_true(talk_number("used") >= 2000);
    assert_string_not_equal(talk_member("resets_at"), "(absent)");
    talk_expect(send_money(3, 2, "3001"), 422, "limit_exceeded");
    assert_string_equal(talk_member("resets_at"), "(absent)"); /* it never fits */
    assert_int_equal(send_money(3, 2, "100"), 201);
    talk_expect(send_money(3, 2, "1"), 422, "limit_exceeded");
    assert_string_equal(talk_member("which"), "rolling_10m_count");
    assert_int_equal(talk_number("limit"), 3);
}

static void test_listed(void **state)
{
    char path[120];
    (void)state;
    reset(0, 0);
    assert_int_equal(send_money(0, 1, "700"), 201);
    snprintf(path, sizeof path, "/v1/wallets/%s/limits", talk.stack->users[0].wallet);
    talk_expect(talk_ask("GET", path, NULL, NULL, NULL), 401, "unauthenticated");
    talk_expect(talk_ask("GET", path, talk.stack->partner_key, NULL, NULL), 403, "forbidden");
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("time_zone"), "Africa/Johannesburg");
    snprintf(path, sizeof path, "/v1/wallets/%s/limits?x=1", talk.stack->users[0].wallet);
    talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 400, "invalid_request");
    snprintf(path, sizeof path, "/v1/wallets/%s/limits", talk.stack->users[0].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("limits.which"), "single");
    assert_non_null(strstr(talk.call.answer,
                           "\"which\":\"daily\",\"rule\":\"w@1\",\"period\":\"day\",\"counts\":"
                           "\"amount\",\"kinds\":[\"transfer\",\"withdrawal\",\"hold\"],\"limit\":"
                           "10000,\"used\":700,\"remaining\":9300,\"resets_at\":\"20"));
    assert_non_null(strstr(talk.call.answer, "\"which\":\"daily_count\""));
    reset(0, 2);
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk_member("limits.which"), "rolling_10m_count");
    assert_true(talk_number("limits.used") > 3); /* from before: the movements themselves count */
    assert_int_equal(talk_number("limits.remaining"), 0);
    reset(0, 3);
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_non_null(strstr(talk.call.answer, "\"limits\":[]"));
    talk_expect(talk_ask("GET", path, talk.tokens[1], NULL, NULL), 404, "wallet_not_found");
}

static void test_given_back(void **state)
{
    char path[120];
    (void)state;
    reset(0, 0);
    const char *hold = talk_transfer(0, 1, "5000", "");
    assert_int_equal(talk_ask("POST", "/v1/holds", talk.tokens[0], talk_key(), hold), 201);
    snprintf(path, sizeof path, "/v1/holds/%s/void", talk_member("id"));
    assert_int_equal(send_money(0, 1, "5000"), 201);
    talk_expect(send_money(0, 1, "1"), 422, "limit_exceeded");
    assert_int_equal(talk_ask("POST", path, talk.tokens[0], talk_key(), NULL), 200);
    assert_int_equal(send_money(0, 1, "5000"), 201);
    snprintf(path, sizeof path, "/v1/transactions/%s/refunds", talk_member("id"));
    talk_expect(send_money(0, 1, "1"), 422, "limit_exceeded");
    assert_int_equal(talk_ask("POST", path, talk.tokens[1], talk_key(),
                              "{\"amount\":300,\"reason\":\"broken\"}"),
                     201);
    assert_int_equal(send_money(0, 1, "300"), 201);
    talk_expect(send_money(0, 1, "1"), 422, "limit_exceeded");
}

/* A purchase counts once, when its money is held. One that is refused gives its voucher back. */
static void test_purchases(void **state)
{
    char body[200];
    (void)state;
    reset(0, 0);
    assert_int_equal(
        stack_shell(talk.stack,
                    "printf '1\\n2\\n3\\n' >\"$DATA/pins\" && \"$MOOLAH\" stock load --config "
                    "\"$DATA/moolahd.lua\" --database \"$MOOLAH_DATABASE\" airtime.r50 "
                    "\"$DATA/pins\" >/dev/null"),
        0);
    assert_int_equal(talk_ask("GET", "/v1/products", NULL, NULL, NULL), 200);
    snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"product\":\"%s\"}",
             talk.stack->users[0].wallet, talk_member("data.id"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(talk_ask("POST", "/v1/purchases", talk.tokens[0], talk_key(), body), 201);
    talk_expect(talk_ask("POST", "/v1/purchases", talk.tokens[0], talk_key(), body), 422,
                "limit_exceeded");
    assert_string_equal(talk_member("which"), "daily");
    assert_int_equal(talk_number("limit"), 10000);
    assert_int_equal(talk_number("used"), 10000);
    assert_int_equal(talk_number("remaining"), 0);
    assert_string_not_equal(talk_member("resets_at"), "(absent)");
    talk_expect(send_money(0, 1, "1"), 422, "limit_exceeded");
    assert_int_equal(stack_shell(talk.stack, "\"$MOOLAH\" stock status --json | grep -q "
                                             "'\"free\":1'"),
                     0);
}

static void open_wallet(const char *token, const char *zone, char id[40])
{
    char body[200];
    snprintf(body, sizeof body, "{\"currency\":\"ZAR\",\"label\":\"zoned\",\"time_zone\":\"%s\"}",
             zone);
    assert_int_equal(talk_ask("POST", "/v1/wallets", token, talk_key(), body), 201);
    assert_string_equal(talk_member("time_zone"), zone);
    snprintf(id, 40, "%s", talk_member("id"));
    snprintf(body, sizeof body,
             "{\"to\":\"%s\",\"amount\":20000,\"currency\":\"ZAR\",\"reference\":\"x\"}", id);
    assert_int_equal(talk_ask("POST", "/v1/deposits", talk.stack->partner_key, talk_key(), body),
                     201);
}

static void expect_listed(const char *token, const char *wallet, const char *zone,
                          const char *midnight)
{
    char path[120];
    char daily[120];
    snprintf(path, sizeof path, "/v1/wallets/%s", wallet);
    for (int i = 0; i < 2; i++) { /* from the database, from the cache */
        assert_int_equal(talk_ask("GET", path, token, NULL, NULL), 200);
        assert_string_equal(talk_member("time_zone"), zone);
    }
    snprintf(path, sizeof path, "/v1/wallets/%s/limits", wallet);
    assert_int_equal(talk_ask("GET", path, token, NULL, NULL), 200);
    assert_string_equal(talk_member("time_zone"), zone);
    snprintf(daily, sizeof daily, "%s.000000Z\"", midnight);
    const char *at = strstr(talk.call.answer, "\"which\":\"daily\"");
    assert_non_null(at);
    assert_memory_equal(strstr(at, "\"resets_at\":\"") + 23, daily, strlen(daily));
}

/* Wallets of one person in two zones, paying in one batch: each by its own midnight. */
static void test_zones(void **state)
{
    char token[96];
    char wallets[2][40];
    char body[900];
    (void)state;
    talk_sign_up("+27829990001", token);
    open_wallet(token, "Asia/Tokyo", wallets[0]);
    open_wallet(token, "Africa/Lagos", wallets[1]);
    talk_expect(talk_ask("POST", "/v1/wallets", token, talk_key(),
                         "{\"currency\":\"ZAR\",\"label\":\"x\",\"time_zone\":\"Mars/Olympus\"}"),
                400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "/time_zone");
    expect_listed(token, wallets[0], "Asia/Tokyo", "T15:00:00");
    expect_listed(token, wallets[1], "Africa/Lagos", "T23:00:00");
    snprintf(body, sizeof body, "{\"mode\":\"each\",\"transfers\":[");
    for (int i = 0; i < 6; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body),
                 "%s{\"from\":\"%s\",\"to\":\"%s\",\"amount\":4000,\"currency\":\"ZAR\"}",
                 i == 0 ? "" : ",", wallets[i % 2], talk.stack->users[1].wallet);
    snprintf(body + strlen(body), sizeof body - strlen(body), "]}");
    assert_int_equal(talk_ask("POST", "/v1/transfers/bulk", token, talk_key(), body), 201);
    assert_int_equal(talk_number("posted"), 4);
    for (int i = 0; i < 2; i++) {
        snprintf(body, sizeof body,
                 "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":4000,\"currency\":\"ZAR\"}", wallets[i],
                 talk.stack->users[1].wallet);
        talk_expect(talk_ask("POST", "/v1/transfers", token, talk_key(), body), 422,
                    "limit_exceeded");
        assert_non_null(
            strstr(talk_member("resets_at"), i == 0 ? "T15:00:00.000000Z" : "T23:00:00.000000Z"));
    }
    /* a user's first wallet */
    assert_int_equal(talk_ask("POST", "/v1/users", NULL, NULL,
                              "{\"phone\":\"+27829990002\",\"password\":\"long enough\",\"name\":"
                              "\"N\",\"time_zone\":\"Europe/London\"}"),
                     201);
    assert_int_equal(talk_ask("POST", "/v1/sessions", NULL, NULL,
                              "{\"phone\":\"+27829990002\",\"password\":\"long enough\"}"),
                     201);
    snprintf(token, sizeof token, "%s", talk_member("token"));
    assert_int_equal(talk_ask("GET", "/v1/wallets", token, NULL, NULL), 200);
    assert_string_equal(talk_member("data.time_zone"), "Europe/London");
}

/* Counters that lie are found out. Whatever the tests before have set to null began anew. */
static void test_verified(void **state)
{
    const char *command = "$MOOLAH ledger verify | grep -q '^holds *8 limits'";
    (void)state;
    assert_int_equal(stack_shell(talk.stack, command), 0);
    talk_sql("update accounts set counters = set_byte(counters, 20, (get_byte(counters, 20) + 1) % "
             "127) where id = (select id from accounts where get_byte(counters, 19) > 0 limit 1)");
    assert_int_not_equal(stack_shell(talk.stack, command), 0);
}

/* Bytes that nobody can read: their wallet sends nothing, all else goes on; it is named, and mended
 * by hand. */
static void test_unreadable(void **state)
{
    static const char *const broken[] = {"'?'", "'\\x01'", "set_byte(counters, 0, 2)",
                                         "counters || '\\x00'",
                                         "overlay(counters placing '\\x7fffffffffff' from 2)"};
    char statement[500];
    char path[120];
    char verified[200];
    (void)state;
    snprintf(path, sizeof path, "/v1/wallets/%s/limits", talk.stack->users[0].wallet);
    snprintf(
        verified, sizeof verified,
        "$MOOLAH ledger verify | grep -A1 '^BROKEN *8 limits' | grep -q 'counters of account "
        "'$(psql -XAtq \"$MOOLAH_DATABASE\" -c \"select wallet from users where phone = '%s'\")",
        talk.stack->users[0].phone);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        talk_sql("update accounts set tier = 3, counters = null where kind = 1");
        assert_int_equal(send_money(0, 1, "10"), 201);
        snprintf(statement, sizeof statement,
                 "update accounts set counters = %s where id = (select wallet from users where "
                 "phone = '%s')",
                 broken[i], talk.stack->users[0].phone);
        talk_sql(statement);
        talk_expect(send_money(0, 1, "10"), 500, "internal");
        assert_int_equal(send_money(1, 0, "10"), 201);
        assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), i < 4 ? 500 : 200);
        if (stack_shell(talk.stack, verified) != 0)
            fail_msg("not named: %s", broken[i]);
    }
    assert_true(talk_logged("counters_unreadable.*wal_"));
    reset(0, 3); /* docs/limits.md */
    assert_int_equal(send_money(0, 1, "10"), 201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_the_cent),
        cmocka_unit_test(test_a_partner_hears_of_the_limit_only),
        cmocka_unit_test(test_raced),
        cmocka_unit_test(test_a_new_day),
        cmocka_unit_test(test_count_and_balance),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_listed),
        cmocka_unit_test(test_purchases),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_verified),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
