/* What a load counts. Its window is the time after the warm-up. Throughput is of what was answered
 * in the window, whenever it was meant: a server that only lets requests pile up gains nothing from
 * our waiting for them afterwards. Everything else (latencies, statuses, what was lost) is of what
 * was meant in the window, whenever it was answered: else the slowest answers would be left out,
 * and of a short window a good part. */
#ifndef BENCHMARKS_LOAD_COUNT_H
#define BENCHMARKS_LOAD_COUNT_H

#include "benchmarks/load.h"

struct load_window {
    int64_t from, to; /* monotonic us; to isn't part of it */
    int64_t began;    /* of the warm-up */
};

struct load_answer {
    int64_t intended, began, answered; /* monotonic us */
    int status;                        /* 0: none came */
    int call;                          /* of the scenario's */
    bool ok, refused;
    bool told_when; /* a refusal with Retry-After, or REFUSED_STREAM */
};

/* The steps of an open loop's schedule, ramps in parts: each is counted, too. False: out of memory.
 */
bool load_count_make_steps(struct load *load);
/* How much of it was measured: what lies in the warm-up, or after an interruption, isn't. */
double load_count_seconds(const struct load *load, const struct load_step *step);

void load_count_offered(struct load *load, const struct load_window *window, int64_t intended);
void load_count_answer(struct load *load, const struct load_window *window,
                       const struct load_answer *answer);
/* Nobody waits any longer: what was offered and has no status is lost. */
void load_count_end(struct load *load);

#endif
