/* Files of tests, and what is told of them.
 *
 * Covers: scripting/rule_test_case.c scripting/rule_test_fee.c scripting/rule_test_limit.c
 *         scripting/rule_test_sale.c scripting/rule_test_words.c scripting/rule_coverage.c */
#include "scripting/rule_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/zone.h"
#include "scripting/rule_coverage.h"
#include "tests/unit/scripting/folder.h"

static struct folder folder;
static struct bundle *bundle;
static struct arena arena;
static struct rule_coverage coverage;
static struct rule_test_result result;

static const char fees[] =
    "return fee { id = 'send', version = 7, owner = 'x', rounding = 'up', cap = ZAR '20.00', "
    "applies = { kind = 'transfer', currency = 'ZAR', own = false, tiers = { 0, 1, 2 } }, "
    "slabs = { { upto = ZAR '10.00', flat = ZAR '1.00' }, "
    "{ upto = ZAR '500.00', flat = ZAR '2.00' }, { rate = pct '1' } } }";
static const char graduated[] =
    "return fee { id = 'hold', version = 1, owner = 'x', rounding = 'up', mode = 'graduated', "
    "effective = { to = '2026-12-01 00:00', zone = 'Africa/Johannesburg' }, "
    "applies = { kind = 'hold', currency = 'ZAR' }, slabs = { { upto = ZAR '10.00', flat = ZAR "
    "'1.00' }, { upto = ZAR '20.00', flat = ZAR '1.00' }, { flat = ZAR '1.00' } } }";
static const char limits[] =
    "local t = { single = ZAR '100.00', daily = ZAR '150.00', daily_count = 3, weekly = ZAR "
    "'400.00', balance = ZAR '500.00', rolling = { { window = '10m', count = 2 } } } "
    "return limit { id = 'cap', version = 1, owner = 'x', currency = 'ZAR', "
    "kinds = { 'transfer', 'hold' }, tiers = { [0] = t, [1] = t, [2] = {}, [3] = {} } }";
static const char product[] =
    "return product { id = 'data.1gb', version = 1, owner = 'x', name = '1 GB', supplier = 'net', "
    "currency = 'ZAR', denominations = { ZAR '50.00', ZAR '99.00' }, fields = { { name = 'phone', "
    "label = 'Phone', kind = 'digits', min = 10, max = 10 } } }";

static int begin(void **state)
{
    struct bundle_report report;

    (void)state;
    if (zone_open() != NULL)
        return 1;
    folder_make(&folder);
    folder_put(&folder, "send.fee.lua", fees);
    folder_put(&folder, "hold.fee.lua", graduated);
    folder_put(&folder, "cap.limit.lua", limits);
    folder_put(&folder, "data.product.lua", product);
    bundle = bundle_load(folder.path, &report);
    arena_init(&arena);
    return bundle == NULL;
}

static int end(void **state)
{
    (void)state;
    bundle_release(bundle);
    arena_release(&arena);
    folder_remove(&folder);
    return 0;
}

static void run(const char *tests)
{
    folder_put(&folder, "send.fee_test.lua", tests);
    assert_true(rule_coverage_init(&coverage, bundle, &arena));
    rule_test_run(folder.path, bundle, &coverage, &result);
    assert_int_equal(result.good, result.report.count == 0);
}

/* One line of Lua between the braces of tests { }, on line 2. `told`: part of what is found. */
struct one {
    const char *test;
    const char *told; /* NULL: it passes */
};

static void judge(const struct one *ones, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[2000];

        snprintf(text, sizeof text, "return tests {\n%s }", ones[i].test);
        run(text);

        const struct bundle_finding *first = &result.report.findings[0];
        bool right = ones[i].told == NULL
                         ? result.good && result.passed == 1
                         : !result.good && strstr(first->message, ones[i].told) != NULL &&
                               first->line == 2 && first->column > 0 && result.failed == 1;

        if (!right)
            fail_msg("%s: %zu:%d: %s", ones[i].test, result.report.count, first->line,
                     first->message);
    }
}

static void test_examples(void **state)
{
    (void)state;
    static const struct one ones[] = {
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', fee = ZAR '1.00' }", NULL},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.01', fee = ZAR '2.00' }", NULL},
        {"example { 'a', kind = 'transfer', amount = ZAR '9000.00', tier = 2, fee = ZAR '20.00' }",
         NULL},
        {"example { 'a', kind = 'hold', amount = ZAR '15.00', lines = { fee = ZAR '2.00' } }",
         NULL},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', tier = 3, refused = true }",
         NULL},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', own = true, "
         "refused = 'no rule applies' }",
         NULL},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', refused = false, fee = ZAR '1' }",
         NULL},
        {"example { 'a', kind = 'hold', amount = ZAR '15.00', at = '2026-11-30 23:59', fee = ZAR "
         "'2.00' }",
         NULL},
        {"example { 'a', kind = 'hold', amount = ZAR '15.00', at = '2026-12-01 00:00', refused = "
         "'no rule applies' }",
         NULL},
        {"example { 'a', kind = 'hold', amount = ZAR '15.00', at = 'noon', refused = true }",
         "at is a moment like"},
        {"example { 'the name', kind = 'transfer', amount = ZAR '10.00', fee = ZAR '1.01' }",
         "'the name': fee is ZAR 1.00, expected ZAR 1.01"},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', tier = 3, fee = ZAR '1.00' }",
         "refused: no rule applies"},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', refused = true }",
         "costs ZAR 1.00, expected to be refused"},
        {"example { 'a', kind = 'transfer', amount = ZAR '0.50', refused = 'no rule' }",
         "refused for another reason: the fee is more than the amount"},
        {"example { 'a', kind = 'hold', amount = ZAR '15.00', lines = { vat = ZAR '2.00' } }",
         "there is no line vat, expected ZAR 2.00"},
        {"example { 'a', kind = 'hold', amount = ZAR '15.00', lines = {} }",
         "there are 1 lines, expected 0"},
        {"example { 'a', kind = 'hold', amount = ZAR '15.00', lines = 5 }", "lines is a table"},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00' }", "say what is expected"},
        {"example { 'a', kind = 'transfer', amount = 10, fee = ZAR '1.00' }",
         "amount must be an amount"},
        {"example { 'a', kind = 'transfer', fee = ZAR '1.00' }", "amount must be above zero"},
        {"example { 'a', kind = 'transfer', amount = ZAR '0.00', fee = ZAR '1.00' }",
         "amount must be above zero"},
        {"example { 'a', kind = 'transfer', amount = ZAR '10', fee = JPY '1' }",
         "fee is in JPY, the rule in ZAR"},
        {"example { 'a', amount = ZAR '10.00', fee = ZAR '1.00' }", "kind must be a text"},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', fee = ZAR '1.00', tire = 1 }",
         "unknown key 'tire'; did you mean 'tier'?"},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', fee = ZAR '1.00', tier = 4 }",
         "tier is an integer from 0 to 3"},
        {"example { 'a', 'b', kind = 'transfer', amount = ZAR '10.00', fee = ZAR '1.00' }",
         "only the name stands without a key"},
        {"example { 'a', kind = 'transfer', amount = ZAR '10.00', refused = 5 }",
         "refused is true, or a text"},
    };

    judge(ones, sizeof ones / sizeof ones[0]);
}

#define SEND "property { 'a', kind = 'transfer', tiers = { 0, 1, 2 }, "
#define FULL "amount = { ZAR '1.00', ZAR '90000.00' }, "

static void test_properties(void **state)
{
    (void)state;
    static const struct one ones[] = {
        {SEND FULL "check = function(tx, q) return q.total <= 2000 and q.fee == q.total end }",
         NULL},
        {SEND FULL "check = function(tx, q) return tx.amount > 1000 or q.total == 100 end }", NULL},
        {"property { 'a', kind = 'transfer', tier = 2, " FULL
         "check = function(tx) return tx.tier == 2 and tx.kind == 'transfer' and tx.currency == "
         "'ZAR' and not tx.own end }",
         NULL},
        {"property { 'a', kind = 'transfer', may_refuse = true, " FULL
         "check = function(tx) return tx.tier < 3 end }",
         NULL},
        /* the smallest amount that fails: at a border, between two, right at the first */
        {SEND FULL "check = function(tx, q) return q.total < 200 end }",
         "'a': fails from ZAR 10.01 on, tier 0: it costs ZAR 2.00"},
        {SEND FULL "check = function(tx, q) return q.total <= 1234 end }",
         "fails from ZAR 1234.01 on, tier 0: it costs ZAR 12.35"},
        {SEND FULL "check = function(tx, q) return tx.tier < 2 or tx.amount ~= 50001 end }",
         "fails from ZAR 500.01 on, tier 2"},
        {SEND "amount = { ZAR '0.99', ZAR '5.00' }, check = function() return true end }",
         "fails from ZAR 0.99 on, tier 0: refused: the fee is more than the amount"},
        {"property { 'a', kind = 'transfer', " FULL "check = function() return true end }",
         "fails from ZAR 1.00 on, tier 3: refused: no rule applies"},
        {SEND FULL "check = function(tx, q) return q.nothing < 5 end }",
         "line 2, check: attempt to compare"},
        {SEND FULL "check = function(tx, q) while true do end end }", "the rule used up its"},
        {SEND FULL "check = function(tx, q) error({}) end }", "error object is no string"},
        {SEND FULL "check = function(tx, q) return 5 end }", "check must return true or false"},
        {SEND FULL "check = 5 }", "check is a function"},
        {SEND "amount = ZAR '5.00', check = function() return true end }", "amount is a range"},
        {SEND "amount = { ZAR '5.00', ZAR '4.00' }, check = function() return true end }",
         "amount is a range"},
        {"property { 'a', kind = 'transfer', tiers = { 4 }, " FULL
         "check = function() return true end }",
         "tiers must be a list"},
    };

    judge(ones, sizeof ones / sizeof ones[0]);
}

static void test_sequences(void **state)
{
    (void)state;
    static const struct one ones[] = {
        {"sequence { 'a', { send = ZAR '100.00' }, { send = ZAR '50.00' }, "
         "{ send = ZAR '0.01', refused = 'daily' } }",
         NULL},
        {"sequence { 'a', { send = ZAR '100.00' }, { send = ZAR '50.01', refused = true } }", NULL},
        {"sequence { 'a', { send = ZAR '100.01', refused = 'single' } }", NULL},
        {"sequence { 'a', tier = 2, { send = ZAR '100000.01', times = 5000 } }", NULL},
        {"sequence { 'a', { send = ZAR '1', times = 2 }, { send = ZAR '1', refused = "
         "'rolling_10m_count' }, { send = ZAR '1', after = '10m' }, { send = ZAR '1', after = "
         "'11m', refused = 'daily_count' }, { send = ZAR '1', after = '24h' } }",
         NULL},
        {"sequence { 'a', { send = ZAR '100' }, { send = ZAR '100', after = '1d' }, { send = ZAR "
         "'100', after = '1d' }, { send = ZAR '100', after = '1d' }, { send = ZAR '1', after = "
         "'86400s', refused = 'weekly' }, { send = ZAR '1', after = '3d' } }",
         NULL},
        {"sequence { 'a', { receive = ZAR '500' }, { receive = ZAR '0.01', refused = 'balance' }, "
         "{ send = ZAR '1', kind = 'hold' }, { receive = ZAR '1' } }",
         NULL},
        {"sequence { 'a', { send = ZAR '100000', kind = 'withdrawal' } }", NULL},
        {"sequence { 'a', { send = ZAR '100.00' }, { send = ZAR '50.01' } }",
         "'a': movement 2 is refused: daily of cap@1 is ZAR 150.00, used are ZAR 100.00"},
        {"sequence { 'a', { send = ZAR '1', times = 3 } }",
         "movement 1 is refused: rolling_10m_count of cap@1 is 2, used are 2"},
        {"sequence { 'a', { send = ZAR '1.00', refused = true } }",
         "movement 1 passes, expected to be refused"},
        {"sequence { 'a', { send = ZAR '100.01', refused = 'daily' } }",
         "movement 1 is refused by single, expected daily"},
        {"sequence { 'a' }", "a sequence has movements"},
        {"sequence { 'a', 5 }", "a movement is a table"},
        {"sequence { 'a', { send = ZAR '1', receive = ZAR '1' } }", "either send or receive"},
        {"sequence { 'a', { } }", "either send or receive"},
        {"sequence { 'a', { send = ZAR '0' } }", "send must be above zero"},
        {"sequence { 'a', { send = ZAR '1', kind = 'gift' } }", "kind is \"transfer\""},
        {"sequence { 'a', { send = ZAR '1', after = '1w' } }", "after is a time"},
        {"sequence { 'a', { send = ZAR '1', after = '401d' } }", "after is a time"},
        {"sequence { 'a', { send = ZAR '1', times = 10001 } }", "times must be an integer"},
        {"sequence { 'a', { sent = ZAR '1' } }", "did you mean 'send'?"},
    };

    judge(ones, sizeof ones / sizeof ones[0]);
}

#define DATA "sale { 'a', product = 'data.1gb', "
#define PHONE "fields = { phone = '0821234567' } "

static void test_sales(void **state)
{
    (void)state;
    static const struct one ones[] = {
        {DATA "price = ZAR '50.00', " PHONE "}", NULL},
        {DATA "price = ZAR '60.00', refused = 'price', " PHONE "}", NULL},
        {DATA "price = JPY '5000', refused = 'price', " PHONE "}", NULL},
        {DATA "price = ZAR '99.00', refused = 'phone' }", NULL},
        {DATA "price = ZAR '99.00', refused = 'phone', fields = { phone = 821234567 } }", NULL},
        {DATA "price = ZAR '60.00', " PHONE "}", "'a': is refused: price"},
        {DATA "price = ZAR '50.00', refused = true, " PHONE "}", "is sold, expected to be refused"},
        {DATA "price = ZAR '60.00', refused = 'phone', " PHONE "}",
         "is refused by price, expected phone"},
        {DATA "price = ZAR '50.00', fields = { phone = '0821234567', meter = '1' } }",
         "data.1gb has no field 'meter'"},
        {DATA PHONE "}", "price must be an amount"},
        {"sale { 'a', product = 'data.2gb', price = ZAR '50.00' }",
         "there is no product 'data.2gb'; did you mean 'data.1gb'?"},
        {"sale { 'a', price = ZAR '50.00' }", "product must be a text"},
    };

    judge(ones, sizeof ones / sizeof ones[0]);
}

/* Files that make no sense. */
static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *told;
    } files[] = {
        {"return {}", 1, "the file must end in: return tests"},
        {"", 1, "the file must end in: return tests"},
        {"return tests {}", 1, "holds no test"},
        {"return tests { { 'a' } }", 1, "nothing else"},
        {"return tests { { word = 0, line = 1, name = 'a', from = {}, items = {} } }", 1,
         "nothing else"},
        {"local e = example { 'a' } e.from = nil return tests { e }", 1, "it was changed after"},
        {"return tests(5)", 1, "tests wants a table"},
        {"\nreturn tests {\nexample { kind = 'x' } }", 3, "begins with its name"},
        {"return tests {\n", 2, "expected"},
        {"while true do end", 1, "used up its"},
        {"x = 1", 1, "rules keep no state"},
        {"\0", 0, NULL},
        {"local s = 'x' while true do s = s .. s end", 0, "not enough memory"},
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        run(files[i].text);

        const struct bundle_finding *first = &result.report.findings[0];

        assert_false(result.good);
        assert_string_equal(first->file, "send.fee_test.lua");
        if (files[i].told != NULL && strstr(first->message, files[i].told) == NULL)
            fail_msg("%s: %s", files[i].text, first->message);
        if (files[i].line > 0)
            assert_int_equal(first->line, files[i].line);
    }
    /* without its rule; a link; no folder */
    run("return tests { example { 'a', kind = 'x', amount = ZAR '1', refused = true } }");
    assert_true(result.good);
    folder_put(&folder, "sent.fee_test.lua", "return tests { sale { 'a' } }");
    rule_test_run(folder.path, bundle, &coverage, &result);
    assert_int_equal(result.files, 2);
    assert_string_equal(result.report.findings[0].message,
                        "there is no sent.fee.lua beside it, which it tests");
    unlink(folder_file(&folder, "sent.fee_test.lua"));
    assert_int_equal(symlink("send.fee_test.lua", folder_file(&folder, "hold.fee_test.lua")), 0);
    rule_test_run(folder.path, bundle, &coverage, &result);
    assert_false(result.good);
    assert_non_null(strstr(result.report.findings[0].message, "links are not followed"));
    unlink(folder_file(&folder, "hold.fee_test.lua"));
    rule_test_run("/nowhere", bundle, &coverage, &result);
    assert_false(result.good);
    assert_int_equal(result.files, 0);
}

/* The words of tests are none of rule files: what those may say stays. */
static void test_rules_have_no_tests(void **state)
{
    (void)state;
    struct folder other;
    struct bundle_report report;

    folder_make(&other);
    folder_put(&other, "x.fee.lua", "return tests { }");
    assert_null(bundle_load(other.path, &report));
    assert_string_equal(report.findings[0].message, "'tests' is not a word of rule files");
    folder_remove(&other);
}

static void expect_reached(const char *wanted)
{
    char text[500] = "";

    for (size_t i = 0; i < coverage.count; i++)
        if (coverage.parts[i].hits > 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s; ",
                     coverage.parts[i].rule, coverage.parts[i].name);
    assert_string_equal(text, wanted);
}

static void test_coverage(void **state)
{
    (void)state;
    size_t reached;

    run("return tests { example { 'a', kind = 'transfer', amount = ZAR '10.00', fee = ZAR '1' } }");
    expect_reached("send@7 slab 1; ");
    assert_int_equal(coverage.count, 3 + 3 + 2 * 5 + 1);
    run("return tests { example { 'a', kind = 'transfer', amount = ZAR '10.01', fee = ZAR '2' } }");
    expect_reached("send@7 slab 2; ");
    run("return tests { example { 'a', kind = 'hold', amount = ZAR '20.00', fee = ZAR '2' } }");
    expect_reached("hold@1 slab 1; hold@1 slab 2; ");
    run("return tests { " SEND FULL "check = function() return true end } }");
    expect_reached("send@7 slab 1; send@7 slab 2; send@7 slab 3; ");
    run("return tests { sequence { 'a', tier = 1, { send = ZAR '101', refused = true } }, "
        "sequence { 'b', { send = ZAR '1', times = 2 }, { send = ZAR '1', refused = true } } }");
    expect_reached("cap@1 tier 0 rolling_10m; cap@1 tier 1 single; ");
    run("return tests { " DATA "price = ZAR '50', " PHONE "} }");
    expect_reached("data.1gb price; ");
    assert_int_equal(rule_coverage_file(&coverage, 0, &reached), 3);
    assert_int_equal(reached, 0);
    assert_int_equal(rule_coverage_file(&coverage, coverage.count - 1, &reached), 1);
    assert_int_equal(reached, 1);
}

/* What we deliver is tested, all of it. */
static void test_the_rules_of_this_repository(void **state)
{
    (void)state;
    static const char *const folders[] = {MOOLAH_SOURCE_DIR "/rules",
                                          MOOLAH_SOURCE_DIR "/rules/starter"};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct bundle_report report;
        struct bundle *ours = bundle_load(folders[i], &report);

        assert_non_null(ours);
        assert_true(rule_coverage_init(&coverage, ours, &arena));
        rule_test_run(folders[i], ours, &coverage, &result);
        if (!result.good)
            fail_msg("%s: %s", result.report.findings[0].file, result.report.findings[0].message);
        assert_int_equal(result.files, bundle_rule_count(ours) + bundle_limit_count(ours) +
                                           bundle_product_count(ours));
        for (size_t k = 0; k < coverage.count; k++)
            assert_true(coverage.parts[k].hits > 0);
        bundle_release(ours);
    }
}

/* Many fail: each is counted, as many as there is room for are told. */
static void test_many_failures(void **state)
{
    (void)state;
    run("local t = {} for i = 1, 100 do t[i] = sale { tostring(i), product = 'x' } end "
        "return tests(t)");
    assert_int_equal(result.failed, 100);
    assert_int_equal(result.passed, 0);
    assert_int_equal(result.report.count, BUNDLE_FINDINGS_MAX);
    run("local t = {} for i = 1, 1001 do t[i] = sale { tostring(i), product = 'x' } end "
        "return tests(t)");
    assert_false(result.good);
    assert_int_equal(result.failed, 0);
}

/* Without memory it fails, whatever it was that there was no room for. */
static void test_every_failing_allocation(void **state)
{
    (void)state;
    bool failed = true;

    folder_put(&folder, "send.fee_test.lua",
               "return tests { " SEND FULL "check = function() return true end }, "
               "sequence { 'b', { send = ZAR '1' } }, " DATA "price = ZAR '50', " PHONE "} }");
    assert_true(rule_coverage_init(&coverage, bundle, &arena));
    for (long n = 0; failed; n += n < 100 ? 1 : 11) {
        memory_fail_after(n);
        rule_test_run(folder.path, bundle, &coverage, &result);
        failed = memory_failed();
        memory_fail_never();
        assert_int_equal(result.good, result.report.count == 0);
        assert_true(result.good || failed);
        assert_true(n < 5000);
    }
    assert_true(result.good);
    assert_int_equal(result.passed, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_examples, begin, end),
        cmocka_unit_test_setup_teardown(test_properties, begin, end),
        cmocka_unit_test_setup_teardown(test_sequences, begin, end),
        cmocka_unit_test_setup_teardown(test_sales, begin, end),
        cmocka_unit_test_setup_teardown(test_files, begin, end),
        cmocka_unit_test_setup_teardown(test_rules_have_no_tests, begin, end),
        cmocka_unit_test_setup_teardown(test_coverage, begin, end),
        cmocka_unit_test_setup_teardown(test_the_rules_of_this_repository, begin, end),
        cmocka_unit_test_setup_teardown(test_many_failures, begin, end),
        cmocka_unit_test_setup_teardown(test_every_failing_allocation, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
