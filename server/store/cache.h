/* Copies of balances and first statement pages in Redis, so that reading them costs PostgreSQL
 * nothing. Redis is believed nothing: what it gives back is a copy only if it is signed by this
 * server (cache_entry.h) and no change of its wallet was begun since it was read (revisions.h), and
 * only while no other server changes this ledger (presence.h). Everything else is a miss. So
 * whatever Redis does (it is emptied, lags, dies, is read-only, comes back with an old snapshot,
 * is written to by others), answers are the database's, and who got an answer sees it in the next
 * read, through every worker. Money is never decided here.
 *
 * A miss asks the database, once however many want the same at the same time, and stores what came,
 * for 10 minutes; older versions never go over newer ones (cache_function.h). After each batch
 * posting offers the new balances and lines of those wallets that are read, in one command per 64
 * of them, that nobody waits for; one that has changed 8 times without being read is taken out. A
 * wallet nobody reads costs a batch nothing but its word in revisions.h.
 *
 * Memory in Redis per wallet that was read in the last 10 minutes: its balance 300 bytes, its page
 * up to 4 KB with plain notes, 24 KB with the longest there are.
 *
 * Who changes accounts behind the server's back (by hand) isn't seen for up to 10 minutes: a hit of
 * 64 is held against the database afterwards; what differs without a change that is known is
 * counted in moolah_cache_drift_total, which must stay 0, logged, and taken out. */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "store/wallets.h"

struct cache;
struct ledger_rows_writing;
struct presence;
struct redis;
struct redisReply;
struct revisions_change;

struct cache_settings {
    struct pg_pool *pool;
    struct redis *redis; /* the gate's connection: asked in the same flight */
    const struct presence *presence;
};

enum cache_what { CACHE_BALANCE, CACHE_PAGE };

struct cache_read {
    /* the asker fills in */
    enum cache_what what;
    struct uuid wallet;
    struct uuid owner;                      /* who asks: known before cache_take and cache_load */
    struct wallets_question *question;      /* arena and done, as for store/wallets.h */
    void (*found)(struct cache_read *read); /* cache_ask's answer is there; never from inside it */
    /* cache's own */
    struct cache *cache;
    bool asked; /* and `found` has not been called yet */
    bool has_copy;
    struct uuid copy_owner;
    struct cache_read *next; /* that wants the same of the database */
};

void cache_register_metrics(void);
struct cache *cache_new(const struct cache_settings *settings);
void cache_free(struct cache *cache); /* after the gate and before the pool: nothing is open */

/* Ask for a copy. False: none will come. `read` must live until `found`. */
bool cache_ask(struct cache *cache, struct cache_read *read);

/* Is there a copy, and is it the owner's? Then it's in the question, as wallets_find or
 * wallets_statement would have answered. */
bool cache_take(struct cache_read *read);

/* Ask the database, as wallets_find or wallets_statement (20 lines, no filter) would, and keep a
 * copy. question->done is called later. False: refused at once. */
bool cache_load(struct cache *cache, struct cache_read *read);

/* A batch is durable: `changes` are its wallets among writing->accounts, in their order, after
 * revisions_end. Nobody waits. */
void cache_offer(struct cache *cache, const struct ledger_rows_writing *writing,
                 const struct revisions_change *changes, size_t count);

/* Something of the wallet has changed, otherwise than by posting: after its commit, before the
 * answer. That it may change was said before (store/status.h): whoever dies before this leaves no
 * copy behind that is believed. */
void cache_forget(struct cache *cache, const struct uuid *wallet);

#endif
