#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/base/chance.h"

#define YEAR_10000 INT64_C(253402300800000000)

static void test_format_like_libc_and_parse_back(void **state)
{
    (void)state;
    struct chance chance = {7};

    for (int i = 0; i < 200000; i++) {
        int64_t moment = (int64_t)chance_below(&chance, (uint64_t)YEAR_10000);
        time_t seconds = moment / CLOCK_SECOND;
        struct tm broken;
        char expected[64];
        char text[CLOCK_TEXT_MAX];
        int64_t back = -1;

        gmtime_r(&seconds, &broken);
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                 broken.tm_year + 1900, broken.tm_mon + 1, broken.tm_mday, broken.tm_hour,
                 broken.tm_min, broken.tm_sec, (int)(moment % CLOCK_SECOND));
        clock_format(moment, text);
        assert_string_equal(text, expected);
        assert_true(clock_parse(slice_of(text), &back));
        assert_int_equal(back, moment);
    }
}

static void test_format_clamps(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];

    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    clock_format(INT64_MIN, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    clock_format(YEAR_10000 - 1, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
}

/* Every day of four centuries and a bit, also those that don't exist. */
static void test_every_date(void **state)
{
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = 0;

    for (int year = 1970; year < 2410; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (int month = 0; month <= 13; month++)
            for (int day = 0; day <= 32; day++) {
                bool exists = month >= 1 && month <= 12 && day >= 1 &&
                              day <= lengths[month - 1] + (month == 2 && leap);
                char text[64];
                int64_t moment;

                snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
                assert_int_equal(clock_parse(slice_of(text), &moment), exists);
                if (!exists)
                    continue;
                assert_int_equal(moment, expected);
                expected += INT64_C(86400) * CLOCK_SECOND;
            }
    }
}

static void test_parse_what_rfc_3339_allows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t moment;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1970-01-01T00:00:00.12345Z", 123450},
        {"1970-01-01T02:00:00+02:00", 0},
        {"1969-12-31T23:30:00.000007-00:30", 7},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"0000-03-01T00:00:00Z", INT64_C(-62162035200000000)},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200000000)},
        {"2000-02-29T12:00:00Z", INT64_C(951825600000000)},
        {"2026-12-01T08:00:00.000000Z", INT64_C(1796112000000000)},
        {"1985-04-12T23:20:50.52Z", INT64_C(482196050520000)}, /* the RFC's own examples */
        {"1996-12-19T16:39:57-08:00", INT64_C(851042397000000)},
        {"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130000)},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t moment;

        assert_true(clock_parse(slice_of(cases[i].text), &moment));
        assert_int_equal(moment, cases[i].moment);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026",
        "2026-12-01",
        "2026-12-01T08:00:00",
        "2026-12-01 08:00:00Z",
        "2026-12-01T08:00Z",
        "2026-12-01T24:00:00Z",
        "2026-12-01T08:60:00Z",
        "2026-12-01T08:00:60Z",
        "2026-02-29T08:00:00Z",
        "2100-02-29T08:00:00Z",
        "2026-02-31T08:00:00Z",
        "2026-1-01T08:00:00Z",
        "+026-12-01T08:00:00Z",
        "2026-12-01T08:00:00.Z",
        "2026-12-01T08:00:00.1234567Z",
        "2026-12-01T08:00:00,5Z",
        "2026-12-01T08:00:00+2:00",
        "2026-12-01T08:00:00+0200",
        "2026-12-01T08:00:00+24:00",
        "2026-12-01T08:00:00+02:60",
        "2026-12-01T08:00:00+",
        "2026-12-01T08:00:00ZZ",
        "2026-12-01T08:00:00Z ",
        " 2026-12-01T08:00:00Z",
        "12026-12-01T08:00:00Z",
        "2026-12-01T-8:00:00Z",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t moment;

        assert_false(clock_parse(slice_of(wrong[i]), &moment));
    }
}

/* Cut anywhere, or with any one byte changed to something that is none of its kind. */
static void test_parse_refuses_damage(void **state)
{
    (void)state;
    static const char good[] = "2026-12-01T08:00:00.123456+01:30";
    size_t length = sizeof good - 1;
    int64_t moment;

    assert_true(clock_parse(SLICE("2026-12-01T08:00:00.123456+01:30"), &moment));
    for (size_t i = 0; i < length; i++) {
        char text[sizeof good];

        memcpy(text, good, sizeof good);
        assert_false(clock_parse((struct slice){text, i}, &moment));
        for (int c = 0; c < 256; c++) {
            if ((c >= '0' && c <= '9') || c == 'T' || c == 't' || c == '+' || c == '-')
                continue;
            text[i] = (char)c;
            if (c != good[i] && !(i == 19 && c == '.'))
                assert_false(clock_parse((struct slice){text, length}, &moment));
        }
    }
}

static void test_the_clocks_run(void **state)
{
    (void)state;
    int64_t begin = clock_monotonic();
    int64_t last = begin;

    assert_true(clock_now() > INT64_C(1700000000000000)); /* 2023 */
    assert_true(clock_now() < INT64_C(4102444800000000)); /* 2100 */
    while (last - begin < 1000) {
        int64_t now = clock_monotonic();

        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_like_libc_and_parse_back),
        cmocka_unit_test(test_format_clamps),
        cmocka_unit_test(test_every_date),
        cmocka_unit_test(test_parse_what_rfc_3339_allows),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_refuses_damage),
        cmocka_unit_test(test_the_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
