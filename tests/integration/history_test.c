/* What was: balances as of a moment, account statements, operators' search.
 *
 * Covers: server/api/show_balance.c server/api/show_statement.c server/api/search_transactions.c
 *     server/api/search_users.c server/api/archived.c server/store/history.c server/store/search.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* So many long ones at once would need more memory than a worker has for them: it makes some, the
 * others may ask again. */
static void many_at_once(const char *path)
{
    struct client_call calls[12];
    int made = 0;
    memset(calls, 0, sizeof calls);
    for (size_t i = 0; i < 12; i++) {
        calls[i] = (struct client_call){.method = "GET", .path = path, .token = talk.tokens[3]};
        assert_true(client_begin(talk.client, &calls[i]));
    }
    while (client_in_flight(talk.client) > 0)
        client_turn(&talk.client, 1, 1000);
    for (size_t i = 0; i < 12; i++) {
        assert_true(calls[i].done);
        made += calls[i].status == 200;
        if (calls[i].status != 200) {
            assert_int_equal(calls[i].status, 503);
            assert_non_null(strstr(calls[i].answer, "account statements"));
            assert_non_null(client_header(&calls[i], "retry-after"));
        }
        client_call_clear(&calls[i]);
    }
    assert_in_range(made, 1, 11);
    assert_int_equal(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 200);
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
    many_at_once(path);
    snprintf(path, sizeof path, "/v1/wallets/%s/statement?from=2020-01-01T00:00:00Z&format=html",
             talk.stack->users[3].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 200);
    fill(1);
    talk_expect(talk_ask("GET", path, talk.tokens[3], NULL, NULL), 400, "invalid_request");
    assert_string_equal(talk_member("errors.pointer"), "?from");
}

/* GET on the operators' listener, as an operator. */
static int search(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int search(const char *format, ...)
{
    static char path[600];
    char authorization[120];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.stack->operator_token);
    return talk_operator(path, authorization);
}

static int count_of(const char *member)
{
    int count = 0;
    for (const char *at = talk.call.answer; (at = strstr(at, member)) != NULL; at++)
        count++;
    return count;
}

/* All pages of a search: how many transactions they have. */
static int search_all(const char *query)
{
    char next[64] = "";
    int found = 0;
    for (int pages = 0; strcmp(next, "(null)") != 0; pages++) {
        assert_true(pages < 100);
        assert_int_equal(
            search("/v1/transactions?%s%s%s", query, next[0] == '\0' ? "" : "&after=", next), 200);
        found += count_of("\"id\":\"tx_");
        snprintf(next, sizeof next, "%s", talk_member("next"));
    }
    return found;
}

static void test_searching(void **state)
{
    char query[300];
    char user[40];
    (void)state;
    assert_int_equal(search("/v1/users?phone=%%2B%s", talk.stack->users[0].phone + 1), 200);
    assert_string_equal(talk_member("data.wallets.id"), talk.stack->users[0].wallet);
    snprintf(user, sizeof user, "%s", talk_member("data.user.id"));
    assert_int_equal(search("/v1/users?phone=%%2B27111111111"), 200);
    assert_string_equal(talk.call.answer, "{\"data\":[],\"next\":null}");

    /* the opening deposit, and what was moved */
    snprintf(query, sizeof query, "wallet=%s&limit=5", talk.stack->users[0].wallet);
    assert_int_equal(search_all(query), MOVES + 1);
    snprintf(query, sizeof query, "user=%s&limit=4", user);
    assert_int_equal(search_all(query), MOVES + 1);
    snprintf(query, sizeof query, "phone=%%2B%s&kind=transfer", talk.stack->users[0].phone + 1);
    assert_int_equal(search_all(query), MOVES);
    snprintf(query, sizeof query, "reference=inv%%203");
    assert_int_equal(search_all(query), 1);
    snprintf(query, sizeof query, "min_amount=1000&max_amount=1000&limit=7&kind=transfer");
    assert_int_equal(search_all(query), MOVES);
    snprintf(query, sizeof query, "wallet=%s&from=%s&to=%s", talk.stack->users[0].wallet,
             past[2].at, past[5].at);
    assert_in_range(search_all(query), 2, 4); /* ids tell milliseconds */
    assert_int_equal(search_all("phone=%2B27111111111"), 0);
    assert_int_equal(search_all("partner=par_01jb0000000000000000000000"), 0);
    assert_true(talk_logged("\"event\":\"operator_searched\".*\"id\":\"wal_"));
}

/* More than a page looks at: pages may be empty, and their `next` goes on. */
static void test_searching_far(void **state)
{
    char query[200];
    (void)state;
    snprintf(query, sizeof query, "wallet=%s&kind=transfer", talk.stack->users[3].wallet);
    assert_int_equal(search_all(query), 0);
    snprintf(query, sizeof query, "wallet=%s&min_amount=2", talk.stack->users[3].wallet);
    assert_int_equal(search_all(query), 1);
}

static void test_one_transaction_for_operators(void **state)
{
    char id[40];
    (void)state;
    assert_int_equal(search("/v1/transactions?reference=inv%%203"), 200);
    snprintf(id, sizeof id, "%s", talk_member("data.id"));
    assert_int_equal(search("/v1/transactions/%s", id), 200);
    assert_string_equal(talk_member("reference"), "inv 3");
    assert_memory_equal(talk_member("from_user"), "usr_", 4);
    assert_string_equal(talk_member("caller"), talk_member("from_user"));
    assert_string_equal(talk_member("balance"), "(absent)");
    talk_expect(search("/v1/transactions/tx_01jb0000000000000000000000"), 404,
                "transaction_not_found");
    talk_expect(search("/v1/transactions/%s?x=1", id), 400, "invalid_request");
    assert_true(talk_logged("\"event\":\"operator_saw\".*\"id\":\"tx_"));
}

static void test_who_may_search_what(void **state)
{
    static const char *const paths[] = {"/v1/users?phone=%2B27820000001", "/v1/transactions",
                                        "/v1/transactions/tx_01jb0000000000000000000000"};
    static const char *const bad[] = {
        "/v1/users",
        "/v1/users?phone=082",
        "/v1/users?phone=%2B27820000001&x=1",
        "/v1/transactions?from=2020-01-01T00:00:00Z",
        "/v1/transactions?from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z",
        "/v1/transactions?wallet=x",
        "/v1/transactions?user=x",
        "/v1/transactions?phone=x",
        "/v1/transactions?partner=x",
        "/v1/transactions?min_amount=-1",
        "/v1/transactions?max_amount=x",
        "/v1/transactions?kind=theft",
        "/v1/transactions?reference=",
        "/v1/transactions?after=x",
        "/v1/transactions?phone=%2B27820000001&wallet=wal_01jb0000000000000000000000"};
    char authorization[120];
    (void)state;
    snprintf(authorization, sizeof authorization, "Bearer %s", talk.tokens[0]);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        talk_expect(talk_operator(paths[i], NULL), 401, "unauthenticated");
        talk_expect(talk_operator(paths[i], authorization), 401, "unauthenticated");
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        talk_expect(search("%s", bad[i]), 400, "invalid_request");
    /* and not on the public listener */
    talk_expect(talk_ask("GET", "/v1/transactions", talk.tokens[0], NULL, NULL), 404, "not_found");
    talk_expect(talk_ask("GET", "/v1/users?phone=%2B27820000001", talk.tokens[0], NULL, NULL), 405,
                "method_not_allowed");
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
        cmocka_unit_test(test_searching),
        cmocka_unit_test(test_one_transaction_for_operators),
        cmocka_unit_test(test_who_may_search_what),
        cmocka_unit_test(test_long_statements),
        cmocka_unit_test(test_searching_far),
        cmocka_unit_test(test_ledger_verifies),
    };
    return cmocka_run_group_tests(tests, talk_start, talk_end);
}
