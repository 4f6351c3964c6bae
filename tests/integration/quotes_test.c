/* Quotes against the whole server: whatever the rules become meanwhile, on whichever server, the
 * price that was promised counts for its minute; and nothing but the price is promised.
 *
 * Covers: server/api/create_quote.c server/store/snapshot.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "posting/quote.h"
#include "support/second.h"
#include "support/talk.h"

#define OLD_FEE 250 /* of 10.00, as the rules stand at first */

static char folder[] = "/tmp/moolah-quotes-XXXXXX";
static struct second second;
static struct client *other; /* of the second server */
static char held[5000];      /* the quote that was given last */

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    char command[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (stack_shell(talk.stack, command) != 0)
        fail_msg("%s", command);
}

/* Sending to others costs so many cents from now on, on all three workers. */
static void set_price(int cents)
{
    static int version = 3;
    shell("sed 's/ZAR \"2.50\"/ZAR \"%d.%02d\"/; s/version = 3/version = %d/' "
          "%s/rules/transfer.fee.lua >%s/.new && mv %s/.new %s/transfer.fee.lua",
          cents / 100, cents % 100, ++version, MOOLAH_SOURCE_DIR, folder, folder, folder);
    int64_t deadline = clock_monotonic() + 20 * CLOCK_SECOND;
    char command[300];
    snprintf(command, sizeof command,
             "psql -XAt \"$MOOLAH_DATABASE\" -c \"select count(*) = 3 from (select distinct on "
             "(server, slot) hash from rule_loads order by server, slot, id desc) l join "
             "rule_bundles b using (hash) where b.files like '%%version = %d%%'\" | grep -q t",
             version);
    while (stack_shell(talk.stack, command) != 0) {
        assert_true(clock_monotonic() < deadline);
        usleep(20000);
    }
}

static const char *members(const char *kind, const char *to, const char *amount)
{
    static char body[400];
    char target[100] = "";
    if (to != NULL)
        snprintf(target, sizeof target, ",\"to\":%s", to);
    snprintf(body, sizeof body,
             "{\"kind\":\"%s\",\"from\":\"%s\",\"amount\":%s,\"currency\":\"ZAR\"%s}", kind,
             talk.stack->users[0].wallet, amount, target);
    return body;
}

static const char *wallet_of(int user)
{
    static char text[2][60];
    static int turn;
    char *out = text[turn++ % 2];
    snprintf(out, 60, "\"%s\"", talk.stack->users[user].wallet);
    return out;
}

/* The quote out of the last answer. */
static void hold_on(void)
{
    const char *at = strstr(talk.call.answer, "\"quote\":\"");
    assert_non_null(at);
    size_t length = strcspn(at + 9, "\"");
    assert_true(length < sizeof held);
    memcpy(held, at + 9, length);
    held[length] = '\0';
}

static void quote(const char *kind, const char *token, const char *to, const char *amount)
{
    assert_int_equal(talk_ask("POST", "/v1/quotes", token, NULL, members(kind, to, amount)), 201);
    hold_on();
}

/* A movement of 10.00 with the quote at hand. */
static const char *with_quote(const char *amount, const char *more)
{
    static char body[6000];
    snprintf(body, sizeof body,
             "{\"from\":\"%s\",\"amount\":%s,\"currency\":\"ZAR\",\"quote\":\"%s\"%s}",
             talk.stack->users[0].wallet, amount, held, more);
    return body;
}

static const char *to_wallet(int user)
{
    static char text[100];
    snprintf(text, sizeof text, ",\"to\":%s", wallet_of(user));
    return text;
}

static int move(const char *key)
{
    return talk_ask("POST", "/v1/transfers", talk.tokens[0], key, with_quote("1000", to_wallet(1)));
}

static void test_the_promised_price_counts(void **state)
{
    char bundle[80];
    char path[80];
    char key[40];
    static char first[4000];
    (void)state;
    quote("transfer", talk.tokens[0], wallet_of(1), "1000");
    assert_int_equal(talk_number("fee"), OLD_FEE);
    assert_int_equal(talk_number("total"), 1000 + OLD_FEE);
    assert_string_equal(talk_member("limits.pass"), "true");
    assert_string_equal(talk_member("pricing.lines.amount"), "250");
    snprintf(bundle, sizeof bundle, "%s", talk_member("pricing.bundle"));
    set_price(333);
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[0], talk_key(),
                              talk_transfer(0, 1, "1000", "")),
                     201);
    assert_int_equal(talk_number("fee"), 333);
    int64_t before = talk_balance(0);
    snprintf(key, sizeof key, "%s", talk_key());
    assert_int_equal(move(key), 201);
    assert_int_equal(talk_number("fee"), OLD_FEE);
    assert_string_equal(talk_member("pricing.bundle"), bundle);
    assert_string_equal(talk_member("pricing.rules"), "(an array)");
    assert_int_equal(talk_number("balance.posted"), before - 1000 - OLD_FEE);
    snprintf(first, sizeof first, "%s", talk.call.answer);
    snprintf(path, sizeof path, "/v1/transactions/%s", talk_member("id"));
    assert_int_equal(move(key), 201); /* byte for byte, though derived from what was stored */
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    assert_string_equal(talk.call.answer, first);
    assert_int_equal(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 200);
    assert_string_equal(talk.call.answer, first);
    assert_int_equal(move(talk_key()), 201); /* another one within the minute */
    assert_int_equal(talk_number("fee"), OLD_FEE);
    shell("test \"$(psql -XAt \"$MOOLAH_DATABASE\" -c \"select facts ~ 'own' and b.files like "
          "'%%version = 3%%' from transactions join rule_bundles b on b.hash = bundle order by "
          "transactions.id desc limit 1\")\" = t");
}

static void test_on_another_server(void **state)
{
    (void)state;
    set_price(250);
    quote("transfer", talk.tokens[0], wallet_of(1), "1000");
    set_price(444);
    struct client_call call = {0};
    assert_int_equal(client_do(other, &call, "POST", "/v1/transfers", talk.tokens[0], talk_key(),
                               with_quote("1000", to_wallet(1))),
                     201);
    assert_non_null(strstr(call.answer, "\"fee\":250,"));
    client_call_clear(&call);
}

/* Transfers, holds and withdrawals: what each is asked for with. */
static const struct way {
    const char *kind, *path;
    bool partner, to;
} ways[] = {{"transfer", "/v1/transfers", false, true},
            {"hold", "/v1/holds", false, true},
            {"withdrawal", "/v1/withdrawals", true, false}};

static int go(const struct way *way, const char *amount)
{
    return talk_ask("POST", way->path, way->partner ? talk.stack->partner_key : talk.tokens[0],
                    talk_key(),
                    with_quote(amount, way->to ? to_wallet(1) : ",\"reference\":\"q\""));
}

static void quote_for(const struct way *way)
{
    quote(way->kind, way->partner ? talk.stack->partner_key : talk.tokens[0],
          way->to ? wallet_of(1) : NULL, "1000");
}

static void expect_unfit(int status)
{
    talk_expect(status, 422, "validation_failed");
    assert_string_equal(talk_member("errors.pointer"), "/quote");
}

/* What the server would have sealed, had it been asked so long ago. */
static void change_expiry(int64_t expires_at)
{
    char path[200];
    char hex[65] = "";
    uint8_t secret[32];
    struct arena arena;
    struct quote quote;
    snprintf(path, sizeof path, "%s/secrets/secret_key", talk.stack->data);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(hex, 1, 64, file), 64);
    assert_int_equal(fclose(file), 0);
    for (int i = 0; i < 32; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        secret[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    arena_init(&arena);
    assert_true(quote_open(secret, slice_of(held), &arena, &quote));
    assert_true(quote.kind != 0);
    assert_true(quote.expires_at > clock_now());
    assert_true(quote.expires_at <= clock_now() + QUOTE_LIFETIME_US);
    quote.expires_at = expires_at;
    struct slice sealed = quote_seal(secret, &quote, &arena);
    snprintf(held, sizeof held, "%.*s", (int)sealed.length, sealed.at);
    arena_release(&arena);
}

static void test_for_its_movement_and_its_minute_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        quote_for(&ways[i]);
        int64_t fee = talk_number("fee");
        expect_unfit(go(&ways[i], "1001"));
        if (ways[i].to)
            expect_unfit(talk_ask("POST", ways[i].path, talk.tokens[0], talk_key(),
                                  with_quote("1000", to_wallet(2))));
        assert_int_equal(go(&ways[i], "1000"), 201);
        assert_int_equal(talk_number("fee"), fee);
        change_expiry(clock_now() - 1);
        talk_expect(go(&ways[i], "1000"), 422, "quote_expired");
        held[20] = held[20] == 'A' ? 'B' : 'A';
        expect_unfit(go(&ways[i], "1000"));
    }
    quote_for(&ways[0]);
    expect_unfit(go(&ways[1], "1000")); /* another kind */
    quote("hold", talk.stack->partner_key, wallet_of(1), "1000");
    expect_unfit(go(&ways[1], "1000")); /* another caller's, of the very same movement */
}

/* A key that has its answer keeps it, however long its quote has been over. */
static void test_the_key_outlives_its_quote(void **state)
{
    char key[40];
    static char first[4000];
    int status = 422;
    (void)state;
    int64_t end = 0;
    for (int64_t life = CLOCK_SECOND; status == 422 && life <= 32 * CLOCK_SECOND; life *= 2) {
        quote_for(&ways[0]);
        end = clock_now() + life;
        change_expiry(end);
        snprintf(key, sizeof key, "%s", talk_key());
        status = move(key);
    }
    assert_int_equal(status, 201);
    snprintf(first, sizeof first, "%s", talk.call.answer);
    while (clock_now() <= end)
        usleep(10000);
    talk_expect(move(talk_key()), 422, "quote_expired");
    assert_int_equal(move(key), 201);
    assert_string_equal(talk_header("idempotency-replayed"), "true");
    assert_string_equal(talk.call.answer, first);
}

static void test_limits_are_told_and_hold_anyway(void **state)
{
    (void)state;
    quote("transfer", talk.tokens[0], wallet_of(1), "1000000001"); /* over `single` */
    assert_string_equal(talk_member("limits.pass"), "false");
    assert_string_equal(talk_member("limits.code"), "limit_exceeded");
    assert_string_equal(talk_member("limits.which"), "single");
    assert_int_equal(talk_number("limits.limit"), 1000000000);
    talk_expect(go(&ways[0], "1000000001"), 422, "insufficient_funds");
    shell("sed 's/single = ZAR .*/rolling = { { window = \"10m\", count = 1 } },/' "
          "%s/rules/wallet.limit.lua >%s/.new && mv %s/.new %s/wallet.limit.lua",
          MOOLAH_SOURCE_DIR, folder, folder, folder);
    set_price(250);
    quote_for(&ways[0]); /* there were many within 10 minutes */
    assert_string_equal(talk_member("limits.pass"), "false");
    assert_string_equal(talk_member("limits.which"), "rolling_10m_count");
    assert_int_equal(talk_number("limits.limit"), 1);
    talk_expect(go(&ways[0], "1000"), 422, "limit_exceeded");
}

static void set_status(int user, int status)
{
    char statement[300];
    snprintf(statement, sizeof statement,
             "update accounts set status = %d where id = (select wallet from users where phone = "
             "'%s')",
             status, talk.stack->users[user].phone);
    talk_sql(statement);
}

static int ask(const char *body)
{
    return talk_ask("POST", "/v1/quotes", talk.tokens[0], NULL, body);
}

static void test_what_would_be_refused_has_no_quote(void **state)
{
    char body[300];
    char phone[60];
    (void)state;
    snprintf(phone, sizeof phone, "{\"phone\":\"%s\"}", talk.stack->users[1].phone);
    quote("transfer", talk.tokens[0], phone, "1000");
    assert_string_equal(talk_member("to"), talk.stack->users[1].wallet);
    talk_expect(ask(members("transfer", "{\"phone\":\"+27999999999\"}", "1")), 404,
                "recipient_not_found");
    talk_expect(talk_ask("POST", "/v1/quotes", talk.tokens[1], NULL,
                         members("transfer", wallet_of(1), "1")),
                404, "wallet_not_found");
    talk_expect(ask(members("transfer", wallet_of(0), "1")), 422, "same_wallet");
    snprintf(body, sizeof body,
             "{\"kind\":\"transfer\",\"from\":%s,\"to\":%s,\"amount\":1,\"currency\":\"USD\"}",
             wallet_of(0), wallet_of(1));
    talk_expect(ask(body), 422, "currency_mismatch");
    set_status(0, 2);
    talk_expect(ask(members("transfer", wallet_of(1), "1")), 422, "wallet_frozen");
    set_status(0, 3);
    talk_expect(ask(members("transfer", wallet_of(1), "1")), 422, "wallet_closed");
    set_status(0, 1);
    set_status(1, 3);
    talk_expect(ask(members("transfer", wallet_of(1), "1")), 422, "recipient_cannot_receive");
    set_status(1, 1);
}

static void test_malformed(void **state)
{
    (void)state;
    talk_expect(ask("{"), 400, "malformed_json");
    talk_expect(ask(members("deposit", wallet_of(1), "1")), 400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "/kind");
    talk_expect(ask(members("transfer", NULL, "1")), 400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "/to");
    talk_expect(ask(members("withdrawal", wallet_of(1), "1")), 400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "/to");
    talk_expect(talk_ask("POST", "/v1/quotes", talk.tokens[0], "a key with blanks",
                         members("transfer", wallet_of(1), "1")),
                400, "idempotency_key_invalid");
    talk_expect(
        talk_ask("POST", "/v1/quotes", "nobody", NULL, members("transfer", wallet_of(1), "1")), 401,
        "unauthenticated");
    struct client_call question = {.method = "POST",
                                   .path = "/v1/quotes",
                                   .token = talk.tokens[0],
                                   .type = "text/plain",
                                   .body = "{}"};
    talk_expect(talk_send(&question), 415, "unsupported_media_type");
    static char large[70000];
    memset(large, ' ', sizeof large - 1);
    talk_expect(ask(large), 413, "body_too_large");
    question = (struct client_call){.method = "POST",
                                    .path = "/v1/quotes",
                                    .token = talk.tokens[0],
                                    .key = talk_key(),
                                    .body = members("transfer", wallet_of(1), "1")};
    talk_extra(&question, "moolah-version", "2026-12-01");
    talk_extra(&question, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_int_equal(talk_send(&question), 201);
}

/* Whatever was priced by a quote: the ledger is whole, and every answer can be derived again. */
static void test_the_ledger_is_sound(void **state)
{
    (void)state;
    shell("$MOOLAH ledger verify >/dev/null");
}

static int begin(void **state)
{
    char command[300];
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(command, sizeof command, "chmod 755 %s; cp %s/rules/*.lua %s", folder,
             MOOLAH_SOURCE_DIR, folder);
    if (system(command) != 0 || !crypto_start()) /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
        return -1;
    if (talk_start_with(folder, state) != 0)
        return -1;
    second_start(&second, talk.stack, talk.stack->port + 4, 1, "");
    other = client_open(second.port, talk.stack->ca);
    return other == NULL ? -1 : 0;
}

static int end(void **state)
{
    char command[100];
    client_close(other);
    assert_int_equal(second_stop(&second), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
    return talk_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_promised_price_counts),
        cmocka_unit_test(test_on_another_server),
        cmocka_unit_test(test_for_its_movement_and_its_minute_only),
        cmocka_unit_test(test_the_key_outlives_its_quote),
        cmocka_unit_test(test_limits_are_told_and_hold_anyway),
        cmocka_unit_test(test_what_would_be_refused_has_no_quote),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_the_ledger_is_sound),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
