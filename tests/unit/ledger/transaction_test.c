#include "ledger/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_names_round_trip(void **state)
{
    (void)state;
    for (int kind = TRANSACTION_DEPOSIT; kind <= TRANSACTION_TRANSFER; kind++) {
        const char *name = transaction_kind_name((enum transaction_kind)kind);
        assert_int_equal(transaction_kind_parse(slice_of(name)), kind);
    }
    assert_int_equal(transaction_kind_parse(SLICE("theft")), 0);
    assert_int_equal(transaction_kind_parse(SLICE("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
