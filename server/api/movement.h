/* What every endpoint that moves money has in common: an order, the wait for posting, and what its
 * outcome means. */
#ifndef API_MOVEMENT_H
#define API_MOVEMENT_H

#include "api/call.h"
#include "api/idempotency.h"
#include "api/receipt.h"

struct movement {
    struct receipt_order receipt; /* posting's order in it */
    struct call *call;
    enum transaction_kind kind;
    struct slice key;
    uint8_t request_hash[32];
    struct uuid from;
    struct uuid to;
    int64_t amount;
    currency currency;
    struct slice note;
    struct slice reference;
    struct slice quote; /* {NULL,0}: none */
    struct uuid caller; /* nil: the call's; the operators' calls have none */
    struct posting_subject subject;
    bool subject_away;
    int64_t expires_in_s; /* of a hold */
    bool allow_negative;
    const struct posting_item *items; /* of a bulk */
    size_t item_count;
    bool all;
    int (*render)(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body); /* NULL: receipt_render */
    struct slice answer;               /* copied out of the batch */
};

/* Step, before anything else: refuse at once what would have to wait too long for posting. */
enum flow_verdict movement_admit(struct flow *flow);

/* Put it on the posting queue: FLOW_WAIT, or the refusal when there is no room. */
enum flow_verdict movement_ask(struct call *call, struct movement *movement);

/* Posting has answered. */
enum flow_verdict movement_report(struct call *call, struct movement *movement);

#endif
