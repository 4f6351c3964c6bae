/* An account: a row that holds money. A wallet is a customer's account; the others are the
 * system's. */
#ifndef LEDGER_ACCOUNT_H
#define LEDGER_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/uuid.h"

/* The numbers stand in the database: never reuse one. */
enum account_kind {
    ACCOUNT_WALLET = 1,
    ACCOUNT_FEES = 2,       /* what customers paid us */
    ACCOUNT_SETTLEMENT = 3, /* the other side of deposits and withdrawals: goes below zero */
    ACCOUNT_SUPPLIER = 4,   /* what suppliers are owed */
    ACCOUNT_SUSPENSE = 5    /* money whose place isn't known yet */
};

enum account_status {
    ACCOUNT_ACTIVE = 1,
    ACCOUNT_FROZEN = 2, /* receives, doesn't send */
    ACCOUNT_CLOSED = 3  /* neither */
};

struct account {
    struct uuid id;
    enum account_kind kind;
    enum account_status status;
    int tier; /* the owner's KYC tier, 0..3 */
    currency currency;
    struct uuid owner; /* nil for system accounts */
    int64_t posted;    /* sum of its postings */
    int64_t held;      /* sum of its open holds, >= 0 */
    int64_t floor;     /* posted - held never goes below it */
    int64_t version;   /* counts its postings */
};

#define ACCOUNT_STRIPES_MAX 4096

/* System accounts have ids that follow from what they are, so nobody has to look them up (UUID
 * version 8: kind, currency, stripe). One account is striped over many rows, a stripe per posting
 * lane, so that lanes never queue behind one fee row; its balance is the sum over the stripes. */
struct uuid account_system_id(enum account_kind kind, currency which, unsigned stripe);

/* The lowest floor there is: settlement's. */
#define ACCOUNT_FLOOR_NONE INT64_MIN

int64_t account_available(const struct account *account); /* posted - held */

/* What must hold of every account at every moment; asserted before and after each change. */
bool account_is_sound(const struct account *account);

const char *account_status_name(enum account_status status); /* "active" "frozen" "closed" */

#endif
