#include "api/revocation.h"

#include <assert.h>

static void told(void *owner, bool sure)
{
    struct revocation *revocation = owner;
    assert(revocation->pending > 0);
    if (!sure)
        call_log(revocation->call, "revocation_unsure", NULL, NULL);
    if (--revocation->pending == 0 && revocation->waiting)
        call_resume(revocation->call);
}

enum flow_verdict revocation_tell(struct call *call, struct revocation *revocation,
                                  const uint8_t (*token_hashes)[32], size_t count)
{
    revocation->call = call;
    for (size_t i = 0; i < count; i++) {
        if (gate_revoke(call->service->gate, call_caller(call), token_hashes[i], told, revocation))
            revocation->pending++;
        else
            call_log(call, "revocation_unsure", NULL, NULL);
    }
    revocation->waiting = revocation->pending > 0;
    return revocation->waiting ? FLOW_WAIT : FLOW_NEXT;
}
