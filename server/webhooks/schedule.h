/* When a delivery that failed is tried again: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 14 h later,
 * each a fifth more or less, so that not all come back at once. After the eighth attempt, more than
 * a day after the first, it has failed. */
#ifndef WEBHOOKS_SCHEDULE_H
#define WEBHOOKS_SCHEDULE_H

#include <stdint.h>

#include "base/slice.h"

#define SCHEDULE_ATTEMPTS 8
#define SCHEDULE_RETRY_AFTER_MAX_S 21600

/* Microseconds from now until the next attempt, after `attempts` of them; 0: that was the last.
 * `retry_after`: the header's text (seconds; a date or nothing doesn't count): no earlier than
 * that, but for what is over 6 h. `chance` is a random number. */
int64_t schedule_next(int attempts, struct slice retry_after, uint32_t chance);

#endif
