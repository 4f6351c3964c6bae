/* The Idempotency-Key header: 1 to 255 visible characters, bare or as a quoted string (RFC 8941).
 */
#ifndef API_IDEMPOTENCY_H
#define API_IDEMPOTENCY_H

#include "api/call.h"

/* Into `key`; absent stays {NULL,0}. False: call is refused, because it's malformed, or missing
 * though `required`. */
bool idempotency_read(struct call *call, bool required, struct slice *key);

#endif
