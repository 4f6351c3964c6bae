/* Reading wallets, their transactions and single transactions from PostgreSQL. Same conventions as
 * store/users.h. */
#ifndef STORE_WALLETS_H
#define STORE_WALLETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/uuid.h"
#include "store/pg_pool.h"

struct arena;

struct wallet {
    struct uuid id;
    struct uuid owner;
    struct slice label;
    currency currency;
    int status; /* enum account_status */
    int zone;   /* base/zone.h; never changes */
    int64_t posted;
    int64_t held;
    int64_t version;
    int64_t created_at;
};

/* A transaction as seen from one wallet (a statement's line) or whole. */
struct wallets_transaction {
    struct uuid id;
    int kind; /* enum transaction_kind */
    struct uuid from, to;
    int64_t amount, fee;
    currency currency;
    struct slice note, reference; /* {NULL,0}: null */
    struct slice pricing;         /* JSON of the fee lines, or {NULL,0} */
    uint8_t bundle[32];
    bool has_bundle;
    int64_t created_at;
    struct uuid from_owner,
        to_owner; /* users; nil for system accounts. Only wallets_find_transaction */
    struct uuid caller;
    /* of the wallet asked for (a line), or of `from` and `to` */
    int64_t change; /* signed: what this transaction did to the wallet's posted */
    int64_t hold;   /* signed: and to its held. Only wallets_statement */
    int64_t version;
    int64_t posted_after, held_after;
    int64_t to_posted_after, to_held_after; /* only wallets_find_transaction */
    bool to_touched;                        /* the same: `to` has a posting of it */
};

struct wallets_filter {
    struct uuid wallet;
    int limit;              /* rows wanted; one more is read to know whether there is a next page */
    int64_t before_version; /* only older lines; INT64_MAX: from the newest */
    int kind;               /* 0: any */
    int64_t from, to;       /* created_at, Unix us; INT64_MIN / INT64_MAX: open */
    int64_t min_amount, max_amount; /* of |change|; 0 / INT64_MAX: open */
    struct uuid counterparty;       /* nil: any */
    struct slice reference;         /* {NULL,0}: any */
};

struct wallets_question {
    struct arena *arena;
    void (*done)(struct wallets_question *question);
    enum pg_outcome outcome;
    struct wallet *wallets;
    size_t wallet_count;
    struct wallets_transaction *transactions;
    size_t transaction_count;
    int64_t scanned_to; /* wallets_statement: older lines than this version weren't looked at; 0:
                           all were */
    bool frozen;        /* wallets_create: the user is */
    /* wallets_statement's own */
    int64_t before_version;
    int scanned_most;
};

/* A user's, newest first, those before `before` (NULL: from the newest); one more than `limit` is
 * read, to know whether there are more. */
bool wallets_list(struct pg_pool *pool, const struct uuid *owner, const struct uuid *before,
                  int limit, struct wallets_question *q);
bool wallets_find(struct pg_pool *pool, const struct uuid *id, const struct uuid *owner,
                  struct wallets_question *q); /* none when it isn't the owner's */
/* The owner is checked in the same statement: wallet_count 0 means not found (or another's). */
bool wallets_statement(struct pg_pool *pool, const struct wallets_filter *filter,
                       const struct uuid *owner, struct wallets_question *q);
/* The lines behind version `after`, oldest first, at most `limit`. Whose wallet it is isn't looked
 * at. A version is missing where its month was taken away. */
bool wallets_lines_after(struct pg_pool *pool, const struct uuid *wallet, int64_t after, int limit,
                         struct wallets_question *q);
bool wallets_find_transaction(struct pg_pool *pool, const struct uuid *id,
                              struct wallets_question *q);
#define WALLETS_PER_USER 20

/* With an Idempotency-Key (may be {NULL,0}: none): what a replay answers is remembered in the same
 * statement, whether there was room or not. */
struct wallets_new {
    const struct wallet *wallet;
    struct slice key;
    const uint8_t *request_hash; /* 32 bytes */
    int status;
    struct slice answer; /* when it's made */
    int full_status;
    struct slice full_answer;   /* when the user has WALLETS_PER_USER already */
    struct slice frozen_answer; /* when the user is frozen; of the same status */
};

/* Another wallet: its account and row in one statement. wallet_count 0: there was no room.
 * PG_CONFLICT: the key is taken. */
bool wallets_create(struct pg_pool *pool, const struct wallets_new *fresh,
                    struct wallets_question *q);

extern const struct pg_statement *const wallets_statements[];

/* For other statements that read whole transactions `t`: the first columns of a row, so many, and
 * how they are decoded into the arena. The balances after it are not among them. False: out of
 * memory. */
#define WALLETS_TRANSACTION_COLUMNS                                                     \
    "t.id, t.kind, t.from_account, t.to_account, t.amount, t.fee, t.currency, t.note, " \
    "t.reference, t.created_at"
#define WALLETS_PRICED_COLUMNS WALLETS_TRANSACTION_COLUMNS ", t.pricing, t.bundle"
#define WALLETS_PRICED_COUNT 12
bool wallets_take_priced(const struct pg_rows *rows, int row, struct arena *arena,
                         struct wallets_transaction *transaction);

#endif
