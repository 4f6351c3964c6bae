/* An open loop's schedule: how many requests, and when. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "benchmarks/arrivals.h"

static int count_between(const char *text, bool poisson, double from, double to)
{
    struct arrivals arrivals;
    int64_t us;
    int64_t before = 0;
    int count = 0;
    assert_true(arrivals_parse(&arrivals, text, 10));
    arrivals.poisson = poisson;
    while (arrivals_next(&arrivals, &us)) {
        assert_true(us >= before);
        before = us;
        count += (double)us >= from * 1e6 && (double)us < to * 1e6;
    }
    assert_true((double)before < arrivals_seconds(&arrivals) * 1e6);
    return count;
}

static void assert_about(int got, double wanted, double off)
{
    if (fabs(got - wanted) > off)
        fail_msg("%d arrivals, %f wanted", got, wanted);
}

static void test_a_fixed_rate_is_evenly_spaced(void **state)
{
    struct arrivals arrivals;
    int64_t us;
    (void)state;
    assert_true(arrivals_parse(&arrivals, "250", 4));
    for (int i = 0; i < 1000; i++) {
        assert_true(arrivals_next(&arrivals, &us));
        assert_true(us >= i * 4000 - 1 && us <= i * 4000 + 1);
    }
    assert_about(count_between("1000:3", false, 0, 3), 3000, 1);
}

static void test_steps_and_spikes_have_each_their_rate(void **state)
{
    (void)state;
    assert_about(count_between("500:2,2000:1,100:3", false, 0, 2), 1000, 1);
    assert_about(count_between("500:2,2000:1,100:3", false, 2, 3), 2000, 2);
    assert_about(count_between("500:2,2000:1,100:3", false, 3, 6), 300, 2);
}

/* Under a line from 100/s to 5,000/s over 10 s lie 25,500 requests, a quarter of the time after its
 * middle well more than half of them. */
static void test_a_ramp_is_the_area_under_its_line(void **state)
{
    (void)state;
    assert_about(count_between("100-5000:10", false, 0, 10), 25500, 30);
    assert_about(count_between("100-5000:10", false, 0, 5), 6625, 30);
    assert_about(count_between("5000-100:10", false, 0, 5), 18875, 30);
}

/* The count has the mean's own variance, the gaps are exponential: their deviation is their mean.
 */
static void test_poisson_has_the_rate_and_the_spread(void **state)
{
    struct arrivals arrivals;
    int64_t us;
    int64_t before = 0;
    double sum = 0;
    double squares = 0;
    int count = 0;
    (void)state;
    assert_about(count_between("2000:20", true, 0, 20), 40000, 5 * sqrt(40000));
    assert_true(arrivals_parse(&arrivals, "1000:50", 1));
    arrivals.poisson = true;
    while (arrivals_next(&arrivals, &us)) {
        double gap = (double)(us - before);
        before = us;
        sum += gap;
        squares += gap * gap;
        count++;
    }
    double mean = sum / count;
    double deviation = sqrt(squares / count - mean * mean);
    assert_true(fabs(mean - 1000) < 30);
    assert_true(fabs(deviation - mean) < 50);
}

static void test_what_is_no_schedule(void **state)
{
    static const char *const bad[] = {"",       "0",     "-5",      "1e9",     "100:",   "100:0",
                                      "100:-1", "a",     "100;200", "100,",    "10-:5",  "10-0:5",
                                      "nan",    "1:inf", "5 ",      "100:1e7", "5-1e8:1"};
    struct arrivals arrivals;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (arrivals_parse(&arrivals, bad[i], 1))
            fail_msg("'%s' was taken", bad[i]);
    assert_true(arrivals_parse(&arrivals, "100", 7));
    assert_true(arrivals_seconds(&arrivals) == 7);
}

static void test_an_extended_schedule_keeps_the_rate_of_its_end(void **state)
{
    struct arrivals arrivals;
    int64_t us;
    (void)state;
    assert_true(arrivals_parse(&arrivals, "10:1,100:1", 1));
    while (arrivals_next(&arrivals, &us))
        continue;
    arrivals_extend(&arrivals, 1);
    assert_true(arrivals_seconds(&arrivals) == 3);
    int count = 0;
    while (arrivals_next(&arrivals, &us))
        count++;
    assert_in_range(count, 99, 101);
    assert_true(arrivals_parse(&arrivals, "100-200:10", 1));
    arrivals_extend(&arrivals, 2);
    assert_true(arrivals_rate_at(&arrivals, 5) == 150); /* as it was */
    assert_true(arrivals_rate_at(&arrivals, 11) == 200);
    assert_true(arrivals_seconds(&arrivals) == 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fixed_rate_is_evenly_spaced),
        cmocka_unit_test(test_steps_and_spikes_have_each_their_rate),
        cmocka_unit_test(test_a_ramp_is_the_area_under_its_line),
        cmocka_unit_test(test_poisson_has_the_rate_and_the_spread),
        cmocka_unit_test(test_what_is_no_schedule),
        cmocka_unit_test(test_an_extended_schedule_keeps_the_rate_of_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
