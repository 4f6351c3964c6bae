/* The page's charts of what happens past the peak: good answers and refusals against the load
 * offered, in multiples of send_money_peak. From the open-loop runs that are named curve_... and
 * overload...; without them, or without a peak, the charts say that nothing was measured. */
#ifndef BENCHMARKS_REPORT_OVERLOAD_H
#define BENCHMARKS_REPORT_OVERLOAD_H

#include <stdbool.h>

struct arena;
struct bytes;
struct result;

/* False: memory ran out. */
bool report_overload_write(const struct result *result, struct arena *arena, struct bytes *out);

#endif
