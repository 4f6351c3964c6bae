/* Faults while the load runs: kills, and a Redis that forgets. */
#ifndef BENCHMARKS_CHAOS_H
#define BENCHMARKS_CHAOS_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/site.h"

#define CHAOS_FAULTS_MAX 64

#define CHAOS_SECONDS 20 /* so long a run must be for one fault of each kind */

struct chaos_fault {
    double second; /* when it's due; when it struck */
    const char *what;
    bool done;
};

struct chaos {
    const struct site *site;
    struct chaos_fault faults[CHAOS_FAULTS_MAX];
    int count;
};

/* A worker, Redis' memory, Redis, PostgreSQL, the master: over and over in `seconds`, with room to
 * recover in between. */
void chaos_plan(struct chaos *chaos, const struct site *site, double seconds);

/* Do what is due. Where there's nobody to strike (it has not recovered yet), it's done later. */
void chaos_tick(struct chaos *chaos, double second);

/* The first fault that was planned and never struck; NULL: all did. */
const struct chaos_fault *chaos_missed(const struct chaos *chaos);

#endif
