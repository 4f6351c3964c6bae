/* The load itself: requests of a scenario, sent when the schedule says (open loop) or as soon as
 * the one before is answered (closed loop). Latency counts from the moment a request was meant to
 * be sent, so a server that stands still can't hide it by keeping the sender waiting. */
#ifndef BENCHMARKS_LOAD_H
#define BENCHMARKS_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "benchmarks/arrivals.h"
#include "benchmarks/histogram.h"
#include "benchmarks/journal.h"
#include "benchmarks/scenario.h"

struct ev_loop;
struct wire_target;

#define LOAD_STATUSES 600
#define LOAD_SECONDS_MAX 3600

struct load_second {
    uint32_t offered, ok, refused, failed;
    uint32_t p50, p99; /* us, of what was answered in it */
};

struct load_call_figures {
    uint64_t sent, ok;
    struct histogram latency;
};

struct load_step {   /* a phase of the schedule, or a part of a ramp */
    double from, to; /* per second */
    double begins, ends;
    uint64_t offered, ok, refused; /* as those of the whole load */
    struct histogram latency;
};

/* The first answer that was none of those expected, no refusal either. */
struct load_wrong {
    int status; /* 0: there was none */
    const char *call;
    char body[204]; /* its beginning, made printable */
    char request_id[40];
};

struct load_settings {
    struct scenario_run run;
    struct wire_target *target;
    int connections, streams;
    bool closed;              /* else by `arrivals` */
    struct arrivals arrivals; /* in a closed loop its length counts */
    double warm_up;           /* seconds of load before anything is counted */
    double grace;             /* seconds to wait for what is on its way at the end */
    bool progress;            /* a line a second on standard error */
};

struct load {
    struct load_settings settings;
    struct journal journal;
    uint64_t first_serial, next_serial;
    /* figures: load_count.h says of what */
    uint64_t offered, ok, wrong, lost, retry_after_missing;
    uint64_t statuses[LOAD_STATUSES];
    struct load_wrong first_wrong;   /* the warm-up included */
    struct histogram latency;        /* from the intended time, of right answers */
    struct histogram service;        /* from the moment it was sent, of right answers */
    struct histogram refusals;       /* as service, of 429 and 503: are they told at once? */
    struct load_call_figures *calls; /* one per call of the scenario */
    struct load_step *steps;         /* of a schedule with more than one rate */
    int step_count;
    struct load_second *seconds;
    int second_count;
    double measured;  /* seconds */
    double busy;      /* share of the time in which the generator itself was at work */
    int64_t lag_most; /* us: the most it was behind its own schedule */
    uint64_t reconnects;
    bool interrupted;           /* by load_stop */
    struct load_engine *engine; /* while it runs */
};

/* Run to its end. `tick` (may be NULL) is called about every 10 ms with the seconds since the start
 * of the load (warm-up included). False: `error`. */
struct load_watcher {
    void *owner;
    void (*tick)(void *owner, double second);
    void (*measuring)(void *owner, bool begins); /* the warm-up is over; the last second is */
    /* the following may be NULL; in seconds since the start, too */
    void (*right)(void *owner, double began, double answered); /* an answer */
    bool (*wants_more)(void *owner, double second); /* shortly before the end: another second? */
};
bool load_run(struct load *load, struct ev_loop *loop, const struct load_watcher *watcher,
              char *error, size_t size);

/* No more load: load_run returns within two seconds, with what was measured so far (`measured` 0:
 * nothing). For a signal's watcher on the same loop. */
void load_stop(struct load *load);

/* Ask again for keyed calls whose `wanted` says so, one answer each, and hold it against the
 * journal. Returns how many were asked. */
uint64_t load_ask_again(struct load *load, struct ev_loop *loop,
                        bool (*wanted)(const struct journal_entry *entry, uint64_t serial));

void load_release(struct load *load);

#endif
