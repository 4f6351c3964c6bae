/* A result as one HTML page that needs nothing else: no script, no font, no picture from elsewhere,
 * charts drawn as SVG in light and dark, readable on a phone, a table behind each chart. */
#ifndef BENCHMARKS_REPORT_HTML_H
#define BENCHMARKS_REPORT_HTML_H

#include <stdbool.h>

struct arena;
struct bytes;
struct result;

/* False: memory ran out. What it needs meanwhile comes from the arena. */
bool report_html_write(const struct result *result, struct arena *arena, struct bytes *out);

#endif
