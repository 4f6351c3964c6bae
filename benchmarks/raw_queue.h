/* Levels rules and gate: the server's own posting queue, rules and receipts, in this process, the
 * gate before them or not. */
#ifndef BENCHMARKS_RAW_QUEUE_H
#define BENCHMARKS_RAW_QUEUE_H

#include <stdbool.h>

struct ev_loop;
struct raw_job;
struct raw_queue;

/* As many orders as keep each connection's next batch waiting, asked again as soon as they are
 * answered, until job->stopping. NULL: job->error says why. */
struct raw_queue *raw_queue_new(struct ev_loop *loop, struct raw_job *job, const char *rules);
void raw_queue_free(struct raw_queue *queue);

bool raw_queue_is_busy(const struct raw_queue *queue);

#endif
