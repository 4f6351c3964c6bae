#include "base/zone.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define KNOWN_FROM INT64_C(1577836800) /* 2020-01-01T00:00:00Z */
#define KNOWN_UPTO INT64_C(2524608000) /* 2050-01-01 */
#define DAY INT64_C(86400)
#define STEP (7 * DAY) /* no zone changes twice within it: Ramadan in Morocco is the shortest */
#define PARTS_MAX 64   /* two changes a year */

/* Append only: the place is the number in the database. */
static const char *const names[] = {
    NULL,
    "Africa/Johannesburg",
    "UTC",
    "Africa/Abidjan",
    "Africa/Accra",
    "Africa/Addis_Ababa",
    "Africa/Algiers",
    "Africa/Asmara",
    "Africa/Bamako",
    "Africa/Bangui",
    "Africa/Banjul",
    "Africa/Bissau",
    "Africa/Blantyre",
    "Africa/Brazzaville",
    "Africa/Bujumbura",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Ceuta",
    "Africa/Conakry",
    "Africa/Dakar",
    "Africa/Dar_es_Salaam",
    "Africa/Djibouti",
    "Africa/Douala",
    "Africa/El_Aaiun",
    "Africa/Freetown",
    "Africa/Gaborone",
    "Africa/Harare",
    "Africa/Juba",
    "Africa/Kampala",
    "Africa/Khartoum",
    "Africa/Kigali",
    "Africa/Kinshasa",
    "Africa/Lagos",
    "Africa/Libreville",
    "Africa/Lome",
    "Africa/Luanda",
    "Africa/Lubumbashi",
    "Africa/Lusaka",
    "Africa/Malabo",
    "Africa/Maputo",
    "Africa/Maseru",
    "Africa/Mbabane",
    "Africa/Mogadishu",
    "Africa/Monrovia",
    "Africa/Nairobi",
    "Africa/Ndjamena",
    "Africa/Niamey",
    "Africa/Nouakchott",
    "Africa/Ouagadougou",
    "Africa/Porto-Novo",
    "Africa/Sao_Tome",
    "Africa/Tripoli",
    "Africa/Tunis",
    "Africa/Windhoek",
    "Indian/Antananarivo",
    "Indian/Mauritius",
    "Indian/Mahe",
    "Indian/Comoro",
    "Indian/Reunion",
    "Atlantic/Cape_Verde",
    "Atlantic/Azores",
    "Atlantic/Reykjavik",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Brussels",
    "Europe/Amsterdam",
    "Europe/Berlin",
    "Europe/Zurich",
    "Europe/Rome",
    "Europe/Vienna",
    "Europe/Prague",
    "Europe/Warsaw",
    "Europe/Stockholm",
    "Europe/Oslo",
    "Europe/Copenhagen",
    "Europe/Helsinki",
    "Europe/Athens",
    "Europe/Bucharest",
    "Europe/Istanbul",
    "Europe/Moscow",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Riyadh",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Jakarta",
    "Asia/Singapore",
    "Asia/Manila",
    "Asia/Hong_Kong",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Australia/Perth",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Honolulu",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "America/St_Johns",
    "America/Halifax",
    "America/New_York",
    "America/Toronto",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Mexico_City",
    "America/Havana",
    "America/Bogota",
    "America/Lima",
    "America/Santiago",
    "America/Asuncion",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "America/Nuuk",
};

#define NAME_COUNT (int)(sizeof names / sizeof names[0])

/* From `at` on, local time is `offset` seconds ahead of UTC. */
struct part {
    int64_t at;
    int32_t offset;
};

struct zone {
    struct part parts[PARTS_MAX]; /* the first one's `at` is before all time */
    int count;
};

static struct zone zones[NAME_COUNT]; /* 0: UTC */
static bool is_open;

static int32_t offset_at(int64_t second)
{
    time_t moment = second;
    struct tm local;
    localtime_r(&moment, &local);
    return (int32_t)local.tm_gmtoff;
}

/* The first second with another offset than `before` in (low, high]. */
static int64_t find_change(int64_t low, int64_t high, int32_t before)
{
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void learn(struct zone *zone)
{
    zone->parts[0] = (struct part){INT64_MIN / 4, offset_at(KNOWN_FROM)};
    zone->count = 1;
    for (int64_t low = KNOWN_FROM; low < KNOWN_UPTO; low += STEP) {
        int32_t before = zone->parts[zone->count - 1].offset;
        int32_t after = offset_at(low + STEP);
        if (after == before)
            continue;
        assert(zone->count < PARTS_MAX);
        zone->parts[zone->count++] = (struct part){find_change(low, low + STEP, before), after};
    }
}

/* Where it has no file the C library takes UTC without a word. */
static bool has_file(const char *name)
{
    char path[PATH_MAX];
    const char *folder = getenv("TZDIR");
    snprintf(path, sizeof path, "%s/%s", folder == NULL ? "/usr/share/zoneinfo" : folder, name);
    return access(path, R_OK) == 0;
}

static void set_place(const char *tz)
{
    int failed = tz == NULL ? unsetenv("TZ") : setenv("TZ", tz, 1);
    assert(failed == 0);
    tzset();
}

/* NULL, or the name of the first that isn't there. */
static const char *open_some(int first, int end)
{
    char before[256];
    const char *tz = getenv("TZ");
    const char *missing = NULL;
    snprintf(before, sizeof before, "%s", tz == NULL ? "" : tz);
    for (int i = first; i < end && missing == NULL; i++) {
        char place[64];
        snprintf(place, sizeof place, ":%s", names[i]);
        set_place(place);
        if (has_file(names[i]))
            learn(&zones[i]);
        else
            missing = names[i];
    }
    set_place(tz == NULL ? NULL : before);
    return missing;
}

const char *zone_open(void)
{
    if (is_open)
        return NULL;
    zones[0] = (struct zone){.parts = {{INT64_MIN / 4, 0}}, .count = 1};
    const char *missing = open_some(1, NAME_COUNT);
    is_open = missing == NULL;
    return missing;
}

const char *zone_open_one(int zone)
{
    assert(zone >= 1 && zone < NAME_COUNT);
    return zones[zone].count > 0 ? NULL : open_some(zone, zone + 1);
}

int zone_find(struct slice name)
{
    for (int i = 1; i < NAME_COUNT; i++)
        if (slice_equals(name, names[i]))
            return i;
    return 0;
}

const char *zone_name(int zone)
{
    return zone >= 1 && zone < NAME_COUNT ? names[zone] : NULL;
}

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The part in force at a second. */
static int part_at(const struct zone *zone, int64_t second)
{
    int low = 0;
    int high = zone->count; /* the one looked for is in [low, high) */
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (zone->parts[middle].at <= second)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The first second whose local time is `local` or later. */
static int64_t first_at(const struct zone *zone, int64_t local)
{
    for (int i = part_at(zone, local - 2 * DAY);; i++) {
        int64_t begin = local - zone->parts[i].offset;
        if (begin < zone->parts[i].at)
            begin = zone->parts[i].at;
        if (i + 1 == zone->count || begin < zone->parts[i + 1].at)
            return begin;
    }
}

/* The first second whose local date is `day` (days since 1970) or later. */
static int64_t begin_of(const struct zone *zone, int64_t day)
{
    return first_at(zone, day * DAY);
}

/* Days since 1970 of a month's first day; month from 0, may run over (Howard Hinnant,
 * days_from_civil). */
static int64_t month_begin(int64_t year, int64_t month)
{
    year += divide_down(month, 12);
    month -= divide_down(month, 12) * 12;
    int64_t y = month < 2 ? year - 1 : year; /* its year begins in March */
    int64_t m = month < 2 ? month + 10 : month - 2;
    int64_t era = divide_down(y, 400);
    int64_t of_era = y - era * 400;
    int64_t day = of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5;
    return era * 146097 + day - 719468;
}

/* The month, counted from 1970, in which a day lies. */
static int64_t month_of(int64_t day)
{
    int64_t month = divide_down(day * 4800, 146097); /* never off by more than one */
    while (month_begin(1970, month) > day)
        month--;
    while (month_begin(1970, month + 1) <= day)
        month++;
    return month;
}

/* The decimal number of `length` digits at `text`; -1: something else stands there. */
static int64_t number_at(const char *text, int length)
{
    int64_t number = 0;
    for (int i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

bool zone_parse(int zone, struct slice text, int64_t *moment)
{
    static const char form[] = "0000-00-00 00:00";
    assert(zone >= 1 && zone < NAME_COUNT && zones[zone].count > 0);
    if (text.length != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (form[i] != '0' && text.at[i] != form[i])
            return false;
    int64_t year = number_at(text.at, 4);
    int64_t month = number_at(text.at + 5, 2);
    int64_t day = number_at(text.at + 8, 2);
    int64_t hour = number_at(text.at + 11, 2);
    int64_t minute = number_at(text.at + 14, 2);
    if (year < ZONE_YEAR_FIRST || year > ZONE_YEAR_LAST || month < 1 || month > 12 || day < 1 ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return false;
    int64_t begin = month_begin(year, month - 1);
    if (day > month_begin(year, month) - begin)
        return false;
    int64_t local = (begin + day - 1) * DAY + hour * 3600 + minute * 60;
    *moment = first_at(&zones[zone], local) * CLOCK_SECOND;
    return true;
}

struct zone_span zone_span(int zone, enum zone_period period, int64_t moment)
{
    assert(is_open);
    const struct zone *z = &zones[zone >= 1 && zone < NAME_COUNT ? zone : 0];
    int64_t second = divide_down(moment, CLOCK_SECOND);
    int64_t day = divide_down(second + z->parts[part_at(z, second)].offset, DAY);
    while (begin_of(z, day + 1) <= second)
        day++; /* clocks went back over midnight */
    int64_t first = day;
    int64_t next = day + 1;
    switch (period) {
    case ZONE_DAY:
        break;
    case ZONE_WEEK:
        first = day - (day + 3 - divide_down(day + 3, 7) * 7); /* 1970-01-01 was a Thursday */
        next = first + 7;
        break;
    case ZONE_MONTH:
        first = month_begin(1970, month_of(day));
        next = month_begin(1970, month_of(day) + 1);
        break;
    }
    return (struct zone_span){begin_of(z, first) * CLOCK_SECOND, begin_of(z, next) * CLOCK_SECOND};
}
