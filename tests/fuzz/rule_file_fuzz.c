/* Arbitrary text as a rule file: it's refused with a finding, or becomes a rule whose prices keep
 * their promises. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "scripting/fee_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t amounts[] = {1, 2, 99, 10000, 123456789, INT64_C(9007199254740991)};
    struct bundle_report report = {.count = 0};
    struct fee_rule rule;
    if (!fee_file_compile("fuzz.fee.lua", (struct slice){(const char *)data, size}, &rule,
                          &report)) {
        assert(report.count > 0);
        return 0;
    }
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        int64_t fee;
        assert(fee_rule_amount(&rule, amounts[i], &fee));
        assert(fee >= rule.minimum && fee <= rule.cap);
    }
    return 0;
}
