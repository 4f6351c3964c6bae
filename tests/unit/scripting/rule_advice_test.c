#include "scripting/rule_advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "scripting/bundle.h"
#include "tests/unit/scripting/folder.h"

static struct bundle_report report;

static void look(const char *name, const char *text)
{
    struct folder folder;

    folder_make(&folder);
    folder_put(&folder, name, text);

    struct bundle *bundle = bundle_load(folder.path, &report);

    if (bundle == NULL)
        fail_msg("%s", report.findings[0].message);
    rule_advice_find(bundle, &report);
    bundle_release(bundle);
    folder_remove(&folder);
}

static void expect(int line, int column, const char *message)
{
    assert_int_equal(report.count, 1);
    assert_string_equal(report.findings[0].message, message);
    assert_int_equal(report.findings[0].line, line);
    assert_int_equal(report.findings[0].column, column);
}

static void look_at_tiers(const char *tiers)
{
    char text[600];

    snprintf(
        text, sizeof text,
        "return limit { id = 'x', version = 1, owner = 'x', currency = 'ZAR',\ntiers = { %s } }",
        tiers);
    look("x.limit.lua", text);
}

static void test_limits(void **state)
{
    (void)state;
    look_at_tiers("[0] = {}, [1] = {}, [2] = {}, [3] = {}");
    assert_int_equal(report.count, 0);
    look_at_tiers(
        "[0] = { daily = ZAR '1' }, [1] = { daily = ZAR '1' }, [2] = { daily = ZAR '2' }, "
        "[3] = {}");
    assert_int_equal(report.count, 0);
    look_at_tiers("[0] = { daily = ZAR '2' },\n[1] = { daily = ZAR '1' }, [2] = {}, [3] = {}");
    expect(2, 19, "tier 0 may do more than tier 1 above it (daily): is that meant?");
    look_at_tiers("[0] = {},\n[1] = {},\n[2] = { balance = ZAR '1' }, [3] = {}");
    expect(4, 9, "tier 2 has the limit balance, tier 1 below it has none: is that meant?");
    look_at_tiers(
        "[0] = { daily = ZAR '1' }, [1] = { daily = ZAR '1', daily_count = 1 }, [2] = {}, "
        "[3] = {}");
    expect(2, 19, "tier 0 may do more than tier 1 above it (daily): is that meant?");
    look_at_tiers(
        "[0] = {}, [1] = {}, [2] = { rolling = { { window = '1m', count = 1 }, { window = "
        "'1m', sum = ZAR '5' } } }, [3] = { rolling = { { window = '1m', count = 2 }, { "
        "window = '1m', sum = ZAR '4' } } }");
    assert_int_equal(report.count, 3);
    assert_string_equal(report.findings[2].message,
                        "tier 2 may do more than tier 3 above it (rolling_1m): is that meant?");
}

static void look_at_slabs(const char *slabs)
{
    char text[600];

    snprintf(text, sizeof text,
             "return fee { id = 'x', version = 1, owner = 'x', rounding = 'up', applies = { kind = "
             "'transfer', currency = 'ZAR', tiers = { 2, 3 }, own = true },\nslabs = { %s }",
             slabs);
    look("x.fee.lua", text);
}

static void test_fees(void **state)
{
    (void)state;
    look_at_slabs("{ upto = ZAR '10', flat = ZAR '0' }, { rate = pct '1' } }");
    assert_int_equal(report.count, 0);
    look_at_slabs("{ upto = ZAR '1', flat = ZAR '0' }, { upto = ZAR '10', flat = ZAR '0.50' },\n"
                  "{ flat = ZAR '0.40' } }");
    expect(2, 49, "ZAR 10.00 costs ZAR 0.50, and the least bit more only ZAR 0.40: is that meant?");
    look_at_slabs("{ flat = ZAR '0.50' } }, may_exceed_amount = true");
    assert_int_equal(report.count, 0);
    look_at_slabs("{ flat = ZAR '0.50' } }");
    expect(2, 1,
           "the smallest amounts are refused, because the fee would be more than they are: did you "
           "mean may_exceed_amount = true?");
}

/* Nothing of it keeps a file from serving, and of what we deliver nothing is strange. */
static void test_the_rules_of_this_repository(void **state)
{
    (void)state;
    static const char *const folders[] = {MOOLAH_SOURCE_DIR "/rules",
                                          MOOLAH_SOURCE_DIR "/rules/starter"};

    for (size_t i = 0; i < 2; i++) {
        struct bundle *bundle = bundle_load(folders[i], &report);

        assert_non_null(bundle);
        rule_advice_find(bundle, &report);
        if (report.count > 0)
            fail_msg("%s: %s", report.findings[0].file, report.findings[0].message);
        bundle_release(bundle);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_fees),
        cmocka_unit_test(test_the_rules_of_this_repository),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
