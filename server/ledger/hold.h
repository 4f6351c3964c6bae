/* A hold: money that is put aside for somebody until it's captured, given up, or its time is over.
 * Amount and fee stay on the payer's account, where nothing else can have them. As in transfer.h:
 * what speaks against it is said first; what acts cannot fail. */
#ifndef LEDGER_HOLD_H
#define LEDGER_HOLD_H

#include "ledger/transfer.h"

/* The numbers stand in the database: never reuse one. */
enum hold_status {
    HOLD_NONE = 0, /* there is no such hold */
    HOLD_OPEN = 1,
    HOLD_CAPTURED = 2,
    HOLD_VOIDED = 3,
    HOLD_EXPIRED = 4
};

struct hold {
    struct uuid id; /* its transaction's */
    struct uuid from, to;
    currency currency;
    int64_t amount;        /* what `to` gets at most */
    int64_t fee;           /* of all of it, reserved beside */
    const uint8_t *bundle; /* 32 bytes, or NULL: what priced it */
    struct slice pricing;  /* JSON of the fee lines, or {NULL,0} */
    int64_t expires_at;    /* Unix us: from then on it can't be captured */
    enum hold_status status;
    int64_t captured;
    struct uuid finished_by; /* nil while it's open */
};

const char *hold_status_name(enum hold_status status); /* "open" "captured" ... */

/* Is there money for it? `transfer` has amount and fee; its parties are checked already. */
enum refusal hold_check_money(const struct transfer *transfer);

/* After that said REFUSAL_NONE. Puts the money aside; returns how many postings: 1. */
int hold_place(const struct transfer *transfer, const struct uuid *transaction,
               struct posting postings[TRANSACTION_POSTINGS_MAX]);

/* May it still be finished? REFUSAL_HOLD_NOT_FOUND, _FINISHED. */
enum refusal hold_check_open(const struct hold *hold);

/* What capturing transfer->amount of it costs. The payer: all that the hold was priced at, whatever
 * part it is (else a large hold's capped fee, shared, would send a small part for nothing). A
 * partner (transfer->anyones) hasn't chosen what was held: its part pays its share, rounded down.
 */
int64_t hold_fee(const struct hold *hold, const struct transfer *transfer);

/* May transfer->amount of it be captured at the moment `now`? The parties are the hold's. Who is
 * frozen sends nothing, and so captures nothing; a partner still gets what it was promised. */
enum refusal hold_check_capture(const struct hold *hold, const struct transfer *transfer,
                                int64_t now);

/* After that said REFUSAL_NONE, with transfer->fee what hold_fee says. The rest is free again. */
int hold_capture(struct hold *hold, const struct transfer *transfer, const struct uuid *transaction,
                 struct posting postings[TRANSACTION_POSTINGS_MAX]);

/* All of an open hold is free again: `status` says whether it's HOLD_VOIDED or HOLD_EXPIRED. */
int hold_release(struct hold *hold, enum hold_status status, struct account *from,
                 const struct uuid *transaction, struct posting postings[TRANSACTION_POSTINGS_MAX]);

#endif
