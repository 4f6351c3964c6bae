/* The hash for unknown phones: it costs what a real one costs, and no password fits it. */
#include "api/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_the_dummy_costs_the_same(void **state)
{
    char real[CRYPTO_PASSWORD_HASH_MAX];
    char dummy[CRYPTO_PASSWORD_HASH_MAX];
    (void)state;
    assert_true(crypto_start());
    assert_true(crypto_password_hash(SLICE("a password"), real));
    password_dummy(dummy);
    assert_int_equal(strlen(dummy), strlen(real));
    /* "$argon2id$v=19$m=...,t=...,p=1$": the parameters, up to the salt */
    const char *salt = strchr(strchr(strchr(strchr(real, '$') + 1, '$') + 1, '$') + 1, '$');
    assert_memory_equal(dummy, real, (size_t)(salt - real) + 1);
    assert_false(crypto_password_verify(SLICE("a password"), dummy));
    assert_false(crypto_password_verify(SLICE(""), dummy));
    assert_true(crypto_password_verify(SLICE("a password"), real));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_dummy_costs_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
