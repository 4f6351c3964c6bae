#include "benchmarks/report.h"

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
#include "benchmarks/result.h"
#include "tests/unit/benchmarks/some_result.h"

static struct arena arena;
static char message[RESULT_MESSAGE_MAX];

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

static void test_tables(void **state)
{
    (void)state;
    struct bytes out;
    const struct result *result = result_read(SAMPLE, &arena, message);
    bytes_init(&out, &arena);
    assert_true(report_tables(result, &arena, &out));
    bytes_add_char(&out, '\0');
    assert_non_null(strstr(out.at, "commit abc1234"));
    assert_non_null(
        strstr(out.at, "send_money_vs_one_per_tx    4.46  ratio       >= 5  not reached"));
    assert_non_null(strstr(out.at, "one_per_tx_1              2,771   1/s             4.455 x"));
    bytes_clear(&out);
    report_figures(result, &out);
    bytes_add_char(&out, '\0');
    assert_non_null(strstr(out.at, "send_money_vs_one_per_tx 4.46 ratio\n"));
}

static void test_a_failed_audit_is_said(void **state)
{
    (void)state;
    static const char text[] = "{\"format\":1,\"runs\":[{\"name\":\"wrong\",\"audit\":\"failed\","
                               "\"throughput\":77777}]}";
    struct bytes out;
    bytes_init(&out, &arena);
    assert_true(report_tables(result_parse(slice_of(text), &arena, message), &arena, &out));
    bytes_add_char(&out, '\0');
    assert_non_null(strstr(out.at, "wrong: the audit FAILED"));
    assert_null(strstr(out.at, "77,777"));
}

static void test_a_peak_that_was_none_is_said(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format\":1,\"runs\":[{\"name\":\"send_money_peak\",\"scenario\":\"send_money\","
        "\"throughput\":100},{\"name\":\"curve_1\",\"scenario\":\"send_money\","
        "\"throughput\":120}]}";
    const struct result *result = result_parse(slice_of(text), &arena, message);
    struct bytes out;
    bytes_init(&out, &arena);
    assert_true(report_tables(result, &arena, &out));
    report_json(result, &out);
    bytes_add_char(&out, '\0');
    assert_non_null(strstr(out.at, "WARNING: curve_1 answered 120/s"));
    assert_non_null(strstr(out.at, "\"warning\":\"curve_1 answered 120/s"));
}

/* The JSON is JSON, and no control character of a name reaches the terminal. */
static void test_any_result(void **state)
{
    (void)state;
    struct chance chance = {5};
    for (int round = 0; round < 300; round++) {
        struct bytes text;
        struct bytes out;
        struct json_error error;
        bytes_init(&text, &arena);
        bytes_init(&out, &arena);
        some_result(&chance, &text);
        const struct result *result = result_parse(bytes_view(&text), &arena, message);
        assert_true(report_tables(result, &arena, &out));
        bytes_clear(&out);
        report_json(result, &out);
        assert_non_null(json_parse(bytes_view(&out), &arena, &error));
        arena_release(&arena);
    }
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(report_main(1, (char *[]){"report"}), 2);
    assert_int_equal(report_main(3, (char *[]){"report", SAMPLE, "--what"}), 2);
    assert_int_equal(report_main(2, (char *[]){"report", "/nowhere"}), 2);
    assert_int_equal(report_main(3, (char *[]){"report", SAMPLE, SAMPLE}), 2);
    assert_int_equal(report_main(3, (char *[]){"report", SAMPLE, "--html"}), 2);
    assert_int_equal(report_main(2, (char *[]){"report", "--help"}), 0);
    assert_int_equal(report_main(4, (char *[]){"report", SAMPLE, "--html", "/nowhere/x.html"}), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_a_failed_audit_is_said),
        cmocka_unit_test(test_a_peak_that_was_none_is_said),
        cmocka_unit_test(test_any_result),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
