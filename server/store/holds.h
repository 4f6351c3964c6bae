/* Reading holds and what belongs to a transaction. Same conventions as store/users.h. */
#ifndef STORE_HOLDS_H
#define STORE_HOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/hold.h"
#include "ledger/transaction.h"
#include "store/pg_pool.h"

struct arena;

/* A hold as clients see it. */
struct holds_hold {
    struct hold hold;
    struct uuid from_owner, to_owner; /* users; nil for system accounts */
    struct slice note, reference;     /* {NULL,0}: null */
    int64_t created_at;
};

/* One transaction that belongs to another. */
struct holds_link {
    struct uuid original, transaction;
    enum transaction_kind kind;
    int64_t amount, fee;
};

struct holds_question {
    struct arena *arena;
    void (*done)(struct holds_question *question);
    enum pg_outcome outcome;
    struct holds_hold *holds;
    size_t hold_count;
    struct holds_link *links;
    size_t link_count;
    bool found; /* holds_list: the wallet is the owner's */
};

bool holds_find(struct pg_pool *pool, const struct uuid *id, struct holds_question *q);

/* The open ones of a wallet, newest first, those before `before` (NULL: from the newest); one more
 * than `limit` is read, to know whether there are more. */
struct holds_page {
    struct uuid wallet;
    struct uuid owner;
    const struct uuid *before;
    int limit;
};
bool holds_list(struct pg_pool *pool, const struct holds_page *page, struct holds_question *q);

/* Open ones whose time is over at `now` (Unix us), the longest over first. Of their facts only what
 * an order needs. */
bool holds_due(struct pg_pool *pool, int64_t now, int limit, struct holds_question *q);

/* What a transaction belongs to, and what belongs to it. */
bool holds_links(struct pg_pool *pool, const struct uuid *transaction, struct holds_question *q);

extern const struct pg_statement *const holds_statements[];

#endif
