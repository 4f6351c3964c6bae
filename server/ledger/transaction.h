/* A transaction: a set of postings that sums to zero. Written once, never changed. */
#ifndef LEDGER_TRANSACTION_H
#define LEDGER_TRANSACTION_H

#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"

/* The numbers stand in the database: never reuse one. */
enum transaction_kind {
    TRANSACTION_DEPOSIT = 1, /* settlement -> wallet */
    TRANSACTION_TRANSFER = 2 /* wallet -> wallet, fee to fees */
};

/* What one transaction did to one account. */
struct posting {
    struct uuid account;
    int64_t version; /* the account's, after it */
    struct uuid transaction;
    int64_t amount; /* signed, never 0 */
    int64_t posted_after;
    int64_t held_after;
};

#define TRANSACTION_POSTINGS_MAX 3

const char *transaction_kind_name(enum transaction_kind kind);   /* "deposit" "transfer" */
enum transaction_kind transaction_kind_parse(struct slice name); /* 0: none of them */

#endif
