/* Faults while the load runs: kills, and a Redis that forgets. */
#ifndef BENCHMARKS_CHAOS_H
#define BENCHMARKS_CHAOS_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/site.h"

#define CHAOS_FAULTS_MAX 64

struct chaos_fault {
    double second;
    const char *what;
    bool done;
};

struct chaos {
    const struct site *site;
    struct chaos_fault faults[CHAOS_FAULTS_MAX];
    int count;
};

/* "worker", "master", "postgres", "redis", "flush", evenly over `seconds`, each in turn, with room
 * to recover in between. */
void chaos_plan(struct chaos *chaos, const struct site *site, double seconds);

/* Do what is due. */
void chaos_tick(struct chaos *chaos, double second);

#endif
