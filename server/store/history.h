/* Wallets as of a past moment, and what is not here any more. Same conventions as store/users.h.
 *
 * A transaction counts from its created_at on, or from its id's millisecond, whichever is later:
 * the two differ only while a server's clock is set back. Where the clocks of two servers differ, a
 * wallet's versions and its times need not be in the same order: a moment's balance is that of the
 * highest version that counts by then. So a later moment never has an older balance, and each is
 * one that the wallet really had. What was on its way at the moment may still join it, for as long
 * as a posting takes. */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/uuid.h"
#include "store/pg_pool.h"

struct arena;
struct wallets_transaction;

#define HISTORY_MONTH_SIZE 8 /* "2026-12" and NUL */

struct history_question {
    struct arena *arena;
    void (*done)(struct history_question *question);
    enum pg_outcome outcome;
    bool found;                        /* the wallet is the asker's */
    char archived[HISTORY_MONTH_SIZE]; /* the answer lies in this month, which is archived; "" */
    struct slice label, owner_name;
    currency currency;
    int64_t version, posted, held; /* all 0: before the first posting */
    struct wallets_transaction *lines;
    size_t line_count;
};

/* The balance as of a moment, that included. */
bool history_as_of(struct pg_pool *pool, const struct uuid *wallet, const struct uuid *owner,
                   int64_t moment, struct history_question *q);

/* Lines with versions past `after` up to `last`, oldest first, at most `limit`. */
struct history_range {
    struct uuid wallet;
    int64_t after, last;
    int limit;
};
bool history_lines(struct pg_pool *pool, const struct history_range *range,
                   struct history_question *q);

/* Lines of a wallet with versions before `before` that lie in `from` to `to` (Unix us; INT64_MIN
 * and INT64_MAX: open): `archived` is the newest archived month that has such, or "". */
bool history_seek_older(struct pg_pool *pool, const struct uuid *wallet, int64_t before,
                        const int64_t span[2], struct history_question *q);

/* Why is something not here? `archived` is set when a wallet's version is in an archived month, or
 * a transaction's id. */
bool history_seek_version(struct pg_pool *pool, const struct uuid *wallet, int64_t version,
                          struct history_question *q);
bool history_seek_transaction(struct pg_pool *pool, const struct uuid *id,
                              struct history_question *q);

/* The smallest UUIDv7 of the millisecond that `unix_us` lies in, plus `milliseconds`. */
struct uuid history_floor(int64_t unix_us, int milliseconds);

extern const struct pg_statement *const history_statements[];

#endif
