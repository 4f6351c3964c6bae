#include "base/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/base/chance.h"

#define FROM INT64_C(1577836800) /* 2020 */
#define YEARS_30 INT64_C(946684800)

static int64_t at(const char *text)
{
    int64_t moment;
    assert_true(clock_parse(slice_of(text), &moment));
    return moment;
}

static void check(const char *zone, enum zone_period period, const char *moment, const char *start,
                  const char *end)
{
    struct zone_span span = zone_span(zone_find(slice_of(zone)), period, at(moment));
    char text[CLOCK_TEXT_MAX];
    clock_format(span.start, text);
    assert_int_equal(span.start, at(start));
    assert_int_equal(span.end, at(end));
}

static void test_days(void **state)
{
    (void)state;
    check("UTC", ZONE_DAY, "2026-12-01T08:00:00Z", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z");
    check("Africa/Johannesburg", ZONE_DAY, "2026-12-01T21:59:59.999999Z", "2026-11-30T22:00:00Z",
          "2026-12-01T22:00:00Z");
    check("Africa/Johannesburg", ZONE_DAY, "2026-12-01T22:00:00Z", "2026-12-01T22:00:00Z",
          "2026-12-02T22:00:00Z");
    check("Asia/Kathmandu", ZONE_DAY, "2026-12-01T18:15:00Z", "2026-12-01T18:15:00Z",
          "2026-12-02T18:15:00Z");
    check("Pacific/Kiritimati", ZONE_DAY, "2026-12-01T10:00:00Z", "2026-12-01T10:00:00Z",
          "2026-12-02T10:00:00Z");
}

/* 23 and 25 hours, midnights that are skipped, clocks that go back to one. */
static void test_days_when_clocks_change(void **state)
{
    (void)state;
    check("Europe/Berlin", ZONE_DAY, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z",
          "2026-03-29T22:00:00Z");
    check("Europe/Berlin", ZONE_DAY, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z",
          "2026-10-25T23:00:00Z");
    /* Beirut: from 00:00 to 01:00, so the day begins at one o'clock, which is 22:00 UTC */
    check("Asia/Beirut", ZONE_DAY, "2026-03-28T22:00:00Z", "2026-03-28T22:00:00Z",
          "2026-03-29T21:00:00Z");
    check("Asia/Beirut", ZONE_DAY, "2026-03-28T21:59:59Z", "2026-03-27T22:00:00Z",
          "2026-03-28T22:00:00Z");
    /* and back from 24:00 to 23:00: still Saturday */
    check("Asia/Beirut", ZONE_DAY, "2026-10-24T21:30:00Z", "2026-10-23T21:00:00Z",
          "2026-10-24T22:00:00Z");
    /* Havana: back from 01:00 to 00:00, Sunday's first hour comes twice */
    check("America/Havana", ZONE_DAY, "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z",
          "2026-11-02T05:00:00Z");
}

static void test_weeks_and_months(void **state)
{
    (void)state;
    check("UTC", ZONE_WEEK, "2026-12-06T23:59:59Z", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z");
    check("UTC", ZONE_WEEK, "2026-12-07T00:00:00Z", "2026-12-07T00:00:00Z", "2026-12-14T00:00:00Z");
    check("Africa/Johannesburg", ZONE_WEEK, "2026-12-06T22:00:00Z", "2026-12-06T22:00:00Z",
          "2026-12-13T22:00:00Z");
    check("Africa/Johannesburg", ZONE_MONTH, "2026-12-31T21:59:59Z", "2026-11-30T22:00:00Z",
          "2026-12-31T22:00:00Z");
    check("Africa/Johannesburg", ZONE_MONTH, "2028-02-29T10:00:00Z", "2028-01-31T22:00:00Z",
          "2028-02-29T22:00:00Z");
    check("Europe/Berlin", ZONE_MONTH, "2026-03-31T10:00:00Z", "2026-02-28T23:00:00Z",
          "2026-03-31T22:00:00Z");
}

static int64_t local_begin(int year, int month, int day)
{
    struct tm tm = {.tm_year = year, .tm_mon = month, .tm_mday = day, .tm_isdst = -1};
    time_t wanted = mktime(&tm);
    return wanted;
}

/* What libc makes of the same moment, with TZ set: within a span the date is the same or, where
 * clocks went back over midnight, the one before; the second before the span is another's. */
static void compare_with_libc(int64_t second, struct zone_span day, struct zone_span week,
                              struct zone_span month)
{
    struct tm now;
    struct tm first;
    struct tm before;
    time_t moment = second;
    time_t start = day.start / CLOCK_SECOND;
    time_t eve = start - 1;
    localtime_r(&moment, &now);
    localtime_r(&start, &first);
    localtime_r(&eve, &before);
    assert_true(day.start <= second * CLOCK_SECOND && second * CLOCK_SECOND < day.end);
    assert_int_equal(now.tm_yday, first.tm_yday);
    assert_int_equal(now.tm_year, first.tm_year);
    assert_int_not_equal(before.tm_mday, first.tm_mday);
    int back = (now.tm_wday + 6) % 7;
    if (first.tm_hour == 0) { /* mktime may choose either of a midnight's twins or neither */
        int64_t monday = local_begin(now.tm_year, now.tm_mon, now.tm_mday - back);
        assert_in_range((uint64_t)(monday - week.start / CLOCK_SECOND + 3600), 0, 7200);
        int64_t day_one = local_begin(now.tm_year, now.tm_mon, 1);
        assert_in_range((uint64_t)(day_one - month.start / CLOCK_SECOND + 3600), 0, 7200);
        day_one = local_begin(now.tm_year, now.tm_mon + 1, 1);
        assert_in_range((uint64_t)(day_one - month.end / CLOCK_SECOND + 3600), 0, 7200);
    }
}

static void test_like_libc(void **state)
{
    (void)state;
    struct chance chance = {11};
    int zones = 0;
    for (int zone = 1; zone_name(zone) != NULL; zone++, zones++) {
        setenv("TZ", zone_name(zone), 1);
        tzset();
        for (int i = 0; i < 300; i++) {
            int64_t second = FROM + (int64_t)chance_below(&chance, YEARS_30);
            int64_t moment = second * CLOCK_SECOND;
            compare_with_libc(second, zone_span(zone, ZONE_DAY, moment),
                              zone_span(zone, ZONE_WEEK, moment),
                              zone_span(zone, ZONE_MONTH, moment));
        }
    }
    unsetenv("TZ");
    tzset();
    assert_true(zones > 100);
}

/* Spans follow each other without a gap, and every moment of one gives the same one. */
static void test_spans_are_a_line(void **state)
{
    (void)state;
    struct chance chance = {12};
    for (int zone = 1; zone_name(zone) != NULL; zone++) {
        for (enum zone_period p = ZONE_DAY; p <= ZONE_MONTH; p++) {
            int64_t moment = (FROM + (int64_t)chance_below(&chance, YEARS_30)) * CLOCK_SECOND;
            for (int i = 0; i < 40; i++) {
                struct zone_span span = zone_span(zone, p, moment);
                uint64_t length = (uint64_t)(span.end - span.start);
                int64_t inside = span.start + (int64_t)chance_below(&chance, length);
                assert_int_equal(zone_span(zone, p, inside).start, span.start);
                assert_int_equal(zone_span(zone, p, span.end - 1).end, span.end);
                assert_int_equal(zone_span(zone, p, span.end).start, span.end);
                moment = span.end;
            }
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(zone_find(SLICE("Africa/Johannesburg")), ZONE_USUAL);
    assert_int_equal(zone_find(SLICE("UTC")), 2);
    assert_int_equal(zone_find(SLICE("Africa/johannesburg")), 0);
    assert_int_equal(zone_find(SLICE("../../etc/passwd")), 0);
    assert_int_equal(zone_find(SLICE("")), 0);
    assert_null(zone_name(0));
    assert_null(zone_name(-1));
    for (int zone = 1; zone_name(zone) != NULL; zone++)
        assert_int_equal(zone_find(slice_of(zone_name(zone))), zone);
    assert_int_equal(zone_span(9999, ZONE_DAY, at("2026-12-01T08:00:00Z")).start,
                     at("2026-12-01T00:00:00Z"));
}

/* Clients' reference lists the same ones, in the same order. */
static void test_openapi_lists_them(void **state)
{
    static char page[400000];
    static char listed[8000];
    FILE *file = fopen(MOOLAH_SOURCE_DIR "/openapi.yaml", "re");
    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    for (int zone = 1; zone_name(zone) != NULL; zone++)
        snprintf(listed + strlen(listed), sizeof listed - strlen(listed), "%s%s",
                 zone == 1 ? "enum: [" : ", ", zone_name(zone));
    snprintf(listed + strlen(listed), sizeof listed - strlen(listed), "]\n");
    assert_non_null(strstr(page, listed));
}

static void shows(const char *zone, const char *text, const char *moment)
{
    int64_t parsed = -1;

    assert_true(zone_parse(zone_find(slice_of(zone)), slice_of(text), &parsed));
    assert_int_equal(parsed, at(moment));
}

/* Also where a clock shows a time twice, or never. */
static void test_what_a_clock_shows(void **state)
{
    (void)state;
    shows("UTC", "2020-01-01 00:00", "2020-01-01T00:00:00Z");
    shows("Africa/Johannesburg", "2026-12-01 00:00", "2026-11-30T22:00:00Z");
    shows("Africa/Johannesburg", "2028-02-29 23:59", "2028-02-29T21:59:00Z");
    shows("Europe/Berlin", "2026-07-01 12:30", "2026-07-01T10:30:00Z");
    shows("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:00:00Z");
    shows("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00Z");
    shows("America/New_York", "2049-12-31 23:59", "2050-01-01T04:59:00Z");
}

static void test_what_no_clock_shows(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026-12-01",
        "2026-12-01 00:00:00",
        "2026-12-01T00:00",
        "2026-12-1 000:00",
        "2019-12-31 00:00",
        "2050-01-01 00:00",
        "2026-00-01 00:00",
        "2026-13-01 00:00",
        "2026-02-29 00:00",
        "2026-12-00 00:00",
        "2026-12-32 00:00",
        "2026-12-01 24:00",
        "2026-12-01 00:60",
        "2026-12-01 -1:00",
        "+026-12-01 00:00",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t moment = 4711;

        assert_false(zone_parse(ZONE_USUAL, slice_of(texts[i]), &moment));
        assert_int_equal(moment, 4711);
    }
}

/* TZ is what it was; a second call does nothing. */
static int open_zones(void **state)
{
    (void)state;
    int64_t moment = 0;
    setenv("TZ", "Asia/Tokyo", 1);
    const char *missing = zone_open_one(ZONE_USUAL);
    if (missing != NULL || !zone_parse(ZONE_USUAL, SLICE("2026-12-01 00:00"), &moment) ||
        moment != at("2026-11-30T22:00:00Z"))
        return -1;
    missing = zone_open();
    bool kept = strcmp(getenv("TZ"), "Asia/Tokyo") == 0;
    unsetenv("TZ");
    tzset();
    return missing == NULL && kept && zone_open() == NULL && getenv("TZ") == NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_days_when_clocks_change),
        cmocka_unit_test(test_weeks_and_months),
        cmocka_unit_test(test_like_libc),
        cmocka_unit_test(test_spans_are_a_line),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_openapi_lists_them),
        cmocka_unit_test(test_what_a_clock_shows),
        cmocka_unit_test(test_what_no_clock_shows),
    };
    return cmocka_run_group_tests(tests, open_zones, NULL);
}
