/* A breaker: after some failures in a row nobody asks for a while; then one may try, and its
 * outcome says whether all may again. Pure: the caller brings the clock. */
#ifndef SUPPLY_BREAKER_H
#define SUPPLY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES 5 /* in a row shut it */

struct breaker {
    int64_t pause_us; /* how long it's shut, and one that tries has for itself */
    int failures;
    int64_t shut_until; /* monotonic us */
};

/* Is it of no use to come? */
bool breaker_is_shut(const struct breaker *breaker, int64_t now);

/* May it be asked now? After its pause only one at a time may, until one succeeds: whoever is let
 * through must ask. */
bool breaker_admits(struct breaker *breaker, int64_t now);

void breaker_note(struct breaker *breaker, bool good, int64_t now);

#endif
