/* What a load counts, held against hand-made schedules: a steady server of any latency has its
 * rate, one that lets requests pile up doesn't get more by it, and the slowest answers are not left
 * out. */
#include "benchmarks/load_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

static const struct load_window window = {CLOCK_SECOND, 3 * CLOCK_SECOND, 0};

static void begin(struct load *load, struct load_call_figures *figures)
{
    memset(load, 0, sizeof *load);
    memset(figures, 0, sizeof *figures);
    load->calls = figures;
}

/* From 0 to 3 s: 1,000 a second, each answered by a server that takes `every` us for one (0: no
 * limit) and `latency` us at least. */
static void drive(struct load *load, int64_t every, int64_t latency)
{
    int64_t free_at = 0;
    for (int64_t at = 0; at < 3 * CLOCK_SECOND; at += 1000) {
        free_at = (free_at > at ? free_at : at) + every;
        int64_t answered = free_at > at + latency ? free_at : at + latency;
        const struct load_answer answer = {at, at, answered, 201, 0, true, false, false};
        load_count_offered(load, &window, at);
        load_count_answer(load, &window, &answer);
    }
    load_count_end(load);
}

static void test_a_steady_server_has_its_rate(void **state)
{
    static struct load load;
    static struct load_call_figures figures;
    (void)state;
    for (int64_t latency = 1; latency <= CLOCK_SECOND; latency *= 10) {
        begin(&load, &figures);
        drive(&load, 0, latency);
        assert_int_equal(load.ok, 2000);
        assert_int_equal(load.offered, 2000);
        assert_int_equal(load.statuses[201], 2000);
        assert_int_equal(load.latency.count, 2000);
        assert_int_equal(load.lost, 0);
    }
}

/* At half of what is offered: its rate is 500 a second, and the latencies grow to 3 s. */
static void test_piling_up_gains_nothing(void **state)
{
    static struct load load;
    static struct load_call_figures figures;
    (void)state;
    begin(&load, &figures);
    drive(&load, 2000, 0);
    assert_in_range(load.ok, 999, 1001);
    assert_int_equal(load.latency.count, 2000);
    assert_true(histogram_at(&load.latency, 1) > 29 * CLOCK_SECOND / 10);
}

static void test_refused_wrong_and_lost(void **state)
{
    static struct load load;
    static struct load_call_figures figures;
    const int64_t in = 2 * CLOCK_SECOND;
    const struct load_answer answers[] = {
        {in, in, in + 700, 503, 0, false, true, true},
        {in, in, in + 20, 429, 0, false, true, false},
        {in, in, in, 500, 0, false, false, false},
        {in, in, in, 0, 0, false, false, false},
        {0, 0, in, 503, 0, false, true, false}, /* meant before the window */
    };
    (void)state;
    begin(&load, &figures);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        load_count_offered(&load, &window, answers[i].intended);
        load_count_answer(&load, &window, &answers[i]);
    }
    load_count_offered(&load, &window, in); /* never answered */
    load_count_end(&load);
    assert_int_equal(load.offered, 5);
    assert_int_equal(load.statuses[503], 1);
    assert_int_equal(load.statuses[429], 1);
    assert_int_equal(load.wrong, 1);
    assert_int_equal(load.retry_after_missing, 1);
    assert_int_equal(load.lost, 2);
    assert_int_equal(load.ok, 0);
    assert_int_equal(load.refusals.count, 2); /* 503 and 429 of the window */
    assert_int_equal(load.refusals.most, 700);
    assert_int_equal(load.service.count, 0);
}

/* 3 s of 1,000/s, the first one warming up, for a schedule that says other rates: what is meant
 * in a step and what comes in it are counted there. */
static void test_steps_count_what_is_theirs(void **state)
{
    static struct load load;
    static struct load_call_figures figures;
    (void)state;
    begin(&load, &figures);
    load.settings.warm_up = 1;
    load.measured = 2;
    assert_true(arrivals_parse(&load.settings.arrivals, "1000:0.5,1000:1.5,100-200:1", 1));
    assert_true(load_count_make_steps(&load));
    assert_int_equal(load.step_count, 2 + 5); /* a ramp in parts */
    assert_true(load.steps[3].from == 120 && load.steps[6].to == 200);
    drive(&load, 0, 200000);
    assert_true(load_count_seconds(&load, &load.steps[0]) <= 0);
    assert_int_equal(load.steps[0].offered + load.steps[0].ok, 0);
    assert_true(load_count_seconds(&load, &load.steps[1]) == 1);
    assert_int_equal(load.steps[1].offered, 1000);
    assert_int_equal(load.steps[1].latency.count, 1000);
    assert_int_equal(load.steps[1].ok, 1000); /* 200 of them meant in the warm-up */
    assert_int_equal(load.steps[6].offered, 200);
    const struct load_answer refused = {2900000, 2900000, 2900010, 503, 0, false, true, true};
    load_count_answer(&load, &window, &refused);
    assert_int_equal(load.steps[6].refused, 1);
    load.calls = NULL; /* ours */
    load_release(&load);
    begin(&load, &figures);
    assert_true(arrivals_parse(&load.settings.arrivals, "1000", 3));
    assert_true(load_count_make_steps(&load) && load.step_count == 0); /* one rate: no table */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_steady_server_has_its_rate),
        cmocka_unit_test(test_piling_up_gains_nothing),
        cmocka_unit_test(test_refused_wrong_and_lost),
        cmocka_unit_test(test_steps_count_what_is_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
