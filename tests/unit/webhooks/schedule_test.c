/* server/webhooks/schedule.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "webhooks/schedule.h"

static void test_over_a_day(void **state)
{
    static const int expected_s[] = {5, 300, 1800, 7200, 18000, 36000, 50400};
    int64_t least = 0;
    (void)state;
    for (int attempts = 1; attempts < SCHEDULE_ATTEMPTS; attempts++) {
        int64_t delay = (int64_t)expected_s[attempts - 1] * CLOCK_SECOND;
        for (uint32_t chance = 0; chance < 3000; chance += 7)
            assert_in_range(schedule_next(attempts, SLICE(""), chance), delay * 4 / 5,
                            delay * 6 / 5);
        assert_int_equal(schedule_next(attempts, SLICE(""), 0), delay * 4 / 5);
        assert_int_equal(schedule_next(attempts, SLICE(""), 500), delay);
        least += delay * 4 / 5;
    }
    assert_true(least > INT64_C(24) * 3600 * CLOCK_SECOND);
    assert_int_equal(schedule_next(SCHEDULE_ATTEMPTS, SLICE(""), 0), 0);
    assert_int_equal(schedule_next(SCHEDULE_ATTEMPTS, SLICE("5"), 0), 0);
}

static void test_retry_after(void **state)
{
    (void)state;
    assert_int_equal(schedule_next(1, SLICE("60"), 500), 60 * CLOCK_SECOND);
    assert_int_equal(schedule_next(1, SLICE("1"), 500), 5 * CLOCK_SECOND); /* not earlier */
    assert_int_equal(schedule_next(1, SLICE("99999999999999999999999"), 500),
                     (int64_t)SCHEDULE_RETRY_AFTER_MAX_S * CLOCK_SECOND);
    assert_int_equal(schedule_next(1, SLICE("Fri, 31 Dec 1999 23:59:59 GMT"), 500),
                     5 * CLOCK_SECOND);
    assert_int_equal(schedule_next(1, SLICE("-60"), 500), 5 * CLOCK_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_a_day),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
