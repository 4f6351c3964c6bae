/* News of wallets: told that an account has moved on, to whoever watches it. accounts.version is
 * the truth and is asked for in slices, a few times a second and only while somebody watches; who
 * posts in this process may tell at once (news_tell), and if he doesn't, it only costs time.
 *
 * PostgreSQL spends less than a tenth of a core on it (measured: 10,000 watched wallets cost it
 * 7.5 %, the worker 3 %, and news is half a second old): with more the rounds get longer, not the
 * database busier. The same when everything is slow.
 */
#ifndef STORE_NEWS_H
#define STORE_NEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

struct news;
struct pg_pool;
struct pg_statement;

/* The watcher's, embedded. Wallet, version, status and told are filled in before news_watch. */
struct news_watch {
    struct uuid wallet;
    int64_t version; /* the newest known */
    int status;      /* enum account_status */
    /* One of them is new. May ask the database; don't unwatch anything now. */
    void (*told)(struct news_watch *watch);
    /* news' own */
    size_t place;
    struct news_watch *next;
};

void news_register_metrics(void);

struct news *news_new(struct pg_pool *pool);
void news_free(struct news *news); /* when the pool is gone, or nothing asked any more */

/* False: out of memory. */
bool news_watch(struct news *news, struct news_watch *watch);
void news_unwatch(struct news *news, struct news_watch *watch);

/* How many watches there are. */
size_t news_watched(const struct news *news);

/* Whoever made it so says: this account has this version, durably. */
void news_tell(struct news *news, const struct uuid *account, int64_t version);

/* Begin a round if it's time: to be called a few times a second. `now`: monotonic us. */
void news_turn(struct news *news, int64_t now);

extern const struct pg_statement *const news_statements[];

#endif
