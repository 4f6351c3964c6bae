/* Where in a Lua source a table's key stands: tables don't remember it. */
#ifndef SCRIPTING_LOCATE_H
#define SCRIPTING_LOCATE_H

#include "base/slice.h"

/* The `nth` (from 1) place where `key =` stands outside strings and comments. Line and column from
 * 1; both 0: nowhere. */
void locate_key(struct slice source, const char *key, int nth, int *line, int *column);

/* The nearest of `known` (ended by NULL) to a misspelt word, or NULL when none is near. */
const char *locate_similar(const char *word, const char *const *known);

#endif
