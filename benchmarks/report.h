/* moolah-bench report RESULT.json [--html OUT.html] [--json] [--figures]: a result for people.
 *
 * Without an option: tables. --figures: only lines `name value unit`. --json: the figures with
 * their verdicts as JSON. --html: besides, a page of its own with charts. */
#ifndef BENCHMARKS_REPORT_H
#define BENCHMARKS_REPORT_H

#include <stdbool.h>

struct arena;
struct bytes;
struct result;

/* argv[0] is "report". 0 fine, 2 usage, or a file that cannot be read or written. */
int report_main(int argc, char **argv);

/* False: memory ran out. */
bool report_tables(const struct result *result, struct arena *arena, struct bytes *out);
void report_figures(const struct result *result, struct bytes *out);
void report_json(const struct result *result, struct bytes *out);

#endif
