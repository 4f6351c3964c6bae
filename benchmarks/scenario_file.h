/* Scenario files: Lua that returns one table (benchmarks/README.md describes it), read once:
 * nothing of Lua runs while the load does. */
#ifndef BENCHMARKS_SCENARIO_FILE_H
#define BENCHMARKS_SCENARIO_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "benchmarks/scenario.h"

/* False: `error` says file, line or call, key, what it got and what is allowed. */
bool scenario_file_load(struct scenario *scenario, const char *path, char *error, size_t size);

/* The scenarios of a folder by name, each with its line of help. */
void scenario_file_list(const char *folder, FILE *out);

#endif
