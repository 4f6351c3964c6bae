/* Batches through ledger_rows alone: lock, decide as little as a transfer needs, write. Levels bare
 * to postings. */
#ifndef BENCHMARKS_RAW_LANE_H
#define BENCHMARKS_RAW_LANE_H

#include <stdbool.h>

struct ev_loop;
struct raw_job;
struct raw_lane;

/* A connection that posts batch after batch until job->stopping. An error ends up in job->error.
 * NULL: out of memory. */
struct raw_lane *raw_lane_new(struct ev_loop *loop, struct raw_job *job, unsigned stripe);
void raw_lane_free(struct raw_lane *lane);

bool raw_lane_is_busy(const struct raw_lane *lane); /* a batch is in flight */

#endif
