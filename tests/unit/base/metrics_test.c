#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/base/dies.h"

static struct bytes text;

static int begin(void **state)
{
    (void)state;
    bytes_init(&text, NULL);
    return metrics_start(4) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    bytes_release(&text);
    metrics_stop();
    return 0;
}

/* Is `line` a whole line of what is exposed? */
static bool exposes(const char *line)
{
    bytes_clear(&text);
    metrics_expose(&text);
    bytes_add_char(&text, '\0');
    assert_false(text.failed);
    for (const char *at = text.at; (at = strstr(at, line)) != NULL; at++)
        if ((at == text.at || at[-1] == '\n') && at[strlen(line)] == '\n')
            return true;
    return false;
}

static void test_registering(void **state)
{
    (void)state;
    metric a = metrics_register(METRIC_COUNTER, "a_total", "x=\"1\"", "help");
    metric b = metrics_register(METRIC_COUNTER, "a_total", "x=\"2\"", "other help");

    assert_int_not_equal(a, 0);
    assert_int_not_equal(a, b);
    assert_int_equal(metrics_register(METRIC_COUNTER, "a_total", "x=\"1\"", "help"), a);
    metrics_add(a, 3);
    metrics_add(b, 4);
    metrics_add(a, 5);
    assert_int_equal(metrics_total(a), 8);
    assert_int_equal(metrics_total(b), 4);
}

static void test_the_series_nobody_reads(void **state)
{
    (void)state;
    metrics_add(0, 1);
    metrics_set(0, 1);
    metrics_observe(0, 1);
    assert_int_equal(metrics_total(0), 0);
    metrics_expose(&text);
    assert_int_equal(text.length, 0);
}

static void test_exposition(void **state)
{
    (void)state;
    metric counter = metrics_register(METRIC_COUNTER, "m_total", "code=\"201\"", "Counted");
    metric gauge = metrics_register(METRIC_GAUGE, "m_open", "", "Open now");
    metric other = metrics_register(METRIC_COUNTER, "m_total", "code=\"400\"", "Counted");

    metrics_add(counter, UINT64_C(18446744073709551615));
    metrics_add(other, 0);
    metrics_set(gauge, -5);
    metrics_expose(&text);
    assert_true(slice_equals(bytes_view(&text), "# HELP m_total Counted\n"
                                                "# TYPE m_total counter\n"
                                                "m_total{code=\"201\"} 18446744073709551615\n"
                                                "m_total{code=\"400\"} 0\n"
                                                "# HELP m_open Open now\n"
                                                "# TYPE m_open gauge\n"
                                                "m_open -5\n"));
}

static void test_a_histogram_of_durations(void **state)
{
    (void)state;
    metric took = metrics_register(METRIC_HISTOGRAM, "took_seconds", "step=\"a\"", "Took");
    metric bare = metrics_register(METRIC_HISTOGRAM, "bare_seconds", "", "Bare");

    metrics_observe(took, 0);
    metrics_observe(took, 50); /* a bound belongs to its bucket */
    metrics_observe(took, 51);
    metrics_observe(took, 1000);
    metrics_observe(took, 10000001);
    metrics_observe(bare, 2500);
    assert_int_equal(metrics_total(took), 5);
    assert_true(exposes("# TYPE took_seconds histogram"));
    assert_true(exposes("took_seconds_bucket{step=\"a\",le=\"0.00005\"} 2"));
    assert_true(exposes("took_seconds_bucket{step=\"a\",le=\"0.0001\"} 3"));
    assert_true(exposes("took_seconds_bucket{step=\"a\",le=\"0.0005\"} 3"));
    assert_true(exposes("took_seconds_bucket{step=\"a\",le=\"0.001\"} 4"));
    assert_true(exposes("took_seconds_bucket{step=\"a\",le=\"10\"} 4"));
    assert_true(exposes("took_seconds_bucket{step=\"a\",le=\"+Inf\"} 5"));
    assert_true(exposes("took_seconds_sum{step=\"a\"} 10.001102"));
    assert_true(exposes("took_seconds_count{step=\"a\"} 5"));
    assert_true(exposes("bare_seconds_bucket{le=\"0.0025\"} 1"));
    assert_true(exposes("bare_seconds_bucket{le=\"0.001\"} 0"));
    assert_true(exposes("bare_seconds_sum 0.002500"));
    assert_true(exposes("bare_seconds_count 1"));
}

/* The text of a bound and the number it counts by are two things: each must say the same. */
static void test_bounds_say_what_they_count(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } bounds[] = {
        {50, "0.00005"},  {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
        {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},
        {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"},
        {5000000, "5"},   {10000000, "10"},
    };
    metric took = metrics_register(METRIC_HISTOGRAM, "t_seconds", "", "Took");

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        char line[80];

        metrics_observe(took, bounds[i].us);
        metrics_observe(took, bounds[i].us + 1);
        snprintf(line, sizeof line, "t_seconds_bucket{le=\"%s\"} %zu", bounds[i].text, 2 * i + 1);
        assert_true(exposes(line));
    }
}

static void test_a_histogram_of_sizes(void **state)
{
    (void)state;
    metric sizes = metrics_register(METRIC_HISTOGRAM, "batch_orders", "", "Orders in a batch");

    metrics_observe(sizes, 1);
    metrics_observe(sizes, 2);
    metrics_observe(sizes, 3);
    metrics_observe(sizes, 65536);
    metrics_observe(sizes, 65537);
    assert_true(exposes("batch_orders_bucket{le=\"1\"} 1"));
    assert_true(exposes("batch_orders_bucket{le=\"2\"} 2"));
    assert_true(exposes("batch_orders_bucket{le=\"4\"} 3"));
    assert_true(exposes("batch_orders_bucket{le=\"65536\"} 4"));
    assert_true(exposes("batch_orders_bucket{le=\"+Inf\"} 5"));
    assert_true(exposes("batch_orders_sum 131079"));
    assert_true(exposes("batch_orders_count 5"));
}

/* Three workers count at once, each in its column; the master sums, and forgets a dead one's gauges
 * only. */
static void test_columns_of_forked_workers(void **state)
{
    (void)state;
    metric counter = metrics_register(METRIC_COUNTER, "w_total", "", "w");
    metric gauge = metrics_register(METRIC_GAUGE, "w_open", "", "w");
    metric histogram = metrics_register(METRIC_HISTOGRAM, "w_seconds", "", "w");

    metrics_add(counter, 1000000);
    metrics_set(gauge, 5);
    for (int slot = 0; slot < 3; slot++) {
        if (fork() != 0)
            continue;
        metrics_enter(slot);
        for (int i = 0; i < 10000; i++) {
            metrics_add(counter, 1);
            metrics_observe(histogram, (uint64_t)i);
            metrics_set(gauge, i);
        }
        metrics_set(gauge, INT64_C(10) * (slot + 1));
        _exit(0);
    }
    for (int slot = 0; slot < 3; slot++)
        assert_true(wait(NULL) > 0);
    assert_int_equal(metrics_total(counter), 1030000);
    assert_int_equal(metrics_total(histogram), 30000);
    assert_int_equal(metrics_total(gauge), 65);
    metrics_clear_gauges(1);
    assert_int_equal(metrics_total(gauge), 45);
    assert_int_equal(metrics_total(counter), 1030000);
    assert_int_equal(metrics_total(histogram), 30000);
}

static void test_when_it_is_full(void **state)
{
    (void)state;
    char labels[40];
    int taken = 0;

    for (int i = 0; i < 3000; i++) {
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        taken += metrics_register(METRIC_COUNTER, "many_total", labels, "Many") != 0;
    }
    assert_int_equal(taken, 2047);
    assert_true(exposes("many_total{n=\"2046\"} 0"));
    assert_false(exposes("many_total{n=\"2047\"} 0"));

    metrics_stop();
    assert_true(metrics_start(2));
    taken = 0;
    for (int i = 0; i < 3000; i++) {
        snprintf(labels, sizeof labels, "n=\"%d\"", i);

        metric one = metrics_register(METRIC_HISTOGRAM, "many_seconds", labels, "Many");

        metrics_observe(one, UINT64_MAX); /* the last cell of the last one is still inside */
        taken += one != 0;
    }
    assert_in_range(taken, 1500, 2000);
    assert_true(exposes("many_seconds_count{n=\"1499\"} 1"));
}

static void test_before_the_start(void **state)
{
    (void)state;
    metric early = metrics_register(METRIC_COUNTER, "early_total", "", "Early");

    metrics_add(early, 1);
    assert_int_equal(metrics_total(early), 0);
    assert_true(metrics_start(1));
    metrics_add(early, 2);
    assert_int_equal(metrics_total(early), 2);
    metrics_stop();
}

static void add_to_a_gauge(void *unused)
{
    (void)unused;
    metrics_add(metrics_register(METRIC_GAUGE, "g", "", "g"), 1);
}

static void two_kinds_of_one_name(void *unused)
{
    (void)unused;
    metrics_register(METRIC_GAUGE, "g", "a=\"1\"", "g");
    metrics_register(METRIC_COUNTER, "g", "a=\"2\"", "g");
}

static void a_slot_too_far(void *unused)
{
    (void)unused;
    metrics_enter(4);
}

static void a_newline_in_a_label(void *unused)
{
    (void)unused;
    metrics_register(METRIC_GAUGE, "g", "a=\"\n\"", "g");
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(add_to_a_gauge, NULL));
    assert_true(dies(two_kinds_of_one_name, NULL));
    assert_true(dies(a_slot_too_far, NULL));
    assert_true(dies(a_newline_in_a_label, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_start),
        cmocka_unit_test_setup_teardown(test_registering, begin, end),
        cmocka_unit_test_setup_teardown(test_the_series_nobody_reads, begin, end),
        cmocka_unit_test_setup_teardown(test_exposition, begin, end),
        cmocka_unit_test_setup_teardown(test_a_histogram_of_durations, begin, end),
        cmocka_unit_test_setup_teardown(test_bounds_say_what_they_count, begin, end),
        cmocka_unit_test_setup_teardown(test_a_histogram_of_sizes, begin, end),
        cmocka_unit_test_setup_teardown(test_columns_of_forked_workers, begin, end),
        cmocka_unit_test_setup_teardown(test_when_it_is_full, begin, end),
        cmocka_unit_test_setup_teardown(test_misuse_dies, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
