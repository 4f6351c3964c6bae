/* Time. Money code never asks the clock itself: it gets the moment as a number. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define CLOCK_SECOND 1000000 /* microseconds */
#define CLOCK_TEXT_MAX 28    /* "2026-12-01T08:00:00.000000Z" and NUL */

int64_t clock_now(void);       /* Unix microseconds, for stamping */
int64_t clock_monotonic(void); /* microseconds that never jump, for durations and deadlines */

/* RFC 3339 in UTC with six decimals. Years 1970..9999; others are clamped. */
void clock_format(int64_t unix_us, char text[CLOCK_TEXT_MAX]);

/* RFC 3339 with `Z` or a numeric offset, 0..6 decimals; false on anything else, also on 31
 * February. */
bool clock_parse(struct slice text, int64_t *unix_us);

#endif
