/* Counters, gauges and histograms in memory shared by all workers: each slot writes only its own
 * column, without locks (relaxed atomics); any worker sums the columns and answers for all.
 * Prometheus' conventions: base units (seconds), _total.
 *
 * Registration happens once, in the master, before it forks: metrics_register() by every part
 * through a static array. A series is a metric and its label text; the label text is fixed at
 * registration (bounded cardinality by construction). */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

struct bytes;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

typedef int metric; /* a handle; 0 is a series nobody reads, so forgetting to register is harmless
                       in tests */

/* Shared memory for `slots` columns (workers + 1 for the master, which is the last) and up to 2,048
 * series. */
bool metrics_start(int slots);
void metrics_stop(void);
void metrics_enter(int slot); /* after fork: which column is mine */

/* `labels`: "route=\"/v1/transfers\",code=\"201\"" or "". The same name + labels gives the same
 * handle. `help` counts for the first. */
metric metrics_register(enum metric_kind kind, const char *name, const char *labels,
                        const char *help);

void metrics_add(metric counter, uint64_t amount);
void metrics_set(metric gauge, int64_t value);
/* Histogram of durations or sizes; seconds histograms take microseconds, so name says _seconds and
 * value is us; buckets: 50us 100us 250us 500us 1ms 2.5ms ... 10s. Size histograms (name not ending
 * in _seconds): 1 2 4 ... 4096. */
void metrics_observe(metric histogram, uint64_t value);

uint64_t metrics_total(metric series); /* over all slots: counter or gauge sum, histogram count */

/* A dead worker's gauges would lie: the master clears them before the slot lives again. */
void metrics_clear_gauges(int slot);

/* Prometheus text exposition format 0.0.4 of everything. */
void metrics_expose(struct bytes *out);

#endif
