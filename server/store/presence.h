/* Is this server the only one that changes the ledger in its database? Only then does it know of
 * every change (revisions.h), and may answer from its cache. Servers tell each other through
 * PostgreSQL: each of their connections holds a shared advisory lock that names the server, for as
 * long as it lives; whoever posts, holds it.
 *
 * Each worker looks every 250 ms whether there are locks of others; what it has seen is good for a
 * second. A connection of a server that finds another one there waits a little longer than that
 * before it is used: by then the others have seen it and have stopped answering from their caches.
 * When nobody else is left, or the database can be asked again, all copies are void
 * (revisions_new_generation): what was changed meanwhile is not known. So two servers on one
 * database are right, each without its cache. What is not covered: a server that PostgreSQL has
 * given up, without its noticing, in the very second in which another one starts; and who changes
 * accounts by hand (cache.h looks for that). */
#ifndef STORE_PRESENCE_H
#define STORE_PRESENCE_H

#include <stdbool.h>

#define PRESENCE_SETUP_MAX 2048

struct ev_loop;
struct pg_pool;
struct pg_statement;
struct presence;

/* A connection's setup (pg_connection.h): `setup`, then the lock and, where it's due, the wait. */
void presence_setup(const char *setup, char text[PRESENCE_SETUP_MAX]);

void presence_register_metrics(void); /* in the master, once */
struct presence *presence_new(struct ev_loop *loop, struct pg_pool *pool);
void presence_free(struct presence *presence); /* after the pool */

bool presence_is_alone(const struct presence *presence);

extern const struct pg_statement *const presence_statements[];

#endif
