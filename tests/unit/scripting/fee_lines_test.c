/* Fees of several lines: what a file says, what it costs, what is wrong with it and where. */
#include "scripting/fee_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "scripting/fee_file.h"

/* The fee, its tax and a levy, a line each. */
static const char good_text[] =
    "return fee {\n"
    "    id = \"transfer.p2p\", version = 3, owner = \"payments\",\n"
    "    applies = { kind = \"transfer\", currency = \"ZAR\" },\n"
    "    lines = {\n"
    "        {\n"
    "            code = \"fee\",\n"
    "            slabs = {\n"
    "                { upto = ZAR \"100.00\", flat = ZAR \"2.50\" },\n"
    "                { rate = pct \"0.75\" },\n"
    "            },\n"
    "            cap = ZAR \"25.00\",\n"
    "        },\n"
    "        { code = \"vat\", rate = pct \"15\", of = \"fee\", rounding = \"half_even\" },\n"
    "        { code = \"levy\", flat = ZAR \"0.10\", refundable = true },\n"
    "    },\n"
    "    minimum = ZAR \"1.00\",\n"
    "    rounding = \"half_up\",\n"
    "}\n";

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

static void test_what_it_says(void **state)
{
    (void)state;
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;
    const struct fee_rule_line *line = rule.lines;

    assert_true(fee_file_compile("x.fee.lua", SLICE(good_text), &rule, &report));
    assert_int_equal(rule.line_count, 3);
    assert_int_equal(rule.slab_count, 4);
    assert_string_equal(line[0].code, "fee");
    assert_true(line[0].of == -1 && line[0].first_slab == 0 && line[0].slab_count == 2);
    assert_true(line[0].minimum == 100 && line[0].cap == 2500 && line[0].rounding == ROUND_HALF_UP);
    assert_false(line[0].refundable);
    assert_string_equal(line[1].code, "vat");
    assert_true(line[1].of == 0 && line[1].first_slab == 2 && line[1].slab_count == 1);
    assert_true(line[1].minimum == 0 && line[1].cap == INT64_MAX); /* the rule's aren't for it */
    assert_true(line[1].rounding == ROUND_HALF_EVEN && rule.slabs[2].rate == 150000);
    assert_string_equal(line[2].code, "levy");
    assert_true(line[2].of == -1 && line[2].first_slab == 3 && line[2].minimum == 100);
    assert_true(line[2].refundable && rule.slabs[3].flat == 10);
}

static void test_what_it_costs(void **state)
{
    (void)state;
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;
    int64_t lines[FEE_LINES_MAX];
    int64_t total;

    assert_true(fee_file_compile("x.fee.lua", SLICE(good_text), &rule, &report));
    assert_true(fee_rule_price(&rule, 10000, lines, &total));
    assert_true(lines[0] == 250 && lines[1] == 38 && lines[2] == 100 && total == 388);
    assert_true(fee_rule_price(&rule, 100000, lines, &total));
    assert_true(lines[0] == 750 && lines[1] == 112 && lines[2] == 100 && total == 962);
    assert_true(fee_rule_price(&rule, 9000000, lines, &total));
    assert_true(lines[0] == 2500 && lines[1] == 375 && lines[2] == 100);
}

/* One line is wrong; the finding says where and what. */
static const struct fault {
    int line; /* that is replaced */
    const char *with;
    int at_line, at_column; /* of the finding */
    const char *message;
} faults[] = {
    {3, "applies = { kind = 'transfer', currency = 'ZAR' }, slabs = { { flat = ZAR '1' } },", 3, 52,
     "slabs belong into the lines, when there are lines"},
    {6, "", 5, 9, "line 1: code must be a text of 1 to 31 characters"},
    {6, "            code = 'Fee',", 6, 13, "line 1: code is made of a-z, 0-9, '.', '_' and '-'"},
    {6, "            code = 'total',", 6, 13, "line 1: total is what the lines are together"},
    {6, "            kode = 'fee',", 6, 13, "line 1: unknown key 'kode'; did you mean 'code'?"},
    {8, "                { upto = ZAR '100.00', flatt = ZAR '2.50' },", 8, 40,
     "line 1, slab 1: unknown key 'flatt'; did you mean 'flat'?"},
    {9, "                { upto = ZAR '100.00', rate = pct '0.75' },", 9, 19,
     "line 1, slab 2: upto must be above that of the slab before it"},
    {9, "", 7, 13, "line 1: the last slab must have no upto, or larger amounts have no price"},
    {11, "cap = ZAR '0.50',", 11, 1, "line 1: cap is below minimum"},
    {11, "flat = ZAR '1.00',", 7, 13, "line 1: flat and rate belong into the slabs"},
    {13, "        { code = 'fee', rate = pct '15' },", 13, 11,
     "line 2: an earlier line has that code"},
    {13, "        { code = 'vat', of = 'fee' },", 13, 9,
     "line 2: needs a flat fee, a rate, or both (flat = ZAR \"0.00\" is free)"},
    {13, "        { code = 'vat', rate = pct '15', of = 'levy' },", 13, 42,
     "line 2: of must be the code of an earlier line"},
    {13, "        { code = 'vat', rate = pct '15', of = 'vat' },", 13, 42,
     "line 2: of must be the code of an earlier line"},
    {13, "        { code = 'vat', rate = pct '15', of = 1 },", 13, 42,
     "line 2: of must be a text of 1 to 31 characters"},
    {13, "        15,", 14, 9, "line 2: a line is a table: { code = \"vat\", rate = pct \"15\" }"},
    {13, "        nil,", 4, 5, "lines must be a list of 1 to 8: { { code = \"fee\", ... } }"},
    {14, "        { code = 'levy', flat = ZAR '0.10', rounding = 'near' },", 14, 45,
     "line 3: rounding must be half_up, half_even, down or up"},
    {17, "", 5, 9, "line 1: rounding must be a text of 1 to 15 characters"},
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

/* `lines` lines of `slabs` slabs each. */
static bool compiles(int lines, int slabs, struct bundle_report *report)
{
    struct fee_rule rule;
    char text[1000];

    snprintf(text, sizeof text,
             "local slabs, lines = {}, {} "
             "for i = 1, %d do slabs[i] = { upto = ZAR(tostring(i)), flat = ZAR '1' } end "
             "slabs[#slabs].upto = nil "
             "for i = 1, %d do lines[i] = { code = 'l' .. i, slabs = slabs } end "
             "return fee { id = 'x', version = 1, owner = 'x', rounding = 'up', lines = lines, "
             "applies = { kind = 'transfer', currency = 'ZAR' } }",
             slabs, lines);
    report->count = 0;
    return fee_file_compile("x.fee.lua", slice_of(text), &rule, report);
}

static void test_how_many(void **state)
{
    (void)state;
    struct bundle_report report;

    assert_true(compiles(1, 32, &report));
    assert_true(compiles(8, 8, &report));
    assert_true(compiles(2, 32, &report));
    assert_false(compiles(8, 9, &report));
    assert_non_null(strstr(report.findings[0].message, "all lines together may have 64 slabs"));
    assert_false(compiles(1, 33, &report));
    assert_false(compiles(9, 1, &report));
    assert_false(compiles(0, 1, &report));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_what_it_costs),
        cmocka_unit_test(test_what_is_wrong_and_where),
        cmocka_unit_test(test_how_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
