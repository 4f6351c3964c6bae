#include "benchmarks/collect.h"

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
#include "benchmarks/result.h"

#define PEAK                                                                                       \
    "{\"name\":\"send_money_peak\",\"scenario\":\"send_money\",\"mode\":\"closed\",\"rate\":null," \
    "\"audit\":\"passed\",\"throughput\":1000,\"offered\":1000,\"latency_us\":{\"p50\":5}}\n"
#define CURVE                                                                                \
    "{\"name\":\"curve_1\",\"scenario\":\"send_money\",\"mode\":\"open\",\"rate\":\"1500\"," \
    "\"audit\":\"passed\",\"throughput\":1500,\"offered\":1500,\"latency_us\":{\"p50\":7}}\n"

#define OTHER                                                                           \
    "{\"name\":\"at_1000\",\"scenario\":\"balance\",\"mode\":\"closed\",\"rate\":null," \
    "\"audit\":\"off\",\"throughput\":1500}\n"

static struct arena arena;
static char message[RESULT_MESSAGE_MAX];
static char folder[] = "/tmp/moolah-collect-XXXXXX";
static char runs[80], notes[80], out[80], said[80];

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(runs, sizeof runs, "%s/runs.jsonl", folder);
    snprintf(notes, sizeof notes, "%s/notes.txt", folder);
    snprintf(out, sizeof out, "%s/result.json", folder);
    snprintf(said, sizeof said, "%s/said.txt", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    const char *const files[] = {runs, notes, out, said};
    for (size_t i = 0; i < 4; i++)
        unlink(files[i]);
    arena_release(&arena);
    return rmdir(folder);
}

static void write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The exit code; what it says on its standard error is in *text. */
static int collect(int argc, char **argv, char text[2000])
{
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0);
    fflush(stderr);
    assert_non_null(freopen(said, "we", stderr));
    int status = collect_main(argc, argv);
    fflush(stderr);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    FILE *file = fopen(said, "re");
    assert_non_null(file);
    text[fread(text, 1, 1999, file)] = '\0';
    fclose(file);
    return status;
}

static void test_runs_alone_make_a_result(void **state)
{
    (void)state;
    char text[2000];
    write_to(runs, PEAK);
    assert_int_equal(collect(5, (char *[]){"collect", "--runs", runs, "--out", out}, text), 0);
    assert_string_equal(text, "");
    const struct result *result = result_read(out, &arena, message);
    assert_non_null(result);
    assert_int_equal(result->run_count, 1);
    assert_false(result->quick);
    assert_true(result->figure_count > 0);
}

static void test_notes_and_the_curve(void **state)
{
    (void)state;
    char text[2000];
    write_to(runs, PEAK CURVE);
    write_to(notes, "machine cpu a b\nguarantee 50 + gate\nbaseline raw_postings 2000 1/s\n");
    assert_int_equal(
        collect(8, (char *[]){"collect", "--runs", runs, "--notes", notes, "--out", out, "--quick"},
                text),
        0);
    const struct result *result = result_read(out, &arena, message);
    assert_non_null(result);
    assert_string_equal(result_text(&result->machine, "cpu"), "a b");
    assert_string_equal(result->guarantees[0].name, "+ gate");
    assert_int_equal(result->curve_count, 1);
    assert_true(result->quick && result->runs[1].rate == 1500);
    assert_non_null(
        strstr(text, "WARNING: curve_1 answered 1,500/s, send_money_peak only 1,000/s"));
}

static void test_what_does_not_belong_there_is_told_where_it_does(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{\n    \"format\": 1\n}\n", "data a b\n",
         "runs.jsonl:1: is a result already: `moolah-bench report`"},
        {"{\"format\":1}\n", "data a b\n", "is a result already"},
        {"machine cpu x\n", "data a b\n", "facts go to --notes"},
        {PEAK, PEAK, "notes.txt:1: is JSON, not a fact: runs go to --runs"},
        {PEAK, "data x\n", "a fact is WORD KEY VALUE"},
        {"", "data a b\n", "runs.jsonl is empty: a line per run"},
        {PEAK, "\n", "notes.txt is empty: facts as ci/bench notes them"},
        {PEAK CURVE PEAK, "data a b\n", "runs.jsonl:3: is the second run named send_money_peak"},
        {OTHER, "data a b\n",
         "runs.jsonl:1: the name at_1000 is kept for a run of send_money in a loop that is open"},
        {PEAK, "baseline a 1 us\nbaseline a 2 us\n", "notes.txt:2: is the second baseline"},
    };
    char text[2000];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_to(runs, cases[i][0]);
        write_to(notes, cases[i][1]);
        assert_int_equal(
            collect(7, (char *[]){"collect", "--runs", runs, "--notes", notes, "--out", out}, text),
            1);
        if (strstr(text, cases[i][2]) == NULL)
            fail_msg("%zu: %s", i, text);
    }
}

static void test_usage(void **state)
{
    (void)state;
    char text[2000];
    assert_int_equal(collect(2, (char *[]){"collect", "--help"}, text), 0);
    assert_int_equal(collect(2, (char *[]){"collect", runs}, text), 2);
    assert_non_null(strstr(text, "--help"));
    assert_int_equal(collect(3, (char *[]){"collect", "--runs", runs}, text), 2);
    assert_non_null(strstr(text, "--out FILE is missing"));
    assert_int_equal(collect(4, (char *[]){"collect", "--out", out, "--runs"}, text), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_alone_make_a_result),
        cmocka_unit_test(test_notes_and_the_curve),
        cmocka_unit_test(test_what_does_not_belong_there_is_told_where_it_does),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
