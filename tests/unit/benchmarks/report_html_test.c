/* Covers: benchmarks/report_html.c benchmarks/report_overload.c benchmarks/charts.c
 * benchmarks/markup.c */
#include "benchmarks/report_html.h"

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
#include "base/memory.h"
#include "benchmarks/charts.h"
#include "benchmarks/markup.h"
#include "benchmarks/result.h"
#include "tests/unit/benchmarks/some_result.h"
#include "tests/unit/benchmarks/xml.h"

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

static void check_page(struct bytes *page)
{
    const char *where;
    bytes_add_char(page, '\0');
    assert_false(page->failed);
    const char *wrong = xml_check(page->at, &where);
    if (wrong != NULL)
        fail_msg("%s: %.80s", wrong, where);
    assert_null(strstr(page->at, "http:"));
    assert_null(strstr(page->at, "https:"));
    assert_null(strstr(page->at, "url("));
    assert_null(strstr(page->at, "@import"));
    assert_null(strstr(page->at, "nan"));
    assert_null(strstr(page->at, "inf"));
}

static const char *count_of(const char *text, const char *what, size_t *count)
{
    *count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        (*count)++;
    return text;
}

static void test_sample_has_all_its_charts(void **state)
{
    (void)state;
    static const char *const ids[] = {"figures",    "latency",   "spectrum0", "spectrum1",
                                      "goodput",    "refused",   "batch",     "cpu",
                                      "guarantees", "baselines", "flow9",     "time9"};
    struct bytes page;
    size_t drawings;
    size_t named;
    size_t tables;
    const struct result *result = result_read(SAMPLE, &arena, message);
    bytes_init(&page, &arena);
    assert_true(report_html_write(result, &arena, &page));
    check_page(&page);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char figure[60];
        snprintf(figure, sizeof figure, "<figure id=\"%s\">", ids[i]);
        assert_non_null(strstr(page.at, figure));
    }
    assert_null(strstr(page.at, "Not measured"));
    count_of(page.at, "role=\"img\"", &drawings);
    count_of(page.at, "<title id=", &named);
    count_of(page.at, "<summary>Table</summary>", &tables);
    assert_true(drawings > 20);
    assert_int_equal(drawings, named);
    assert_int_equal(drawings, tables);
    assert_non_null(strstr(page.at, "9 of 11 targets reached"));
    assert_non_null(strstr(page.at, "worker -9"));
    assert_non_null(strstr(page.at, "fdatasync 0.13 ms"));
}

static void test_any_result_is_a_proper_page(void **state)
{
    (void)state;
    struct chance chance = {3};
    for (int round = 0; round < 300; round++) {
        struct bytes text;
        struct bytes page;
        bytes_init(&text, &arena);
        bytes_init(&page, &arena);
        some_result(&chance, &text);
        const struct result *result = result_parse(bytes_view(&text), &arena, message);
        assert_non_null(result);
        assert_true(report_html_write(result, &arena, &page));
        check_page(&page);
        arena_release(&arena);
    }
}

/* Of twice what it can do, half is refused; a password's CPU doesn't flatten the other bars; one
 * bar of another kind is cut; a peak that was none is told. */
static void test_overload_and_costs(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format\":1,\"runs\":["
        "{\"name\":\"send_money_peak\",\"scenario\":\"send_money\",\"throughput\":100,"
        "\"cpu_us_per_request\":{\"moolahd\":25}},"
        "{\"name\":\"overload_2x\",\"scenario\":\"send_money\",\"offered\":200,\"connections\":100,"
        "\"throughput\":95,\"statuses\":{\"201\":95,\"429\":5,\"503\":100},"
        "\"cpu_us_per_request\":{\"moolahd\":30}},"
        "{\"name\":\"curve_0.5\",\"scenario\":\"send_money\",\"offered\":50,"
        "\"throughput\":50,\"statuses\":{\"201\":50}},"
        "{\"name\":\"curve_1\",\"scenario\":\"send_money\",\"offered\":120,"
        "\"throughput\":110,\"statuses\":{\"201\":120}},"
        "{\"name\":\"single_user\",\"scenario\":\"single_user\","
        "\"cpu_us_per_request\":{\"moolahd\":900}},"
        "{\"name\":\"storm_sign_in\",\"scenario\":\"sign_in\","
        "\"cpu_us_per_request\":{\"moolahd\":40000}}]}";
    const struct result *result = result_parse(slice_of(text), &arena, message);
    struct bytes page;
    size_t cuts;
    assert_non_null(result);
    bytes_init(&page, &arena);
    assert_true(report_html_write(result, &arena, &page));
    check_page(&page);
    const char *refused = strstr(page.at, "<figure id=\"refused\">");
    assert_non_null(refused);
    assert_non_null(strstr(refused, "2</th>\n<td>-</td>\n<td>52.5 %</td>")); /* not of the line */
    const char *goodput = strstr(page.at, "<figure id=\"goodput\">");
    assert_true(strstr(goodput, "line dots c2") < refused);
    const char *cpu = strstr(page.at, "<figure id=\"cpu\">");
    const char *sign_in = strstr(page.at, "<figure id=\"cpu_sign_in\">");
    assert_true(cpu != NULL && sign_in != NULL && cpu < sign_in);
    assert_true(strstr(cpu, "storm_sign_in") > sign_in);
    count_of(page.at, "class=\"cut\"", &cuts);
    assert_int_equal(cuts, 1);
    assert_non_null(strstr(page.at, "curve_1 answered 110/s, send_money_peak only 100/s"));
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    struct bytes page;
    const struct result *result = result_parse(SLICE("{\"format\":1}"), &arena, message);
    bytes_init(&page, &arena);
    assert_true(report_html_write(result, &arena, &page));
    check_page(&page);
    assert_non_null(strstr(page.at, "Not measured in this report."));
}

static void test_names_are_escaped(void **state)
{
    (void)state;
    struct bytes out;
    bytes_init(&out, &arena);
    markup_text(&out, "<a href='x'>\"&\x01\x7f\xef\xbf\xbf\n");
    bytes_add_char(&out, '\0');
    assert_string_equal(out.at, "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\xef\xbf\xbd\xef\xbf\xbd"
                                "\xef\xbf\xbd\n");
}

/* What cannot be drawn is a gap, and nothing leaves the drawing. */
static void test_gaps_and_edges(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3, 4, NAN};
    const double y[] = {1, 0, NAN, 1e18, INFINITY, 5};
    const struct charts_line line = {"l", x, y, 6, CHARTS_LINE, AXIS_PLAIN, 0};
    const struct charts_mark marks[] = {{1, "a"}, {1, "b"}, {1, "c"}, {1, "d"}, {NAN, "e"}};
    for (int kind = 0; kind < 2; kind++) {
        struct charts_plot plot = {"p",
                                   "t",
                                   NULL,
                                   {"x", AXIS_LINEAR, AXIS_PLAIN},
                                   {"y", (enum axis_kind)kind, AXIS_PLAIN},
                                   &line,
                                   1,
                                   marks,
                                   5};
        struct bytes out;
        size_t dots;
        bytes_init(&out, &arena);
        charts_plot_write(&out, &plot);
        check_page(&out);
        count_of(out.at, "<circle", &dots);
        assert_int_equal(dots, kind == AXIS_LINEAR ? 3 : 2);
        const char *at = out.at;
        while ((at = strstr(at, " cy=\"")) != NULL) {
            double place = strtod(at + 5, NULL);
            assert_true(place >= 0 && place <= 290);
            at++;
        }
    }
}

static void test_memory(void **state)
{
    (void)state;
    const struct result *result = result_read(SAMPLE, &arena, message);
    bool good = false;
    for (long n = 0; !good; n++) {
        struct arena own;
        struct bytes page;
        arena_init(&own);
        bytes_init(&page, NULL);
        memory_fail_after(n);
        good = report_html_write(result, &own, &page);
        assert_true(good != memory_failed());
        memory_fail_never();
        bytes_release(&page);
        arena_release(&own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_has_all_its_charts),
        cmocka_unit_test(test_any_result_is_a_proper_page),
        cmocka_unit_test(test_overload_and_costs),
        cmocka_unit_test(test_nothing_at_all),
        cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_gaps_and_edges),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
