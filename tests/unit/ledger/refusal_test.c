#include "ledger/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_every_refusal_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < REFUSAL_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(refusal_name((enum refusal)i), refusal_name((enum refusal)j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_refusal_has_a_name_of_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
