#include "scripting/limit_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"

/* The rule that every other one here is made from, a key a line. */
static const char good_text[] = "return limit {\n"
                                "    id = \"wallet.send\",\n"
                                "    version = 2,\n"
                                "    owner = \"risk\",\n"
                                "    currency = \"ZAR\",\n"
                                "    kinds = { \"transfer\", \"hold\" },\n"
                                "    tiers = {\n"
                                "        [0] = {\n"
                                "            single = ZAR \"1000.00\",\n"
                                "            daily = ZAR \"3000.00\",\n"
                                "            daily_count = 10,\n"
                                "            weekly_count = 40,\n"
                                "            monthly = ZAR \"20000.00\",\n"
                                "            balance = ZAR \"25000.00\",\n"
                                "            rolling = {\n"
                                "                { window = \"10m\", count = 5 },\n"
                                "                { window = \"24h\", sum = ZAR \"2500.00\" },\n"
                                "            },\n"
                                "        },\n"
                                "        [1] = { monthly_count = 7 },\n"
                                "        [2] = {},\n"
                                "        [3] = {},\n"
                                "    },\n"
                                "}\n";

static struct limit_rule rule;

static void assert_cap(size_t place, const char *code, enum limit_period period, int64_t sum,
                       int64_t count)
{
    const struct limit_cap *cap = &rule.caps[0][place];
    assert_string_equal(cap->code, code);
    assert_int_equal(cap->period, period);
    assert_int_equal(cap->sum, sum);
    assert_int_equal(cap->count, count);
    assert_int_equal(cap->classes, 1U << LIMIT_TRANSFER | 1U << LIMIT_HOLD);
    assert_string_equal(cap->rule, "wallet.send@2");
}

static void test_a_whole_rule(void **state)
{
    (void)state;
    struct bundle_report report = {.count = 0};
    assert_true(limit_file_compile("w.limit.lua", SLICE(good_text), &rule, &report));
    assert_int_equal(report.count, 0);
    assert_string_equal(rule.file, "w.limit.lua");
    assert_int_equal(rule.currency, CURRENCY_ZAR);
    assert_int_equal(rule.counts[0], 7);
    assert_cap(0, "single", LIMIT_SINGLE, 100000, LIMIT_NONE);
    assert_cap(1, "daily", LIMIT_DAY, 300000, 10);
    assert_cap(2, "weekly", LIMIT_WEEK, LIMIT_NONE, 40);
    assert_cap(3, "monthly", LIMIT_MONTH, 2000000, LIMIT_NONE);
    assert_cap(4, "rolling_10m", LIMIT_ROLLING, LIMIT_NONE, 5);
    assert_cap(5, "rolling_24h", LIMIT_ROLLING, 250000, LIMIT_MOVES_MAX);
    assert_cap(6, "balance", LIMIT_BALANCE, 2500000, LIMIT_NONE);
    assert_int_equal(rule.caps[0][4].window, 600);
    assert_int_equal(rule.caps[0][5].window, 86400);
    assert_int_equal(rule.counts[1], 1);
    assert_int_equal(rule.caps[1][0].count, 7);
    assert_int_equal(rule.counts[2], 0);
}

/* The good rule with its n-th line (from 1; 0: none) put in another's place. */
static void edit(struct bytes *out, int line, const char *with)
{
    const char *at = good_text;
    bytes_clear(out);
    for (int n = 1; *at != '\0'; n++) {
        size_t length = strcspn(at, "\n") + 1;
        if (n == line)
            bytes_printf(out, "%s\n", with);
        else
            bytes_add(out, at, length);
        at += length;
    }
}

static void test_each_mistake(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *with;
        int at; /* the line that is told */
        const char *says;
    } cases[] = {
        {1, "return fee {", 0, "return limit"},
        {2, "", 0, "id must be a text"},
        {2, "id = \"Wallet\",", 2, "id is made of"},
        {3, "version = 0,", 3, "version must be an integer from 1"},
        {3, "", 0, "version must be an integer"},
        {4, "", 0, "owner must be a text"},
        {5, "currency = \"zar\",", 5, "ISO 4217"},
        {5, "currency = \"USD\",", 9, "single is in ZAR, the rule in USD"},
        {6, "kinds = { \"deposit\" },", 6, "kinds are"},
        {6, "kinds = { \"transfers\" },", 6, "did you mean \"transfer\"?"},
        {6, "kinds = {},", 6, "kinds must be a list"},
        {6, "kind = { \"transfer\" },", 6, "did you mean 'kinds'?"},
        {9, "single = 1000,", 9, "tier 0: single must be an amount: ZAR"},
        {10, "dayly = ZAR \"1\",", 10, "did you mean 'daily'?"},
        {11, "daily_count = 0,", 11, "daily_count must be an integer from 1"},
        {11, "daily_count = \"10\",", 11, "daily_count must be an integer"},
        {16, "{ window = \"10x\", count = 5 },", 16, "window must be like"},
        {16, "{ window = \"25h\", count = 5 },", 16, "window must be like"},
        {16, "{ window = \"0m\", count = 5 },", 16, "window must be like"},
        {16, "{ count = 5 },", 0, "window must be a text"},
        {16, "{ window = \"10m\" },", 0, "needs a sum, a count, or both"},
        {16, "{ window = \"10m\", count = 1001 },", 16, "from 1 to 1000"},
        {16, "5,", 0, "a rolling limit is a table"},
        {20, "", 0, "every tier has a table: [1] ="},
        {20, "[4] = {},", 0, "tiers are [0], [1], [2] and [3]"},
    };
    struct bytes text;
    bytes_init(&text, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bundle_report report = {.count = 0};
        bool said = false;
        edit(&text, cases[i].line, cases[i].with);
        assert_false(limit_file_compile("w.limit.lua", bytes_view(&text), &rule, &report));
        for (size_t k = 0; k < report.count; k++)
            said = said || (strstr(report.findings[k].message, cases[i].says) != NULL &&
                            (cases[i].at == 0 || report.findings[k].line == cases[i].at));
        if (!said)
            fail_msg("case %zu (%s): %s at line %d", i, cases[i].with, report.findings[0].message,
                     report.findings[0].line);
    }
    bytes_release(&text);
}

static void test_no_limit_file_at_all(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "return 5",
                                        "return {}",
                                        "x = 1",
                                        "return limit(1)",
                                        "return limit {} -- 1.5",
                                        "while true do end"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bundle_report report = {.count = 0};
        assert_false(limit_file_compile("w.limit.lua", slice_of(texts[i]), &rule, &report));
        assert_true(report.count > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_rule),
        cmocka_unit_test(test_each_mistake),
        cmocka_unit_test(test_no_limit_file_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
