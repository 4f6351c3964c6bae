#include "benchmarks/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "tests/unit/benchmarks/some_result.h"

#define PRICES MOOLAH_SOURCE_DIR "/benchmarks/plan_prices.lua"

static struct arena arena;
static char message[RESULT_MESSAGE_MAX];
static struct plan_prices prices;
static struct plan plan;
static const struct plan_demand asked = {500000, 10000000, 300};

static int begin(void **state)
{
    struct bytes out;
    (void)state;
    arena_init(&arena);
    bytes_init(&out, &arena);
    return plan_read_prices(PRICES, &arena, &prices, &out) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct result *sample(void)
{
    const struct result *result = result_read(SAMPLE, &arena, message);
    assert_non_null(result);
    return (struct result *)(uintptr_t)result;
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fabs(b)))
        fail_msg("%.15g is not %.15g", a, b);
}

/* The third phase is what was asked; each number reckoned here by hand. */
static void test_by_hand(void **state)
{
    (void)state;
    assert_true(plan_make(sample(), &prices, &asked, &plan, message));
    const struct plan_phase *phase = &plan.phases[2];
    near(phase->users, 200000);
    near(phase->demand.peak, 300);
    assert_string_equal(phase->runs[0]->name,
                        "send_money_1000"); /* nearer to 300/s than the peak */
    near(phase->busy[PLAN_MOOLAHD], 300 * 41e-6 + 1200 * 9.1e-6 + 399 * 22e-6 + 20.1 * 0.05);
    near(phase->cores[PLAN_POSTGRES], (300 * 160e-6 + 1200 * 0.9e-6 + 399 * 38e-6) / 0.5);
    near(phase->growth_gb, 11);
    near(phase->size_gb, 0.75 + 24 * 11);
    near(phase->disk_gb, 264.75 / 0.7 + 20);
    near(phase->wal_gb, 9);
    near(phase->memory_gb, 11.75 / 0.6 + 1);
    near(phase->machine_price, 3 * 40 + 2 * 160 + 2 * 40);
    near(phase->available, (1 - 1 / 43200.0) * (0.995 * 0.995 * 0.995 + 3 * 0.005 * 0.995 * 0.995) *
                               (1 - 0.005 * 0.005) * (1 - 0.005 * 0.005));
    assert_true(plan.phases[0].together);
    near(plan.phases[0].demand.wallets, 25000);
    near(plan.phases[3].demand.monthly, 25000000);
}

static void test_more_is_never_less(void **state)
{
    (void)state;
    const struct result *result = sample();
    struct chance chance = {2};
    for (int round = 0; round < 500; round++) {
        struct plan_demand demand = {1 + (double)chance_below(&chance, 100000000),
                                     1 + (double)chance_below(&chance, 10000000000),
                                     1 + (double)chance_below(&chance, 20000)};
        assert_true(plan_make(result, &prices, &demand, &plan, message));
        for (int i = 0; i < PLAN_PHASES; i++) {
            const struct plan_phase *phase = &plan.phases[i];
            assert_true(phase->disk_gb >= phase->size_gb);
            assert_true(phase->tiers[0].machine != NULL && phase->tiers[0].count >= 2);
            if (i > 0) {
                assert_true(phase->size_gb >= phase[-1].size_gb);
                assert_true(isnan(phase->machine_price) ||
                            phase->storage_price >= phase[-1].storage_price);
            }
        }
    }
}

static void test_a_database_too_large_for_the_table(void **state)
{
    (void)state;
    const struct plan_demand demand = {1e9, 1e11, 300};
    struct bytes out;
    bytes_init(&out, &arena);
    assert_true(plan_make(sample(), &prices, &demand, &plan, message));
    assert_null(plan.phases[2].tiers[PLAN_POSTGRES].machine);
    assert_true(isnan(plan.phases[2].machine_price));
    assert_true(plan_text(&plan, &arena, &out));
    bytes_add_char(&out, '\0');
    assert_non_null(strstr(out.at, "none is large enough"));
}

static void test_what_the_report_lacks_is_named(void **state)
{
    (void)state;
    struct result *result = sample();
    for (size_t i = 0; i < result->run_count; i++)
        if (strcmp(result->runs[i].scenario, "statement") == 0)
            result->runs[i].audit = "failed";
    assert_false(plan_make(result, &prices, &asked, &plan, message));
    assert_non_null(strstr(message, "no run of the scenario statement"));
    result = sample();
    result->runs[4].cpu.count = 0; /* balance */
    assert_false(plan_make(result, &prices, &asked, &plan, message));
    assert_non_null(strstr(message, "no run of the scenario balance"));
    result = sample();
    result->data.count = 3;
    assert_false(plan_make(result, &prices, &asked, &plan, message));
    assert_non_null(strstr(message, "data.row_bytes_per_transfer"));
}

static const char *text_of(struct bytes *out)
{
    bytes_init(out, &arena);
    assert_true(plan_text(&plan, &arena, out));
    bytes_add_char(out, '\0');
    return out->at;
}

/* It has no statements, and says on top that it is rough. */
static void test_a_quick_result_makes_a_rough_plan(void **state)
{
    (void)state;
    struct bytes out;
    struct result *result = sample();
    assert_true(plan_make(result, &prices, &asked, &plan, message));
    assert_int_equal(plan.rough_count, 0);
    assert_null(strstr(text_of(&out), "ROUGH"));
    result->quick = true;
    for (size_t i = 0; i < result->run_count; i++)
        if (strcmp(result->runs[i].scenario, "statement") == 0)
            result->runs[i].scenario = "another";
    assert_true(plan_make(result, &prices, &asked, &plan, message));
    assert_int_equal(plan.rough_count, 2);
    assert_ptr_equal(plan.phases[2].runs[2], plan.phases[2].runs[0]);
    const char *text = text_of(&out);
    assert_ptr_equal(strstr(text, "ROUGH: The result is a quick one"), text);
    assert_non_null(strstr(text, "ROUGH: It has no run of statements"));
    assert_non_null(strstr(text, "send_money_1000 (1,000/s) for statements"));
}

/* A transfer beside a storm of sign-ins pays for them, one past saturation for refusals. */
static void test_costs_are_not_taken_from_storms_and_overload(void **state)
{
    (void)state;
    struct result *result = sample();
    result->runs[2].name = "storm_payments"; /* was send_money_1000 */
    assert_true(plan_make(result, &prices, &asked, &plan, message));
    assert_string_equal(plan.phases[2].runs[0]->name, "send_money_peak");
    result = sample();
    result->runs[2].offered = 2000;
    assert_true(plan_make(result, &prices, &asked, &plan, message));
    assert_string_equal(plan.phases[2].runs[0]->name, "send_money_peak");
}

static void test_a_sign_in_costs_what_was_measured(void **state)
{
    (void)state;
    struct bytes out;
    struct result *result = sample();
    assert_true(plan_make(result, &prices, &asked, &plan, message));
    assert_non_null(strstr(text_of(&out), "a sign-in of 50 ms (traffic.sign_in_ms)"));
    result->baselines[0] = (struct result_baseline){"argon2id", "1/s", 40};
    assert_true(plan_make(result, &prices, &asked, &plan, message));
    near(plan.phases[2].busy[PLAN_MOOLAHD], 300 * 41e-6 + 1200 * 9.1e-6 + 399 * 22e-6 + 20.1 / 40);
    assert_non_null(strstr(text_of(&out), "A sign-in takes 25 ms of CPU (baseline argon2id)"));
}

static void test_output(void **state)
{
    (void)state;
    struct bytes out;
    struct json_error error;
    bytes_init(&out, &arena);
    assert_true(plan_make(sample(), &prices, &asked, &plan, message));
    assert_true(plan_text(&plan, &arena, &out));
    bytes_add_char(&out, '\0');
    assert_non_null(strstr(out.at, "growth   10,000,000 x 1,100 B = 11 GB a month"));
    assert_non_null(strstr(out.at, "300/s x 41 µs + 1,200/s x 9.1 µs"));
    assert_non_null(strstr(out.at, "2 x 8 cores           2 x 16 cores  measured CPU, memory"));
    assert_non_null(strstr(out.at, "1                      1  availability.standbys\n"));
    bytes_clear(&out);
    plan_json(&plan, &out);
    const struct json *root = json_parse(bytes_view(&out), &arena, &error);
    assert_non_null(root);
    assert_int_equal(json_count(json_member(root, "phases")), PLAN_PHASES);
}

static void test_prices_and_usage(void **state)
{
    (void)state;
    struct bytes out;
    struct plan_prices other;
    bytes_init(&out, &arena);
    assert_false(plan_read_prices("/nowhere.lua", &arena, &other, &out));
    assert_true(out.length > 0);
    assert_int_equal(plan_main(1, (char *[]){"plan"}), 2);
    assert_int_equal(plan_main(2, (char *[]){"plan", "--help"}), 0);
    assert_int_equal(plan_main(2, (char *[]){"plan", SAMPLE}), 2);
    assert_int_equal(plan_main(2, (char *[]){"plan", "--peak"}), 2);
    assert_int_equal(plan_main(3, (char *[]){"plan", "--what", "1"}), 2);
    assert_int_equal(plan_main(9, (char *[]){"plan", "--wallets", "0", "--monthly", "1", "--peak",
                                             "1", "--report", SAMPLE}),
                     2);
    assert_int_equal(plan_main(9, (char *[]){"plan", "--wallets", "1", "--monthly", "1x", "--peak",
                                             "1", "--report", SAMPLE}),
                     2);
    assert_int_equal(plan_main(9, (char *[]){"plan", "--wallets", "5e5", "--monthly", "1e7",
                                             "--peak", "300", "--report", SAMPLE}),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_more_is_never_less),
        cmocka_unit_test(test_a_database_too_large_for_the_table),
        cmocka_unit_test(test_what_the_report_lacks_is_named),
        cmocka_unit_test(test_a_quick_result_makes_a_rough_plan),
        cmocka_unit_test(test_costs_are_not_taken_from_storms_and_overload),
        cmocka_unit_test(test_a_sign_in_costs_what_was_measured),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_prices_and_usage),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
