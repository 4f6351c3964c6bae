#include "scripting/product.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/scripting/folder.h"

/* The product that every other one here is made from, a key a line. */
static const char good_text[] =
    "return product {\n"
    "    id = \"power.token\",\n"
    "    version = 7,\n"
    "    owner = \"products\",\n"
    "    name = \"Prepaid power\",\n"
    "    supplier = \"power\",\n"
    "    currency = \"ZAR\",\n"
    "    range = { min = ZAR \"10.00\", max = ZAR \"100.00\" },\n"
    "    fields = {\n"
    "        { name = \"meter\", label = \"Meter\", kind = \"digits\",\n"
    "          min = 11, max = 13 },\n"
    "        { name = \"who\", label = \"Name\", kind = \"text\",\n"
    "          min = 1, max = 20 },\n"
    "    },\n"
    "}\n";

static struct bundle_report report;
static struct product product;

static void test_a_whole_product(void **state)
{
    (void)state;
    report.count = 0;
    assert_true(product_compile("p.product.lua", SLICE(good_text), &product, &report));
    assert_int_equal(report.count, 0);
    assert_string_equal(product.id, "power.token");
    assert_int_equal(product.version, 7);
    assert_string_equal(product.owner, "products");
    assert_string_equal(product.name, "Prepaid power");
    assert_string_equal(product.supplier, "power");
    assert_int_equal(product.currency, CURRENCY_ZAR);
    assert_int_equal(product.amount_count, 0);
    assert_false(product_is_price(&product, 999));
    assert_true(product_is_price(&product, 1000) && product_is_price(&product, 10000));
    assert_false(product_is_price(&product, 10001));
    assert_int_equal(product.field_count, 2);
    const struct product_field *meter = &product.fields[0];
    assert_string_equal(meter->name, "meter");
    assert_string_equal(meter->label, "Meter");
    assert_true(product_field_fits(meter, SLICE("01234567890")));
    assert_true(product_field_fits(meter, SLICE("0123456789012")));
    assert_false(product_field_fits(meter, SLICE("0123456789")));
    assert_false(product_field_fits(meter, SLICE("01234567890123")));
    assert_false(product_field_fits(meter, SLICE("0123456789a")));
    assert_true(product_field_fits(&product.fields[1], SLICE("a b~")));
    assert_false(product_field_fits(&product.fields[1], SLICE("")));
    assert_false(product_field_fits(&product.fields[1], SLICE("a\n")));
    assert_false(product_field_fits(&product.fields[1], SLICE("caf\xc3\xa9")));
}

/* The good one with its n-th line (from 1) put in another's place. */
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

static void test_the_ways_to_say_a_price(void **state)
{
    (void)state;
    struct bytes text;
    bytes_init(&text, NULL);
    report.count = 0;
    edit(&text, 8, "    price = ZAR '50.00',");
    assert_true(product_compile("p.product.lua", bytes_view(&text), &product, &report));
    assert_true(product_is_price(&product, 5000));
    assert_false(product_is_price(&product, 5001));
    edit(&text, 8, "    denominations = { ZAR '5.00', ZAR '10.00' },");
    assert_true(product_compile("p.product.lua", bytes_view(&text), &product, &report));
    assert_int_equal(product.amount_count, 2);
    assert_true(product_is_price(&product, 500) && product_is_price(&product, 1000));
    assert_false(product_is_price(&product, 700));
    bytes_release(&text);
}

static const struct fault {
    int line; /* that is replaced */
    const char *with;
    const char *says;
} faults[] = {
    {1, "return fee {", "the file must end in: return product { ... }"},
    {2, "    id = 'Power',", "id is made of a-z, 0-9, '.', '_' and '-'"},
    {2, "", "id must be a text of 1 to 47 characters"},
    {3, "    version = 0,", "version must be an integer from 1 to 999999"},
    {4, "    ownr = 'products',", "unknown key 'ownr'; did you mean 'owner'?"},
    {5, "    name = 3,", "name must be a text of 1 to 100 characters"},
    {6, "    supplier = 'a b',", "supplier is made of a-z, 0-9, '.', '_' and '-'"},
    {6, "    supplier = 'stock',", "vouchers in stock have a fixed price: a product for each"},
    {7, "    currency = 'ZZZ',", "currency must be an ISO 4217 code like \"ZAR\""},
    {8, "", "say what it costs by one of price, denominations and range"},
    {8, "    price = ZAR '1', range = { min = ZAR '1', max = ZAR '2' },",
     "say what it costs by one of price, denominations and range"},
    {8, "    price = USD '1.00',", "price is in USD, the rule in ZAR"},
    {8, "    price = ZAR '0.00',", "price must be an amount above zero: ZAR \"1.00\""},
    {8, "    price = 100,", "price must be an amount above zero: ZAR \"1.00\""},
    {8, "    denominations = {},", "denominations must be a list of 1 to 20 amounts"},
    {8, "    denominations = { ZAR '2', ZAR '1' },", "denominations must rise"},
    {8, "    range = { min = ZAR '2', max = ZAR '1' },", "range: max is below min"},
    {8, "    range = { ZAR '2' },", "only named keys are known here: key = value"},
    {8, "    range = ZAR '2.00' ,", "unknown key 'amount'"},
    {9, "    fields = { 3,",
     "fields 1: a field is a table: { name = ..., kind = \"digits\", ... }"},
    {10, "        { name = \"who\", label = 'M', kind = \"digits\",",
     "fields 2: two fields have this name"},
    {10, "        { name = \"meter\", label = 'M', kind = \"hex\",",
     "fields 1: kind must be \"digits\" or \"text\""},
    {11, "          min = 11, max = 65 },", "fields 1: max must be an integer from 1 to 64"},
    {11, "          min = 11, max = 10 },", "fields 1: max is below min"},
    {11, "          min = 10 / 1, max = 10 },", "whole numbers"},
};

static bool says(const char *what)
{
    for (size_t i = 0; i < report.count; i++)
        if (strstr(report.findings[i].message, what) != NULL)
            return true;
    return false;
}

static void test_each_fault(void **state)
{
    (void)state;
    struct bytes text;
    bytes_init(&text, NULL);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        report.count = 0;
        edit(&text, faults[i].line, faults[i].with);
        assert_false(product_compile("p.product.lua", bytes_view(&text), &product, &report));
        if (!says(faults[i].says))
            fail_msg("'%s' is missing, first is '%s'", faults[i].says, report.findings[0].message);
    }
    report.count = 0;
    edit(&text, 4, "    ownr = 'products',");
    assert_false(product_compile("p.product.lua", bytes_view(&text), &product, &report));
    assert_int_equal(report.findings[0].line, 4);
    assert_int_equal(report.findings[0].column, 5);
    bytes_release(&text);
}

/* Found by what clients know, which stays when the file changes. */
static void test_a_bundle_of_both(void **state)
{
    (void)state;
    struct folder folder;
    struct bytes text;
    folder_make(&folder);
    bytes_init(&text, NULL);
    edit(&text, 3, "    version = 8,");
    bytes_add_char(&text, '\0');
    folder_put(&folder, "a.product.lua", good_text);
    struct bundle *bundle = bundle_load(folder.path, &report);
    assert_non_null(bundle);
    assert_int_equal(bundle_product_count(bundle), 1);
    assert_int_equal(bundle_rule_count(bundle), 0);
    const struct uuid id = bundle_products(bundle)[0].public;
    assert_ptr_equal(product_find(bundle, &id), &bundle_products(bundle)[0]);
    assert_null(product_find(bundle, &(struct uuid){{0}}));
    bundle_release(bundle);

    folder_put(&folder, "a.product.lua", text.at);
    bundle = bundle_load(folder.path, &report);
    assert_non_null(bundle);
    assert_int_equal(product_find(bundle, &id)->version, 8);
    bundle_release(bundle);

    folder_put(&folder, "b.product.lua", text.at);
    assert_null(bundle_load(folder.path, &report));
    assert_true(says("its id is taken by a.product.lua"));
    folder_remove(&folder);
    bytes_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_product),
        cmocka_unit_test(test_the_ways_to_say_a_price),
        cmocka_unit_test(test_each_fault),
        cmocka_unit_test(test_a_bundle_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
