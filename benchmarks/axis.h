/* One axis of a chart: from values to a place on it, and the marks along it. Linear axes begin at
 * 0, so a bar or a line never looks steeper than it is; logarithmic ones begin and end at 1, 2 or 5
 * times a power of ten; an axis in nines shows a part p at -log10(1 - p), as tails are read. */
#ifndef BENCHMARKS_AXIS_H
#define BENCHMARKS_AXIS_H

#include <stddef.h>

#include "benchmarks/numbers.h"

#define AXIS_TICKS_MAX 12
#define AXIS_NINES_MAX 7 /* 99.99999 %: further out nothing is measured */

enum axis_kind { AXIS_LINEAR, AXIS_LOG, AXIS_NINES };
enum axis_unit { AXIS_PLAIN, AXIS_TIME /* microseconds */, AXIS_PART /* as percent */ };

struct axis {
    enum axis_kind kind;
    enum axis_unit unit;
    double low, high; /* of what is seen; after the scale's transformation */
    double ticks[AXIS_TICKS_MAX];
    char labels[AXIS_TICKS_MAX][NUMBERS_TEXT_MAX];
    size_t tick_count;
};

/* Begin without any value; then give it all values (those that cannot stand on such an axis, NAN
 * and infinities are passed over); then fit. An axis that saw nothing has no ticks. */
void axis_init(struct axis *axis, enum axis_kind kind, enum axis_unit unit);
void axis_see(struct axis *axis, double value);
void axis_fit(struct axis *axis);

/* 0 (begin) to 1 (end); NAN: it cannot stand there. */
double axis_place(const struct axis *axis, double value);

/* A value as the axis would name it. */
const char *axis_label(char out[NUMBERS_TEXT_MAX], enum axis_unit unit, double value);

#endif
