/* One connection to PostgreSQL in pipeline mode on the loop. Statements are prepared once per
 * connection, parameters and results are binary. The owner hears of everything in the order sent. A
 * lost connection says so once; what had no sync by then is unknown. Reconnects by itself with
 * back-off (own timer: connect_timeout is ignored by PQconnectPoll); `ready` tells when it is
 * usable. A server in recovery (hot standby, 25006) or older than 15 counts as lost: connect again.
 * Never cancels or terminates a posting backend. */
#ifndef STORE_PG_CONNECTION_H
#define STORE_PG_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct pg_connection;
struct pg_params;
struct pg_rows;

/* A prepared statement: static. `name` is unique; parameters are typed in the SQL ($1::uuid[]). */
struct pg_statement {
    const char *name;
    const char *sql;
};

struct pg_error {
    char sqlstate[6];    /* "" when the connection failed */
    const char *message; /* for the log: never contains parameter values */
    bool has_constraint; /* the server named one */
};

struct pg_connection_owner {
    void *owner;
    void (*ready)(void *owner); /* connected, statements prepared */
    /* True: the owner keeps the rows, and owes them a pg_rows_release. */
    bool (*rows)(void *owner, const struct pg_statement *statement, struct pg_rows *rows);
    /* A statement failed; what follows until the sync is skipped by the server and not reported. */
    void (*error)(void *owner, const struct pg_statement *statement, const struct pg_error *error);
    void (*synced)(void *owner); /* PGRES_PIPELINE_SYNC */
    void (*lost)(void *owner,
                 const char *why); /* nothing more comes of what was sent; reconnecting */
};

struct pg_connection_settings {
    /* libpq's: keywords ("host=... dbname=...") or a URI; copied. A host name in it is looked up by
     * the system's resolver, which blocks: give `hostaddr`, an IP address or a socket's folder. */
    const char *conninfo;
    const char *application_name;
    const struct pg_statement *const *statements; /* to prepare at connect; ended by NULL */
    const char *setup; /* SQL run at connect before preparing, e.g. "set ..."; NULL: none */
    int64_t connect_timeout_us;
    int64_t answer_timeout_us; /* no byte for so long while something is asked: lost. 0: never */
};

struct pg_connection *pg_connection_new(struct ev_loop *loop,
                                        const struct pg_connection_settings *settings,
                                        const struct pg_connection_owner *owner);
void pg_connection_free(struct pg_connection *connection); /* no callbacks any more */

bool pg_connection_is_ready(const struct pg_connection *connection);

/* Send: false only when not ready or out of memory (then nothing was sent for it). Callbacks never
 * come from inside these. */
bool pg_connection_ask(struct pg_connection *connection, const struct pg_statement *statement,
                       const struct pg_params *params);
bool pg_connection_sync(struct pg_connection *connection);
/* Bytes leave at the end of the loop turn (ev_prepare) by themselves. */

/* Give up on this connection: close, `lost` is called at the next loop turn, reconnect. */
void pg_connection_drop(struct pg_connection *connection, const char *why);

#endif
