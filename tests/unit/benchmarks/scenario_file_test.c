/* Scenario files: ours can be read, and what is wrong in one is told with its file, call and key.
 */
#include "benchmarks/scenario_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/scenario-file-XXXXXX";
static char error[512];
static struct scenario scenario;

static int begin(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

static bool load(const char *source)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(source, file);
    assert_int_equal(fclose(file), 0);
    return scenario_file_load(&scenario, path, error, sizeof error);
}

static void must_refuse(const char *source, const char *said)
{
    assert_false(load(source));
    if (strstr(error, said) == NULL || strstr(error, path) == NULL)
        fail_msg("'%s' for: %s; wanted: %s", error, source, said);
}

#define CALL "name = 'c', method = 'GET', path = '/', as = 'nobody'"
#define WHOLE CALL ", expect = { 200 }"

static void test_a_wrong_call_is_named(void **state)
{
    static const struct {
        const char *call, *said;
    } cases[] = {
        {WHOLE ", weigth = 3", "call 1 (c): weigth is not known here; did you mean weight?"},
        {WHOLE ", colour = 3", "colour is not known here; known are: name weight method"},
        {WHOLE ", 7", "call 1 (c): a list is not known here"},
        {CALL, "call 1 (c): expect must be a list of 1 to 3 whole numbers"},
        {CALL ", expect = 200", "expect"},
        {CALL ", expect = { 200, 'x' }", "expect"},
        {CALL ", expect = { 200, 201, 202, 203 }", "expect"},
        {CALL ", expect = { 99 }", "from 200 to 599"},
        {WHOLE ", amount = { 7, 3 }", "amount must be { least, most }, not { 7, 3 }"},
        {WHOLE ", amount = { 0, 3 }", "amount must be a list of 2 to 2 whole numbers from 1"},
        {WHOLE ", amount = 5", "amount"},
        {WHOLE ", body = '{amount}'", "amount is missing, and {amount} needs it"},
        {WHOLE ", body = '{\"a\":{form}}'", "body has a place {form} that is not known; known"},
        {"name = 'c', method = 'GET', path = '/{wallet_id}', as = 'nobody', expect = { 200 }",
         "path has a place {wallet_id}"},
        {WHOLE ", weight = -1", "weight must be a number from 0 to 1000000, not -1"},
        {WHOLE ", weight = 0", "weight of every call is 0"},
        {WHOLE ", weight = '5'", "weight must be a number from 0 to 1e+06, not a string"},
        {WHOLE ", key = true", "expect has 200, and the audit of a call with a key"},
        {WHOLE ", key = 1", "key must be true or false, not a number"},
        {WHOLE ", body = 5", "body must be a text, not a number"},
        {"name = 'c', method = 'BREW', path = '/', as = 'nobody', expect = { 200 }",
         "method must be GET, POST, PUT, PATCH or DELETE, not 'BREW'"},
        {"name = 'c', method = 'GET', path = 'v1', as = 'nobody', expect = { 200 }",
         "path must begin with a /, not 'v1'"},
        {"name = 'c', method = 'GET', path = '/', as = 'me', expect = { 200 }",
         "as must be \"from\", \"partner\" or \"nobody\", not \"me\""},
        {"method = 'GET', path = '/', as = 'nobody', expect = { 200 }", "call 1: name is missing"},
    };
    char source[1000];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(source, sizeof source, "return { calls = { { %s } } }", cases[i].call);
        must_refuse(source, cases[i].said);
    }
    must_refuse("return { calls = { {" WHOLE "}, { " CALL " } } }", "call 2 (c): expect");
    snprintf(source, sizeof source, "return { calls = { { " WHOLE ", body = '%0512d' } } }", 1);
    must_refuse(source, "body has 512 characters: at most 511");
    must_refuse("return { calls = { {" WHOLE "}, 5 } }", "call 2: it must be a table");
}

static void test_a_wrong_file_is_named(void **state)
{
    static const struct {
        const char *file, *said;
    } cases[] = {
        {"zipf = 1.5", "zipf must be a number from 0 to 1, not 1.5"},
        {"zipf = 0 / 0", "zipf must be a number from 0 to 1"},
        {"zipff = 1", "zipff is not known here; did you mean zipf?"},
        {"twice = 2", "twice must be a number from 0 to 1, not 2"},
        {"connections = 1.5", "connections must be a whole number from 0 to 20000, not 1.5"},
        {"streams = 1001", "streams must be a whole number from 0 to 1000, not 1001"},
        {"of_peak = -2", "of_peak must be a number from 0 to 100, not -2"},
        {"help = true", "help must be a text, not a boolean"},
    };
    char source[1000];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(source, sizeof source, "return { %s, calls = { { " WHOLE " } } }", cases[i].file);
        must_refuse(source, cases[i].said);
    }
    must_refuse("return { calls = {} }", "calls must be a list of calls");
    must_refuse("return { idle = 5 }", "calls must be a list of calls");
    must_refuse("local c = {} for i = 1, 17 do c[i] = { " WHOLE " } end return { calls = c }",
                "calls are 17: at most 16");
    must_refuse("return 5", "it must return a table");
    must_refuse("\n\nreturn { calls = = }", ":3");
    must_refuse("while true do end", "the scenario used up its instruction budget");
    assert_null(strstr(error, "rule"));
}

static void test_what_cannot_be_read_is_told(void **state)
{
    static char source[70000];
    (void)state;
    memset(source, '-', sizeof source - 1);
    must_refuse(source, "longer than the 65535 bytes");
    assert_false(scenario_file_load(&scenario, "/nowhere/x.lua", error, sizeof error));
    assert_string_equal(error, "/nowhere/x.lua: No such file or directory");
    assert_false(scenario_file_load(&scenario, "/tmp", error, sizeof error));
    assert_string_equal(error, "/tmp: Is a directory");
}

#define OURS MOOLAH_SOURCE_DIR "/benchmarks/scenarios"

static void test_ours_can_be_read(void **state)
{
    static const char *const names[] = {"balance",      "constant",        "idle_connections",
                                        "mixed",        "new_connections", "overload_2x",
                                        "overload_10x", "popular_wallet",  "sign_in",
                                        "send_money",   "single_user",     "statement"};
    static char list[8192];
    char file[300];
    (void)state;
    FILE *out = fmemopen(list, sizeof list, "w");
    assert_non_null(out);
    scenario_file_list(OURS, out);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, OURS "/%s.lua", names[i]);
        if (!scenario_file_load(&scenario, file, error, sizeof error))
            fail_msg("%s", error);
        assert_string_equal(scenario.name, names[i]);
        assert_true(scenario.help[0] != '\0');
        snprintf(file, sizeof file, "  %-17s %s\n", names[i], scenario.help);
        assert_non_null(strstr(list, file));
    }
    assert_null(strstr(list, ".lua")); /* no path, so no error */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wrong_call_is_named),
        cmocka_unit_test(test_a_wrong_file_is_named),
        cmocka_unit_test(test_what_cannot_be_read_is_told),
        cmocka_unit_test(test_ours_can_be_read),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
