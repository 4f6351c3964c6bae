/* Where in a Lua source something stands: a table doesn't remember where its keys were written. */
#ifndef SCRIPTING_LOCATE_H
#define SCRIPTING_LOCATE_H

#include <stdbool.h>

#include "base/slice.h"

/* Where the member stands that a path of at most six parts names ("applies.tiers", "slabs.2.flat":
 * in the second table of `slabs`), outside strings and comments; written out as an assignment
 * (`c.posting.lanes = 2`) it counts before a table's. When it isn't there, its nearest
 * table; when that isn't either, wherever `last part =` stands. Line and column from 1; both 0:
 * nowhere. */
void locate_path(struct slice source, const char *path, int *line, int *column);

/* Where a source computes with fractions: `/`, `^`, a numeral that is no 64-bit integer. False:
 * nowhere. */
bool locate_inexact(struct slice source, int *line, int *column);

/* The nearest of `known` (ended by NULL) to a misspelt word, or NULL when none is near. */
const char *locate_similar(const char *word, const char *const *known);

#endif
