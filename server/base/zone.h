/* The calendars of time zones: when a day, a week, a month begins and ends there. What a zone does
 * is asked of the C library, which reads the system's tz database, once: at start, while there is
 * one thread, because to ask it is to change TZ. From then on it's a lookup. Known are the years
 * 2020 to 2050; outside, a zone's nearest known offset goes on. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum zone_period { ZONE_DAY, ZONE_WEEK, ZONE_MONTH };

#define ZONE_PERIODS 3
#define ZONE_USUAL 1 /* Africa/Johannesburg */
#define ZONE_YEAR_FIRST 2020
#define ZONE_YEAR_LAST 2049

/* start <= moment < end, Unix microseconds. */
struct zone_span {
    int64_t start, end;
};

/* Before the first thread is made; more often does nothing. NULL, or the name of a zone that the
 * system's tz database doesn't have. */
const char *zone_open(void);

/* The same for one zone, a hundredth of the time: for a program that only wants zone_parse. */
const char *zone_open_one(int zone);

/* A zone's number stands in the database and is never used for another. 0: none of that IANA name.
 */
int zone_find(struct slice name);
const char *zone_name(int zone); /* NULL: there is none of that number */

/* The moment (Unix us) when a clock in that zone shows "2026-12-01 00:00". Where clocks are put
 * back and show it twice, the first; where they skip it, the moment of the skip. False: it's no
 * such text, or a year that isn't known. */
bool zone_parse(int zone, struct slice text, int64_t *moment);

/* The day, the week (from Monday, ISO 8601) or the month in which a moment lies. A day begins with
 * its first moment: where midnight is skipped, an hour later. Where clocks go back over midnight, a
 * day that has begun doesn't end. A number that isn't known counts as UTC. */
struct zone_span zone_span(int zone, enum zone_period period, int64_t moment);

#endif
