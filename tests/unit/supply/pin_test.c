#include "supply/pin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[32] = {1, 2, 3};
static const uint8_t other_key[32] = {1, 2, 4};

static void test_what_a_pin_is(void **state)
{
    char longest[PIN_MAX + 1];
    (void)state;
    memset(longest, '9', sizeof longest);
    assert_true(pin_is_good(SLICE("1")) && pin_is_good(SLICE("1234 ABCD-~")));
    assert_true(pin_is_good((struct slice){longest, PIN_MAX}));
    assert_false(pin_is_good((struct slice){longest, PIN_MAX + 1}));
    assert_false(pin_is_good(SLICE("")) || pin_is_good(SLICE(" 1")) || pin_is_good(SLICE("1 ")));
    assert_false(pin_is_good(SLICE("1\t2")) || pin_is_good(SLICE("1\x7f")));
}

static void test_sealed_for_its_product(void **state)
{
    uint8_t sealed[PIN_MAX + CRYPTO_SEAL_EXTRA];
    char pin[PIN_MAX];
    size_t length = 0;
    const struct slice text = {(const char *)sealed, 4 + CRYPTO_SEAL_EXTRA};
    (void)state;
    assert_true(crypto_start());
    pin_seal(key, SLICE("airtime"), SLICE("1234"), sealed);
    assert_true(pin_open(key, SLICE("airtime"), text, pin, &length));
    assert_int_equal(length, 4);
    assert_memory_equal(pin, "1234", 4);
    assert_false(pin_open(key, SLICE("airtime2"), text, pin, &length));
    assert_false(pin_open(other_key, SLICE("airtime"), text, pin, &length));
    assert_false(pin_open(key, SLICE("airtime"), (struct slice){NULL, 0}, pin, &length));
    assert_false(pin_open(key, SLICE("airtime"), (struct slice){text.at, 8}, pin, &length));
    sealed[CRYPTO_SEAL_EXTRA] ^= 1;
    assert_false(pin_open(key, SLICE("airtime"), text, pin, &length));
}

static void test_the_same_pin(void **state)
{
    uint8_t hashes[3][CRYPTO_HASH_SIZE];
    uint8_t again[CRYPTO_HASH_SIZE];
    (void)state;
    pin_hash(key, SLICE("1234"), hashes[0]);
    pin_hash(key, SLICE("1235"), hashes[1]);
    pin_hash(other_key, SLICE("1234"), hashes[2]);
    pin_hash(key, SLICE("1234"), again);
    assert_memory_equal(hashes[0], again, sizeof again);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(hashes[i], hashes[k], CRYPTO_HASH_SIZE);
}

static void test_goods_of_their_purchase(void **state)
{
    const struct uuid one = {{1}};
    const struct uuid two = {{2}};
    uint8_t sealed[7 + CRYPTO_SEAL_EXTRA];
    char goods[7];
    const struct slice text = {(const char *)sealed, sizeof sealed};
    (void)state;
    pin_seal_goods(key, &one, SLICE("{\"a\":1}"), sealed);
    assert_true(pin_open_goods(key, &one, text, goods));
    assert_memory_equal(goods, "{\"a\":1}", 7);
    assert_false(pin_open_goods(key, &two, text, goods));
    assert_false(pin_open_goods(key, &one, (struct slice){NULL, 0}, goods));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_pin_is),
        cmocka_unit_test(test_sealed_for_its_product),
        cmocka_unit_test(test_the_same_pin),
        cmocka_unit_test(test_goods_of_their_purchase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
