/* Counters, gauges and histograms in memory shared by all workers: each slot writes only its own
 * column, without locks (relaxed atomics); any worker sums the columns and answers for all.
 * Prometheus' conventions: base units (seconds), _total.
 *
 * Registration happens once, in the master, before it forks. A series is a metric and its label
 * text; the label text is fixed at registration, so their number is bounded by construction. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

struct bytes;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

typedef int
    metric; /* a handle; 0 is a series nobody reads: forgetting to register is harmless in tests */

/* Shared memory for `slots` columns (workers + 1 for the master, which is the last and ours at
 * first). Before it, and after metrics_stop, nothing is counted. */
bool metrics_start(int slots);
void metrics_stop(void);      /* forgets the series, too */
void metrics_enter(int slot); /* after fork: which column is mine */

/* `labels`: "route=\"/v1/transfers\",code=\"201\"" or "", up to 159 characters, copied; `name` and
 * `help` are kept as they are. The same name + labels gives the same handle. `help` counts for the
 * first of a name. 0 when 2,048 series (or 32,768 cells of which a histogram takes 19) are there.
 */
metric metrics_register(enum metric_kind kind, const char *name, const char *labels,
                        const char *help);

void metrics_add(metric counter, uint64_t amount);
void metrics_set(metric gauge, int64_t value);
/* Histogram of durations or sizes. Named *_seconds: `value` is microseconds, the buckets are 50us
 * 100us 250us 500us 1ms 2.5ms ... 10s. Others: 1 2 4 ... 65536. */
void metrics_observe(metric histogram, uint64_t value);

/* Over all slots: counter or gauge sum, histogram count. */
uint64_t metrics_total(metric series);

/* A dead worker's gauges would lie: the master clears them before the slot lives again. */
void metrics_clear_gauges(int slot);

/* Prometheus text exposition format 0.0.4 of everything. */
void metrics_expose(struct bytes *out);

#endif
