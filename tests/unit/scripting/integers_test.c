#include "scripting/integers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <lua.h>

#include "scripting/sandbox.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/base/dies.h"

__extension__ typedef __int128 wide;

/* The nearest whole number to a * b / c in the stated direction, held against the exact fraction:
 * `over` is c times (result - fraction). */
static void check_against_the_fraction(int64_t a, int64_t b, int64_t c, enum rounding rounding)
{
    int64_t result = -1;
    wide product = (wide)a * b;

    if (!integers_muldiv(a, b, c, rounding, &result)) {
        assert_true(product / c + 1 > INT64_MAX); /* rounding may add one */
        assert_true(product / c >= INT64_MAX);
        return;
    }

    wide over = (wide)result * c - product;

    assert_true(result >= 0);
    switch (rounding) {
    case ROUND_DOWN:
        assert_true(over <= 0 && over > -(wide)c);
        break;
    case ROUND_UP:
        assert_true(over >= 0 && over < c);
        break;
    case ROUND_HALF_UP:
        assert_true(2 * over <= c && 2 * over > -(wide)c);
        break;
    case ROUND_HALF_EVEN:
        assert_true(2 * over <= c && 2 * over >= -(wide)c);
        if (2 * over == c || 2 * over == -(wide)c)
            assert_int_equal(result % 2, 0);
        break;
    }
}

static int64_t random_number(struct chance *chance)
{
    return (int64_t)(chance_bits(chance) >> (1 + chance_below(chance, 63)));
}

static void test_muldiv_is_the_fraction_rounded(void **state)
{
    (void)state;
    struct chance chance = {17};

    for (int i = 0; i < 200000; i++) {
        int64_t a = random_number(&chance);
        int64_t b = random_number(&chance);
        int64_t c = 1 + random_number(&chance) / 2;

        for (int rounding = ROUND_HALF_UP; rounding <= ROUND_UP; rounding++)
            check_against_the_fraction(a, b, c, (enum rounding)rounding);
    }
    for (int64_t a = 0; a < 40; a++)
        for (int64_t b = 0; b < 12; b++)
            for (int64_t c = 1; c < 12; c++)
                for (int rounding = ROUND_HALF_UP; rounding <= ROUND_UP; rounding++)
                    check_against_the_fraction(a, b, c, (enum rounding)rounding);
}

static void test_ties(void **state)
{
    (void)state;
    static const struct {
        int64_t half; /* times 1/2 */
        int64_t up, even, down, ceiling;
    } cases[] = {{1, 1, 0, 0, 1}, {3, 2, 2, 1, 2}, {5, 3, 2, 2, 3}, {4, 2, 2, 2, 2}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t result;

        assert_true(integers_muldiv(cases[i].half, 1, 2, ROUND_HALF_UP, &result));
        assert_int_equal(result, cases[i].up);
        assert_true(integers_muldiv(cases[i].half, 1, 2, ROUND_HALF_EVEN, &result));
        assert_int_equal(result, cases[i].even);
        assert_true(integers_muldiv(cases[i].half, 1, 2, ROUND_DOWN, &result));
        assert_int_equal(result, cases[i].down);
        assert_true(integers_muldiv(cases[i].half, 1, 2, ROUND_UP, &result));
        assert_int_equal(result, cases[i].ceiling);
    }
}

static void test_the_edge_of_64_bits(void **state)
{
    (void)state;
    int64_t result = -7;

    assert_true(integers_muldiv(INT64_MAX, INT64_MAX, INT64_MAX, ROUND_UP, &result));
    assert_int_equal(result, INT64_MAX);
    assert_false(integers_muldiv(INT64_MAX, INT64_MAX, INT64_MAX - 1, ROUND_DOWN, &result));
    assert_int_equal(result, INT64_MAX); /* untouched */
    /* 2 * (2^62) - 1/2 rounds to 2^63, which isn't there */
    assert_false(integers_muldiv(INT64_MAX, 3, 3 - 1, ROUND_DOWN, &result));
    assert_true(integers_muldiv(INT64_MAX, 1, 2, ROUND_UP, &result));
    assert_int_equal(result, INT64_MAX / 2 + 1);
}

static void test_names(void **state)
{
    (void)state;
    enum rounding rounding = ROUND_UP;

    assert_true(integers_parse_rounding("half_up", &rounding) && rounding == ROUND_HALF_UP);
    assert_true(integers_parse_rounding("half_even", &rounding) && rounding == ROUND_HALF_EVEN);
    assert_true(integers_parse_rounding("down", &rounding) && rounding == ROUND_DOWN);
    assert_true(integers_parse_rounding("up", &rounding) && rounding == ROUND_UP);
    assert_false(integers_parse_rounding("", &rounding));
    assert_false(integers_parse_rounding("Half_up", &rounding));
    assert_false(integers_parse_rounding("half_upper", &rounding));
}

static void test_what_rules_call(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        int64_t result;
        const char *message; /* NULL: it works */
    } cases[] = {
        {"return muldiv(10000, 9000, 1000000, 'half_up')", 90, NULL},
        {"return muldiv(1, 1, 2, 'half_even')", 0, NULL},
        {"return add(1, 2)", 3, NULL},
        {"return sub(1, 2)", -1, NULL},
        {"return min(3, -2)", -2, NULL},
        {"return max(3, -2)", 3, NULL},
        {"return max(0x7fffffffffffffff, 1)", INT64_MAX, NULL},
        {"return add(0x7fffffffffffffff, 1)", 0, "the result does not fit into 64 bits"},
        {"return sub(-0x7fffffffffffffff, 2)", 0, "the result does not fit into 64 bits"},
        {"return muldiv(922337203685477, 25000, 1, 'up')", 0,
         "the result does not fit into 64 bits"},
        {"return muldiv(-1, 1, 1, 'up')", 0, "muldiv wants a >= 0, b >= 0, c > 0"},
        {"return muldiv(1, 1, 0, 'up')", 0, "muldiv wants a >= 0, b >= 0, c > 0"},
        {"return muldiv(1, 1, 1)", 0, "argument 4 must be half_up, half_even, down or up"},
        {"return muldiv(1, 1, 1, {})", 0, "argument 4 must be half_up, half_even, down or up"},
        {"return muldiv(1, 1, 1, 'nearest')", 0,
         "argument 4 must be half_up, half_even, down or up"},
        {"return add(1.0, 1)", 0, "argument 1 must be an integer"},
        {"return add('1', 1)", 0, "argument 1 must be an integer"},
        {"return add(1)", 0, "argument 2 must be an integer"},
        {"return min(nil, 1)", 0, "argument 1 must be an integer"},
        {"return max(1, {})", 0, "argument 2 must be an integer"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sandbox *sandbox = sandbox_new();
        struct sandbox_fault fault;

        assert_true(sandbox_load(sandbox, slice_of(cases[i].source), &fault));

        bool good = sandbox_call(sandbox, 0, 1, &fault);

        assert_int_equal(good, cases[i].message == NULL);
        if (good)
            assert_int_equal(lua_tointeger(sandbox_lua(sandbox), -1), cases[i].result);
        else
            assert_string_equal(fault.message, cases[i].message);
        sandbox_free(sandbox);
    }
}

static void negative(void *unused)
{
    int64_t result;

    (void)unused;
    integers_muldiv(-1, 1, 1, ROUND_UP, &result);
}

static void by_zero(void *unused)
{
    int64_t result;

    (void)unused;
    integers_muldiv(1, 1, 0, ROUND_UP, &result);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(negative, NULL));
    assert_true(dies(by_zero, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_muldiv_is_the_fraction_rounded),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_the_edge_of_64_bits),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_rules_call),
        cmocka_unit_test(test_misuse_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
