/* moolah-bench run's command line: what is wrong is told with the option's name and range. */
#include "benchmarks/run_options.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "benchmarks/scenario.h"

static struct run_options options;
static char *said;

/* The words of `line` behind "run"; what is said goes to `said`. */
static int read_line(const char *line)
{
    static char text[500];
    char *words[40] = {"run"};
    int count = 1;
    size_t length;
    FILE *before = stderr;
    snprintf(text, sizeof text, "%s", line);
    for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL;)
        if (word[0] != '\0')
            words[count++] = word;
    free(said);
    optind = 0; /* from the beginning again */
    stderr = open_memstream(&said, &length);
    int code = run_options_read(&options, count, words);
    fclose(stderr);
    stderr = before;
    return code;
}

static void must_refuse(const char *line, const char *words)
{
    int code = read_line(line);
    if (code != 2 || strstr(said, words) == NULL)
        fail_msg("%d, '%s' for: %s; wanted: %s", code, said, line, words);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    must_refuse("", "a SCENARIO is missing, as in: moolah-bench run send_money");
    must_refuse("balance", "--data DIR is missing");
    must_refuse("balance other --data d", "'other' is too much");
    must_refuse("nosuch --data d", "no scenario 'nosuch'; there are:\n  balance ");
    must_refuse("./no.lua --data d", "the scenario ./no.lua can't be read: No such file");
    must_refuse("balance --data", "--data needs a value");
    must_refuse("balance --warmup 3 --data d", "--warmup is no option; did you mean --warm-up?");
    must_refuse("balance --data d --seconds abc", "--seconds must be a number from 0.1 to 3600");
    must_refuse("balance --data d --seconds 5s", "not '5s'");
    must_refuse("balance --data d --seconds nan", "not 'nan'");
    must_refuse("balance --data d --seconds 0", "from 0.1 to 3600, not '0'");
    must_refuse("balance --data d --warm-up -1", "--warm-up must be a number from 0 to 3600");
    must_refuse("balance --data d --seconds 3 --warm-up 3", "--warm-up 3 must be less than");
    must_refuse("balance --data d --connections 0", "a whole number from 1 to 20000, not '0'");
    must_refuse("balance --data d --connections 1.5", "not '1.5'");
    must_refuse("balance --data d --streams 0", "--streams must be a whole number from 1 to 1000");
    must_refuse("balance --data d --wallets 1", "--wallets must be a whole number from 2 to");
    must_refuse("balance --data d --zipf 1.1", "--zipf must be a number from 0 to 1, not '1.1'");
    must_refuse("balance --data d --port 65536", "--port must be a whole number from 1 to 65535");
    must_refuse("balance --data d --port 1 --audit", "--port is for a server whose ledger");
    must_refuse("balance --data d --peak 0", "--peak must be a number from 1 to");
    must_refuse("balance --data d --rate 5x", "not '5x'");
    must_refuse("balance --data d --rate 1e9", "each over 0 and up to 10000000/s, for over 0 s");
    must_refuse("balance --data d --rate 5:4000", "--rate 5:4000 lasts 4000 s: at most 3600");
    must_refuse("balance --data d --rate 5 --closed", "--closed has no arrivals");
    must_refuse("balance --data d --poisson --closed", "--closed has no arrivals");
    must_refuse("balance --data d --name a/b", "--name must be letters, digits");
    must_refuse("balance --data d --chaos --seconds 24", "--chaos must have 25 s");
    must_refuse("balance --data d --chaos --rate 100:5,200:5", "--chaos must have 25 s");
}

static void test_what_is_right_is_taken(void **state)
{
    (void)state;
    assert_int_equal(read_line("mixed --data d --rate 500:10,2000:5 --poisson --zipf 0.5 --streams "
                               "1000 --wallets 2 --audit-keys --chaos --seconds 3 --rate 10:25"),
                     -1);
    assert_string_equal(options.scenario, MOOLAH_SOURCE_DIR "/benchmarks/scenarios/mixed.lua");
    assert_true(options.poisson && options.arrivals.poisson && options.audit && options.chaos);
    assert_true(options.keys_only && !options.closed && options.zipf == 0.5);
    assert_int_equal(options.streams, 1000);
    assert_int_equal(options.connections, 0);
    assert_int_equal(options.wallets, 2);
    assert_true(arrivals_seconds(&options.arrivals) == 25);
    assert_int_equal(read_line("balance --data d --rate 1e3"), -1);
    assert_true(arrivals_rate_at(&options.arrivals, 0) == 1000);
}

/* A short run has a short one. */
static void test_the_warm_up_is_a_fifth(void **state)
{
    (void)state;
    assert_int_equal(read_line("balance --data d"), -1);
    assert_true(options.warm_up == 2);
    assert_int_equal(read_line("balance --data d --seconds 2"), -1);
    assert_true(options.warm_up == 0.4);
    assert_int_equal(read_line("balance --data d --rate 10:3,20:2"), -1);
    assert_true(options.warm_up == 1);
    assert_int_equal(read_line("balance --data d --seconds 100 --warm-up 7"), -1);
    assert_true(options.warm_up == 7);
}

static bool fits(const char *line, double of_peak)
{
    struct scenario scenario = {.of_peak = of_peak};
    static char error[300];
    assert_int_equal(read_line(line), -1);
    return run_options_fit(&options, &scenario, 500, error, sizeof error);
}

static void test_options_suit_the_scenario(void **state)
{
    (void)state;
    assert_true(fits("balance --data d --wallets 500", 0));
    assert_false(fits("balance --data d --wallets 501", 0));
    assert_false(fits("balance --data d --poisson", 0));
    assert_true(fits("balance --data d --poisson", 2));
    assert_true(fits("balance --data d --poisson --rate 5", 0));
    assert_true(fits("balance --data d --peak 10", 2));
    assert_false(fits("balance --data d --peak 10", 0));
    assert_false(fits("balance --data d --peak 10 --rate 5", 2));
    assert_false(fits("balance --data d --peak 10 --closed", 2));
}

static int end(void **state)
{
    (void)state;
    free(said);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_what_is_right_is_taken),
        cmocka_unit_test(test_the_warm_up_is_a_fifth),
        cmocka_unit_test(test_options_suit_the_scenario),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
