/* What is sent to PostgreSQL, byte for byte; that it understands it so is tests/integration/'s. */
#include "store/pg_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../base/dies.h"
#include "base/arena.h"
#include "base/memory.h"

static void expect(const struct pg_params *params, int i, const void *bytes, int length)
{
    assert_true(i < params->count);
    assert_int_equal(params->lengths[i], length);
    assert_memory_equal(params->values[i], bytes, (size_t)length);
}

static void fill(struct pg_params *params)
{
    static const struct uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    char text[] = "copied";
    pg_params_null(params);
    pg_params_bool(params, true);
    pg_params_bool(params, false);
    pg_params_smallint(params, -2);
    pg_params_integer(params, 0x01020304);
    pg_params_bigint(params, INT64_MIN + 1);
    pg_params_time(params, PG_PARAMS_EPOCH_US + 258);
    pg_params_time(params, PG_PARAMS_EPOCH_US - 1);
    pg_params_uuid(params, &id);
    pg_params_uuid(params, NULL);
    pg_params_text(params, slice_of(text));
    memset(text, 'x', sizeof text - 1);
    pg_params_text(params, (struct slice){NULL, 0});
    pg_params_text(params, SLICE(""));
}

static void test_values(void **state)
{
    struct arena arena;
    struct pg_params params;
    (void)state;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    fill(&params);
    assert_false(params.failed);
    assert_int_equal(params.count, 13);
    assert_null(params.values[0]);
    expect(&params, 1, "\1", 1);
    expect(&params, 2, "\0", 1);
    expect(&params, 3, "\xff\xfe", 2);
    expect(&params, 4, "\1\2\3\4", 4);
    expect(&params, 5, "\x80\0\0\0\0\0\0\1", 8);
    expect(&params, 6, "\0\0\0\0\0\0\1\2", 8);
    expect(&params, 7, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    expect(&params, 8, "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10", 16);
    assert_null(params.values[9]);
    expect(&params, 10, "copied", 6);
    assert_null(params.values[11]);
    assert_non_null(params.values[12]); /* empty is not null */
    assert_int_equal(params.lengths[12], 0);
    arena_release(&arena);
}

static void test_no_memory_is_remembered(void **state)
{
    bool failed = true;
    (void)state;
    for (long n = 0; failed; n++) {
        struct arena arena;
        struct pg_params params;
        arena_init(&arena);
        pg_params_init(&params, &arena);
        memory_fail_after(n);
        fill(&params);
        failed = memory_failed();
        memory_fail_never();
        assert_int_equal(params.failed, failed);
        assert_int_equal(params.count, 13); /* each has its place all the same */
        arena_release(&arena);
        assert_true(n < 50);
    }
}

static void add_too_many(void *with)
{
    struct pg_params params;
    (void)with;
    pg_params_init(&params, NULL);
    for (int i = 0; i <= PG_PARAMS_MAX; i++)
        pg_params_null(&params);
}

static void test_too_many_are_a_fault(void **state)
{
    (void)state;
    assert_true(dies(add_too_many, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_no_memory_is_remembered),
        cmocka_unit_test(test_too_many_are_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
