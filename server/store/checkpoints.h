/* The file of checkpoints, outside the database: a line of JSON per seal (ledger/seal.h), only ever
 * appended to, each on disk before the next seal is made. Who rewrites the database can't rewrite
 * it, too; who has an older database finds it ahead. One process writes it (a lock tells). */
#ifndef STORE_CHECKPOINTS_H
#define STORE_CHECKPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/seal.h"

struct bytes;

struct checkpoints {
    int fd; /* -1: not open */
    int64_t size;
    bool has_last;
    struct checkpoint last;
};

/* Open or make it, take its lock, and read its last line; one that was torn off by a crash is taken
 * away. False: `error` says why, nothing is open. */
bool checkpoints_open(struct checkpoints *file, const char *path, char error[160]);
void checkpoints_close(struct checkpoints *file);

/* Append whole lines and have them on disk; `last` is what the last of them says. False: errno, and
 * the file is as it was. */
bool checkpoints_append(struct checkpoints *file, const struct bytes *lines,
                        const struct checkpoint *last);

/* Ed25519's seed, 64 hex digits and a newline. False: `error` says why. */
bool checkpoints_read_key(const char *path, uint8_t seed[CRYPTO_SEED_SIZE], char error[160]);

#endif
