/* Questions of one statement each, spread over a few pipelined connections: an implicit transaction
 * per question, its own sync (but see pg_pool_read). Used for everything but posting. Bounded: past
 * `queue_max` waiting questions new ones are refused. */
#ifndef STORE_PG_POOL_H
#define STORE_PG_POOL_H

#include <stdbool.h>

#include "store/pg_connection.h"

enum pg_outcome {
    PG_OK,
    PG_CONFLICT,   /* 23505: a unique key is taken */
    PG_REFUSED,    /* another SQL error; logged */
    PG_UNAVAILABLE /* no connection, or lost before the sync: for a write, unknown */
};

/* `rows` only when PG_OK, and only inside the call. */
typedef void pg_answer(void *owner, enum pg_outcome outcome, const struct pg_rows *rows);

struct pg_pool;

struct pg_pool_settings {
    struct pg_connection_settings connection;
    int connections;
    int queue_max;      /* waiting over all connections */
    bool is_background; /* not counted in the gauges and durations of what requests ask */
    int pipeline_max;   /* questions in flight per connection: a power of two, e.g. 32 */
};

struct pg_pool *pg_pool_new(struct ev_loop *loop, const struct pg_pool_settings *settings);
void pg_pool_free(struct pg_pool *pool); /* owners of open questions get PG_UNAVAILABLE */

/* False: refused at once (queue full, no memory), `answer` is not called. Otherwise it's called
 * exactly once, later, never from inside. */
bool pg_pool_ask(struct pg_pool *pool, const struct pg_statement *statement,
                 const struct pg_params *params, pg_answer *answer, void *owner);

/* The same for a statement that only reads, and that no parameter can make fail: those of a loop
 * turn share a transaction per connection, and one round of system calls here and there. Should one
 * fail nevertheless, those behind it in its transaction get PG_UNAVAILABLE. */
bool pg_pool_read(struct pg_pool *pool, const struct pg_statement *statement,
                  const struct pg_params *params, pg_answer *answer, void *owner);

void pg_pool_register_metrics(void); /* in the master, once */

bool pg_pool_is_ready(const struct pg_pool *pool); /* at least one connection is */

#endif
