/* Account statements as CSV and HTML: whatever a customer has written into a note is a text in
 * both, and the sums are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/account_statement.h"
#include "store/wallets.h"

static const struct uuid wallet = {{0x01, 0x90, 1}};
static const struct uuid other = {{0x01, 0x90, 2}};
static const struct uuid system_account = {{0, 0, 0, 0, 0, 0, 0x80}};

static struct bytes out;
static struct account_statement statement;

static void begin(enum account_statement_format format, const char *currency_code)
{
    bytes_init(&out, NULL);
    statement = (struct account_statement){
        .format = format,
        .wallet = wallet,
        .label = SLICE("Main & <b>"),
        .owner = SLICE("O'Neil \"x\""),
        .currency = currency_parse(slice_of(currency_code)),
        .from = INT64_C(1764547200000000),
        .to = INT64_C(1767225600000000),
        .out = &out,
    };
}

static const char *text(void)
{
    bytes_add_char(&out, '\0');
    assert_false(out.failed);
    return out.at;
}

static struct wallets_transaction line_of(int64_t change, int64_t fee, int64_t after,
                                          const char *note)
{
    bool pays = change < 0;
    return (struct wallets_transaction){
        .id = {{0x01, 0x90, 9}},
        .kind = 2,
        .from = pays ? wallet : other,
        .to = pays ? other : wallet,
        .amount = pays ? -change - fee : change,
        .fee = fee,
        .note = slice_of(note),
        .created_at = INT64_C(1764633600123456),
        .change = change,
        .posted_after = after,
    };
}

static void add(int64_t change, int64_t fee, int64_t after, const char *note)
{
    struct wallets_transaction line = line_of(change, fee, after, note);
    assert_true(account_statement_line(&statement, &line));
}

#define HEADER \
    "Time (UTC),Transaction,Kind,Counterparty,Reference,Note,Currency,In,Out,Fee,Balance\r\n"

static void test_csv(void **state)
{
    (void)state;
    begin(ACCOUNT_STATEMENT_CSV, "ZAR");
    statement.opening = 100000;
    statement.closing = 90255;
    account_statement_begin(&statement);
    add(-10250, 250, 89750, "say \"hi\", twice");
    add(505, 0, 90255, "thanks");
    account_statement_end(&statement);
    assert_string_equal(
        text(), HEADER
        "2025-12-01T00:00:00.000000Z,,\"opening balance\",,\"\",\"\",ZAR,0.00,0.00,0.00,1000.00\r\n"
        "2025-12-02T00:00:00.123456Z,tx_01j04g00000000000000000000,\"transfer\","
        "wal_01j01000000000000000000000,\"\",\"say \"\"hi\"\", twice\",ZAR,0.00,100.00,2.50,897.50"
        "\r\n"
        "2025-12-02T00:00:00.123456Z,tx_01j04g00000000000000000000,\"transfer\","
        "wal_01j01000000000000000000000,\"\",\"thanks\",ZAR,5.05,0.00,0.00,902.55\r\n"
        "2026-01-01T00:00:00.000000Z,,\"closing balance\",,\"\",\"\",ZAR,5.05,100.00,2.50,902.55"
        "\r\n");
    bytes_release(&out);
}

/* No cell of a customer's begins like a formula, and none ends before its end. */
static void test_no_note_is_a_formula(void **state)
{
    static const char *const notes[][2] = {{"=1+1", "\"'=1+1\""}, {"+27", "\"'+27\""},
                                           {"-1", "\"'-1\""},     {"@SUM(A1)", "\"'@SUM(A1)\""},
                                           {"\t=1", "\"'\t=1\""}, {"\r=1", "\"'\r=1\""},
                                           {"a=1", "\"a=1\""},    {"\",=1,\"", "\"\"\",=1,\"\"\""},
                                           {"", "\"\""}};
    (void)state;
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        char wanted[64];
        begin(ACCOUNT_STATEMENT_CSV, "ZAR");
        account_statement_begin(&statement);
        struct wallets_transaction line = line_of(1, 0, 1, notes[i][0]);
        line.reference = line.note;
        assert_true(account_statement_line(&statement, &line));
        snprintf(wanted, sizeof wanted, ",%s,%s,ZAR,", notes[i][1], notes[i][1]);
        if (strstr(text(), wanted) == NULL)
            fail_msg("no %s in %s", wanted, out.at);
        bytes_release(&out);
    }
}

static void test_html(void **state)
{
    (void)state;
    begin(ACCOUNT_STATEMENT_HTML, "ZAR");
    statement.opening = 0;
    statement.closing = 123456789;
    statement.held = 56789;
    account_statement_begin(&statement);
    add(123456789, 0, 123456789, "<script>alert('x')</script>&\"");
    account_statement_end(&statement);
    const char *page = text();
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "http"));
    assert_non_null(
        strstr(page, "<td>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;</td>"));
    assert_non_null(strstr(page, "O&#39;Neil &quot;x&quot; &middot; Main &amp; &lt;b&gt;"));
    assert_non_null(strstr(page, "2025-12-01 00:00:00 to 2026-01-01 00:00:00 UTC"));
    assert_non_null(strstr(page, "1\xc2\xa0"
                                 "234\xc2\xa0"
                                 "567.89"));
    assert_non_null(strstr(page, "Available at the end: 1\xc2\xa0"
                                 "234\xc2\xa0"
                                 "000.00 (held: 567.89)"));
    /* what is repeated on every sheet says whose it is */
    assert_true(strstr(page, "O&#39;Neil") > strstr(page, "<thead>"));
    assert_true(strstr(page, "O&#39;Neil") < strstr(page, "</thead>"));
    assert_non_null(strstr(page, "@page{"));
    bytes_release(&out);
}

static void test_digits_are_the_currencys(void **state)
{
    static const struct {
        const char *currency;
        int64_t balance;
        const char *text;
    } all[] = {{"JPY", 1234, ",1234\r\n"}, {"KWD", 1234, ",1.234\r\n"},
               {"ZAR", 5, ",0.05\r\n"},    {"ZAR", -5, ",-0.05\r\n"},
               {"JPY", 0, ",0\r\n"},       {"KWD", -1234567, ",-1234.567\r\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        begin(ACCOUNT_STATEMENT_CSV, all[i].currency);
        statement.opening = statement.closing = all[i].balance;
        account_statement_begin(&statement);
        account_statement_end(&statement);
        const char *said = text();
        assert_string_equal(said + strlen(said) - strlen(all[i].text), all[i].text);
        bytes_release(&out);
    }
}

/* A deposit comes from the system; what only holds money changes nothing; and a line that doesn't
 * follow the one before is not written. */
static void test_lines(void **state)
{
    (void)state;
    begin(ACCOUNT_STATEMENT_CSV, "ZAR");
    account_statement_begin(&statement);
    struct wallets_transaction line = line_of(700, 0, 700, "");
    line.kind = 1;
    line.from = system_account;
    assert_true(account_statement_line(&statement, &line));
    line = line_of(0, 0, 700, "held");
    line.from = wallet;
    assert_true(account_statement_line(&statement, &line));
    size_t length = out.length;
    line = line_of(-1, 0, 700, "");
    assert_false(account_statement_line(&statement, &line));
    assert_int_equal(out.length, length);
    assert_int_equal(statement.balance, 700);
    assert_int_equal(statement.in, 700);
    assert_int_equal(statement.went, 0);
    assert_non_null(strstr(text(), "\"deposit\",,"));
    bytes_release(&out);
}

/* Out of room it is said, and the document isn't used. */
static void test_a_full_document(void **state)
{
    (void)state;
    begin(ACCOUNT_STATEMENT_HTML, "ZAR");
    out.limit = 600;
    statement.closing = 1;
    account_statement_begin(&statement);
    add(1, 0, 1, "");
    account_statement_end(&statement);
    assert_true(out.failed);
    bytes_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),   cmocka_unit_test(test_no_note_is_a_formula),
        cmocka_unit_test(test_html),  cmocka_unit_test(test_digits_are_the_currencys),
        cmocka_unit_test(test_lines), cmocka_unit_test(test_a_full_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
