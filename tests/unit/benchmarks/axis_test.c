#include "benchmarks/axis.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/base/chance.h"

/* Any magnitude from 1e-12 to 1e18, sometimes none. */
static double some_value(struct chance *chance)
{
    if (chance_below(chance, 20) == 0)
        return (double[]){NAN, INFINITY, -INFINITY, 0}[chance_below(chance, 4)];
    return pow(10, (double)chance_below(chance, 3000) / 100 - 12);
}

static void check_ticks(const struct axis *axis)
{
    assert_true(axis->tick_count >= 2 && axis->tick_count <= AXIS_TICKS_MAX);
    for (size_t i = 0; i < axis->tick_count; i++) {
        double at = axis_place(axis, axis->ticks[i]);
        assert_true(at >= -1e-6 && at <= 1 + 1e-6);
        assert_true(axis->labels[i][0] != '\0');
        if (i > 0) {
            assert_true(axis->ticks[i] > axis->ticks[i - 1]);
            assert_string_not_equal(axis->labels[i], axis->labels[i - 1]);
        }
    }
}

static void test_everything_seen_has_its_place(void **state)
{
    (void)state;
    struct chance chance = {7};
    for (int round = 0; round < 20000; round++) {
        enum axis_kind kind = (enum axis_kind)chance_below(&chance, 3);
        struct axis axis;
        double values[5];
        double before = -1;
        size_t count = 1 + chance_below(&chance, 5);
        axis_init(&axis, kind, kind == AXIS_NINES ? AXIS_PART : AXIS_PLAIN);
        for (size_t i = 0; i < count; i++) {
            values[i] = some_value(&chance);
            if (kind == AXIS_NINES && values[i] > 1)
                values[i] = 1 - 1 / values[i];
            axis_see(&axis, values[i]);
        }
        axis_fit(&axis);
        if (isnan(axis.low)) {
            assert_int_equal(axis.tick_count, 0);
            continue;
        }
        check_ticks(&axis);
        for (size_t i = 0; i < count; i++) {
            double at = axis_place(&axis, values[i]);
            assert_true(isnan(at) || (at >= -1e-6 && at <= 1 + 1e-6));
            if (i > 0 && values[i] > values[i - 1] && before >= 0 && !isnan(at))
                assert_true(at >= before - 1e-9);
            before = isnan(at) ? -1 : at;
        }
    }
}

static void test_linear_begins_at_nothing(void **state)
{
    (void)state;
    struct axis axis;
    axis_init(&axis, AXIS_LINEAR, AXIS_PLAIN);
    axis_see(&axis, 9900);
    axis_see(&axis, 10100);
    axis_fit(&axis);
    assert_true(axis_place(&axis, 0) == 0);
    assert_true(axis_place(&axis, 10100) < 1);
    assert_string_equal(axis.labels[0], "0");
    assert_string_equal(axis.labels[1], "5,000");
}

static void test_nines(void **state)
{
    (void)state;
    struct axis axis;
    axis_init(&axis, AXIS_NINES, AXIS_PART);
    axis_see(&axis, 0);
    axis_see(&axis, 0.9999);
    axis_fit(&axis);
    assert_true(fabs(axis_place(&axis, 0.9) - 0.25) < 1e-9);
    assert_true(fabs(axis_place(&axis, 0.99) - 0.5) < 1e-9);
    assert_string_equal(axis.labels[axis.tick_count - 1], "99.99 %");
    assert_true(isnan(axis_place(&axis, 1.1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_seen_has_its_place),
        cmocka_unit_test(test_linear_begins_at_nothing),
        cmocka_unit_test(test_nines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
