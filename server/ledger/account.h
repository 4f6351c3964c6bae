/* An account: a row that holds money. A wallet is a customer's account; the others are the
 * system's. */
#ifndef LEDGER_ACCOUNT_H
#define LEDGER_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/slice.h"
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

struct limit_counters;
struct limit_window;

struct account {
    struct uuid id;
    enum account_kind kind;
    enum account_status status;
    int tier; /* the owner's KYC tier, 0..3 */
    currency currency;
    struct uuid owner;   /* nil for system accounts */
    int64_t posted;      /* sum of its postings */
    int64_t held;        /* sum of its open holds, >= 0 */
    int64_t floor;       /* posted - held never goes below it */
    int64_t version;     /* counts its postings */
    bool floor_moved;    /* since it was read: to be written, too */
    int zone;            /* base/zone.h */
    struct slice packed; /* counters as they were read, or are to be written; {NULL,0}: none */
    struct limit_counters *counters; /* the same to count with; NULL: nobody has asked for them */
    struct limit_window *window;     /* what it sent in the last day; NULL: nobody has asked */
    bool counted;                    /* since it was read: counters are to be written */
};

#define ACCOUNT_STRIPES_MAX 4096

/* System accounts have ids that follow from what they are, so nobody has to look them up (UUID
 * version 8: kind, currency, stripe). One account is striped over many rows, a stripe per posting
 * lane, so that lanes never queue behind one fee row; its balance is the sum over the stripes. */
struct uuid account_system_id(enum account_kind kind, currency which, unsigned stripe);

/* The lowest floor there is: of settlement, and of fees, whose stripes give back what others took.
 */
#define ACCOUNT_FLOOR_NONE INT64_MIN

bool account_is_floorless(enum account_kind kind);

/* Is it a system account's id, of any currency and stripe, and of which kind? 0: a wallet's. */
enum account_kind account_system_kind(const struct uuid *id);

int64_t account_available(const struct account *account); /* posted - held */

/* A debt: the floor of any other account is below zero only after a reversal that was allowed to
 * take more than there was, and is then what is available, to the unit. So nothing further goes
 * out, and whatever comes in takes the floor along until it's back at zero. */
void account_lower_floor(struct account *account, int64_t available); /* before that posting */
void account_raise_floor(struct account *account);                    /* after any posting */

/* What must hold of every account at every moment; asserted before and after each change. */
bool account_is_sound(const struct account *account);

const char *account_status_name(enum account_status status); /* "active" "frozen" "closed" */

#endif
