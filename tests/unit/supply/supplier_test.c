#include "supply/supplier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_the_configuration_s_text(void **state)
{
    static const char *const wrong[] = {
        "",
        "power",
        "power https://x.example",
        "power  https://x.example t",
        "power https://x.example/ t",
        "power ftp://x.example t",
        "power https://x.example t more",
        "power https://x.example t ",
        "power https://x.example ",
        "Power https://x.example t",
        "stock https://x.example t",
        "power https://x.example t\x01",
        "abcdefghijabcdefghijabcdefghijab https://x.example t",
    };
    struct supplier supplier;
    (void)state;
    assert_true(supplier_parse("power.za https://x.example:8/v1 s3cret", &supplier));
    assert_string_equal(supplier.name, "power.za");
    assert_string_equal(supplier.url, "https://x.example:8/v1");
    assert_string_equal(supplier.token, "s3cret");
    assert_ptr_equal(supplier.kind, &supplier_http);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (supplier_parse(wrong[i], &supplier))
            fail_msg("taken: %s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_configuration_s_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
