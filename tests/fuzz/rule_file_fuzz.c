/* Arbitrary text as a rule file: it's refused with a finding, or becomes a rule whose prices keep
 * their promises. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "base/json.h"
#include "scripting/fee_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every place of a finding lies in the text, and every message can be shown. */
static void check_report(const struct bundle_report *report, size_t size)
{
    assert(report->count > 0);
    for (size_t i = 0; i < report->count; i++) {
        const struct bundle_finding *finding = &report->findings[i];
        assert(finding->message[0] != '\0' && json_write_is_utf8(slice_of(finding->message)));
        assert(finding->column >= 0 && (finding->line > 0 || finding->column == 0));
        assert((size_t)finding->column <= size + 1);
    }
}

static void check_prices(const struct fee_rule *rule)
{
    static const int64_t amounts[] = {1, 2, 99, 10000, 123456789, INT64_C(9007199254740991)};
    const struct fee_rule_line *line = &rule->lines[0];
    int64_t before = 0;
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        int64_t fee;
        assert(fee_rule_amount(rule, amounts[i], &fee));
        if (rule->line_count > 1)
            continue;
        assert(fee >= line->minimum && fee <= line->cap);
        assert(fee >= before || !(line->graduated || line->slab_count == 1));
        before = fee;
    }
    for (int i = 1; i < line->slab_count; i++)
        assert(rule->slabs[i].upto > rule->slabs[i - 1].upto);
    assert(rule->line_count >= 1 && rule->line_count <= FEE_LINES_MAX);
    for (int i = 0, next = 0; i < rule->line_count; i++) {
        assert(line[i].first_slab == next && line[i].slab_count >= 1 && line[i].of < i);
        next += line[i].slab_count;
        assert(rule->slabs[next - 1].upto == INT64_MAX && next <= rule->slab_count);
    }
    assert(fee_rule_overlaps(rule, rule));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;
    if (size > BUNDLE_FILE_SIZE_MAX)
        return 0;
    if (fee_file_compile("fuzz.fee.lua", (struct slice){(const char *)data, size}, &rule, &report))
        check_prices(&rule);
    else
        check_report(&report, size);
    fee_file_release(&rule);
    return 0;
}
