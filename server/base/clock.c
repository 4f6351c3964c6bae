#include "base/clock.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

enum { DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468, SECONDS_PER_DAY = 86400 };

#define LAST_MOMENT INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years from 0 on.
 * After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = (month <= 2 ? year - 1 : year) + 400; /* an era more, so that year 0 divides well */
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (era - 1) * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static void write_digits(char *at, int width, int64_t number)
{
    while (width-- > 0) {
        at[width] = (char)('0' + number % 10);
        number /= 10;
    }
}

void clock_format(int64_t unix_us, char text[CLOCK_TEXT_MAX])
{
    if (unix_us < 0)
        unix_us = 0;
    if (unix_us > LAST_MOMENT)
        unix_us = LAST_MOMENT;

    int64_t seconds = unix_us / CLOCK_SECOND;
    int64_t second_of_day = seconds % SECONDS_PER_DAY;
    int64_t days = seconds / SECONDS_PER_DAY + DAYS_TO_1970;
    int64_t era = days / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;

    memcpy(text, "0000-00-00T00:00:00.000000Z", CLOCK_TEXT_MAX);
    write_digits(text, 4, year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    write_digits(text + 5, 2, month);
    write_digits(text + 8, 2, day_of_year - (153 * march_month + 2) / 5 + 1);
    write_digits(text + 11, 2, second_of_day / 3600);
    write_digits(text + 14, 2, second_of_day / 60 % 60);
    write_digits(text + 17, 2, second_of_day % 60);
    write_digits(text + 20, 6, unix_us % CLOCK_SECOND);
}

/* Takes `width` digits off the front. */
static bool take_number(struct slice *text, int width, int64_t *number)
{
    if (text->length < (size_t)width)
        return false;
    *number = 0;
    for (int i = 0; i < width; i++) {
        char c = text->at[i];

        if (c < '0' || c > '9')
            return false;
        *number = *number * 10 + (c - '0');
    }
    text->at += width;
    text->length -= (size_t)width;
    return true;
}

/* Takes one character off the front when it is `a` or `b`. */
static bool take_char(struct slice *text, char a, char b)
{
    if (text->length == 0 || (text->at[0] != a && text->at[0] != b))
        return false;
    text->at++;
    text->length--;
    return true;
}

static bool take_date(struct slice *text, int64_t *days)
{
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;

    if (!take_number(text, 4, &year) || !take_char(text, '-', '-') ||
        !take_number(text, 2, &month) || !take_char(text, '-', '-') || !take_number(text, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1)
        return false;

    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (day > lengths[month - 1] + (month == 2 && leap ? 1 : 0))
        return false;
    *days = days_of(year, month, day);
    return true;
}

static bool take_time(struct slice *text, int64_t *us)
{
    int64_t hour, minute, second, fraction = 0;

    if (!take_number(text, 2, &hour) || !take_char(text, ':', ':') ||
        !take_number(text, 2, &minute) || !take_char(text, ':', ':') ||
        !take_number(text, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (take_char(text, '.', '.')) {
        int64_t digit, unit = CLOCK_SECOND / 10;

        if (!take_number(text, 1, &digit))
            return false;
        do {
            fraction += digit * unit;
            unit /= 10;
        } while (unit > 0 && take_number(text, 1, &digit));
    }
    *us = (hour * 3600 + minute * 60 + second) * CLOCK_SECOND + fraction;
    return true;
}

static bool take_offset(struct slice *text, int64_t *us)
{
    int64_t hour, minute;

    *us = 0;
    if (take_char(text, 'Z', 'z'))
        return true;

    bool behind = take_char(text, '-', '-');

    if (!behind && !take_char(text, '+', '+'))
        return false;
    if (!take_number(text, 2, &hour) || !take_char(text, ':', ':') ||
        !take_number(text, 2, &minute))
        return false;
    if (hour > 23 || minute > 59)
        return false;
    *us = (hour * 60 + minute) * 60 * CLOCK_SECOND * (behind ? -1 : 1);
    return true;
}

bool clock_parse(struct slice text, int64_t *unix_us)
{
    int64_t days, time, offset;

    if (!take_date(&text, &days) || !take_char(&text, 'T', 't') || !take_time(&text, &time) ||
        !take_offset(&text, &offset) || text.length > 0)
        return false;
    *unix_us = days * SECONDS_PER_DAY * CLOCK_SECOND + time - offset;
    return true;
}
