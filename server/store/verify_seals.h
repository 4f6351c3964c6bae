/* The chain of seals against what it seals: every leaf hashed again from its rows, every root,
 * every seal, every link; and the checkpoints outside against the chain. */
#ifndef STORE_VERIFY_SEALS_H
#define STORE_VERIFY_SEALS_H

#include <stdbool.h>
#include <stdint.h>

struct pg_conn; /* libpq's PGconn */
struct verify_line;

/* The checkpoints' file as it is before the snapshot: what is appended later is of later seals. */
struct verify_seals_file {
    const char *path; /* NULL: none */
    int64_t size;
};
struct verify_seals_file verify_seals_look(const char *path);

/* In the caller's transaction on `conn`. False: PostgreSQL refused; its message is on `conn`. */
bool verify_seals_check(struct pg_conn *conn, const struct verify_seals_file *file,
                        struct verify_line *line);

#endif
