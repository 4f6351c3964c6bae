/* Changing what an account or a user may do: freezing, tiers, closing. Not money: that is
 * posting's. Each is one statement, and waits for whoever posts to the account just now; a user's
 * is asked twice, for wallets that were being opened. Same conventions as store/users.h. */
#ifndef STORE_STATUS_H
#define STORE_STATUS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/pg_pool.h"
#include "store/wallets.h"

struct arena;
struct revisions_change;

struct status_question {
    struct arena *arena;
    void (*done)(struct status_question *question);
    enum pg_outcome outcome;
    bool found;
    struct uuid *wallets; /* those of the user's that changed */
    size_t wallet_count;
    /* status_close_wallet */
    bool closed;          /* just now, or before */
    bool is_main;         /* money to the user's phone goes there: it stays open */
    struct wallet wallet; /* as it is now */
    /* what may change: from asking until it is known how that ended no copy of it is good
     * (revisions.h), whoever dies meanwhile */
    struct revisions_change *changes;
    size_t change_count;
    /* this file's own */
    struct pg_pool *pool;
    struct uuid user;
    bool sets_tier;
    int value;
};

/* Before status_freeze and status_set_tier: the user's wallets. False: out of memory. */
bool status_expect(struct status_question *q, const struct wallet *wallets, size_t count);

/* The user, and every wallet of theirs that is active; back: every one that is frozen. */
bool status_freeze(struct pg_pool *pool, const struct uuid *user, bool frozen,
                   struct status_question *q);
bool status_set_tier(struct pg_pool *pool, const struct uuid *user, int tier,
                     struct status_question *q);

/* Only an active one of the owner's with nothing in it, nothing held, nothing owed. */
bool status_close_wallet(struct pg_pool *pool, const struct uuid *wallet, const struct uuid *owner,
                         struct status_question *q);

extern const struct pg_statement *const status_statements[];

#endif
