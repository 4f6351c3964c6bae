#include "benchmarks/compare_noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "benchmarks/result.h"
#include "tests/unit/base/chance.h"

static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* Two samples of one noisy source seldom seem different, though each second resembles the one
 * before; and a real difference of three times the noise is nearly always seen. */
static void test_noise(void **state)
{
    (void)state;
    struct chance chance = {21};
    int alarms = 0;
    int seen = 0;
    for (int round = 0; round < 1000; round++) {
        double values[2][30];
        double means[2] = {0, 0};
        for (int side = 0; side < 2; side++) {
            double drift = 0;
            for (int i = 0; i < 30; i++) {
                drift = 0.5 * drift + (double)chance_below(&chance, 2001) / 1000 - 1;
                values[side][i] = 100 + 3 * drift;
                means[side] += values[side][i] / 30;
            }
        }
        double noise = compare_noise_of_seconds(values[0], 30, values[1], 30);
        alarms += fabs(means[1] - means[0]) > noise * means[0];
        seen += fabs(means[1] + 6 - means[0]) > noise * means[0];
    }
    assert_true(alarms < 30);
    assert_true(seen > 900);
    assert_true(
        isnan(compare_noise_of_seconds((double[]){1, 2, 3, 4}, 4, (double[]){1, 2, 3, 4, 5}, 5)));
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fabs(b)))
        fail_msg("%.15g is not %.15g", a, b);
}

/* A run whose seconds are 100 and, every second time, `swing` more; of CPU 50 us a call. */
static struct result_run run_of(size_t seconds, double swing)
{
    static struct result_entry cpu = {"moolahd", "50", 50};
    struct result_run run = {.name = "send_money_peak",
                             .seconds = (double)seconds,
                             .sent = 100 * (double)seconds,
                             .cpu = {&cpu, 1},
                             .series_count = seconds};
    run.series = arena_array(&arena, seconds, sizeof run.series[0]);
    assert_non_null(run.series);
    for (size_t i = 0; i < seconds; i++)
        run.series[i] =
            (struct result_second){.ok = 100 + (i % 2 == 0 ? 0 : swing), .p50 = NAN, .p99 = NAN};
    return run;
}

static struct compare_noise noise_of(size_t seconds, double swing,
                                     enum compare_noise_measure measure, bool quick)
{
    struct result_run run = run_of(seconds, swing);
    const struct result_run *const runs[] = {&run, &run};
    return compare_noise_of_run(runs, measure, "moolahd", quick, &arena);
}

static void test_long_runs_by_their_seconds_with_a_floor(void **state)
{
    (void)state;
    struct compare_noise noise = noise_of(22, 20, COMPARE_NOISE_THROUGHPUT, false);
    assert_string_equal(noise.basis, "seconds");
    /* 20 seconds of 100 and 120, variance 2000/19 a second; t(19) on the safe side */
    near(noise.part, 2.947 * sqrt(2 * 2000 / 19.0 / 20) / 110);
    noise = noise_of(22, 0.1, COMPARE_NOISE_THROUGHPUT, false);
    assert_string_equal(noise.basis, "floor");
    near(noise.part, 0.02);
}

static void test_short_and_quick_runs_are_noisier(void **state)
{
    (void)state;
    struct compare_noise noise = noise_of(3, 30, COMPARE_NOISE_THROUGHPUT, false);
    assert_string_equal(noise.basis, "spread");
    near(noise.part, sqrt(2) * 30 / 110);
    near(noise_of(3, 0, COMPARE_NOISE_THROUGHPUT, false).part, 0.02 * sqrt(10 / 3.0));
    near(noise_of(1, 0, COMPARE_NOISE_P99, true).part, 2 * 0.2 * sqrt(10));
    near(noise_of(20, 0, COMPARE_NOISE_P50, true).part, 0.2);
}

/* 50 us x 100 calls in a second are half a tick of the kernel's clock. */
static void test_cpu_is_no_finer_than_its_ticks(void **state)
{
    (void)state;
    struct compare_noise noise = noise_of(1, 0, COMPARE_NOISE_CPU, false);
    assert_string_equal(noise.basis, "ticks");
    near(noise.part, sqrt(2) * 20000 / 5000);
}

static void test_a_figure_has_the_noise_of_what_it_is_made_of(void **state)
{
    (void)state;
    struct result_run runs[] = {run_of(22, 20), run_of(22, 40)};
    runs[1].name = "popular_wallet";
    struct result result = {.runs = runs, .run_count = 2};
    const struct result *const results[] = {&result, &result};
    struct result_figure figure = {.name = "popular_vs_uniform", .value = 1};
    double a = noise_of(22, 20, COMPARE_NOISE_THROUGHPUT, false).part;
    double b = noise_of(22, 40, COMPARE_NOISE_THROUGHPUT, false).part;
    near(compare_noise_of_figure(results, &figure, &arena).part, hypot(a, b));
    assert_string_equal(compare_noise_of_figure(results, &figure, &arena).basis, "seconds");
    figure.name = "send_money_vs_raw";
    near(compare_noise_of_figure(results, &figure, &arena).part, hypot(a, 0.1));
    figure.name = "at_1000_p99.9"; /* whose run isn't there */
    near(compare_noise_of_figure(results, &figure, &arena).part, 0.35);
    figure.name = "what_nobody_knows";
    near(compare_noise_of_figure(results, &figure, &arena).part, 0.10);
}

/* It depends on whose turn it was, so its noise is the whole of it. */
static void test_a_recovery_may_be_twice_as_long(void **state)
{
    (void)state;
    struct result result = {.run_count = 0};
    const struct result *const results[] = {&result, &result};
    const struct result_figure figure = {.name = "chaos_recovery_redis", .value = 2};
    near(compare_noise_of_figure(results, &figure, &arena).part, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_long_runs_by_their_seconds_with_a_floor),
        cmocka_unit_test(test_short_and_quick_runs_are_noisier),
        cmocka_unit_test(test_cpu_is_no_finer_than_its_ticks),
        cmocka_unit_test(test_a_figure_has_the_noise_of_what_it_is_made_of),
        cmocka_unit_test(test_a_recovery_may_be_twice_as_long),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
