/* The histogram against sorted arrays: every percentile within a tenth of a percent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "benchmarks/histogram.h"
#include "tests/unit/base/chance.h"

#define VALUES 3000

static struct chance dice = {42};

static const double parts[] = {0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* Of any magnitude: from 1 us to hours. */
static int64_t any_value(void)
{
    return (int64_t)(chance_bits(&dice) >> (29 + chance_below(&dice, 35)));
}

static int64_t exact(const int64_t *sorted, size_t count, double part)
{
    size_t wanted = (size_t)(part * (double)count);
    if ((double)wanted < part * (double)count)
        wanted++;
    return sorted[wanted == 0 ? 0 : wanted - 1];
}

static void assert_alike(const struct histogram *histogram, int64_t *values, size_t count)
{
    double sum = 0;
    qsort(values, count, sizeof values[0], compare);
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int64_t right = exact(values, count, parts[i]);
        int64_t got = histogram_at(histogram, parts[i]);
        assert_true(got >= right);
        assert_true((double)(got - right) <= (double)right * 0.001);
    }
    assert_int_equal(histogram->count, count);
    assert_int_equal(histogram->least, values[0]);
    assert_int_equal(histogram->most, values[count - 1]);
    assert_true(histogram_mean(histogram) == sum / (double)count);
}

static void test_percentiles_are_those_of_a_sorted_array(void **state)
{
    static struct histogram histogram;
    static int64_t values[VALUES];
    (void)state;
    for (int round = 0; round < 20; round++) {
        size_t count = 1 + (size_t)chance_below(&dice, VALUES);
        histogram_clear(&histogram);
        for (size_t i = 0; i < count; i++) {
            values[i] = any_value();
            histogram_add(&histogram, values[i]);
        }
        assert_alike(&histogram, values, count);
    }
}

static void test_merged_is_as_if_added_to_one(void **state)
{
    static struct histogram all;
    static struct histogram halves[2];
    static int64_t values[VALUES];
    (void)state;
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = any_value();
        histogram_add(&halves[i % 3 == 0], values[i]);
    }
    histogram_merge(&all, &halves[0]);
    histogram_merge(&all, &halves[1]);
    assert_alike(&all, values, VALUES);
}

static void test_extremes(void **state)
{
    static struct histogram histogram;
    (void)state;
    assert_int_equal(histogram_at(&histogram, 0.5), 0);
    assert_true(histogram_mean(&histogram) == 0);
    histogram_add(&histogram, -5);
    assert_int_equal(histogram_at(&histogram, 1), 0);
    histogram_add(&histogram, INT64_MAX); /* beyond the last cell: kept as the most */
    assert_int_equal(histogram_at(&histogram, 1), INT64_MAX);
    assert_int_equal(histogram_at(&histogram, 0.5), 0);
}

static void test_percentiles_need_ten_values_beyond(void **state)
{
    static struct histogram histogram;
    static const double wanted[] = {0.5, 0.9, 0.99, 0.999, 0.9999};
    static const int least[] = {20, 100, 1000, 10000, 100000};
    (void)state;
    histogram_clear(&histogram);
    assert_false(histogram_supports(&histogram, 1));
    int count = 0;
    for (int i = 0; i < 5; i++) {
        for (; count < least[i] - 1; count++)
            histogram_add(&histogram, 5);
        assert_false(histogram_supports(&histogram, wanted[i]));
        histogram_add(&histogram, 5);
        count++;
        assert_true(histogram_supports(&histogram, wanted[i]));
    }
    assert_true(histogram_supports(&histogram, 1));
    assert_false(histogram_supports(&histogram, 0.99999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles_are_those_of_a_sorted_array),
        cmocka_unit_test(test_merged_is_as_if_added_to_one),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_percentiles_need_ten_values_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
