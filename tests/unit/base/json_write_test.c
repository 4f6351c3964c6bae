#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/memory.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/base/dies.h"

static struct bytes out;
static struct json_writer writer;

static int begin(void **state)
{
    (void)state;
    bytes_init(&out, NULL);
    json_write_init(&writer, &out);
    return 0;
}

static int end(void **state)
{
    (void)state;
    bytes_release(&out);
    return 0;
}

static void write_sample(void)
{
    json_write_object(&writer);
    json_write_key(&writer, "a");
    json_write_int(&writer, INT64_MIN);
    json_write_key(&writer, "b");
    json_write_array(&writer);
    json_write_bool(&writer, true);
    json_write_bool(&writer, false);
    json_write_null(&writer);
    json_write_array(&writer);
    json_write_array_end(&writer);
    json_write_object(&writer);
    json_write_object_end(&writer);
    json_write_raw(&writer, SLICE("{\"raw\":1}"));
    json_write_array_end(&writer);
    json_write_key(&writer, "c");
    json_write_text(&writer, "x");
    json_write_object_end(&writer);
}

static const char sample[] =
    "{\"a\":-9223372036854775808,\"b\":[true,false,null,[],{},{\"raw\":1}],\"c\":\"x\"}";

static void test_commas(void **state)
{
    (void)state;
    write_sample();
    assert_true(slice_equals(bytes_view(&out), sample));
}

static void test_escapes(void **state)
{
    (void)state;
    json_write_string(&writer, SLICE("\"\\/\b\f\n\r\t\x01\x1f\x7f\0\xc3\xa9"));
    assert_true(slice_equals(bytes_view(&out),
                             "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u0000\xc3\xa9\""));
    bytes_clear(&out);
    json_write_init(&writer, &out);
    json_write_string(&writer, (struct slice){NULL, 0});
    assert_true(slice_equals(bytes_view(&out), "\"\""));
}

/* The decoder of RFC 3629's table, written the slow way: a code point, then is it allowed? */
static size_t decode(const unsigned char *at, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80       ? 1
                    : at[0] >> 5 == 6  ? 2
                    : at[0] >> 4 == 14 ? 3
                    : at[0] >> 3 == 30 ? 4
                                       : 0;
    uint32_t point = length < 2 ? at[0] : at[0] & (0x7fU >> length);

    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        point = point << 6 | (at[i] & 0x3f);
    }
    return point < smallest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)
               ? 0
               : length;
}

static bool is_utf8(const unsigned char *at, size_t length)
{
    for (size_t i = 0, step; i < length; i += step) {
        step = decode(at + i, length - i);
        if (step == 0)
            return false;
    }
    return true;
}

/* Whatever the bytes, the result is JSON that parses; good text comes back, bad bytes become
 * U+FFFD. */
static void check_string(const unsigned char *text, size_t length)
{
    struct slice given = {(const char *)text, length};
    struct json_error error;
    struct arena arena;
    char expected[128];
    size_t expected_length = 0;

    for (size_t i = 0; i < length;) {
        size_t step = decode(text + i, length - i);

        memcpy(expected + expected_length, step == 0 ? (const char *)"\xef\xbf\xbd" : given.at + i,
               step == 0 ? 3 : step);
        expected_length += step == 0 ? 3 : step;
        i += step == 0 ? 1 : step;
    }
    bytes_clear(&out);
    json_write_init(&writer, &out);
    json_write_string(&writer, given);
    arena_init(&arena);

    const struct json *back = json_parse(bytes_view(&out), &arena, &error);

    if (memchr(expected, '\0', expected_length) != NULL) {
        assert_null(back); /* written as \u0000, which our own reader refuses */
    } else {
        assert_non_null(back);
        assert_true(slice_equal(json_string(back), (struct slice){expected, expected_length}));
    }
    assert_int_equal(json_write_is_utf8(given), is_utf8(text, length));
    arena_release(&arena);
}

static void test_any_bytes(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x22, 0x41, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                          0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xec, 0xed,
                                          0xee, 0xef, 0xf0, 0xf3, 0xf4, 0xf5, 0xff};
    struct chance chance = {17};

    for (unsigned pair = 0; pair < 65536; pair++) {
        unsigned char text[2] = {(unsigned char)(pair >> 8), (unsigned char)pair};

        check_string(text, 2);
    }
    for (int i = 0; i < 100000; i++) {
        unsigned char text[8];
        size_t length = chance_below(&chance, sizeof text + 1);

        for (size_t k = 0; k < length; k++)
            text[k] = edges[chance_below(&chance, sizeof edges)];
        check_string(text, length);
    }
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        bytes_release(&out);
        json_write_init(&writer, &out);
        memory_fail_after(n);
        for (int i = 0; i < 20; i++)
            write_sample();
        memory_fail_never();
        assert_int_equal(out.failed, memory_failed());
        if (!out.failed)
            break;
        assert_true(n < 20);
    }
}

static void nest(void *levels)
{
    for (int i = 0; i < *(int *)levels; i++)
        json_write_array(&writer);
    for (int i = 0; i < *(int *)levels; i++) {
        json_write_int(&writer, i); /* commas are right at every depth */
        json_write_array_end(&writer);
    }
}

static void test_depth(void **state)
{
    (void)state;
    int levels = 17;

    assert_true(dies(nest, &levels));
    levels = 16;
    assert_false(dies(nest, &levels));
    nest(&levels);
    assert_true(slice_equals(bytes_view(&out),
                             "[[[[[[[[[[[[[[[[0],1],2],3],4],5],6],7],8],9],10],11],"
                             "12],13],14],15]"));
}

static void close_nothing(void *unused)
{
    (void)unused;
    json_write_object_end(&writer);
}

static void key_without_value(void *unused)
{
    (void)unused;
    json_write_object(&writer);
    json_write_key(&writer, "a");
    json_write_object_end(&writer);
}

static void key_after_key(void *unused)
{
    (void)unused;
    json_write_object(&writer);
    json_write_key(&writer, "a");
    json_write_key(&writer, "b");
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(close_nothing, NULL));
    assert_true(dies(key_without_value, NULL));
    assert_true(dies(key_after_key, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commas, begin, end),
        cmocka_unit_test_setup_teardown(test_escapes, begin, end),
        cmocka_unit_test_setup_teardown(test_any_bytes, begin, end),
        cmocka_unit_test_setup_teardown(test_every_failing_allocation, begin, end),
        cmocka_unit_test_setup_teardown(test_depth, begin, end),
        cmocka_unit_test_setup_teardown(test_misuse_dies, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
