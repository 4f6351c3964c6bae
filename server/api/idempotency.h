/* The Idempotency-Key header: 1 to 255 visible characters, bare or as a quoted string (RFC 8941);
 * and the answer that is remembered under it. Posting remembers what moves money by itself; the
 * other calls ask here before they begin, and store their answer in the statement that makes it
 * true. */
#ifndef API_IDEMPOTENCY_H
#define API_IDEMPOTENCY_H

#include "api/call.h"
#include "store/users.h"

/* Embed one in the operation; it may stay all zero. */
struct idempotency {
    struct slice key; /* {NULL,0}: none was sent */
    uint8_t request_hash[CRYPTO_HASH_SIZE];
    struct call *call;
    struct users_question earlier;
};

/* Into `key`; absent stays {NULL,0}. False: call is refused, because it's malformed, or missing
 * though `required`. */
bool idempotency_read(struct call *call, bool required, struct slice *key);

/* Look for an earlier answer under caller and key. FLOW_NEXT: there is no key to look for. */
enum flow_verdict idempotency_ask(struct call *call, struct idempotency *idempotency);

/* What idempotency_ask has found: FLOW_NEXT when there is nothing. Else FLOW_DONE: another request
 * has used the key, or its answer is given again. */
enum flow_verdict idempotency_check(struct call *call, struct idempotency *idempotency);

/* Give an earlier answer again, byte for byte. */
enum flow_verdict idempotency_replay(struct call *call, int status, struct slice body);

#endif
