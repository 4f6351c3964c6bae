/* Entity tags in a condition: If-None-Match (RFC 9110, 8.8.3 and 13.1.2). */
#ifndef API_ETAG_H
#define API_ETAG_H

#include <stdbool.h>

#include "base/slice.h"

/* Is `tag` (with its quotes) in the header's list, or is that "*"? Compared weakly: W/ doesn't
 * count. A list that is malformed matches as far as it was well-formed. */
bool etag_matches(struct slice if_none_match, struct slice tag);

#endif
