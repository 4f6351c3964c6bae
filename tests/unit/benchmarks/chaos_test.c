/* When faults strike, and what is said of the time after them: with right answers told by hand. */
#include "benchmarks/chaos.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct chaos chaos;

static void answers(double from, double to)
{
    for (double at = from; at < to; at += 0.1)
        chaos_right(&chaos, at, at + 0.01);
}

static void must_be(double is, double wanted)
{
    if (!(fabs(is - wanted) < 0.001))
        fail_msg("%g, not %g", is, wanted);
}

static void test_the_least_run_has_each_fault_and_a_tail(void **state)
{
    (void)state;
    chaos_plan(&chaos, NULL, CHAOS_SECONDS);
    assert_int_equal(chaos.count, 5);
    assert_string_equal(chaos.faults[4].what, "master -9");
    assert_true(chaos.faults[4].second <= CHAOS_SECONDS - 3);
    chaos_plan(&chaos, NULL, CHAOS_SECONDS - 1);
    assert_int_equal(chaos.count, 4);
    chaos_plan(&chaos, NULL, 3600);
    assert_int_equal(chaos.count, CHAOS_FAULTS_MAX);
    assert_string_equal(chaos.faults[5].what, chaos.faults[0].what);
}

static void test_a_fault_waits_for_the_recovery_from_the_one_before(void **state)
{
    (void)state;
    chaos_plan(&chaos, NULL, CHAOS_SECONDS);
    answers(0, 2);
    assert_null(chaos_due(&chaos, 1.9));
    assert_ptr_equal(chaos_due(&chaos, 2), &chaos.faults[0]);
    chaos_strike(&chaos, 2);
    assert_null(chaos_due(&chaos, 9)); /* nothing has succeeded since */
    chaos_right(&chaos, 8.5, 8.6);
    assert_null(chaos_due(&chaos, 9)); /* it has only just */
    answers(8.7, 11);
    assert_ptr_equal(chaos_due(&chaos, 11), &chaos.faults[1]);
    assert_null(chaos_due(&chaos, 13)); /* there it stands still again */
}

static void test_first_success_and_silence(void **state)
{
    (void)state;
    chaos_plan(&chaos, NULL, CHAOS_SECONDS);
    answers(0, 1.95);
    chaos_strike(&chaos, 2);
    chaos_right(&chaos, 1.99, 2.5); /* sent before: it heals nothing */
    assert_true(isnan(chaos.faults[0].first));
    chaos_right(&chaos, 2.4, 4);
    must_be(chaos.faults[0].first, 2);
    must_be(chaos.faults[0].silence, 1.5);
    chaos_strike(&chaos, 6.5);
    must_be(chaos.faults[0].silence, 2.5); /* up to the next fault */
    chaos_right(&chaos, 6.6, 6.7);
    must_be(chaos.faults[1].silence, 0.2); /* what was before isn't its fault */
    chaos_end(&chaos, 9);
    must_be(chaos.faults[1].silence, 2.3);
}

static void test_the_load_goes_on_until_all_is_seen(void **state)
{
    (void)state;
    chaos_plan(&chaos, NULL, 5);
    assert_int_equal(chaos.count, 1);
    answers(0, 5);
    assert_true(chaos_wants_more(&chaos, 5));
    assert_ptr_equal(chaos_failed(&chaos), &chaos.faults[0]);
    chaos_strike(&chaos, 5);
    assert_true(chaos_wants_more(&chaos, 9));
    assert_ptr_equal(chaos_failed(&chaos), &chaos.faults[0]);
    answers(7, 7.9);
    assert_true(chaos_wants_more(&chaos, 7.9)); /* no tail yet */
    assert_true(chaos_wants_more(&chaos, 9));   /* silent again */
    answers(8, 8.1);
    assert_false(chaos_wants_more(&chaos, 8.1));
    assert_null(chaos_failed(&chaos));
    chaos_plan(&chaos, NULL, 5);
    assert_false(chaos_wants_more(&chaos, 66)); /* not for ever */
    memset(&chaos, 0, sizeof chaos);            /* without --chaos */
    assert_false(chaos_wants_more(&chaos, 1));
    assert_null(chaos_failed(&chaos));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least_run_has_each_fault_and_a_tail),
        cmocka_unit_test(test_a_fault_waits_for_the_recovery_from_the_one_before),
        cmocka_unit_test(test_first_success_and_silence),
        cmocka_unit_test(test_the_load_goes_on_until_all_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
