/* adjust: what it may say, and that nothing else comes of it: no state, no way out, no time. */
#include "scripting/adjust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "scripting/fee.h"
#include "scripting/fee_file.h"
#include "scripting/sandbox.h"

static struct bundle_report report;

/* A rule with a fee of 1 % and its tax, whose adjust has that body. */
static bool make(struct fee_rule *rule, const char *locals, const char *body)
{
    char text[4000];

    snprintf(text, sizeof text,
             "%s\n"
             "return fee { id = 'a', version = 1, owner = 'x', rounding = 'half_up',\n"
             "applies = { kind = 'transfer', currency = 'ZAR' }, may_exceed_amount = true,\n"
             "lines = { { code = 'fee', rate = pct '1' }, { code = 'vat', rate = pct '15', of = "
             "'fee' } },\n"
             "adjust = function(tx, q, m) %s end }",
             locals, body);
    report.count = 0;
    return fee_file_compile("a.fee.lua", slice_of(text), rule, &report);
}

static enum adjust_outcome call(const struct fee_rule *rule, int64_t amount, int tier,
                                int64_t lines[FEE_LINES_MAX], struct sandbox_fault *fault)
{
    const struct fee_facts facts = {"transfer", amount, CURRENCY_ZAR, tier, false, 1234};
    int64_t total;

    assert_true(fee_rule_price(rule, amount, lines, &total));
    return adjust_lines(rule, &facts, lines, fault);
}

static void expect(const char *locals, const char *body, int64_t fee, int64_t vat)
{
    struct fee_rule rule;
    struct sandbox_fault fault;
    int64_t lines[FEE_LINES_MAX];

    if (!make(&rule, locals, body))
        fail_msg("%s: %d %s", body, report.findings[0].line, report.findings[0].message);
    for (int i = 0; i < 3; i++) {
        if (call(&rule, 10000, 2, lines, &fault) != ADJUST_DONE)
            fail_msg("%s: %s", body, fault.message);
        assert_int_equal(lines[0], fee);
        assert_int_equal(lines[1], vat);
    }
    fee_file_release(&rule);
}

static void test_what_it_may_say(void **state)
{
    (void)state;
    expect("", "return nil", 100, 15);
    expect("", "", 100, 15);
    expect("", "return {}", 100, 15);
    expect("", "return { fee = 200 }", 200, 30); /* its tax with it */
    expect("", "return { fee = 200, vat = 1 }", 200, 1);
    expect("", "return { vat = 0 }", 100, 0);
    expect("", "if tx.tier == 2 then return { fee = m.muldiv(q.fee, 1, 2, 'up') } end", 50, 8);
    expect("", "return { fee = m.min(m.max(q.total, 7), m.sub(m.add(60, 7), 1)) }", 66, 10);
    expect("",
           "if tx.kind == 'transfer' and tx.currency == 'ZAR' and not tx.own and tx.at >= 0 "
           "then return { fee = tx.amount } end",
           10000, 1500);
    expect("local half = { 2, 5 } local function f(x) return x // half[1] end",
           "return { fee = f(q.fee) }", 50, 8);
    expect("local free = { fee = 0 }", "return free", 0, 0);
    expect("local tiers = { [2] = ZAR '0.42' }",
           "return { fee = (tiers[tx.tier] or tiers[2]).amount }", 42, 6);
    expect("local days = { 1, 2, 3 }",
           "local n = 0 for _, d in ipairs(days) do n = n + d end return { fee = n + #days }", 9,
           1);
    expect("local none", "if none == nil then return { fee = 1 } end", 1, 0);
}

static void test_a_denial(void **state)
{
    (void)state;
    struct fee_rule rule;
    struct sandbox_fault fault;
    int64_t lines[FEE_LINES_MAX];

    assert_true(make(&rule, "",
                     "if tx.amount > 5000 then local no = m.deny 'not today' return no "
                     "end"));
    assert_int_equal(call(&rule, 5001, 0, lines, &fault), ADJUST_DENIED);
    assert_string_equal(fault.message, "not today");
    assert_int_equal(lines[0], 50);
    assert_int_equal(call(&rule, 5000, 0, lines, &fault), ADJUST_DONE);
    fee_file_release(&rule);
}

/* It fails for any amount, so the file isn't good; the finding says why. */
static const struct fault {
    const char *locals, *body, *message;
} faults[] = {
    /* nonsense */
    {"", "return 5", "adjust must return nil, a table of amounts, or m.deny \"why\""},
    {"", "return { fee = -1 }", "adjust made of line 'fee' no whole number of 0 or more"},
    {"", "return { fee = '5' }", "adjust made of line 'fee' no whole number of 0 or more"},
    {"", "return { fee = true }", "adjust made of line 'fee' no whole number of 0 or more"},
    {"", "return { fee = 9007199254740992 }", "adjust made of line 'fee' no whole number"},
    {"", "return { fee = 5, levy = 1 }", "adjust returned something that is no line's code"},
    {"", "return { total = 5 }", "adjust returned something that is no line's code"},
    {"", "return { 5 }", "adjust returned something that is no line's code"},
    {"", "return m.deny()", "m.deny wants its reason as a text"},
    {"", "return m.deny ''", "m.deny wants its reason as a text"},
    {"", "return m.deny 'a\\nb'", "m.deny wants its reason as a text"},
    {"", "return m.deny '\\xff'", "m.deny wants its reason as a text"},
    {"", "return { fee = q.fees + 1 }", "attempt to perform arithmetic on a nil value"},
    {"",
     "return { fee = m.add(m.sub(0, 1), 9223372036854775807 + 0) - m.add(2, "
     "9223372036854775807) }",
     "the result does not fit into 64 bits"},
    {"", "error { 1 }", "error object is no string"},
    {"", "error()", "error object is no string"},
    {"", "fees = 1", "rules keep no state"},
    {"", "return fee { }", "'fee' is not a word of rule files"},
    {"", "return os.time()", "'os' is not a word of rule files"},
    {"", "return pcall(error)", "'pcall' is not a word of rule files"},
    {"", "return setmetatable({}, {})", "'setmetatable' is not a word of rule files"},
    {"", "return ('x'):rep(1000)", "attempt to index a string value"},
    {"", "return next({})", "'next' is not a word of rule files"},
    /* state */
    {"local n = 0", "n = n + 1 return { fee = n }", "adjust changed the local 'n' of its file"},
    {"local n", "n = n or {} return nil", "adjust changed the local 'n' of its file"},
    {"local n = 0 local function up() n = n + 1 end", "up()",
     "adjust changed the local 'n' of its file"},
    {"local n = 0 local f = { up = function() n = n + 1 end }", "f.up()",
     "adjust changed the local 'n' of its file"},
    {"local n = 0", "n = n + 1 error 'hide it'", "adjust changed the local 'n' of its file"},
    {"local t = {}", "t.n = 1", "adjust can't change a table that it was given"},
    {"local t = { n = 1 }", "t.n = 2", "adjust can't change a table that it was given"},
    {"local t = { { n = 1 } }", "t[1].n = 2", "adjust can't change a table that it was given"},
    {"local t = { n = 1 } t.t = t", "t.t.t.n = nil",
     "adjust can't change a table that it was given"},
    {"local k = {} local t = { [k] = 1 }", "k.n = 2 return { fee = t[k] }",
     "adjust can't change a table that it was given"},
    {"", "tx.n = 1", "adjust can't change a table that it was given"},
    {"", "tx.amount = 1", "adjust can't change a table that it was given"},
    {"", "q.fee = 1 return q", "adjust can't change a table that it was given"},
    {"", "return q", "adjust returned something that is no line's code"},
    {"", "m.n = 1", "adjust can't change a table that it was given"},
    {"", "m.add = m.sub", "adjust can't change a table that it was given"},
    {"", "assert = error", "adjust can't change a table that it was given"},
    {"", "_ENV.tostring = 1", "adjust can't change a table that it was given"},
    {"local n = 0 assert = function() n = n + 1 end", "assert()",
     "adjust changed the local 'n' of its file"},
    {"local f = function() return 1 end", "f = function() return 2 end",
     "adjust changed the local 'f' of its file"},
    /* time and memory */
    {"", "while true do end", "the rule used up its instruction budget"},
    {"", "for i = 1, 1000000 do end", "the rule used up its instruction budget"},
    {"", "local function f() return f() end return f()", "the rule used up its instruction budget"},
    {"", "local function f() return 1 + f() end return f()", "the rule used up its"},
    {"", "local s = 'xxxxxxxxxxxxxxxx' while true do s = s .. s end", "not enough memory"},
    {"",
     "local t = {} for i = 1, 4000 do t[i] = tostring(i) .. 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' end",
     "the rule used up its instruction budget"},
    {"local s = 'xxxxxxxxxxxxxxxx' for i = 1, 14 do s = s .. s end", "return #s and nil",
     "adjust and the locals that it uses take more than 128 KiB"},
};

static void test_what_is_refused(void **state)
{
    (void)state;
    int surprises = 0;

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct fee_rule rule;

        if (!make(&rule, faults[i].locals, faults[i].body) && report.count == 1 &&
            strstr(report.findings[0].message, faults[i].message) != NULL)
            continue;
        print_error("%s: %s\n", faults[i].body,
                    report.count == 0 ? "good" : report.findings[0].message);
        fee_file_release(&rule);
        surprises++;
    }
    assert_int_equal(surprises, 0);
}

static void test_what_is_no_adjust(void **state)
{
    (void)state;
    static const char *const texts[] = {"5", "m", "tostring", "{}"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fee_rule rule;
        char text[400];

        snprintf(text, sizeof text,
                 "local m = 'x' return fee { id = 'a', version = 1, owner = 'x', rounding = 'up', "
                 "applies = { kind = 'transfer', currency = 'ZAR' }, slabs = { { rate = pct '1' } "
                 "}, adjust = %s }",
                 texts[i]);
        report.count = 0;
        assert_false(fee_file_compile("a.fee.lua", slice_of(text), &rule, &report));
        assert_string_equal(report.findings[0].message,
                            "adjust must be a function: function(tx, q, m) ... end");
    }
}

/* A fault that only some movements meet: those are refused, and the next is priced as ever. */
static void test_a_fault_leaves_nothing(void **state)
{
    (void)state;
    struct fee_rule rule;
    struct sandbox_fault fault;
    int64_t lines[FEE_LINES_MAX];

    assert_true(make(&rule, "local n = 0",
                     "if tx.amount == 777 then n = n + 1 end\n"
                     "if tx.amount == 778 then while true do end end\n"
                     "if tx.amount == 779 then local s = 'xxxxxxxx' while true do s = s .. s end "
                     "end\n"
                     "if tx.amount == 780 then return { fee = q.x + 1 } end\n"
                     "return { fee = n }"));
    for (int round = 0; round < 200; round++) {
        for (int64_t amount = 776; amount < 782; amount++) {
            enum adjust_outcome outcome = call(&rule, amount, 1, lines, &fault);
            bool good = amount < 777 || amount > 780;

            assert_int_equal(outcome, good ? ADJUST_DONE : ADJUST_FAILED);
            assert_int_equal(lines[0], good ? 0 : 8);
            if (amount == 780)
                assert_int_equal(fault.line, 8);
        }
        assert_true(adjust_memory(rule.adjust) <= ADJUST_MEMORY_MAX);
    }
    fee_file_release(&rule);
}

/* The budget is spent after the same number of instructions, whatever ran before. */
static void test_the_budget_is_the_same_for_all(void **state)
{
    (void)state;
    struct fee_rule rule;
    struct sandbox_fault fault;
    int64_t lines[FEE_LINES_MAX];
    int64_t last = 0;

    assert_true(make(&rule, "",
                     "if tx.amount > 100000 then return end\n"
                     "for i = 1, tx.amount do end return nil"));
    while (call(&rule, last + 1, 0, lines, &fault) == ADJUST_DONE)
        last++;
    assert_in_range(last, ADJUST_INSTRUCTIONS - 200, ADJUST_INSTRUCTIONS);
    for (int64_t before = 1; before < 150; before++) {
        call(&rule, before, 0, lines, &fault);
        assert_int_equal(call(&rule, last, 0, lines, &fault), ADJUST_DONE);
        call(&rule, before, 0, lines, &fault);
        assert_int_equal(call(&rule, last + 1, 0, lines, &fault), ADJUST_FAILED);
    }
    fee_file_release(&rule);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    bool failed = true;

    for (long n = 0; failed; n++) {
        struct fee_rule rule;

        memory_fail_after(n);

        bool good = make(&rule, "local t = { 1, { 2 } } local function f() return t[1] end",
                         "return { fee = f() }");

        failed = memory_failed();
        memory_fail_never();
        assert_true(good || failed);
        assert_int_equal(good, report.count == 0);
        fee_file_release(&rule);
        assert_true(n < 5000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_may_say),
        cmocka_unit_test(test_a_denial),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_what_is_no_adjust),
        cmocka_unit_test(test_a_fault_leaves_nothing),
        cmocka_unit_test(test_the_budget_is_the_same_for_all),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
