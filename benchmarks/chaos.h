/* Faults while the load runs: kills, and a Redis that forgets. One at a time: the next one waits
 * until right answers flow again, and until there is somebody to strike. */
#ifndef BENCHMARKS_CHAOS_H
#define BENCHMARKS_CHAOS_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/site.h"

#define CHAOS_FAULTS_MAX 64

#define CHAOS_SECONDS 25 /* so long a run must be for one fault of each kind, and what follows */

struct chaos_fault {
    double second; /* when it's due; when it struck */
    const char *what;
    bool done;
    double first;   /* seconds until the first right answer to what was sent after it; NaN: none */
    double silence; /* the longest time without any right answer, up to the next fault */
};

struct chaos {
    const struct site *site;
    struct chaos_fault faults[CHAOS_FAULTS_MAX];
    int count;
    int struck;        /* so many of them are done */
    double seconds;    /* of the run, as planned */
    double last_right; /* second of the last right answer */
};

/* A worker, Redis' memory, Redis, PostgreSQL, the master: over and over in `seconds`, with room to
 * recover after each, the last one, too. */
void chaos_plan(struct chaos *chaos, const struct site *site, double seconds);

/* Do what is due. Where there's nobody to strike, it's done later. */
void chaos_tick(struct chaos *chaos, double second);

/* The fault that is to strike now; NULL: none, or the one before is not over. */
struct chaos_fault *chaos_due(struct chaos *chaos, double second);
void chaos_strike(struct chaos *chaos, double second); /* the next one has struck */

/* A right answer came, to what was sent at `began`. */
void chaos_right(struct chaos *chaos, double began, double answered);

/* Is something left to strike, or to be seen of what struck last? Then the load is to go on. Not
 * for ever: a minute longer than planned at most. */
bool chaos_wants_more(const struct chaos *chaos, double second);

void chaos_end(struct chaos *chaos, double second); /* no more answers */

/* The first fault that never struck, or that no right answer followed; NULL: none. */
const struct chaos_fault *chaos_failed(const struct chaos *chaos);

#endif
