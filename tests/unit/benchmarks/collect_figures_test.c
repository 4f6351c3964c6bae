/* Figures that take more than one division: what they are worked out of, and when there are none.
 */
#include "benchmarks/collect_figures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <yyjson.h>

/* The figure that comes of such runs and measures; NAN: none. */
static double figure(const char *name, const char *runs, const char *measures)
{
    char text[2000];
    double value = NAN;
    snprintf(text, sizeof text, "{\"runs\":[%s],\"baselines\":[],\"measures\":{%s},\"figures\":[]}",
             runs, measures);
    yyjson_doc *read = yyjson_read(text, strlen(text), 0);
    assert_non_null(read);
    yyjson_mut_doc *doc = yyjson_doc_mut_copy(read, NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    const struct collect_figures result = {
        doc, yyjson_mut_obj_get(root, "runs"), yyjson_mut_obj_get(root, "baselines"),
        yyjson_mut_obj_get(root, "measures"), yyjson_mut_obj_get(root, "figures")};
    collect_figures(&result);
    struct yyjson_mut_arr_iter all;
    yyjson_mut_arr_iter_init(result.figures, &all);
    for (yyjson_mut_val *one; (one = yyjson_mut_arr_iter_next(&all)) != NULL;)
        if (strcmp(yyjson_mut_get_str(yyjson_mut_obj_get(one, "name")), name) == 0)
            value = yyjson_mut_get_num(yyjson_mut_obj_get(one, "value"));
    yyjson_mut_doc_free(doc);
    yyjson_doc_free(read);
    return value;
}

#define STORM(throughput, pool, idle)                                          \
    "{\"name\":\"storm_sign_in\",\"audit\":\"off\",\"throughput\":" throughput \
    ",\"pool_cores\":" pool ",\"idle_cores\":" idle "}"
#define ARGON2ID_25_MS "\"argon2id_cpu_us\":25000,\"sign_in_cores\":"

static void assert_near(double value, double expected)
{
    assert_true(value > expected - 1e-6 && value < expected + 1e-6);
}

/* 25 ms each: 40 a second and core. */
static void test_sign_ins_are_held_against_the_cpu_that_was_left(void **state)
{
    (void)state;
    assert_near(figure("sign_in_vs_argon2id", STORM("20", "0.5", "0"), ARGON2ID_25_MS "1"), 1);
    assert_near(figure("sign_in_vs_argon2id", STORM("20", "0.5", "0.3"), ARGON2ID_25_MS "1"),
                0.5 / 0.8);
    /* all but one core: what is idle beyond that isn't the pool's to use */
    assert_near(figure("sign_in_vs_argon2id", STORM("36", "0.9", "0.9"), ARGON2ID_25_MS "1"), 0.9);
    assert_near(figure("sign_in_vs_argon2id", STORM("100", "2.5", "1"), ARGON2ID_25_MS "3"),
                2.5 / 3);
    assert_near(figure("sign_in_vs_argon2id", STORM("0", "0", "1"), ARGON2ID_25_MS "1"), 0);
}

static void test_without_what_they_need_there_are_no_figures(void **state)
{
    (void)state;
    assert_true(isnan(figure("sign_in_vs_argon2id", STORM("20", "0", "0"), ARGON2ID_25_MS "1")));
    assert_true(isnan(figure("sign_in_vs_argon2id", STORM("20", "0.5", "0"), "")));
    assert_true(isnan(figure("sign_in_vs_argon2id",
                             "{\"name\":\"storm_sign_in\",\"audit\":\"off\",\"throughput\":20}",
                             ARGON2ID_25_MS "1")));
    assert_true(isnan(figure("generator_per_core", "", "")));
    assert_true(isnan(figure("throughput_big_vs_small", "", "")));
}

static void test_the_generator_is_told_by_what_it_has_spent(void **state)
{
    (void)state;
    assert_near(figure("generator_per_core",
                       "{\"name\":\"constant\",\"audit\":\"off\",\"throughput\":5,"
                       "\"cpu_us_per_request\":{\"bench\":8}}",
                       ""),
                125000);
}

#define P99(name, us) "{\"name\":\"" name "\",\"audit\":\"passed\",\"latency_us\":{\"p99\":" us "}}"

static void test_payments_without_sign_ins_are_those_at_the_same_rate(void **state)
{
    (void)state;
    assert_near(
        figure("storm_payments_p99", P99("at_1000", "5000") "," P99("storm_payments", "6000"), ""),
        1.2);
    assert_near(figure("storm_payments_p99",
                       P99("at_1000", "5000") "," P99("storm_payments_alone",
                                                      "3000") "," P99("storm_payments", "6000"),
                       ""),
                2);
}

#define COUNTS                                                                 \
    "\"instructions_parse_and_route\":600,\"instructions_gate_reply\":100,"    \
    "\"instructions_decide_batch\":12800,\"instructions_encode_batch\":12800," \
    "\"instructions_write_response\":100"

static void test_the_rule_is_counted_in_instructions(void **state)
{
    (void)state;
    assert_near(figure("fee_rule_share", "", COUNTS ",\"instructions_fee_rule\":20"), 2);
    assert_true(isnan(figure("fee_rule_share", "", COUNTS)));
    assert_true(isnan(figure("fee_rule_share", "", "\"instructions_fee_rule\":20")));
}

#define CHAOS(audit, second)                                           \
    "{\"name\":\"chaos\",\"audit\":\"" audit "\",\"faults\":["         \
    "{\"what\":\"worker -9\",\"first_success\":0.1,\"silence\":0.25}," \
    "{\"what\":\"Redis -9\",\"first_success\":0.1,\"silence\":9},"     \
    "{\"what\":\"worker -9\"," second "\"silence\":0.75}]}"
#define HEALED CHAOS("passed", "\"first_success\":0.5,")

/* The worst of each kind; none when one was never recovered from. */
static void test_how_long_faults_were_felt(void **state)
{
    (void)state;
    assert_near(figure("chaos_recovery_worker", HEALED, ""), 0.75);
    assert_near(figure("chaos_recovery_redis", HEALED, ""), 9);
    assert_true(isnan(figure("chaos_recovery_postgres", HEALED, "")));
    assert_true(isnan(figure("chaos_recovery_worker", CHAOS("passed", ""), "")));
    assert_true(
        isnan(figure("chaos_recovery_worker", CHAOS("failed", "\"first_success\":0.5,"), "")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rule_is_counted_in_instructions),
        cmocka_unit_test(test_how_long_faults_were_felt),
        cmocka_unit_test(test_sign_ins_are_held_against_the_cpu_that_was_left),
        cmocka_unit_test(test_without_what_they_need_there_are_no_figures),
        cmocka_unit_test(test_the_generator_is_told_by_what_it_has_spent),
        cmocka_unit_test(test_payments_without_sign_ins_are_those_at_the_same_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
