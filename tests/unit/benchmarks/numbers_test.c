#include "benchmarks/numbers.h"

#include <math.h>
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

static char text[NUMBERS_TEXT_MAX];

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {6.1, "6.1"},
        {999, "999"},
        {1000, "1,000"},
        {-1000, "-1,000"},
        {-999, "-999"},
        {12345.6, "12,346"},
        {1234567, "1,234,567"},
        {-123456, "-123,456"},
        {0.0123, "0.0123"},
        {123.45, "123.5"},
        {1e18, "1e+18"},
        {1e-300, "1e-300"},
        {NAN, "-"},
        {100, "100"},
        {999999.6, "1,000,000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(numbers_text(text, cases[i].number), cases[i].text);
}

static void test_units(void **state)
{
    (void)state;
    assert_string_equal(numbers_time(text, 850), "850 µs");
    assert_string_equal(numbers_time(text, 12340), "12.3 ms");
    assert_string_equal(numbers_time(text, 1200000), "1.2 s");
    assert_string_equal(numbers_time(text, 0), "0 µs");
    assert_string_equal(numbers_time(text, NAN), "-");
    assert_string_equal(numbers_bytes(text, 17600000000.0), "17.6 GB");
    assert_string_equal(numbers_bytes(text, 0), "0 B");
    assert_string_equal(numbers_change(text, 0.031), "+3.1 %");
    assert_string_equal(numbers_change(text, -0.12), "-12.0 %");
    assert_string_equal(numbers_json(text, NAN), "null");
    assert_string_equal(numbers_json(text, INFINITY), "null");
    assert_string_equal(numbers_json(text, 12345.6), "12345.6");
}

static void test_table(void **state)
{
    (void)state;
    const char *const head[] = {"name", "value", "empty"};
    struct arena arena;
    struct bytes out;
    struct numbers_table table;
    arena_init(&arena);
    bytes_init(&out, &arena);
    numbers_table_init(&table, &arena, head, 3);
    numbers_table_row(&table, (const char *[]){"µs", "1,000", "-"});
    numbers_table_row(&table, (const char *[]){"longer\x1b", "7", ""});
    assert_true(numbers_table_write(&table, &out));
    bytes_add_char(&out, '\0');
    assert_string_equal(out.at, "name     value\n"
                                "--------------\n"
                                "µs       1,000\n"
                                "longer?      7\n");
    arena_release(&arena);
}

static void test_memory(void **state)
{
    (void)state;
    const char *const head[] = {"name"};
    bool good = false;
    for (long n = 0; !good; n++) {
        struct arena arena;
        struct bytes out;
        struct numbers_table table;
        arena_init(&arena);
        bytes_init(&out, &arena);
        memory_fail_after(n);
        numbers_table_init(&table, &arena, head, 1);
        for (int i = 0; i < 100; i++)
            numbers_table_row(&table, head);
        good = numbers_table_write(&table, &out);
        assert_true(good != memory_failed());
        memory_fail_never();
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
