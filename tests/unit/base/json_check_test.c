#include "base/json_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "tests/unit/base/chance.h"

static void test_counts_at_least_all_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t values;
    } cases[] = {
        {"1", 1}, {"[]", 1}, {"[1,2]", 3}, {"{\"a\":1}", 3}, {"{\"a,b:[{\":[\"\\\",,,\"]}", 4},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_error error;
        size_t values = 0;

        assert_true(json_check_shape(slice_of(cases[i].text), &values, &error));
        assert_in_range(values, cases[i].values, cases[i].values + 1);
    }
}

/* Arrays and objects in turn, `depth` of them. */
static struct slice nested(int depth, char *text)
{
    size_t length = 0;

    for (int i = 0; i < depth; i++) {
        struct slice open = i % 2 == 0 ? SLICE("[") : SLICE("{\"[{\\\"\":");

        memcpy(text + length, open.at, open.length);
        length += open.length;
    }
    text[length++] = '1';
    for (int i = depth; i-- > 0;)
        text[length++] = i % 2 == 0 ? ']' : '}';
    return (struct slice){text, length};
}

static void test_depth(void **state)
{
    (void)state;
    char text[1000];
    struct json_error error;
    struct arena arena;

    arena_init(&arena);
    for (int depth = 0; depth < 30; depth++) {
        const struct json *root = json_parse(nested(depth, text), &arena, &error);

        assert_int_equal(root != NULL, depth <= 16);
        if (root == NULL)
            assert_string_equal(error.message, "nested more than 16 deep");
    }
    /* Side by side they aren't deep. */
    assert_non_null(json_parse(SLICE("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
                               &arena, &error));
    arena_release(&arena);
}

/* `offset` and `pointer` of what is wrong with `text`. */
static void expect(struct slice text, const char *message, size_t offset, const char *pointer)
{
    struct json_error error;
    struct arena arena;

    arena_init(&arena);
    assert_null(json_parse(text, &arena, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(error.offset, offset);
    assert_string_equal(error.pointer, pointer);
    arena_release(&arena);
}

static void test_duplicates(void **state)
{
    (void)state;
    expect(SLICE("{\"a\":1,\"a\":1}"), "duplicate key", 8, "/a");
    expect(SLICE("{\"a\":1,\"\\u0061\":1}"), "duplicate key", 8, "/a");
    expect(SLICE("{\"\":1,\"\":1}"), "duplicate key", 7, "/");
    expect(SLICE("{\"x\":{\"b\":[0,{\"c\":1,\"d\":2,\"c\":3}]}}"), "duplicate key", 27, "/x/b/1/c");
    expect(SLICE("[{\"a~/b\":{\"k\":1,\"k\":1}}]"), "duplicate key", 17, "/0/a~0~1b/k");
    expect(SLICE("[{},{\"a\":{}},[{\"a\":1},{\"a\":1,\"a\":2}]]"), "duplicate key", 30, "/2/1/a");
}

static void test_equal_keys_of_different_objects_are_fine(void **state)
{
    (void)state;
    struct json_error error;
    struct arena arena;

    arena_init(&arena);
    assert_non_null(
        json_parse(SLICE("{\"a\":{\"a\":{\"a\":1}},\"A\":[{\"a\":1},{\"a\":1}]}"), &arena, &error));
    arena_release(&arena);
}

static void test_nul(void **state)
{
    (void)state;
    expect(SLICE("\"\\u0000\""), "NUL in a string", 1, "");
    expect(SLICE("{\"a\":[1,\"x\\u0000y\"]}"), "NUL in a string", 9, "/a/1");
    expect(SLICE("{\"a\":{\"\\u0000\":1}}"), "NUL in a key", 7, "/a");
}

static void test_a_pointer_that_does_not_fit_names_the_holder(void **state)
{
    (void)state;
    char text[400];
    char key[131];

    memset(key, 'k', 130);
    key[130] = '\0';
    snprintf(text, sizeof text, "{\"a\":{\"%s\":{\"b\":1,\"b\":2}}}", key);
    expect(slice_of(text), "duplicate key", 147, "/a");
}

/* Objects of every size around the change of method; the first key that repeats is the one
 * reported. */
static void test_duplicates_in_large_objects(void **state)
{
    (void)state;
    struct chance chance = {11};
    struct bytes text;

    bytes_init(&text, NULL);
    for (int round = 0; round < 400; round++) {
        int count = 2 + (int)chance_below(&chance, 60);
        int twin = 1 + (int)chance_below(&chance, (uint64_t)count - 1);
        int original = (int)chance_below(&chance, (uint64_t)twin);
        size_t offset = 0;
        char pointer[32];

        bytes_clear(&text);
        for (int i = 0; i < count; i++) {
            bytes_add_char(&text, i == 0 ? '{' : ',');
            offset = i == twin ? text.length + 1 : offset;
            bytes_printf(&text, "\"%x\":[%d,{}]", (i == twin ? original : i) * 2654435, i);
        }
        bytes_add_char(&text, '}');
        snprintf(pointer, sizeof pointer, "/%x", original * 2654435);
        expect(bytes_view(&text), "duplicate key", offset, pointer);
    }
    bytes_release(&text);
}

/* Quadratic it would take minutes under the sanitizers, and seconds of a worker without them. */
static void test_many_keys_take_no_time(void **state)
{
    (void)state;
    struct json_error error;
    struct arena arena;
    struct bytes text;

    bytes_init(&text, NULL);
    for (int i = 0; i < 200000; i++)
        bytes_printf(&text, "%c\"key%06d\":0", i == 0 ? '{' : ',', i);
    bytes_add_char(&text, '}');
    arena_init(&arena);

    int64_t begin = clock_monotonic();
    const struct json *root = json_parse(bytes_view(&text), &arena, &error);

    assert_non_null(root);
    assert_int_equal(json_count(root), 200000);
    assert_true(clock_monotonic() - begin < INT64_C(20) * CLOCK_SECOND);
    arena_release(&arena);
    bytes_release(&text);
}

static void test_integers_only_in_range(void **state)
{
    (void)state;
    struct chance chance = {13};
    struct arena arena;

    arena_init(&arena);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        struct json_error error;
        int64_t number = (int64_t)(chance_bits(&chance) >> chance_below(&chance, 64));

        number += number == 0;
        number = chance_below(&chance, 2) == 0 ? number : (int64_t)(0 - (uint64_t)number);
        snprintf(text, sizeof text, "%lld", (long long)number);

        const struct json *value = json_parse(slice_of(text), &arena, &error);

        assert_int_equal(json_integer(value), number);
        /* One digit more: an integer as long as __int128 arithmetic says it is one. */
        __int128 longer = (__int128)number * 10 + (number < 0 ? -7 : 7);

        snprintf(text, sizeof text, "%lld7", (long long)number);
        value = json_parse(slice_of(text), &arena, &error);
        assert_int_equal(json_kind(value) == JSON_INTEGER,
                         longer >= INT64_MIN && longer <= INT64_MAX);
        if (json_kind(value) == JSON_INTEGER)
            assert_int_equal(json_integer(value), (int64_t)longer);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_at_least_all_values),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_equal_keys_of_different_objects_are_fine),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_a_pointer_that_does_not_fit_names_the_holder),
        cmocka_unit_test(test_duplicates_in_large_objects),
        cmocka_unit_test(test_many_keys_take_no_time),
        cmocka_unit_test(test_integers_only_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
