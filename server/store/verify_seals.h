/* The chain of seals against what it seals: every leaf hashed again from its rows, every root,
 * every seal, every link; and the checkpoints outside against the chain. */
#ifndef STORE_VERIFY_SEALS_H
#define STORE_VERIFY_SEALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"

struct pg_conn; /* libpq's PGconn */
struct verify_line;

/* The checkpoints' file as it is before the snapshot: what is appended later is of later seals. */
struct verify_seals_file {
    const char *path; /* NULL: none */
    int64_t size;
};
struct verify_seals_file verify_seals_look(const char *path);

/* Whose signatures are believed: a key, or all there ever were when it was changed. */
#define VERIFY_SEALS_KEYS_MAX 16
struct verify_seals_keys {
    size_t count;
    uint8_t keys[VERIFY_SEALS_KEYS_MAX][CRYPTO_PUBLIC_SIZE];
};

/* In the caller's transaction on `conn`. `keys`: NULL: each signature is held to the key it names,
 * whosever that is; else one that isn't by them is broken, and so is a chain that nobody signed.
 * Either way, behind a signed seal all are. False: PostgreSQL refused; its message is on `conn`. */
bool verify_seals_check(struct pg_conn *conn, const struct verify_seals_file *file,
                        const struct verify_seals_keys *keys, struct verify_line *line);

#endif
