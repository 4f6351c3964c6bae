/* A transaction: a set of postings that sums to zero. Written once, never changed. */
#ifndef LEDGER_TRANSACTION_H
#define LEDGER_TRANSACTION_H

#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"
#include "ledger/account.h"

/* The numbers stand in the database: never reuse one. */
enum transaction_kind {
    TRANSACTION_DEPOSIT = 1,    /* settlement -> wallet */
    TRANSACTION_TRANSFER = 2,   /* wallet -> wallet, fee to fees */
    TRANSACTION_WITHDRAWAL = 3, /* wallet -> settlement, fee to fees */
    TRANSACTION_HOLD = 4,       /* amount and fee put aside on the payer's account */
    TRANSACTION_CAPTURE = 5,    /* a hold's money, or a part, to its receiver; the rest is free */
    TRANSACTION_VOID = 6,       /* a hold given up */
    TRANSACTION_EXPIRY = 7,     /* a hold whose time is over, given up by the server */
    TRANSACTION_REFUND = 8,     /* receiver -> payer of an earlier one; fee: what fees give back */
    TRANSACTION_REVERSAL = 9,   /* all that is left of an earlier one, by operators; fee as above */
    TRANSACTION_PURCHASE = 10   /* the capture of a purchase's hold */
};

#define TRANSACTION_KIND_MAX TRANSACTION_PURCHASE

/* What one transaction did to one account: to posted, to held, or both. */
struct posting {
    struct uuid account;
    int64_t version; /* the account's, after it */
    struct uuid transaction;
    int64_t amount; /* signed: of posted. 0 only when hold isn't */
    int64_t hold;   /* signed: of held */
    int64_t posted_after;
    int64_t held_after;
};

#define TRANSACTION_POSTINGS_MAX 3

/* Change an account, as its next version. All that could speak against it is checked before: it
 * cannot fail. A debt (account.h) that gets smaller takes its floor along. */
struct posting transaction_post(struct account *account, int64_t amount, int64_t hold,
                                const struct uuid *transaction);

/* Does fee go back to the payer (a refund), instead of being paid? */
bool transaction_gives_back(enum transaction_kind kind);

const char *transaction_kind_name(enum transaction_kind kind);   /* "deposit" "transfer" */
enum transaction_kind transaction_kind_parse(struct slice name); /* 0: none of them */

#endif
