/* Operators' search for transactions: through an account's postings, or through all of a short
 * time. Both look at so many rows for a page and no more, whatever the filters let pass: a page may
 * be empty and have a next one. Same conventions as store/users.h. */
#ifndef STORE_SEARCH_H
#define STORE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"
#include "store/pg_pool.h"

struct arena;
struct wallets_transaction;

struct search_filter {
    struct uuid account;       /* nil: all of the time between first and behind */
    struct uuid first, behind; /* ids: first <= id < behind */
    int64_t before_version;    /* with an account: only older ones; INT64_MAX: from the newest */
    int kind;                  /* 0: any */
    int64_t min_amount, max_amount; /* of the transaction; 0 / INT64_MAX: open */
    struct uuid caller;             /* user or partner; nil: any */
    struct slice reference;         /* {NULL,0}: any */
    int limit;
};

struct search_question {
    struct arena *arena;
    void (*done)(struct search_question *question);
    enum pg_outcome outcome;
    struct wallets_transaction *found; /* newest first; with caller and owners. One more than the
                                          limit when there are so many */
    size_t count;
    bool more;           /* there is something left to look at behind: */
    int64_t oldest;      /* ... the account's versions before this */
    struct uuid last_id; /* ... or ids before this */
    int scanned_most;    /* search's own */
};

bool search_ask(struct pg_pool *pool, const struct search_filter *filter,
                struct search_question *q);

extern const struct pg_statement *const search_statements[];

#endif
