#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/base/dies.h"

static struct arena arena;
static struct json_error error;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* Parsed from memory that ends with the text: ASan sees a read beyond it. */
static const struct json *parse(struct slice text)
{
    char *exact = memory_alloc(text.length);

    assert_non_null(exact);
    memcpy(exact, text.at, text.length);

    const struct json *value = json_parse((struct slice){exact, text.length}, &arena, &error);

    memory_free(exact);
    return value;
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_kind kind;
    } cases[] = {
        {"null", JSON_NULL},
        {"true", JSON_BOOL},
        {"false", JSON_BOOL},
        {"0", JSON_INTEGER},
        {"9223372036854775807", JSON_INTEGER},
        {"-9223372036854775808", JSON_INTEGER},
        {"9223372036854775808", JSON_NUMBER},
        {"-9223372036854775809", JSON_NUMBER},
        {"18446744073709551615", JSON_NUMBER},
        {"123456789012345678901234567890", JSON_NUMBER},
        {"1.0", JSON_NUMBER},
        {"1e2", JSON_NUMBER},
        {"1E999", JSON_NUMBER},
        {"-0", JSON_NUMBER},
        {"-0.0", JSON_NUMBER},
        {"\"\"", JSON_STRING},
        {"[]", JSON_ARRAY},
        {" \t\r\n{} ", JSON_OBJECT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct json *value = parse(slice_of(cases[i].text));

        assert_non_null(value);
        assert_int_equal(json_kind(value), cases[i].kind);
        if (json_kind(value) == JSON_NUMBER)
            assert_true(slice_equals(json_number(value), cases[i].text));
        assert_true(strlen(json_kind_name(json_kind(value))) > 3);
    }
    assert_int_equal(json_integer(parse(SLICE("-9223372036854775808"))), INT64_MIN);
    assert_int_equal(json_integer(parse(SLICE("9223372036854775807"))), INT64_MAX);
    assert_true(json_bool(parse(SLICE("true"))));
    assert_false(json_bool(parse(SLICE("false"))));
}

static void test_walking(void **state)
{
    (void)state;
    const struct json *root =
        parse(SLICE("{\"a\":[1,[2,[]],{\"x\":3},\"4\"],\"b\":{},\"\":null,\"c\\u00e9\":-5}"));
    size_t at = 0;
    struct slice key;
    const struct json *value;

    assert_non_null(root);
    assert_int_equal(json_count(root), 4);
    assert_true(json_next(root, &at, &key, &value));
    assert_true(slice_equals(key, "a"));
    assert_ptr_equal(value, json_member(root, "a"));
    assert_true(json_next(root, &at, &key, &value));
    assert_true(slice_equals(key, "b"));
    assert_int_equal(json_count(value), 0);
    assert_true(json_next(root, &at, &key, &value));
    assert_true(slice_equals(key, ""));
    assert_true(json_next(root, &at, &key, &value));
    assert_true(slice_equals(key, "c\xc3\xa9"));
    assert_int_equal(json_integer(value), -5);
    assert_false(json_next(root, &at, &key, &value));
    assert_false(json_next(root, &at, &key, &value));
    assert_null(json_member(root, "d"));
    assert_null(json_member(root, "A"));

    const struct json *array = json_member(root, "a");
    size_t place = 0;

    at = 0;
    assert_int_equal(json_count(array), 4);
    while (json_next_element(array, &at, &value))
        assert_ptr_equal(value, json_element(array, place++));
    assert_int_equal(place, 4);
    assert_int_equal(json_integer(json_member(json_element(array, 2), "x")), 3);
    assert_true(slice_equals(json_string(json_element(array, 3)), "4"));

    at = 0;
    assert_false(json_next(json_member(root, "b"), &at, &key, &value));
    at = 0;
    assert_false(json_next_element(parse(SLICE("[]")), &at, &value));
}

static void test_syntax_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "[1 2]",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "0x10",
        "- 1",
        "NaN",
        "Infinity",
        "-inf",
        "nul",
        "TRUE",
        "// x\n1",
        "/* x */ 1",
        "1 2",
        "{}{}",
        "{}x",
        "\"\t\"",
        "\"\\x41\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"abc",
        "\xef\xbb\xbf{}",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"",
        "{\"\x80\":1}",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(parse(slice_of(wrong[i])));
        assert_true(error.message[0] != '\0');
        assert_true(error.offset <= strlen(wrong[i]));
        assert_string_equal(error.pointer, "");
        assert_false(error.no_memory);
    }
    assert_null(json_parse((struct slice){NULL, 0}, &arena, &error));
    assert_string_equal(error.message, "the text is empty");
    assert_null(parse((struct slice){"1\0", 2}));
    assert_null(parse((struct slice){"\0", 1}));
    assert_null(parse((struct slice){"\"\0\"", 3}));
}

static void test_the_text_may_go(void **state)
{
    (void)state;
    char text[] = "{\"key\":\"value\",\"n\":12345}";
    const struct json *root = json_parse(SLICE("{\"key\":\"value\",\"n\":12345}"), &arena, &error);
    const struct json *copied = json_parse(slice_of(text), &arena, &error);

    memset(text, 'x', sizeof text);
    assert_true(slice_equals(json_string(json_member(copied, "key")), "value"));
    assert_int_equal(json_integer(json_member(copied, "n")), 12345);
    assert_true(slice_equals(json_string(json_member(root, "key")), "value"));
}

/* A tree made by the writer must be what the parser finds. The same chance makes it and checks it.
 */
static void random_string(struct chance *chance, char *text, size_t *length)
{
    static const char *const characters[] = {"a",
                                             "Z",
                                             " ",
                                             "\"",
                                             "\\",
                                             "/",
                                             "\x01",
                                             "\x1f",
                                             "\n",
                                             "\x7f",
                                             "\xc3\xa9",
                                             "\xe2\x82\xac",
                                             "\xf0\x9f\x92\xb0"};

    *length = 0;
    for (uint64_t left = chance_below(chance, 12); left > 0; left--) {
        uint64_t which = chance_below(chance, sizeof characters / sizeof characters[0]);
        struct slice c = slice_of(characters[which]);

        memcpy(text + *length, c.at, c.length);
        *length += c.length;
    }
}

static void write_random(struct chance *chance, struct json_writer *writer, int depth)
{
    char text[64];
    size_t length;
    uint64_t kind = chance_below(chance, depth < 16 ? 6 : 4);
    uint64_t children = chance_below(chance, depth < 3 ? 24 : 3);

    if (kind == 0) {
        json_write_null(writer);
    } else if (kind == 1) {
        json_write_bool(writer, children % 2 == 0);
    } else if (kind == 2) {
        json_write_int(writer, (int64_t)(chance_bits(chance) >> chance_below(chance, 64)));
    } else if (kind == 3) {
        random_string(chance, text, &length);
        json_write_string(writer, (struct slice){text, length});
    } else if (kind == 4) {
        json_write_array(writer);
        for (; children > 0; children--)
            write_random(chance, writer, depth + 1);
        json_write_array_end(writer);
    } else {
        json_write_object(writer);
        for (; children > 0; children--) {
            snprintf(text, sizeof text, "k%d", (int)children);
            json_write_key(writer, text);
            write_random(chance, writer, depth + 1);
        }
        json_write_object_end(writer);
    }
}

static void check_random(struct chance *chance, const struct json *value, int depth)
{
    char text[64];
    size_t length, at = 0;
    uint64_t kind = chance_below(chance, depth < 16 ? 6 : 4);
    uint64_t children = chance_below(chance, depth < 3 ? 24 : 3);
    const struct json *child;
    struct slice key;

    if (kind == 0) {
        assert_int_equal(json_kind(value), JSON_NULL);
    } else if (kind == 1) {
        assert_int_equal(json_bool(value), children % 2 == 0);
    } else if (kind == 2) {
        assert_int_equal(json_integer(value),
                         (int64_t)(chance_bits(chance) >> chance_below(chance, 64)));
    } else if (kind == 3) {
        random_string(chance, text, &length);
        assert_true(slice_equal(json_string(value), (struct slice){text, length}));
    } else if (kind == 4) {
        assert_int_equal(json_count(value), children);
        while (json_next_element(value, &at, &child))
            check_random(chance, child, depth + 1);
    } else {
        assert_int_equal(json_count(value), children);
        for (; json_next(value, &at, &key, &child); children--) {
            snprintf(text, sizeof text, "k%d", (int)children);
            assert_true(slice_equals(key, text));
            assert_ptr_equal(json_member(value, text), child);
            check_random(chance, child, depth + 1);
        }
    }
}

static void test_what_the_writer_writes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 3000; seed++) {
        struct chance making = {seed * 7919}, checking = making;
        struct json_writer writer;
        struct bytes out;

        bytes_init(&out, NULL);
        json_write_init(&writer, &out);
        write_random(&making, &writer, 0);
        assert_false(out.failed);

        const struct json *root = parse(bytes_view(&out));

        assert_non_null(root);
        check_random(&checking, root, 0);
        assert_int_equal(making.state, checking.state);
        bytes_release(&out);
        arena_release(&arena);
    }
}

/* Any damage is refused or is another document: nothing is read that isn't there. */
static void test_damaged_texts(void **state)
{
    (void)state;
    static const char good[] =
        "{\"to\":\"wal_0\",\"amount\":12e3,\"a\":[1,{\"x\":\"\\ud83d\\ude00\"},"
        "-7,true],\"note\":\"\xe2\x82\xac\\n\"}";
    struct chance chance = {9};

    assert_non_null(parse(SLICE(good)));
    for (size_t length = 1; length < sizeof good - 1; length++)
        assert_null(parse((struct slice){good, length}));
    for (int i = 0; i < 100000; i++) {
        char text[sizeof good];

        memcpy(text, good, sizeof good);
        for (uint64_t hits = 1 + chance_below(&chance, 3); hits > 0; hits--) {
            size_t place = chance_below(&chance, sizeof good - 1);
            text[place] = chance_below(&chance, 2) == 0
                              ? good[chance_below(&chance, sizeof good - 1)]
                              : (char)chance_bits(&chance);
        }
        if (parse((struct slice){text, sizeof good - 1}) == NULL)
            assert_true(error.message[0] != '\0' && error.offset <= sizeof good);
        arena_release(&arena);
    }
}

/* What 64 KiB of anybody's bytes may cost. */
static void test_hostile_bodies_take_little(void **state)
{
    (void)state;
    enum { SIZE = 65536 };
    static const char *const patterns[] = {"[",      "[[]", "{\"a\":", ",",  "1,",
                                           "[],",    "\"",  "\\",      "9",  "{\"\":0},",
                                           "\"a\",", "-",   "]",       "{}", " [1,"};
    static char text[SIZE];

    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        for (size_t i = 0; i < SIZE; i++)
            text[i] = patterns[p][i % strlen(patterns[p])];
        parse((struct slice){text, SIZE});
        assert_true(arena.total < (size_t)SIZE * 13);
        text[0] = '[';
        parse((struct slice){text, SIZE});
        arena_release(&arena);
    }

    memset(text, ' ', SIZE);
    text[0] = '[';
    for (size_t i = 1; i < SIZE - 1; i++)
        text[i] = i % 2 == 1 ? '1' : ',';
    text[SIZE - 2] = ' ';
    text[SIZE - 3] = '1';
    text[SIZE - 1] = ']';
    assert_int_equal(json_count(parse((struct slice){text, SIZE})), SIZE / 2 - 1);
    assert_true(arena.total < (size_t)SIZE * 13);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    struct bytes text;

    bytes_init(&text, NULL);
    bytes_add_char(&text, '{');
    for (int i = 0; i < 2000; i++)
        bytes_printf(&text, "%s\"k%d\":[%d,[]]", i == 0 ? "" : ",", i, i);
    bytes_add_char(&text, '}');
    for (long n = 0;; n++) {
        memory_fail_after(n);

        const struct json *root = json_parse(bytes_view(&text), &arena, &error);
        bool failed = memory_failed();

        memory_fail_never();
        arena_release(&arena);
        assert_int_equal(root == NULL, failed);
        if (!failed)
            break;
        assert_true(error.no_memory);
        assert_string_equal(error.message, "out of memory");
        assert_true(n < 100);
    }
    bytes_release(&text);
}

static void integer_of_number(void *unused)
{
    (void)unused;
    json_integer(parse(SLICE("1.5")));
}

static void string_of_null(void *unused)
{
    (void)unused;
    json_string(parse(SLICE("null")));
}

static void element_behind_the_end(void *unused)
{
    (void)unused;
    json_element(parse(SLICE("[1]")), 1);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(integer_of_number, NULL));
    assert_true(dies(string_of_null, NULL));
    assert_true(dies(element_behind_the_end, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, begin, end),
        cmocka_unit_test_setup_teardown(test_walking, begin, end),
        cmocka_unit_test_setup_teardown(test_syntax_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_the_text_may_go, begin, end),
        cmocka_unit_test_setup_teardown(test_what_the_writer_writes, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged_texts, begin, end),
        cmocka_unit_test_setup_teardown(test_hostile_bodies_take_little, begin, end),
        cmocka_unit_test_setup_teardown(test_every_failing_allocation, begin, end),
        cmocka_unit_test_setup_teardown(test_misuse_dies, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
