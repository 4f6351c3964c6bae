/* Cursors: what was written is read, and nothing else is. */
#include "api/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../base/chance.h"

static struct chance chance = {7};

static void fill(void *out, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)out)[i] = (uint8_t)chance_bits(&chance);
}

static bool reads(const uint8_t key[32], struct cursor expected, const char *text)
{
    memset(&expected.position, 0, sizeof expected.position);
    return cursor_read(key, &expected, slice_of(text));
}

static void test_back_again_and_for_nobody_else(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        uint8_t key[32];
        struct cursor cursor = {.list = CURSOR_WALLETS};
        char text[CURSOR_TEXT_MAX];
        fill(key, sizeof key);
        fill(&cursor.scope, sizeof cursor.scope);
        fill(&cursor.position, sizeof cursor.position);
        cursor_write(key, &cursor, text);

        struct cursor back = {.list = cursor.list, .scope = cursor.scope};
        assert_true(cursor_read(key, &back, slice_of(text)));
        assert_true(uuid_equal(&back.position, &cursor.position));

        struct cursor other = cursor;
        other.list = CURSOR_SESSIONS;
        assert_false(reads(key, other, text));
        other = cursor;
        other.scope.bytes[chance_below(&chance, 16)] ^= 1;
        assert_false(reads(key, other, text));
        key[chance_below(&chance, 32)] ^= 1;
        assert_false(reads(key, cursor, text));
    }
}

/* Every character changed to every other one, one left out, one more: none is ours. */
static void test_nobody_makes_one_up(void **state)
{
    static const char alphabet[] = "ABCXYZabcxyz0189-_=+/ ";
    const uint8_t key[32] = {1};
    const struct cursor cursor = {CURSOR_STATEMENT, {{2}}, {{3}}};
    char text[CURSOR_TEXT_MAX];
    (void)state;
    cursor_write(key, &cursor, text);
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        char kept = text[i];
        for (size_t k = 0; k < sizeof alphabet - 1; k++) {
            text[i] = alphabet[k];
            assert_int_equal(reads(key, cursor, text), alphabet[k] == kept);
        }
        text[i] = '\0';
        assert_false(reads(key, cursor, text));
        text[i] = kept;
    }
    text[length] = 'A';
    text[length + 1] = '\0';
    assert_false(reads(key, cursor, text));
    assert_false(reads(key, cursor, ""));
}

static void test_numbers_are_positions(void **state)
{
    static const int64_t numbers[] = {0, 1, 255, 256, INT64_MAX, INT64_MIN, -1};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct uuid position = cursor_position(numbers[i]);
        assert_true(cursor_number(&position) == numbers[i]);
    }
    struct uuid small = cursor_position(7);
    struct uuid large = cursor_position(1000);
    assert_true(uuid_compare(&small, &large) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_again_and_for_nobody_else),
        cmocka_unit_test(test_nobody_makes_one_up),
        cmocka_unit_test(test_numbers_are_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
