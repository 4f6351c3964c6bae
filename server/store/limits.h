/* What a wallet's limits are about, as it stands now: read beside posting, without a lock. Same
 * conventions as store/users.h. */
#ifndef STORE_LIMITS_H
#define STORE_LIMITS_H

#include <stdbool.h>

#include "ledger/account.h"
#include "ledger/limit.h"
#include "store/pg_pool.h"

struct arena;

struct limits_question {
    struct arena *arena;
    void (*done)(struct limits_question *question);
    enum pg_outcome outcome;
    bool found;
    struct account account; /* tier, currency, zone, posted */
    struct limit_counters counters;
    bool unreadable;            /* the counters in the row are none */
    struct limit_window window; /* what it sent in the last day */
};

/* The owner's wallet; nobody else finds it. */
bool limits_find(struct pg_pool *pool, const struct uuid *wallet, const struct uuid *owner,
                 int64_t now, struct limits_question *q);

extern const struct pg_statement *const limits_statements[];

#endif
