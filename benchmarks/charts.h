/* Charts as inline SVG with the table of what they show behind each, for a page that carries
 * everything with it. Colours are CSS classes (c0 to c7) that the page defines for light and dark;
 * lines differ by dashes too. What is not finite, or cannot stand on an axis, is left out: the line
 * has a gap there. A chart without anything to show says so instead of drawing an empty frame. */
#ifndef BENCHMARKS_CHARTS_H
#define BENCHMARKS_CHARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/axis.h"

struct bytes;

#define CHARTS_COLORS 8
#define CHARTS_ROWS_MAX 1000 /* of a chart's table */

enum charts_look {
    CHARTS_LINE,
    CHARTS_DASHED,
    CHARTS_DOTS,  /* points without a line */
    CHARTS_TABLE, /* only in the table */
};

struct charts_line {
    const char *name;
    const double *x, *y;
    size_t count;
    enum charts_look look;
    enum axis_unit unit; /* of y, in the table */
    int color;           /* 0 .. CHARTS_COLORS - 1 */
};

/* A vertical line with a number at its top; the numbers are told below the chart. */
struct charts_mark {
    double x;
    const char *what;
};

struct charts_axis {
    const char *label;
    enum axis_kind kind;
    enum axis_unit unit;
};

struct charts_plot {
    const char *id; /* unique in the page: letters and digits */
    const char *title;
    const char *note; /* a sentence below the title; NULL: none */
    struct charts_axis x, y;
    const struct charts_line *lines;
    size_t line_count;
    const struct charts_mark *marks;
    size_t mark_count;
};

void charts_plot_write(struct bytes *out, const struct charts_plot *plot);

struct charts_bar {
    const char *name;
    const double *parts; /* one for each of the chart's parts; below 0 and NAN count as 0 */
    const char *value;   /* shown at the right */
    int color;           /* when there is one part */
};

struct charts_bars {
    const char *id, *title, *note;
    struct charts_axis axis;       /* linear */
    const char *const *part_names; /* more than one: stacked, with a legend */
    size_t part_count;
    const struct charts_bar *bars;
    size_t bar_count;
    double line;           /* a vertical line to compare with; NAN: none */
    const char *line_name; /* in the legend */
    double most;           /* a longer bar is cut and ends in an arrow; NAN: none is */
};

void charts_bars_write(struct bytes *out, const struct charts_bars *bars);

#endif
