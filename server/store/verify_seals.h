/* The chain of seals against what it seals: every leaf hashed again from its rows, every root,
 * every seal, every link; and the checkpoints outside against the chain. */
#ifndef STORE_VERIFY_SEALS_H
#define STORE_VERIFY_SEALS_H

#include <stdbool.h>

struct pg_conn; /* libpq's PGconn */
struct verify_line;

/* In the caller's transaction on `conn`. `checkpoints`: a file, or NULL. False: PostgreSQL refused;
 * its message is on `conn`. */
bool verify_seals_check(struct pg_conn *conn, const char *checkpoints, struct verify_line *line);

#endif
