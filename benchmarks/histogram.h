/* Latencies as a log-linear histogram: each value is kept with 3 significant digits (within 0.1 %),
 * from 1 us to 2^36 us, in a fixed 220 KiB. The layout is HdrHistogram's (github.com/HdrHistogram):
 * within each power of two, 1,024 equal steps. */
#ifndef BENCHMARKS_HISTOGRAM_H
#define BENCHMARKS_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTOGRAM_STEPS = 1024, HISTOGRAM_POWERS = 27 };
enum { HISTOGRAM_CELLS = HISTOGRAM_STEPS * (HISTOGRAM_POWERS + 1) };

struct histogram {
    uint64_t count;
    double sum;
    int64_t least, most;
    uint64_t cells[HISTOGRAM_CELLS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, int64_t us); /* negative counts as 0 */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest value that at least `part` (0..1) of all values don't exceed; 0 when there is none.
 */
int64_t histogram_at(const struct histogram *histogram, double part);

/* Do so many values lie beyond `part` that another run would have about the same there? 10 have to:
 * p99 is of 1,000 values at least. */
#define HISTOGRAM_BEYOND 10
bool histogram_supports(const struct histogram *histogram, double part);
double histogram_mean(const struct histogram *histogram);

#endif
