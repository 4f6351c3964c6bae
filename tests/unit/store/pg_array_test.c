/* Arrays as array_recv wants them, byte for byte. */
#include "store/pg_array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../base/dies.h"
#include "base/arena.h"
#include "base/memory.h"
#include "store/pg_params.h"

static struct arena arena;
static struct pg_params params;
static struct pg_array array;

static void start(enum pg_array_type type, int count)
{
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_array_begin(&array, &params, type, count);
}

static void expect(const void *bytes, int length)
{
    pg_array_end(&array);
    assert_false(params.failed);
    assert_int_equal(params.count, 1);
    assert_int_equal(params.lengths[0], length);
    assert_memory_equal(params.values[0], bytes, (size_t)length);
    arena_release(&arena);
}

static void test_numbers(void **state)
{
    (void)state;
    start(PG_SMALLINT, 2);
    pg_array_smallint(&array, 258);
    pg_array_smallint(&array, -1);
    expect("\0\0\0\1\0\0\0\1\0\0\0\x15\0\0\0\2\0\0\0\1\0\0\0\2\1\2\0\0\0\2\xff\xff", 32);
    start(PG_INTEGER, 1);
    pg_array_integer(&array, -2);
    expect("\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\xff\xff\xff\xfe", 28);
    start(PG_BIGINT, 1);
    pg_array_bigint(&array, 3);
    expect("\0\0\0\1\0\0\0\1\0\0\0\x14\0\0\0\1\0\0\0\1\0\0\0\x8\0\0\0\0\0\0\0\3", 32);
    start(PG_TIME, 1);
    pg_array_time(&array, PG_PARAMS_EPOCH_US + 5);
    expect("\0\0\0\1\0\0\0\1\0\0\4\xa0\0\0\0\1\0\0\0\1\0\0\0\x8\0\0\0\0\0\0\0\5", 32);
}

static void test_texts_and_nulls(void **state)
{
    static const struct uuid id = {{1}};
    (void)state;
    start(PG_TEXT, 3);
    pg_array_text(&array, SLICE("ab"));
    pg_array_text(&array, (struct slice){NULL, 0});
    pg_array_text(&array, SLICE(""));
    expect("\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1\0\0\0\2"
           "ab\xff\xff\xff\xff\0\0\0\0",
           34);
    start(PG_UUID, 2);
    pg_array_uuid(&array, &id);
    pg_array_uuid(&array, NULL);
    expect("\0\0\0\1\0\0\0\1\0\0\xb\x86\0\0\0\2\0\0\0\1\0\0\0\x10"
           "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff",
           44);
    start(PG_BYTEA, 0);
    expect("\0\0\0\0\0\0\0\1\0\0\0\x11", 12);
}

static void end_early(void *with)
{
    (void)with;
    start(PG_TEXT, 2);
    pg_array_text(&array, SLICE("x"));
    pg_array_end(&array);
}

static void add_too_many(void *with)
{
    (void)with;
    start(PG_TEXT, 0);
    pg_array_text(&array, SLICE("x"));
}

static void test_another_count_is_a_fault(void **state)
{
    (void)state;
    assert_true(dies(end_early, NULL));
    assert_true(dies(add_too_many, NULL));
}

static void test_no_memory_is_remembered(void **state)
{
    bool failed = true;
    (void)state;
    for (long n = 0; failed; n++) {
        static char text[3000];
        memory_fail_after(n);
        start(PG_TEXT, 40);
        for (int i = 0; i < 40; i++)
            pg_array_text(&array, (struct slice){text, sizeof text});
        pg_array_end(&array);
        failed = memory_failed();
        memory_fail_never();
        assert_int_equal(params.failed, failed);
        arena_release(&arena);
        assert_true(n < 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_texts_and_nulls),
        cmocka_unit_test(test_another_count_is_a_fault),
        cmocka_unit_test(test_no_memory_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
