/* What was: balances as of a moment, account statements, operators' search.
 *
 * Covers: server/api/show_balance.c server/api/show_statement.c server/store/history.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/talk.h"

enum { MOVES = 12 };

static struct {
    char at[40]; /* created_at */
    int64_t posted, version;
} past[MOVES];

static int64_t opening; /* user 0's balance before */

static int ask(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* GET below user 0's wallet, as user 0. */
static int ask(const char *format, ...)
{
    static char path[600];
    va_list arguments;
    int length = snprintf(path, sizeof path, "/v1/wallets/%s/", talk.stack->users[0].wallet);
    va_start(arguments, format);
    vsnprintf(path + length, sizeof path - (size_t)length, format, arguments);
    va_end(arguments);
    return talk_ask("GET", path, talk.tokens[0], NULL, NULL);
}

static void move(int i)
{
    int from = i % 3 == 2 ? 1 : 0;
    char more[160];
    snprintf(more, sizeof more, ",\"note\":\"%s\",\"reference\":\"inv %d\"",
             i % 2 == 0 ? "=cmd|'/c calc'!A0" : "<b>&\\\"bold\\\"", i);
    assert_int_equal(talk_ask("POST", "/v1/transfers", talk.tokens[from], talk_key(),
                              talk_transfer(from, 1 - from, "1000", more)),
                     201);
    snprintf(past[i].at, sizeof past[i].at, "%s", talk_member("created_at"));
    assert_int_equal(ask("balance"), 200);
    assert_string_equal(talk_member("at"), "(null)");
    past[i].posted = talk_number("balance.posted");
    past[i].version = talk_number("version");
}

static void before(const char *at, int64_t microseconds, char out[CLOCK_TEXT_MAX])
{
    int64_t moment = 0;
    assert_true(clock_parse(slice_of(at), &moment));
    clock_format(moment - microseconds, out);
}

static void test_balances_of_the_past(void **state)
{
    char moment[CLOCK_TEXT_MAX];
    (void)state;
    opening = talk_balance(0);
    for (int i = 0; i < MOVES; i++)
        move(i);
    for (int i = 0; i < MOVES; i++) {
        assert_int_equal(ask("balance?at=%s", past[i].at), 200);
        assert_string_equal(talk_member("at"), past[i].at);
        assert_int_equal(talk_number("balance.posted"), past[i].posted);
        assert_int_equal(talk_number("balance.available"), past[i].posted);
        assert_int_equal(talk_number("version"), past[i].version);
        before(past[i].at, 1, moment); /* a microsecond before, it isn't */
        assert_int_equal(ask("balance?at=%s", moment), 200);
        assert_int_equal(talk_number("balance.posted"), i == 0 ? opening : past[i - 1].posted);
    }
    assert_int_equal(ask("balance?at=2020-01-01T00:00:00Z"), 200);
    assert_int_equal(talk_number("balance.posted"), 0);
    assert_int_equal(talk_number("version"), 0);
    assert_int_equal(ask("balance?at=1969-01-01T00:00:00Z"), 200);
    assert_int_equal(talk_number("version"), 0);
}

static void test_what_no_balance_is_told_for(void **state)
{
    char path[200];
    (void)state;
    static const char *const bad[] = {"at=2999-01-01T00:00:00Z", "at=yesterday", "at=", "limit=3",
                                      "at=2020-01-01T00:00:00Z&at=2020-01-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        talk_expect(ask("balance?%s", bad[i]), 400, "invalid_request");
    snprintf(path, sizeof path, "/v1/wallets/%s/balance?at=2020-01-01T00:00:00Z",
             talk.stack->users[1].wallet);
    talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 404, "wallet_not_found");
    talk_expect(talk_ask("GET", path, NULL, NULL, NULL), 401, "unauthenticated");
    talk_expect(talk_ask("GET", path, talk.stack->partner_key, NULL, NULL), 403, "forbidden");
    talk_expect(talk_ask("GET", "/v1/wallets/x/balance", talk.tokens[0], NULL, NULL), 404,
                "wallet_not_found");
}

static int lines_of(const char *text)
{
    int lines = 0;
    for (; (text = strstr(text, "\r\n")) != NULL; text += 2)
        lines++;
    return lines;
}

static void test_statements(void **state)
{
    char wanted[200];
    (void)state;
    assert_int_equal(ask("statement?from=%s&format=csv", past[0].at), 200);
    assert_string_equal(talk_header("content-type"), "text/csv; charset=utf-8; header=present");
    const char *csv = talk.call.answer;
    assert_int_equal(lines_of(csv), MOVES + 3);
    snprintf(wanted, sizeof wanted,
             "%s,,\"opening balance\",,\"\",\"\",ZAR,0.00,0.00,0.00,%lld.%02d", past[0].at,
             (long long)opening / 100, (int)(opening % 100));
    assert_non_null(strstr(csv, wanted));
    /* 8 sent, 4 received; the fee is what is missing */
    int64_t fees = opening - 8000 + 4000 - past[MOVES - 1].posted;
    snprintf(wanted, sizeof wanted, "ZAR,40.00,80.00,%lld.%02d,%lld.%02d\r\n",
             (long long)fees / 100, (int)(fees % 100), (long long)past[MOVES - 1].posted / 100,
             (int)(past[MOVES - 1].posted % 100));
    assert_string_equal(csv + strlen(csv) - strlen(wanted), wanted);
    assert_non_null(strstr(csv, "\"'=cmd|'/c calc'!A0\""));
    assert_non_null(strstr(csv, "\"<b>&\"\"bold\"\"\""));

    /* from is part of it, to isn't */
    assert_int_equal(ask("statement?from=%s&to=%s&format=csv", past[2].at, past[5].at), 200);
    assert_int_equal(lines_of(talk.call.answer), 3 + 3);
    assert_int_equal(ask("statement?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z"), 200);
    assert_int_equal(lines_of(talk.call.answer), 3);

    assert_int_equal(ask("statement?from=%s&format=html", past[0].at), 200);
    assert_string_equal(talk_header("content-type"), "text/html; charset=utf-8");
    assert_non_null(talk_header("content-security-policy"));
    assert_null(strstr(talk.call.answer, "<b>"));
    assert_non_null(strstr(talk.call.answer, "&lt;b&gt;&amp;&quot;bold&quot;"));
}

static void test_which_format(void **state)
{
    static const char *const accepts[][2] = {
        {"text/html,application/xhtml+xml,*/*;q=0.8", "text/html"},
        {"text/csv", "text/csv"},
        {"text/csv, text/html", "text/csv"},
        {"*/*", "text/csv"}};
    char path[200];
    (void)state;
    snprintf(path, sizeof path, "/v1/wallets/%s/statement?from=%s", talk.stack->users[0].wallet,
             past[0].at);
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        struct client_call question = {.method = "GET", .path = path, .token = talk.tokens[0]};
        talk_extra(&question, "accept", accepts[i][0]);
        assert_int_equal(talk_send(&question), 200);
        assert_memory_equal(talk_header("content-type"), accepts[i][1], strlen(accepts[i][1]));
    }
}

static void test_what_no_statement_is_told_for(void **state)
{
    static const struct {
        const char *query;
        const char *pointer;
    } bad[] = {{"", "?from"},
               {"?from=2020-01-01", "?from"},
               {"?from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z", "?from"},
               {"?from=2020-01-02T00:00:00Z&to=2020-01-02T00:00:00Z", "?from"},
               {"?from=2020-01-02T00:00:00Z&to=2999-01-02T00:00:00Z", "?to"},
               {"?from=2020-01-02T00:00:00Z&format=pdf", "?format"},
               {"?from=2020-01-02T00:00:00Z&after=x", "?"}};
    char path[200];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        talk_expect(ask("statement%s", bad[i].query), 400, "invalid_request");
        assert_string_equal(talk_member("errors.pointer"), bad[i].pointer);
    }
    snprintf(path, sizeof path, "/v1/wallets/%s/statement?from=2020-01-01T00:00:00Z",
             talk.stack->users[1].wallet);
    talk_expect(talk_ask("GET", path, talk.tokens[0], NULL, NULL), 404, "wallet_not_found");
    talk_expect(talk_ask("GET", path, NULL, NULL, NULL), 401, "unauthenticated");
    talk_expect(talk_ask("GET", path, talk.stack->partner_key, NULL, NULL), 403, "forbidden");
}

/* User 3's wallet with so many lines of 1 more, in one stroke. */
static void fill(int lines)
{
    char sql[3000];
    snprintf(
        sql, sizeof sql,
        "with w as (select w.id, a.posted, a.version, a.currency, s.id as s, s.posted as sp, "
        "s.version as sv, w.owner from users u join wallets w on w.id = u.wallet join accounts "
        "a on a.id = w.id join lateral (select * from accounts where kind = 3 and currency = "
        "a.currency and version > 0 order by id limit 1) s on true where u.phone = '%s'), "
        "ids as (select i, (substr(uuid_floor(now())::text, 1, 14) || '7' || "
        "lpad(to_hex(i %% 4096), 3, '0') || '-8000-' || lpad(to_hex(i), 12, '0'))::uuid as id "
        "from generate_series(1, %d) i), "
        "t as (insert into transactions (id, kind, currency, amount, fee, from_account, "
        "to_account, from_version, to_version, caller, trace_id, created_at) select ids.id, 1, "
        "currency, 1, 0, s, w.id, sv + i, version + i, owner, '', now() from w, ids), "
        "p as (insert into postings (account, version, transaction_id, amount, posted_after, "
        "held_after) select w.id, version + i, ids.id, 1, posted + i, 0 from w, ids union all "
        "select s, sv + i, ids.id, -1, sp - i, 0 from w, ids), "
        "k as (insert into idempotency (caller, key, request_hash, status, transaction_id, "
        "created_at) select owner, 'fill-' || ids.id, sha256('x'), 201, ids.id, now() from w, "
        "ids), a as (update accounts set posted = accounts.posted - %d, version = "
        "accounts.version + %d from w where accounts.id = s) "
        "update accounts set posted = accounts.posted + %d, version = accounts.version + %d "
        "from w where accounts.id = w.id",
        talk.stack->users[3].phone, lines, lines, lines, lines, lines);
    talk_sql(sql);
}

static void test_long_statements(void **state)
{
    char path[200];
    (void)state;
    int64_t first = 1; /* the opening deposit */
    fill(10000 - (int)first);
    snprintf(path, sizeof path, "/v1/wallets/%s/statement?from=2020-01-01T00:00:00Z",
             talk.stack->users[3].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 200);
    assert_int_equal(lines_of(talk.call.answer), 10000 + 3);
    snprintf(path, sizeof path, "/v1/wallets/%s/statement?from=2020-01-01T00:00:00Z&format=html",
             talk.stack->users[3].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 200);
    fill(1);
    talk_expect(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "?from");
}

static void test_ledger_verifies(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(talk.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balances_of_the_past),
        cmocka_unit_test(test_what_no_balance_is_told_for),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_which_format),
        cmocka_unit_test(test_what_no_statement_is_told_for),
        cmocka_unit_test(test_long_statements),
        cmocka_unit_test(test_ledger_verifies),
    };
    return cmocka_run_group_tests(tests, talk_start, talk_end);
}
