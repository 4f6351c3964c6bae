#include "base/bytes.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/base/dies.h"

enum { MODEL_SIZE = 1 << 20 };

/* The same text, made by snprintf and memcpy in an array that is always large enough. */
static char model[MODEL_SIZE];
static size_t model_length;

static void model_add(const void *data, size_t length)
{
    assert_true(model_length + length < MODEL_SIZE);
    memcpy(model + model_length, data, length);
    model_length += length;
}

static uint64_t random_number(struct chance *chance)
{
    uint64_t bits = chance_bits(chance);

    return bits >> chance_below(chance, 64); /* of every length */
}

static void add_number(struct bytes *bytes, struct chance *chance)
{
    char text[64];
    uint64_t number = random_number(chance);
    int64_t sign = chance_below(chance, 2) == 0 ? 1 : -1;
    int64_t with_sign = (int64_t)(number >> 1) * sign;

    snprintf(text, sizeof text, "%" PRIu64 "%" PRId64, number, with_sign);
    model_add(text, strlen(text));
    bytes_add_uint(bytes, number);
    bytes_add_int(bytes, with_sign);
}

static void add_binary(struct bytes *bytes, struct chance *chance)
{
    uint64_t number = random_number(chance);
    unsigned char swapped[14];

    for (int i = 0; i < 2; i++)
        swapped[i] = (unsigned char)(number >> (8 - 8 * i));
    for (int i = 0; i < 4; i++)
        swapped[2 + i] = (unsigned char)(number >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        swapped[6 + i] = (unsigned char)(number >> (56 - 8 * i));
    model_add(swapped, sizeof swapped);
    bytes_add_be16(bytes, (uint16_t)number);
    bytes_add_be32(bytes, (uint32_t)number);
    bytes_add_be64(bytes, number);
}

static void add_text(struct bytes *bytes, struct chance *chance)
{
    char text[301];
    char formatted[700];
    size_t length = chance_below(chance, 300);

    memset(text, 'a' + (int)chance_below(chance, 26), length);
    text[length] = '\0';
    bytes_add_text(bytes, text);
    bytes_add_slice(bytes, (struct slice){text, length});
    bytes_add_char(bytes, '\0');
    model_add(text, length);
    model_add(text, length);
    model_add("", 1);

    bytes_printf(bytes, "<%s|%d>", text, (int)length);
    snprintf(formatted, sizeof formatted, "<%s|%d>", text, (int)length);
    model_add(formatted, strlen(formatted));
}

static void add_hex(struct bytes *bytes, struct chance *chance)
{
    uint64_t number = chance_bits(chance);
    size_t length = chance_below(chance, 9);
    char text[20] = "";

    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)&number)[i]);
    bytes_add_hex(bytes, &number, length);
    model_add(text, 2 * length);
}

static void consume(struct bytes *bytes, struct chance *chance)
{
    size_t length = chance_below(chance, 3) == 0 ? chance_below(chance, model_length + 1) : 0;

    bytes_consume(bytes, length);
    model_length -= length;
    memmove(model, model + length, model_length);
}

static void check_against_model(struct arena *arena, uint64_t seed)
{
    static void (*const acts[])(struct bytes *, struct chance *) = {
        add_number, add_binary, add_text, add_hex, consume,
    };
    struct chance chance = {seed};
    struct bytes bytes;

    bytes_init(&bytes, arena);
    model_length = 0;
    for (int i = 0; i < 1000; i++) {
        acts[chance_below(&chance, sizeof acts / sizeof acts[0])](&bytes, &chance);
        assert_false(bytes.failed);
        assert_int_equal(bytes_view(&bytes).length, model_length);
    }
    if (model_length > 0)
        assert_memory_equal(bytes_view(&bytes).at, model, model_length);
    bytes_release(&bytes);
    assert_int_equal(bytes.length, 0);
}

static void test_like_its_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct arena arena;

        check_against_model(NULL, seed);
        arena_init(&arena);
        check_against_model(&arena, seed);
        arena_release(&arena);
    }
}

static void test_numbers_at_the_edges(void **state)
{
    (void)state;
    struct bytes bytes;

    bytes_init(&bytes, NULL);
    bytes_add_int(&bytes, INT64_MIN);
    bytes_add_char(&bytes, ' ');
    bytes_add_int(&bytes, INT64_MAX);
    bytes_add_char(&bytes, ' ');
    bytes_add_uint(&bytes, UINT64_MAX);
    bytes_add_int(&bytes, 0);
    assert_true(slice_equals(bytes_view(&bytes), "-9223372036854775808 9223372036854775807 "
                                                 "184467440737095516150"));
    bytes_release(&bytes);
}

static void test_the_limit(void **state)
{
    (void)state;
    struct bytes bytes;

    bytes_init(&bytes, NULL);
    bytes.limit = 10;
    bytes_add_text(&bytes, "12345678");
    bytes_printf(&bytes, "%d", 90); /* to the last byte: printf's NUL doesn't count */
    assert_false(bytes.failed);
    assert_true(slice_equals(bytes_view(&bytes), "1234567890"));
    bytes_add_char(&bytes, 'x');
    assert_true(bytes.failed);
    bytes_add(&bytes, "", 0); /* sticky, and nothing is added */
    bytes_consume(&bytes, 5);
    bytes_add_char(&bytes, 'x');
    assert_true(bytes.failed);
    assert_true(slice_equals(bytes_view(&bytes), "67890"));

    bytes_clear(&bytes);
    assert_false(bytes.failed);
    bytes_printf(&bytes, "%s", "12345678901");
    assert_true(bytes.failed);
    assert_int_equal(bytes.length, 0);
    bytes_clear(&bytes);
    bytes_add_hex(&bytes, "123456", 6);
    assert_true(bytes.failed);
    bytes_release(&bytes);

    bytes_init(&bytes, NULL);
    assert_false(bytes_reserve(&bytes, (size_t)2 << 30)); /* 1 GiB by default */
    assert_true(bytes.failed);
    bytes_clear(&bytes);
    assert_false(bytes_reserve(&bytes, SIZE_MAX));
    bytes_clear(&bytes);
    bytes_add_hex(&bytes, "", SIZE_MAX);
    assert_true(bytes.failed);
    bytes_release(&bytes);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        struct bytes bytes;
        size_t length = 0;
        bool failed = false;

        bytes_init(&bytes, NULL);
        memory_fail_after(n);
        for (int i = 0; i < 500 && !failed; i++) {
            length = bytes.length;
            bytes_printf(&bytes, "%d", i);
            failed = bytes.failed;
        }
        memory_fail_never();
        assert_int_equal(failed, memory_failed());
        if (failed)
            assert_int_equal(bytes.length, length);
        bytes_release(&bytes);
        if (!failed)
            break;
        assert_true(n < 50);
    }
}

static void test_clear_keeps_what_it_has(void **state)
{
    (void)state;
    struct bytes bytes;

    bytes_init(&bytes, NULL);
    assert_null(bytes_view(&bytes).at);
    assert_true(bytes_reserve(&bytes, 1000));
    assert_int_equal(bytes.length, 0);

    const char *at = bytes.at;

    bytes_clear(&bytes);
    memory_fail_after(0);
    for (int i = 0; i < 1000; i++)
        bytes_add_char(&bytes, 'x');
    memory_fail_never();
    assert_false(bytes.failed);
    assert_ptr_equal(bytes.at, at);
    bytes_release(&bytes);
}

static void consume_too_much(void *bytes)
{
    bytes_consume(bytes, 4);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    struct bytes bytes;

    bytes_init(&bytes, NULL);
    bytes_add_text(&bytes, "abc");
    assert_true(dies(consume_too_much, &bytes));
    bytes_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_its_model),
        cmocka_unit_test(test_numbers_at_the_edges),
        cmocka_unit_test(test_the_limit),
        cmocka_unit_test(test_every_failing_allocation),
        cmocka_unit_test(test_clear_keeps_what_it_has),
        cmocka_unit_test(test_misuse_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
