/* The requests that a scenario becomes. */
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

#include "base/crypto.h"
#include "benchmarks/population.h"
#include "benchmarks/scenario.h"
#include "benchmarks/scenario_file.h"

#define WALLETS 500
#define DRAWS 20000

static struct population *population;
static char path[] = "/tmp/scenario-XXXXXX";
static char error[512];
static struct scenario scenario;

static int begin(void **state)
{
    const struct population_seed seed = {{1, 2, 3}, WALLETS, INT64_C(1700000000000)};
    (void)state;
    population = crypto_start() ? population_new(&seed) : NULL;
    int fd = mkstemp(path);
    close(fd);
    return population == NULL || fd < 0 ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    population_free(population);
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

static struct scenario_run run_of(void)
{
    return (struct scenario_run){&scenario, population, "x", "partner-key", 99};
}

static void test_a_request_is_its_template_filled_in(void **state)
{
    struct scenario_request first;
    struct scenario_request again;
    char wanted[300];
    char wallet[UUID_TEXT_MAX];
    (void)state;
    assert_true(load(
        "return { calls = { { name = 't', method = 'POST', path = '/w/{from}/{serial}',"
        " as = 'partner', key = true, amount = { 5, 7 }, expect = { 201, 422 },"
        " body = '{\"to\":\"{popular}\",\"amount\":{amount},\"x\":{\"y\":{}, \"z\":{1}}}' } } }"));
    scenario_prepare(&scenario, WALLETS);
    const struct scenario_run run = run_of();
    bool seen[8] = {false};
    population_wallet(population, 0, wallet);
    for (uint64_t serial = 0; serial < 200; serial++) {
        scenario_request(&run, serial, &first);
        scenario_request(&run, serial, &again);
        assert_string_equal(first.body, again.body);
        assert_string_equal(first.path, again.path);
        assert_string_equal(first.authorization, "Bearer partner-key");
        snprintf(wanted, sizeof wanted, "b-x-%d", (int)serial);
        assert_string_equal(first.key, wanted);
        int amount = (int)strtol(strstr(first.body, "amount\":") + 8, NULL, 10);
        snprintf(wanted, sizeof wanted, "{\"to\":\"%s\",\"amount\":%d,\"x\":{\"y\":{}, \"z\":{1}}}",
                 wallet, amount);
        assert_string_equal(first.body, wanted);
        assert_int_equal(first.body_length, strlen(first.body));
        assert_true(amount >= 5 && amount <= 7);
        seen[amount] = true;
        snprintf(wanted, sizeof wanted, "/%d", (int)serial);
        assert_string_equal(strrchr(first.path, '/'), wanted);
    }
    assert_true(seen[5] && seen[6] && seen[7]);
    assert_int_equal(scenario.calls[0].expect[1], 422);
    assert_int_equal(scenario.calls[0].expect[2], 0);
}

static void test_nobody_pays_himself(void **state)
{
    struct scenario_request request;
    char from[40];
    char to[40];
    (void)state;
    assert_true(
        load("return { zipf = 0.9, calls = { { name = 't', method = 'POST', path = '/{from}',"
             " as = 'from', expect = { 201 }, body = '{to}' }, { name = 'p', method = 'POST',"
             " path = '/{from}', as = 'from', expect = { 201 }, body = '{popular}' } } }"));
    scenario_prepare(&scenario, 3);
    const struct scenario_run run = run_of();
    for (uint64_t serial = 0; serial < 2000; serial++) {
        scenario_request(&run, serial, &request);
        snprintf(from, sizeof from, "%.39s", request.path + 1);
        snprintf(to, sizeof to, "%.39s", request.body);
        assert_string_not_equal(from, to);
    }
}

/* Five standard deviations of a binomial count. */
static void assert_share(int got, double part)
{
    double off = 5 * sqrt(DRAWS * part * (1 - part)) + 1;
    if (fabs(got - DRAWS * part) > off)
        fail_msg("%d of %d, %f wanted", got, DRAWS, part);
}

static void test_calls_come_by_their_weights(void **state)
{
    static const double weights[] = {60, 20.5, 15, 4, 0.5};
    struct scenario_request request;
    int counts[5] = {0};
    (void)state;
    assert_true(load("local calls = {} for i, w in ipairs({ 60, 20.5, 15, 4, 0.5 }) do calls[i] = {"
                     " name = 'c', weight = w, method = 'GET', path = '/', as = 'nobody',"
                     " expect = { 200 } } end return { calls = calls }"));
    scenario_prepare(&scenario, WALLETS);
    const struct scenario_run run = run_of();
    for (uint64_t serial = 0; serial < DRAWS; serial++) {
        scenario_request(&run, serial, &request);
        counts[request.call - scenario.calls]++;
        assert_int_equal(request.authorization_length, 0);
        assert_int_equal(request.key_length, 0);
    }
    for (int i = 0; i < 5; i++)
        assert_share(counts[i], weights[i] / 100);
}

struct ranked {
    char wallet[UUID_TEXT_MAX];
    int rank;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct ranked *)a)->wallet, ((const struct ranked *)b)->wallet);
}

/* How often each wallet pays. */
static void draw(const char *source, int counts[WALLETS])
{
    static struct ranked all[WALLETS];
    struct scenario_request request;
    struct ranked wanted;
    assert_true(load(source));
    scenario_prepare(&scenario, WALLETS);
    const struct scenario_run run = run_of();
    memset(counts, 0, WALLETS * sizeof counts[0]);
    for (int i = 0; i < WALLETS; i++) {
        population_wallet(population, (size_t)i, all[i].wallet);
        all[i].rank = i;
    }
    qsort(all, WALLETS, sizeof all[0], compare);
    for (uint64_t serial = 0; serial < DRAWS; serial++) {
        scenario_request(&run, serial, &request);
        snprintf(wanted.wallet, sizeof wanted.wallet, "%.31s", request.path + 1);
        const struct ranked *found = bsearch(&wanted, all, WALLETS, sizeof all[0], compare);
        assert_non_null(found);
        counts[found->rank]++;
    }
}

#define PAYERS                                                                                    \
    " calls = { { name = 'c', method = 'GET', path = '/{from}', as = 'from', expect = { 200 } } " \
    "} }"

static void test_uniform_wallets_are_uniform(void **state)
{
    static int counts[WALLETS];
    double squares = 0;
    double mean = (double)DRAWS / WALLETS;
    (void)state;
    draw("return {" PAYERS, counts);
    for (int i = 0; i < WALLETS; i++)
        squares += (counts[i] - mean) * (counts[i] - mean) / mean;
    /* chi-squared, 499 degrees of freedom: its deviation is about 32 */
    assert_true(squares > 340 && squares < 660);
}

/* Against 1/rank^s, exactly: the first ranks each, the others as sums (the method of Gray et al. is
 * exact for two ranks and close elsewhere). */
static void test_zipf_ranks_have_their_probabilities(void **state)
{
    static int counts[WALLETS];
    double zeta = 0;
    double cumulated = 0;
    int seen = 0;
    (void)state;
    draw("return { zipf = 0.8," PAYERS, counts);
    for (int i = 1; i <= WALLETS; i++)
        zeta += 1 / pow(i, 0.8);
    assert_share(counts[0], 1 / zeta);
    assert_share(counts[1], 1 / pow(2, 0.8) / zeta);
    for (int i = 0; i < WALLETS; i++) {
        cumulated += 1 / pow(i + 1, 0.8) / zeta;
        seen += counts[i];
        assert_true(fabs((double)seen / DRAWS - cumulated) < 0.025);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_its_template_filled_in),
        cmocka_unit_test(test_nobody_pays_himself),
        cmocka_unit_test(test_calls_come_by_their_weights),
        cmocka_unit_test(test_uniform_wallets_are_uniform),
        cmocka_unit_test(test_zipf_ranks_have_their_probabilities),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
