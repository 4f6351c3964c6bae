/* What rules/README.md shows is true: its rules are good together, and cost what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "scripting/bundle.h"
#include "scripting/fee.h"
#include "tests/unit/scripting/folder.h"

enum { EXAMPLES = 4 };

static struct bytes examples[EXAMPLES];

/* Every ```lua block. */
static int begin(void **state)
{
    char line[1000];
    int count = 0;
    bool inside = false;
    FILE *file = fopen(MOOLAH_SOURCE_DIR "/rules/README.md", "re");

    (void)state;
    for (int i = 0; i < EXAMPLES; i++)
        bytes_init(&examples[i], NULL);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        bool fence = strncmp(line, "```", 3) == 0;

        if (inside && !fence && count <= EXAMPLES)
            bytes_add_text(&examples[count - 1], line);
        inside = fence ? strcmp(line, "```lua\n") == 0 : inside;
        count += fence && inside;
    }
    return file == NULL || fclose(file) != 0 || count != EXAMPLES;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < EXAMPLES; i++)
        bytes_release(&examples[i]);
    return 0;
}

static int64_t price(const struct bundle *bundle, int64_t amount, int tier)
{
    const struct fee_facts facts = {"transfer", amount, CURRENCY_ZAR, tier, false, 0};
    struct fee_decision decision;

    fee_price(bundle, &facts, &decision);
    assert_int_equal(decision.outcome, FEE_OK);
    return decision.total;
}

static struct bundle *load(const struct folder *folder)
{
    struct bundle_report report;
    struct bundle *bundle = bundle_load(folder->path, &report);

    if (bundle == NULL)
        print_error("%s:%d: %s\n", report.findings[0].file, report.findings[0].line,
                    report.findings[0].message);
    assert_non_null(bundle);
    return bundle;
}

static void test_the_examples(void **state)
{
    (void)state;
    struct fee_decision decision;
    struct folder folder;

    folder_make(&folder);
    folder_put_bytes(&folder, "a.fee.lua", examples[0].at, examples[0].length);
    folder_put_bytes(&folder, "d.fee.lua", examples[1].at, examples[1].length);
    folder_put_bytes(&folder, "e.fee.lua", examples[2].at, examples[2].length);
    folder_put_bytes(&folder, "c.product.lua", examples[3].at, examples[3].length);

    struct bundle *bundle = load(&folder);

    assert_int_equal(price(bundle, 12345, 0), 271);
    assert_int_equal(bundle_product_count(bundle), 1);
    fee_price(bundle,
              &(struct fee_facts){.kind = "withdrawal", .amount = 50000, .currency = CURRENCY_ZAR},
              &decision);
    assert_int_equal(decision.count, 2);
    assert_string_equal(decision.lines[1].code, "vat");
    assert_string_equal(decision.lines[1].rule, "withdrawal.cash@1");
    assert_true(decision.lines[0].amount == 450 && decision.lines[1].amount == 68);
    assert_int_equal(decision.total, 518);

    struct fee_facts bought = {.kind = "purchase", .amount = 5000, .currency = CURRENCY_ZAR};

    fee_price(bundle, &bought, &decision);
    assert_int_equal(decision.total, 75);
    bought.tier = 2;
    fee_price(bundle, &bought, &decision);
    assert_true(decision.outcome == FEE_OK && decision.total == 0);
    bought = (struct fee_facts){.kind = "purchase", .amount = 500001, .currency = CURRENCY_ZAR};
    fee_price(bundle, &bought, &decision);
    assert_int_equal(decision.outcome, FEE_DENIED);
    assert_string_equal(decision.reason, "confirm your identity to buy for more than ZAR 5,000.00");
    bundle_release(bundle);

    bytes_add_char(&examples[0], '\0');

    char *mode = strstr(examples[0].at, "mode = \"whole\",");

    assert_non_null(mode);

    struct bytes other;

    bytes_init(&other, NULL);
    bytes_add(&other, examples[0].at, (size_t)(mode - examples[0].at));
    bytes_add_text(&other, "mode = \"graduated\",");
    bytes_add_text(&other, mode + strlen("mode = \"whole\","));
    folder_put_bytes(&folder, "a.fee.lua", other.at, other.length);
    bundle = load(&folder);
    assert_int_equal(price(bundle, 12345, 0), 431);
    bundle_release(bundle);
    bytes_release(&other);
    folder_remove(&folder);
}

/* Every key of a rule is explained. */
static void test_all_keys_are_there(void **state)
{
    (void)state;
    static const char *const keys[] = {"`id`",
                                       "`version`",
                                       "`owner`",
                                       "`applies.kind`",
                                       "`applies.currency`",
                                       "`applies.own`",
                                       "`effective`",
                                       "`slabs`",
                                       "`lines`",
                                       "`paid_by`",
                                       "`adjust`",
                                       "`code`",
                                       "`of`",
                                       "`mode`",
                                       "`minimum`",
                                       "`applies.tiers`",
                                       "`cap`",
                                       "`rounding`",
                                       "`upto`",
                                       "`flat`",
                                       "`rate`",
                                       "`may_exceed_amount`",
                                       "`name`",
                                       "`supplier`",
                                       "`price`",
                                       "`denominations`",
                                       "`range`",
                                       "`fields`"};
    static char text[32768];
    FILE *file = fopen(MOOLAH_SOURCE_DIR "/rules/README.md", "re");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_non_null(strstr(text, keys[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_examples),
        cmocka_unit_test(test_all_keys_are_there),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
