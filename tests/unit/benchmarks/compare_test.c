#include "benchmarks/compare.h"

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
#include "base/memory.h"
#include "tests/unit/benchmarks/some_result.h"

static struct arena arena;
static char message[RESULT_MESSAGE_MAX];
static struct compare compare;

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

static struct result *sample(void)
{
    const struct result *result = result_read(SAMPLE, &arena, message);
    assert_non_null(result);
    return (struct result *)(uintptr_t)result;
}

static const struct compare_row *row_of(const char *name, const char *what)
{
    for (size_t i = 0; i < compare.row_count; i++)
        if (strcmp(compare.rows[i].name, name) == 0 && strcmp(compare.rows[i].what, what) == 0)
            return &compare.rows[i];
    fail_msg("no row %s %s", name, what);
    return NULL;
}

static void test_a_file_with_itself(void **state)
{
    (void)state;
    struct chance chance = {9};
    for (int round = 0; round < 300; round++) {
        struct bytes text;
        struct json_error error;
        bytes_init(&text, &arena);
        some_result(&chance, &text);
        const struct result *result =
            round == 0 ? sample() : result_parse(bytes_view(&text), &arena, message);
        struct result own = *result;
        if (round > 0) /* names may be twice, then the first answers for both */
            own.run_count = own.run_count > 0, own.figure_count = own.figure_count > 0,
            own.baseline_count = own.baseline_count > 0;
        compare_results(&own, &own, &arena, &compare);
        assert_false(compare.failed);
        assert_int_equal(compare.better + compare.worse, 0);
        assert_int_equal(compare.difference_count + compare.alone_count, 0);
        assert_true(compare.same_machine && compare.same_settings);
        bytes_clear(&text);
        assert_true(compare_text(&compare, true, &text));
        bytes_clear(&text);
        compare_json(&compare, &text);
        assert_non_null(json_parse(bytes_view(&text), &arena, &error));
        arena_release(&arena);
    }
    assert_int_equal(compare_main(3, (char *[]){"compare", SAMPLE, SAMPLE}), 0);
}

static void test_what_got_worse_and_better(void **state)
{
    (void)state;
    struct result *before = sample();
    struct result *after = sample();
    after->runs[0].throughput *= 0.9;
    after->runs[1].latency.p50 *= 0.8;
    after->runs[2].latency.p99 *= 1.15; /* within 20 % */
    after->runs[4].cpu.at[0].number *= 1.06;
    after->figures[0].value *= 1.2;
    after->figures[4].value *= 1.2; /* lower is better */
    after->baselines[0].value *= 2;
    compare_results(before, after, &arena, &compare);
    assert_int_equal(row_of("send_money_peak", "throughput")->verdict, COMPARE_WORSE);
    assert_int_equal(row_of("send_money_popular", "p50")->verdict, COMPARE_BETTER);
    assert_int_equal(row_of("send_money_1000", "p99")->verdict, COMPARE_SAME);
    assert_int_equal(row_of("balance", "cpu moolahd")->verdict, COMPARE_WORSE);
    assert_int_equal(row_of("send_money_vs_one_per_tx", "figure")->verdict, COMPARE_BETTER);
    assert_int_equal(row_of("single_user_vs_pgbench", "figure")->verdict, COMPARE_WORSE);
    assert_int_equal(row_of("one_per_tx_1", "baseline")->verdict, COMPARE_MOVED);
    assert_int_equal(compare.worse, 3);
    assert_int_equal(compare.better, 2);
}

static void test_audits_and_failures(void **state)
{
    (void)state;
    struct result *before = sample();
    struct result *after = sample();
    after->runs[0].audit = "failed";
    after->runs[1].statuses.at[2].number = 500; /* lost */
    compare_results(before, after, &arena, &compare);
    assert_int_equal(row_of("send_money_peak", "audit")->verdict, COMPARE_WORSE);
    assert_int_equal(row_of("send_money_popular", "failed calls")->verdict, COMPARE_WORSE);
    assert_int_equal(compare.worse, 2);
}

static const char *text_of(struct bytes *out)
{
    bytes_init(out, &arena);
    assert_true(compare_text(&compare, false, out));
    bytes_add_char(out, '\0');
    return out->at;
}

static void test_other_circumstances_are_said(void **state)
{
    (void)state;
    struct result *before = sample();
    struct result *after = sample();
    struct bytes out;
    after->machine.at[0].text = "another";
    after->settings.at[2].text = "512";
    after->run_count--;
    compare_results(before, after, &arena, &compare);
    const char *text = text_of(&out);
    assert_ptr_equal(strstr(text, "NOT THE SAME MACHINE"), text);
    assert_non_null(strstr(text, "NOT THE SAME SETTINGS (batch): "));
    assert_non_null(strstr(text, "settings batch: 256 -> 512"));
    assert_non_null(strstr(text, "run chaos is only in the first"));
    assert_non_null(strstr(text, "What counts as noise"));
    assert_non_null(strstr(text, "Nothing changed beyond noise."));
}

static void test_quick_against_full_says_what_to_do(void **state)
{
    (void)state;
    struct result *before = sample();
    struct result *after = sample();
    struct bytes out;
    after->quick = !before->quick;
    after->runs[0].throughput *= 0.1;
    compare_results(before, after, &arena, &compare);
    const char *text = text_of(&out);
    assert_ptr_equal(strstr(text, "A QUICK RUN AND A FULL ONE are not comparable"), text);
    assert_non_null(strstr(text, "Compare two of `ci/bench --quick`, or two of `ci/bench`."));
    assert_null(strstr(text, "SETTINGS"));
    assert_non_null(strstr(text, "differs, quick against full"));
    assert_int_equal(compare.better + compare.worse, 0);
}

/* Each of them makes it another machine; what is then beyond noise only differs. But money that
 * went wrong is wrong on any machine. */
static void test_other_machines_are_not_judged(void **state)
{
    (void)state;
    for (size_t part = 0; part < 6; part++) {
        struct result *before = sample();
        struct result *after = sample();
        struct bytes out;
        after->runs[0].throughput *= 0.5;
        if (part < 5)
            after->machine.at[part].text = "another"; /* cpu, cores, memory_mb, kernel, disk */
        else
            after->settings.at[0].text = "another";
        compare_results(before, after, &arena, &compare);
        assert_int_equal(row_of("send_money_peak", "throughput")->verdict, COMPARE_DIFFERS);
        assert_int_equal(compare.better + compare.worse, 0);
        assert_int_equal(compare.differs, 1);
        const char *text = text_of(&out);
        assert_non_null(
            strstr(text, part < 5 ? "differs, other machine" : "differs, other settings"));
        assert_null(strstr(text, "Nothing changed"));
        after->runs[1].audit = "failed";
        compare_results(before, after, &arena, &compare);
        assert_int_equal(compare.worse, 1);
    }
}

static void test_another_load_is_not_judged(void **state)
{
    (void)state;
    struct result *before = sample();
    struct result *after = sample();
    after->runs[2].rate = 900;
    after->runs[2].throughput = 900;
    after->runs[0].throughput *= 0.5;
    compare_results(before, after, &arena, &compare);
    assert_int_equal(row_of("send_money_1000", "throughput")->verdict, COMPARE_DIFFERS);
    assert_string_equal(row_of("send_money_1000", "throughput")->why, "other load");
    assert_int_equal(compare.worse, 1);
}

/* How busy it was before, and how long a durable write took today. */
static void test_what_changes_by_itself_is_no_other_machine(void **state)
{
    (void)state;
    static const char *const machines[] = {
        "{\"format\":1,\"machine\":{\"disk\":\"ext4, a durable write takes 0.4 ms\","
        "\"load_before\":0.1}}",
        "{\"format\":1,\"machine\":{\"disk\":\"ext4, a durable write takes 0.6 ms\","
        "\"load_before\":1.1}}"};
    compare_results(result_parse(slice_of(machines[0]), &arena, message),
                    result_parse(slice_of(machines[1]), &arena, message), &arena, &compare);
    assert_true(compare.same_machine);
    assert_int_equal(compare.difference_count, 2);
}

static void test_memory(void **state)
{
    (void)state;
    struct result *result = sample();
    bool good = false;
    for (long n = 0; !good; n++) {
        struct arena own;
        struct bytes out;
        arena_init(&own);
        bytes_init(&out, &own);
        memory_fail_after(n);
        compare_results(result, result, &own, &compare);
        good = compare_text(&compare, true, &out) && !compare.failed;
        assert_true(good != memory_failed());
        memory_fail_never();
        arena_release(&own);
    }
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(compare_main(2, (char *[]){"compare", SAMPLE}), 2);
    assert_int_equal(compare_main(3, (char *[]){"compare", SAMPLE, "/nowhere"}), 2);
    assert_int_equal(compare_main(4, (char *[]){"compare", SAMPLE, SAMPLE, SAMPLE}), 2);
    assert_int_equal(compare_main(2, (char *[]){"compare", "--what"}), 2);
    assert_int_equal(compare_main(2, (char *[]){"compare", "--help"}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_with_itself),
        cmocka_unit_test(test_what_got_worse_and_better),
        cmocka_unit_test(test_audits_and_failures),
        cmocka_unit_test(test_other_circumstances_are_said),
        cmocka_unit_test(test_quick_against_full_says_what_to_do),
        cmocka_unit_test(test_other_machines_are_not_judged),
        cmocka_unit_test(test_another_load_is_not_judged),
        cmocka_unit_test(test_what_changes_by_itself_is_no_other_machine),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
