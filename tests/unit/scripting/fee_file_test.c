#include "scripting/fee_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "scripting/sandbox.h"

/* The rule that every other one here is made from, a key a line. */
static const char good_text[] =
    "return fee {\n"
    "    id = \"transfer.p2p\",\n"
    "    version = 3,\n"
    "    owner = \"payments\",\n"
    "    applies = {\n"
    "        kind = \"transfer\",\n"
    "        currency = \"ZAR\",\n"
    "        tiers = { 0, 2 },\n"
    "        own = false,\n"
    "    },\n"
    "    mode = \"graduated\",\n"
    "    slabs = {\n"
    "        { upto = ZAR \"100.00\", flat = ZAR \"2.50\" },\n"
    "        { upto = ZAR \"1000.00\", flat = ZAR \"1\", rate = pct \"0.9\" },\n"
    "        { rate = pct \"0.75\" },\n"
    "    },\n"
    "    minimum = ZAR \"2.50\",\n"
    "    cap = ZAR \"25.00\",\n"
    "    rounding = \"half_even\",\n"
    "    may_exceed_amount = true,\n"
    "}\n";

static void test_a_whole_rule(void **state)
{
    (void)state;
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;

    assert_true(fee_file_compile("p2p.fee.lua", SLICE(good_text), &rule, &report));
    assert_int_equal(report.count, 0);
    assert_string_equal(rule.file, "p2p.fee.lua");
    assert_string_equal(rule.name, "transfer.p2p@3");
    assert_string_equal(rule.kind, "transfer");
    assert_int_equal(rule.currency, CURRENCY_ZAR);
    assert_int_equal(rule.tiers, 5);
    assert_true(!rule.own && rule.other && rule.lines[0].graduated && rule.may_exceed_amount);
    assert_int_equal(rule.slab_count, 3);
    assert_int_equal(rule.slabs[0].upto, 10000);
    assert_int_equal(rule.slabs[0].flat, 250);
    assert_int_equal(rule.slabs[0].rate, 0);
    assert_int_equal(rule.slabs[1].upto, 100000);
    assert_int_equal(rule.slabs[1].flat, 100);
    assert_int_equal(rule.slabs[1].rate, 9000);
    assert_int_equal(rule.slabs[2].upto, INT64_MAX);
    assert_int_equal(rule.slabs[2].flat, 0);
    assert_int_equal(rule.slabs[2].rate, 7500);
    assert_int_equal(rule.lines[0].minimum, 250);
    assert_int_equal(rule.lines[0].cap, 2500);
    assert_int_equal(rule.lines[0].rounding, ROUND_HALF_EVEN);
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

static void test_defaults(void **state)
{
    (void)state;
    static const int optional[] = {8, 9, 11, 17, 18, 20};
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;
    struct bytes text;

    bytes_init(&text, NULL);
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        edit(&text, optional[i], "");
        assert_true(fee_file_compile("x.fee.lua", bytes_view(&text), &rule, &report));
        if (optional[i] == 8)
            assert_int_equal(rule.tiers, 15);
        else if (optional[i] == 9)
            assert_true(rule.own && rule.other && rule.from == INT64_MIN && rule.to == INT64_MAX);
        else if (optional[i] == 11)
            assert_false(rule.lines[0].graduated);
        else if (optional[i] == 17)
            assert_int_equal(rule.lines[0].minimum, 0);
        else if (optional[i] == 18)
            assert_int_equal(rule.lines[0].cap, INT64_MAX);
        else
            assert_false(rule.may_exceed_amount);
    }
    edit(&text, 9, "        own = true,");
    assert_true(fee_file_compile("x.fee.lua", bytes_view(&text), &rule, &report));
    assert_true(rule.own && !rule.other);
    bytes_release(&text);
}

/* When it counts: either end may be missing. */
static void test_when_it_is_effective(void **state)
{
    (void)state;
    static const struct {
        const char *effective;
        int64_t from, to;
    } good[] = {
        {"{ from = '2026-12-01 00:00', to = '2027-01-01 00:00', zone = 'Africa/Johannesburg' }",
         INT64_C(1796076000000000), INT64_C(1798754400000000)},
        {"{ from = '2026-12-01 00:00', zone = 'UTC' }", INT64_C(1796083200000000), INT64_MAX},
        {"{ to = '2026-12-01 00:00', zone = 'UTC' }", INT64_MIN, INT64_C(1796083200000000)},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct bundle_report report = {.count = 0};
        struct fee_rule rule;
        struct bytes text;
        char with[200];

        bytes_init(&text, NULL);
        snprintf(with, sizeof with, "version = 3, effective = %s,", good[i].effective);
        edit(&text, 3, with);
        assert_true(fee_file_compile("x.fee.lua", bytes_view(&text), &rule, &report));
        assert_int_equal(rule.from, good[i].from);
        assert_int_equal(rule.to, good[i].to);
        bytes_release(&text);
    }
}

/* One line is wrong; the finding says where and what. */
static const struct fault {
    int line; /* that is replaced */
    const char *with;
    int at_line, at_column; /* of the finding */
    const char *message;
} faults[] = {
    {2, "", 0, 0, "id must be a text of 1 to 47 characters"},
    {2, "    id = '',", 2, 5, "id must be a text of 1 to 47 characters"},
    {2, "    id = 5,", 2, 5, "id must be a text of 1 to 47 characters"},
    {2, "    id = 'a\\0b',", 2, 5, "id must be a text of 1 to 47 characters"},
    {2, "    id = 'Transfer P2P',", 2, 5, "id is made of a-z, 0-9, '.', '_' and '-'"},
    {2, "    id = 'a@1',", 2, 5, "id is made of a-z, 0-9, '.', '_' and '-'"},
    {2, "    id = 'a', colour = 'red',", 2, 15, "unknown key 'colour'"},
    {2, "    id = 'a', 'red',", 0, 0, "only named keys are known here: key = value"},
    {2, "    id = 'a', [true] = 1,", 0, 0, "only named keys are known here: key = value"},
    {3, "", 0, 0, "version must be an integer from 1 to 999999"},
    {3, "    version = 0,", 3, 5, "version must be an integer from 1 to 999999"},
    {3, "    version = 1000000,", 3, 5, "version must be an integer from 1 to 999999"},
    {3, "    version = '3',", 3, 5, "version must be an integer from 1 to 999999"},
    {20, "paid_by = 'nobody',", 20, 1, "paid_by must be \"sender\" or \"receiver\""},
    {20, "paid_by = 'receiver', may_exceed_amount = true,", 20, 23,
     "what the receiver pays comes out of the amount: it can't exceed it"},
    {6, "kind = 'hold', }, paid_by = 'receiver', applies = { kind = 'hold',", 6, 19,
     "a hold is paid by its sender: only a transfer's receiver can pay"},
    {3, "version = 3, effective = '2026-12-01',", 3, 14,
     "effective must say when: { from = \"2026-12-01 00:00\", zone = \"Africa/Johannesburg\" }"},
    {3, "version = 3, effective = {},", 3, 14, "zone must be a text of 1 to 63 characters"},
    {3, "version = 3, effective = { from = '2026-12-01 00:00' },", 3, 14,
     "zone must be a text of 1 to 63 characters"},
    {3, "version = 3, effective = { zone = 'UTC' },", 3, 14, "effective needs from, to, or both"},
    {3, "version = 3, effective = { from = '2026-12-01 00:00', zone = 'Zulu' },", 3, 55,
     "zone 'Zulu' isn't known; a known one is \"Africa/Johannesburg\""},
    {3, "version = 3, effective = { from = '2026-12-01', zone = 'UTC' },", 3, 28,
     "from must be a date and a time like \"2026-12-01 00:00\""},
    {3, "version = 3, effective = { from = 2026, zone = 'UTC' },", 3, 28,
     "from must be a text of 1 to 16 characters"},
    {3, "version = 3, effective = { untill = '2026-12-01 00:00', zone = 'UTC' },", 3, 28,
     "unknown key 'untill'"},
    {3,
     "version = 3, effective = { from = '2026-12-01 00:00', to = '2026-12-01 00:00', zone = 'UTC' "
     "},",
     3, 55, "to must be later than from"},
    {4, "", 0, 0, "owner must be a text of 1 to 63 characters"},
    {6, "        kind = 'loan',", 6, 9,
     "kind 'loan' has no fees; known are: transfer, hold, withdrawal, purchase"},
    {6, "", 5, 5, "kind must be a text of 1 to 15 characters"},
    {7, "        currency = 'ZZZ',", 7, 9, "currency must be an ISO 4217 code like \"ZAR\""},
    {7, "        currency = 'zar',", 7, 9, "currency must be an ISO 4217 code like \"ZAR\""},
    {7, "        currency = ZAR,", 7, 9, "currency must be a text of 1 to 3 characters"},
    {7, "        curency = 'ZAR',", 7, 9, "unknown key 'curency'; did you mean 'currency'?"},
    {8, "        tiers = {},", 8, 9, "tiers must be a list like { 0, 1 }"},
    {8, "        tiers = 0,", 8, 9, "tiers must be a list like { 0, 1 }"},
    {8, "        tiers = { 4 },", 8, 9, "tiers are integers from 0 to 3"},
    {8, "        tiers = { -1 },", 8, 9, "tiers are integers from 0 to 3"},
    {8, "        tiers = { '1' },", 8, 9, "tiers are integers from 0 to 3"},
    {8, "        tiers = { 0, nil, 2 },", 8, 9, "tiers must be a list like { 0, 1 }"},
    {8, "        tiers = { 0, x = 2 },", 8, 9, "tiers must be a list like { 0, 1 }"},
    {8, "        tiers = { 0, 1, 2, 3, 0 },", 8, 9, "tiers must be a list like { 0, 1 }"},
    {9, "        own = 'no',", 9, 9, "own must be true or false"},
    {11, "    mode = 'slices',", 11, 5, "mode must be \"whole\" or \"graduated\""},
    {11, "    mode = true,", 11, 5, "mode must be a text of 1 to 15 characters"},
    {13, "    5,", 14, 9, "slab 1: a slab is a table: { upto = ..., flat = ..., rate = ... }"},
    {13, "        { upto = ZAR '100' },", 13, 9,
     "slab 1: needs a flat fee, a rate, or both (flat = ZAR \"0.00\" is free)"},
    {13, "        { upto = ZAR '0', flat = ZAR '1' },", 13, 11, "slab 1: upto must be above zero"},
    {13, "        { upto = ZAR '1000', flat = ZAR '1' },", 14, 11,
     "slab 2: upto must be above that of the slab before it"},
    {13, "        { flat = ZAR '1' },", 14, 11,
     "slab 2: unreachable: the slab before it has no upto, so it covers all"},
    {14, "        { upto = ZAR '1000', flatt = ZAR '1', rate = pct '1' },", 14, 30,
     "slab 2: unknown key 'flatt'; did you mean 'flat'?"},
    {14, "        { upto = ZAR '1000', flat = 100 },", 14, 30,
     "slab 2: flat must be an amount: ZAR \"1.00\""},
    {14, "        { upto = ZAR '1000', flat = USD '1' },", 14, 30,
     "slab 2: flat is in USD, the rule in ZAR"},
    {14, "        { upto = ZAR '1000', flat = { amount = -1, code = 'ZAR' } },", 14, 30,
     "slab 2: flat must be an amount: ZAR \"1.00\""},
    {14, "        { upto = ZAR '1000', flat = ZAR '90071992547409.92' },", 14, 30,
     "slab 2: flat must be an amount: ZAR \"1.00\""},
    {14, "        { upto = ZAR '1000', rate = ZAR '1' },", 14, 30,
     "slab 2: rate must be a percentage: pct \"0.90\""},
    {14, "        { upto = ZAR '1000', rate = 5 },", 14, 30,
     "slab 2: rate must be a percentage: pct \"0.90\""},
    {14, "        { upto = ZAR '1000', rate = { ppm = -1 } },", 14, 30,
     "slab 2: rate must be from 0 to 100 percent"},
    {14, "        { upto = ZAR '1000', rate = { ppm = 1000001 } },", 14, 30,
     "slab 2: rate must be from 0 to 100 percent"},
    {14, "        nil,", 12, 5, "there must be 1 to 32 slabs, and nothing else"},
    {14, "        first = { flat = ZAR '1' },", 12, 5,
     "there must be 1 to 32 slabs, and nothing else"},
    {15, "        { upto = ZAR '2000', rate = pct '0.75' },", 12, 5,
     "the last slab must have no upto, or larger amounts have no price"},
    {17, "    minimum = 250,", 17, 5, "minimum must be an amount: ZAR \"1.00\""},
    {17, "    minimum = ZAR '25.01',", 18, 5, "cap is below minimum"},
    {18, "    cap = ZAR '1', cap = ZAR '2',", 18, 5, "cap is below minimum"},
    {18, "    cap = JPY '25',", 18, 5, "cap is in JPY, the rule in ZAR"},
    {19, "", 0, 0, "rounding must be a text of 1 to 15 characters"},
    {19, "    rounding = 'nearest',", 19, 5, "rounding must be half_up, half_even, down or up"},
    {20, "    may_exceed_amount = 1,", 20, 5, "may_exceed_amount must be true or false"},
    {18, "    cap = ZAR '25.005',", 18, 1,
     "ZAR \"25.005\" is no amount: digits with at most 2 decimals"},
    {18, "    cap = ZAR(25),", 18, 1, "ZAR wants its number as a text: ZAR \"1.00\""},
    {18, "    cap = ZAR '25' cup = 1,", 18, 1, "'}' expected (to close '{' at line 1) near 'cup'"},
    {18, "    cap = ZAR(tostring(100 / 4 // 1)),", 18, 28,
     "rules count in whole numbers: no '/', '^' or fractions; amounts are texts, muldiv(a, b, c, "
     "rounding) divides"},
    {3, "    version = 3.0,", 3, 5, "version must be an integer from 1 to 999999"},
    {1, "fee {", 0, 0, "the file must end in: return fee { ... }"},
    {1, "local _ = fee {", 0, 0, "the file must end in: return fee { ... }"},
    {1, "return {", 0, 0, "the file must end in: return fee { ... }"},
    {1, "error 'stop' return fee {", 1, 1, "stop"},
    {1, "while true do end return fee {", 1, 1, "the rule used up its instruction budget"},
    {1, "fees = 1 return fee {", 1, 1, "rules keep no state: make 'fees' local"},
};

static void test_what_is_wrong_and_where(void **state)
{
    (void)state;
    struct bytes text;
    int surprises = 0;

    bytes_init(&text, NULL);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct bundle_report report = {.count = 0};
        const struct bundle_finding *finding = &report.findings[0];
        const struct fault *fault = &faults[i];
        struct fee_rule rule;

        edit(&text, fault->line, fault->with);
        assert_false(fee_file_compile("x.fee.lua", bytes_view(&text), &rule, &report));
        assert_true(report.count > 0);
        assert_string_equal(finding->file, "x.fee.lua");
        if (finding->line == fault->at_line && finding->column == fault->at_column &&
            strcmp(finding->message, fault->message) == 0)
            continue;
        print_error("%s: %d:%d %s\n", fault->with, finding->line, finding->column,
                    finding->message);
        surprises++;
    }
    bytes_release(&text);
    assert_int_equal(surprises, 0);
}

/* All that is wrong is said at once, and no more than fits. */
static void test_many_faults(void **state)
{
    (void)state;
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;

    assert_false(fee_file_compile("x.fee.lua", SLICE("return fee {}"), &rule, &report));
    assert_int_equal(report.count, 6); /* id, version, owner, applies, slabs, rounding */

    struct bytes text;

    bytes_init(&text, NULL);
    bytes_add_text(&text, "return fee {");
    for (int i = 0; i < 2000; i++)
        bytes_printf(&text, "a%d = %d,", i, i);
    bytes_add_text(&text, "}");
    report.count = 0;
    assert_false(fee_file_compile("x.fee.lua", bytes_view(&text), &rule, &report));
    assert_int_equal(report.count, BUNDLE_FINDINGS_MAX);
    assert_false(fee_file_compile("y.fee.lua", bytes_view(&text), &rule, &report));
    assert_int_equal(report.count, BUNDLE_FINDINGS_MAX);
    bytes_release(&text);
}

/* Each fault may cost a walk over the source: 20,000 of them must not. */
static void test_faults_made_by_a_loop(void **state)
{
    (void)state;
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;
    struct bytes text;

    bytes_init(&text, NULL);
    bytes_add_text(&text, "local t = {} for i = 1, 15000 do t['a' .. i] = i end "
                          "t.slabs = t t.applies = t t.tiers = t ");
    for (int i = 0; i < 30000; i++)
        bytes_add_char(&text, '\n');
    bytes_add_text(&text, "return fee(t)");

    int64_t began = sandbox_cpu_us();

    assert_false(fee_file_compile("x.fee.lua", bytes_view(&text), &rule, &report));
    assert_int_equal(report.count, BUNDLE_FINDINGS_MAX);
    assert_true(sandbox_cpu_us() - began < 4000000);
    bytes_release(&text);
}

/* Facts of a program in Lua: a rule may compute its table. */
static void test_a_table_that_is_computed(void **state)
{
    (void)state;
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;

    assert_true(fee_file_compile(
        "x.fee.lua",
        SLICE("local slabs = {}\n"
              "for i = 1, 31 do slabs[i] = { upto = ZAR(tostring(i * 100)), "
              "flat = ZAR(tostring(i)) } end\n"
              "slabs[32] = { flat = ZAR '32' }\n"
              "return fee { id = 'x', version = 1, owner = 'x', rounding = 'up', slabs = slabs,\n"
              "applies = { kind = 'transfer', currency = 'ZAR' } }"),
        &rule, &report));
    assert_int_equal(rule.slab_count, 32);
    assert_int_equal(rule.slabs[30].upto, 310000);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    bool failed = true;

    for (long n = 0; failed; n++) {
        struct bundle_report report = {.count = 0};
        struct fee_rule rule;

        memory_fail_after(n);

        bool good = fee_file_compile("x.fee.lua", SLICE(good_text), &rule, &report);

        failed = memory_failed();
        memory_fail_never();
        assert_true(good || failed);
        assert_int_equal(good, report.count == 0);
        if (!good)
            assert_non_null(strstr(report.findings[0].message, "memory"));
        assert_true(n < 3000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_rule),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_when_it_is_effective),
        cmocka_unit_test(test_what_is_wrong_and_where),
        cmocka_unit_test(test_many_faults),
        cmocka_unit_test(test_faults_made_by_a_loop),
        cmocka_unit_test(test_a_table_that_is_computed),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
