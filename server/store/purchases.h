/* Purchases and the vouchers in stock. Each step of a purchase is one statement that changes its
 * row only when the row is where the step began and still its driver's (`claim`): a driver that was
 * believed dead can't undo what its successor did. Same conventions as store/users.h. */
#ifndef STORE_PURCHASES_H
#define STORE_PURCHASES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/uuid.h"
#include "store/pg_pool.h"

struct arena;

/* The numbers stand in the database: never reuse one. */
enum purchases_status {
    PURCHASE_RESERVED = 1,   /* its voucher, if it's one; no money yet, or nobody knows */
    PURCHASE_HELD = 2,       /* money is held; the supplier surely hasn't heard of it */
    PURCHASE_DELIVERING = 3, /* the supplier is being asked for the goods */
    PURCHASE_UNKNOWN = 4,    /* it may have heard of it */
    PURCHASE_DELIVERED = 5,  /* the goods are here, sealed; money is still only held */
    PURCHASE_VOIDING = 6,    /* there won't be goods; money is still held */
    PURCHASE_CAPTURED = 7,   /* paid: the goods are given out */
    PURCHASE_VOIDED = 8,     /* the money is free again */
    PURCHASE_REFUSED = 9     /* before money was held */
};

struct purchases_purchase {
    struct uuid id, caller, request_id, wallet, product;
    struct slice rule; /* "airtime.r50@1" */
    uint8_t bundle[32];
    struct slice supplier;
    struct uuid supplier_account;
    int64_t amount;
    currency currency;
    struct slice fields; /* JSON */
    enum purchases_status status;
    int claim, attempts;
    struct uuid hold, transaction; /* nil: none */
    struct slice reference;        /* the supplier's */
    struct slice goods;            /* sealed */
    int refusal_status;
    struct slice refusal;
    int64_t created_at;
    enum purchases_status decided; /* by operators: delivered or voiding; 0: they weren't asked */
};

struct purchases_question {
    struct arena *arena;
    void (*done)(struct purchases_question *question);
    enum pg_outcome outcome;
    struct purchases_purchase *purchases;
    size_t count;
    struct slice pin; /* of purchases_pin: sealed; {NULL,0}: none */
    bool found;       /* purchases_list: the wallet is the owner's */
};

/* A new one, its voucher reserved when it's from stock, its key remembered: all in one statement.
 * Where there is no such wallet of the caller's, or no voucher, it's refused with the answer that
 * is given here. PG_CONFLICT: the key is taken. */
struct purchases_new {
    const struct purchases_purchase *purchase;
    struct slice key;
    const uint8_t *request_hash; /* 32 bytes */
    bool stock;
    int64_t next_at;
    int missing_status; /* of the wallet */
    struct slice missing;
    int empty_status; /* the stock is */
    struct slice empty;
};
bool purchases_create(struct pg_pool *pool, const struct purchases_new *fresh,
                      struct purchases_question *q);

/* `caller`'s only. */
bool purchases_find(struct pg_pool *pool, const struct uuid *id, const struct uuid *caller,
                    struct purchases_question *q);
bool purchases_find_key(struct pg_pool *pool, const struct uuid *caller, struct slice key,
                        struct purchases_question *q);

/* Whoever's it is. */
bool purchases_find_any(struct pg_pool *pool, const struct uuid *id, struct purchases_question *q);

/* A wallet's, newest first, without those that were refused; those before `before` (NULL: from the
 * newest); one more than `limit` is read, to know whether there are more. */
struct purchases_page {
    struct uuid wallet;
    struct uuid owner;
    const struct uuid *before;
    int limit;
};
bool purchases_list(struct pg_pool *pool, const struct purchases_page *page,
                    struct purchases_question *q);

/* Up to `limit` that are due at `now`, for a new driver, who has them until `next_at`. */
bool purchases_claim(struct pg_pool *pool, int64_t now, int64_t next_at, int limit,
                     struct purchases_question *q);

/* One step further. What is nil, 0 or {NULL,0} stays as it was. Nothing found: it isn't there, or
 * not the driver's any more. A voucher is sold or freed by the same statement. */
struct purchases_step {
    const struct purchases_purchase *from; /* as it was read */
    enum purchases_status to;
    bool asked; /* the supplier: counts as an attempt */
    struct uuid hold, transaction;
    struct slice reference, goods;
    int refusal_status;
    struct slice refusal;
    int64_t next_at; /* ignored when it's finished */
};
bool purchases_move(struct pg_pool *pool, const struct purchases_step *step,
                    struct purchases_question *q);

/* What operators say of one that is unknown and was made before `made_before`. It goes to `to`, and
 * to a new driver: whatever its last one still hears is void, as it would be the other way round.
 * Nothing found: it isn't there, isn't unknown, or is too young. */
struct purchases_decision {
    struct uuid id;
    enum purchases_status to; /* delivered, with goods; or voiding */
    struct slice reason;
    struct slice goods;     /* sealed */
    struct slice reference; /* the supplier's; {NULL,0}: as it was */
    int64_t now, made_before, next_at;
};
bool purchases_decide(struct pg_pool *pool, const struct purchases_decision *decision,
                      struct purchases_question *q);

/* The voucher that is reserved for it. */
bool purchases_pin(struct pg_pool *pool, const struct uuid *id, struct purchases_question *q);

extern const struct pg_statement *const purchases_statements[];

#endif
