/* The accounts of a movement as they stand now: read beside posting, without a lock, for what may
 * be a moment old. Same conventions as store/users.h. */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/account.h"
#include "store/pg_pool.h"

struct arena;

struct snapshot_question {
    struct arena *arena;
    void (*done)(struct snapshot_question *question);
    enum pg_outcome outcome;
    struct account *accounts; /* those there are, in the order of their ids */
    size_t count;
    bool bundle_stored; /* the files of the bundle can be read from the database */
};

/* `bundle`: 32 bytes, the hash of the rules that are asked meanwhile. */
bool snapshot_find(struct pg_pool *pool, const struct uuid *ids, size_t count,
                   const uint8_t *bundle, struct snapshot_question *q);

extern const struct pg_statement *const snapshot_statements[];

#endif
