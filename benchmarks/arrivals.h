/* When requests are to be sent, whatever becomes of the earlier ones: an open loop's schedule. It's
 * made of phases, each with a rate that stays or changes evenly:
 *
 *   "1000"                  1,000 a second for the run's seconds
 *   "500:10,2000:5"         steps: 500/s for 10 s, then 2,000/s for 5 s
 *   "100-5000:30"           a ramp from 100/s to 5,000/s over 30 s
 *   "500:10,5000:2,500:10"  a spike
 *
 * Evenly spaced, or Poisson: gaps of an exponential distribution around the same rate. */
#ifndef BENCHMARKS_ARRIVALS_H
#define BENCHMARKS_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRIVALS_PHASES_MAX 64
#define ARRIVALS_RATE_MAX 10000000

struct arrivals_phase {
    double from, to; /* per second */
    double seconds;
};

struct arrivals {
    struct arrivals_phase phases[ARRIVALS_PHASES_MAX];
    int count;
    bool poisson;
    uint64_t dice;
    double next; /* seconds from the start */
};

/* Read `text`; a phase without a length lasts `seconds`. False: it's none of the forms above. */
bool arrivals_parse(struct arrivals *arrivals, const char *text, double seconds);

double arrivals_seconds(const struct arrivals *arrivals); /* of all phases */
/* Go on for so much longer, at the rate of the end. */
void arrivals_extend(struct arrivals *arrivals, double seconds);
double arrivals_rate_at(const struct arrivals *arrivals, double second);

/* The next arrival, microseconds from the start; false: the schedule has ended. */
bool arrivals_next(struct arrivals *arrivals, int64_t *us);

#endif
