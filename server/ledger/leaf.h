/* A transaction and its postings as a leaf of a seal's Merkle tree: which bytes are hashed
 * (docs/proof.md has the format, for ever). What only some of its parties may see, each posting
 * with its balances and what priced and caused the transaction, stands in the leaf as a commitment:
 * the hash of it and a blind, so that a party can be shown its own and cannot guess the others'. */
#ifndef LEDGER_LEAF_H
#define LEDGER_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/merkle.h"
#include "base/slice.h"
#include "base/uuid.h"

struct bytes;

#define LEAF_POSTINGS_MAX 16
#define LEAF_BLIND_SIZE 16
#define LEAF_SALT_SIZE 32

struct leaf_posting {
    struct uuid account;
    int64_t version;
    int64_t amount; /* the change of what is posted */
    int64_t hold;   /* ... and of what is held */
    int64_t posted_after;
    int64_t held_after;
};

/* Every column of the row. */
struct leaf {
    struct uuid id;
    int kind;
    currency currency;
    int64_t amount, fee;
    struct uuid from, to;
    int64_t created_at;                    /* Unix us */
    struct slice note, reference, pricing; /* {NULL,0}: null */
    struct slice bundle;                   /* bytes */
    struct uuid caller;                    /* from here on: behind `sealed` below */
    int64_t from_version, to_version;
    int64_t written_by;
    struct slice trace_id, facts;
    struct leaf_posting
        postings[LEAF_POSTINGS_MAX]; /* by account, then version: leaf_add_posting */
    size_t posting_count;
};

/* Everybody's fields, and hashes instead of the others: what a leaf's hash is made of. */
struct leaf_commitments {
    struct merkle_hash sealed; /* of caller, versions, written_by, trace, facts */
    struct merkle_hash postings[LEAF_POSTINGS_MAX];
    size_t posting_count;
};

/* Where it belongs; one that stands there already is left out. False: there is no room. */
bool leaf_add_posting(struct leaf *leaf, const struct leaf_posting *posting);

/* The blind of a leaf's part: 0 is what is sealed, 1 + i the posting i. */
void leaf_blind(const uint8_t salt[LEAF_SALT_SIZE], const struct uuid *id, size_t part,
                uint8_t blind[LEAF_BLIND_SIZE]);

struct merkle_hash leaf_commit_posting(const struct leaf_posting *posting,
                                       const uint8_t blind[LEAF_BLIND_SIZE]);

/* `space` is used and cleared; false: it had no memory. */
bool leaf_commit(const struct leaf *leaf, const uint8_t salt[LEAF_SALT_SIZE], struct bytes *space,
                 struct leaf_commitments *commitments);

/* Of everybody's fields in `leaf` and the commitments. */
bool leaf_hash(const struct leaf *leaf, const struct leaf_commitments *commitments,
               struct bytes *space, struct merkle_hash *hash);

/* Do the postings sum to zero, and is there one at least? Nothing else is ever sealed. */
bool leaf_is_balanced(const struct leaf *leaf);

#endif
