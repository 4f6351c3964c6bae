#include "ledger/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static const uint8_t seed[CRYPTO_SEED_SIZE] = {1, 2, 3};

static struct seal sample(void)
{
    struct seal seal = {
        .origin = "demo", .number = 7, .count = 3, .horizon = 777, .at = INT64_C(1764000000123456)};
    memset(seal.through.bytes, 1, 16);
    memset(seal.root.bytes, 0xaa, 32);
    memset(seal.previous.bytes, 0xbb, 32);
    return seal;
}

static int begin(void **state)
{
    (void)state;
    return crypto_start() ? 0 : -1;
}

/* Computed by sha256sum from the text in docs/proof.md. */
static void test_the_format(void **state)
{
    const struct seal seal = sample();
    struct merkle_hash expected;
    (void)state;
    assert_true(
        seal_read_hex(SLICE("b182fa5fb16ef658807b6826bec16c0ade7373de422d742a44acf54db612a33c"),
                      expected.bytes, sizeof expected.bytes));
    const struct merkle_hash hash = seal_hash(&seal);
    assert_memory_equal(&hash, &expected, sizeof hash);
}

#define CHANGED(change)                                         \
    do {                                                        \
        struct seal seal = sample();                            \
        const struct merkle_hash before = seal_hash(&seal);     \
        seal.change;                                            \
        const struct merkle_hash after = seal_hash(&seal);      \
        assert_memory_not_equal(&before, &after, sizeof after); \
    } while (0)

static void test_every_field_counts(void **state)
{
    (void)state;
    CHANGED(origin[0] = 'x');
    CHANGED(number++);
    CHANGED(count++);
    CHANGED(after.bytes[0]++);
    CHANGED(through.bytes[0]++);
    CHANGED(horizon++);
    CHANGED(root.bytes[0]++);
    CHANGED(previous.bytes[0]++);
    CHANGED(at++);
}

static void test_origins(void **state)
{
    (void)state;
    assert_true(seal_is_origin("moolah"));
    assert_true(seal_is_origin("za-1.live_2"));
    assert_true(seal_is_origin("0123456789012345678901234567890123456789012345678901234567890aa"));
    assert_false(
        seal_is_origin("0123456789012345678901234567890123456789012345678901234567890aaa"));
    assert_false(seal_is_origin(""));
    assert_false(seal_is_origin("Moolah"));
    assert_false(seal_is_origin("two lines\nnumber 9"));
}

static void test_signatures(void **state)
{
    const struct seal seal = sample();
    struct checkpoint c = seal_checkpoint(&seal);
    (void)state;
    assert_false(seal_is_signed_well(&c));
    seal_sign(&c, seed);
    assert_true(seal_is_signed_well(&c));
    const struct checkpoint good = c;
    for (int i = 0; i < 6; i++) {
        c = good;
        c.origin[0] ^= i == 0;
        c.seal += i == 1;
        c.hash.bytes[5] ^= i == 2;
        c.at += i == 3;
        c.key[0] ^= i == 4;
        c.signature[63] ^= i == 5;
        assert_false(seal_is_signed_well(&c));
    }
}

static void check_line(const struct checkpoint *c)
{
    struct checkpoint back;
    struct bytes line;
    bytes_init(&line, NULL);
    seal_write_checkpoint(c, &line);
    assert_null(memchr(line.at, '\n', line.length));
    assert_true(seal_read_checkpoint(bytes_view(&line), &back));
    assert_string_equal(back.origin, c->origin);
    assert_int_equal(back.seal, c->seal);
    assert_int_equal(back.at, c->at);
    assert_memory_equal(&back.hash, &c->hash, sizeof c->hash);
    assert_int_equal(back.is_signed, c->is_signed);
    assert_int_equal(seal_is_signed_well(&back), c->is_signed);
    for (size_t length = 0; length < line.length; length++) /* torn off */
        assert_false(seal_read_checkpoint((struct slice){line.at, length}, &back));
    bytes_release(&line);
}

static void test_lines(void **state)
{
    const struct seal seal = sample();
    struct checkpoint c = seal_checkpoint(&seal);
    (void)state;
    check_line(&c);
    seal_sign(&c, seed);
    check_line(&c);
    assert_false(seal_read_checkpoint(SLICE("[]"), &c));
    assert_false(seal_read_checkpoint(SLICE("{\"origin\":\"a\",\"seal\":\"1\"}"), &c));
    assert_false(seal_read_checkpoint(SLICE("{\"origin\":\"A\",\"seal\":1,\"hash\":\"\","
                                            "\"at\":\"2026-01-01T00:00:00Z\"}"),
                                      &c));
}

static void test_hex(void **state)
{
    uint8_t two[2] = {0};
    (void)state;
    assert_true(seal_read_hex(SLICE("0fa9"), two, 2));
    assert_int_equal(two[0], 0x0f);
    assert_int_equal(two[1], 0xa9);
    assert_false(seal_read_hex(SLICE("0fa"), two, 2));
    assert_false(seal_read_hex(SLICE("0fa9a"), two, 2));
    assert_false(seal_read_hex(SLICE("0FA9"), two, 2));
    assert_false(seal_read_hex(SLICE("0fg9"), two, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_format), cmocka_unit_test(test_every_field_counts),
        cmocka_unit_test(test_origins),    cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
