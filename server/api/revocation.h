/* Telling the gate's cache that tokens are revoked. PostgreSQL has it already; where Redis can't be
 * told, the cached copy dies within 60 s. */
#ifndef API_REVOCATION_H
#define API_REVOCATION_H

#include "api/call.h"

struct revocation {
    struct call *call;
    size_t pending;
    bool waiting;
};

/* FLOW_WAIT until every tombstone is there or can't be; FLOW_NEXT when there is nothing to wait
 * for. */
enum flow_verdict revocation_tell(struct call *call, struct revocation *revocation,
                                  const uint8_t (*token_hashes)[32], size_t count);

#endif
