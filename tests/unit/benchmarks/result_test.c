#include "benchmarks/result.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/memory.h"
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

static void test_sample(void **state)
{
    (void)state;
    const struct result *result = result_read(SAMPLE, &arena, message);
    assert_non_null(result);
    assert_string_equal(result->commit, "abc1234");
    assert_true(result_number(&result->machine, "cores") == 2);
    assert_string_equal(result_text(&result->settings, "fsync"), "on");
    assert_null(result_text(&result->settings, "nothing"));
    const struct result_run *run = result_find_run(result, "send_money_peak");
    assert_non_null(run);
    assert_true(run->throughput == 12345.6);
    assert_true(isnan(run->rate));
    assert_int_equal(run->series_count, 10);
    assert_true(result_number(&run->cpu, "moolahd") == 24.1);
    assert_true(result_failed_part(run) == 0);
    assert_int_equal(result_find_run(result, "chaos")->fault_count, 4);
    assert_int_equal(result_judge(&result->figures[0]), RESULT_MISSED);
    assert_int_equal(result_judge(&result->figures[1]), RESULT_REACHED);
    assert_int_equal(result_judge(&result->figures[result->figure_count - 1]), RESULT_OPEN);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "no JSON"},
        {"[]", "must be an object, not an array"},
        {"{}", "no benchmark result of format 1"},
        {"{\"format\":2}", "no benchmark result of format 1"},
        {"{\"format\":1,\"runs\":{}}", "/runs must be an array, not an object"},
        {"{\"format\":1,\"runs\":[1]}", "/runs/0 must be an object"},
        {"{\"format\":1,\"runs\":[{}]}", "/runs/0 has no name"},
        {"{\"format\":1,\"runs\":[{\"name\":\"a\",\"throughput\":\"fast\"}]}",
         "/runs/0/throughput must be a number"},
        {"{\"format\":1,\"runs\":[{\"name\":\"a\",\"throughput\":-1}]}",
         "/runs/0/throughput is below 0"},
        {"{\"format\":1,\"runs\":[{\"name\":\"a\",\"throughput\":1e19}]}",
         "/runs/0/throughput is too large"},
        {"{\"format\":1,\"runs\":[{\"name\":\"a\",\"throughput\":1E999}]}",
         "/runs/0/throughput is too large"},
        {"{\"format\":1,\"runs\":[{\"name\":\"a\",\"spectrum\":[[0.5,1],[2,1]]}]}",
         "/runs/0/spectrum/1 must be"},
        {"{\"format\":1,\"runs\":[{\"name\":\"a\",\"spectrum\":[[0.5]]}]}",
         "/runs/0/spectrum/0 must be"},
        {"{\"format\":1,\"machine\":{\"cpu\":[]}}", "/machine/cpu must be a text or a number"},
        {"{\"format\":1,\"figures\":[{\"name\":\"a\",\"better\":\"softer\"}]}",
         "/figures/0 better is neither"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(result_parse(slice_of(cases[i][0]), &arena, message));
        if (strstr(message, cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], message);
    }
    assert_null(result_read("/nowhere/at/all", &arena, message));
    assert_non_null(strstr(message, "/nowhere/at/all cannot be read"));
}

static void test_bounds(void **state)
{
    (void)state;
    struct bytes text;
    bytes_init(&text, &arena);
    bytes_add_text(&text, "{\"format\":1,\"curve\":[");
    for (int i = 0; i <= RESULT_LIST_MAX; i++)
        bytes_add_text(&text, i == 0 ? "{}" : ",{}");
    bytes_add_text(&text, "]}");
    assert_null(result_parse(bytes_view(&text), &arena, message));
    assert_non_null(strstr(message, "/curve has 10001 elements: 10000 at most"));
    bytes_clear(&text);
    bytes_add_text(&text, "{\"format\":1,\"commit\":\"");
    for (int i = 0; i <= RESULT_TEXT_MAX; i++)
        bytes_add_char(&text, 'x');
    bytes_add_text(&text, "\"}");
    assert_null(result_parse(bytes_view(&text), &arena, message));
    assert_non_null(strstr(message, "/commit is a text of 401 bytes"));
}

/* A run whose money was wrong has no speed to show. */
static void test_a_failed_audit_hides_the_throughput(void **state)
{
    (void)state;
    struct result_run run = {.audit = "failed", .throughput = 12};
    assert_true(isnan(result_throughput(&run)));
    run.audit = "passed";
    assert_true(result_throughput(&run) == 12);
}

static void write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What stands at an earlier or later step is told the step to take. */
static void test_files_for_other_commands_are_known(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"name\":\"a\",\"audit\":\"off\"}\n{\"name\":\"b\",\"audit\":\"off\"}\n",
         "collect --runs FILE --out"},
        {"{\"name\":\"a\",\"audit\":\"off\"}\n", "collect --runs FILE --out"},
        {"machine cpu a b\n", "collect --runs RUNS.jsonl --notes FILE"},
        {"<!DOCTYPE html>\n<html>", "give the result.json"},
        {"hello", "is no JSON: "},
    };
    char path[] = "/tmp/moolah-result-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_to(path, cases[i][0]);
        assert_null(result_read(path, &arena, message));
        if (strstr(message, cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], message);
    }
    unlink(path);
}

/* Only transfers of the same kind can show that the peak was none: one popular wallet may be faster
 * than many. */
static void test_a_run_above_the_peak_is_a_warning(void **state)
{
    (void)state;
    struct result_run runs[] = {
        {.name = "send_money_peak", .scenario = "send_money", .audit = "passed", .throughput = 100},
        {.name = "popular", .scenario = "popular_wallet", .audit = "passed", .throughput = 200},
        {.name = "curve_1", .scenario = "send_money", .audit = "passed", .throughput = 101.9},
        {.name = "curve_2", .scenario = "send_money", .audit = "failed", .throughput = 150},
    };
    const struct result result = {.runs = runs, .run_count = 4};
    assert_false(result_warning(&result, message));
    runs[2].throughput = 103;
    assert_true(result_warning(&result, message));
    assert_non_null(strstr(message, "curve_1 answered 103/s, send_money_peak only 100/s"));
    runs[3].audit = "off";
    assert_true(result_warning(&result, message));
    assert_non_null(strstr(message, "curve_2 answered 150/s"));
    runs[0].name = "other";
    assert_false(result_warning(&result, message));
}

static void test_broken_texts(void **state)
{
    (void)state;
    struct chance chance = {11};
    for (int round = 0; round < 2000; round++) {
        struct bytes text;
        bytes_init(&text, &arena);
        some_result(&chance, &text);
        assert_non_null(result_parse(bytes_view(&text), &arena, message));
        size_t at = chance_below(&chance, text.length);
        if (round % 2 == 0)
            text.length = at;
        else
            text.at[at] = (char)chance_bits(&chance);
        if (result_parse(bytes_view(&text), &arena, message) == NULL)
            assert_true(message[0] != '\0');
        arena_release(&arena);
    }
}

static void test_memory(void **state)
{
    (void)state;
    const struct result *result = NULL;
    for (long n = 0; result == NULL; n++) {
        memory_fail_after(n);
        result = result_read(SAMPLE, &arena, message);
        memory_fail_never();
        if (result == NULL)
            assert_non_null(strstr(message, "out of memory"));
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_a_failed_audit_hides_the_throughput),
        cmocka_unit_test(test_files_for_other_commands_are_known),
        cmocka_unit_test(test_a_run_above_the_peak_is_a_warning),
        cmocka_unit_test(test_broken_texts),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
