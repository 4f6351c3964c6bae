/* A seal: the Merkle root over a range of transactions, chained to the seal before it, and its
 * checkpoint: the seal's hash under the operators' signature, kept outside the database. The bytes
 * are docs/proof.md's. */
#ifndef LEDGER_SEAL_H
#define LEDGER_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/merkle.h"
#include "base/slice.h"
#include "base/uuid.h"

struct bytes;
struct json;

#define SEAL_ORIGIN_MAX 64  /* with its NUL */
#define SEAL_LEAVES_MAX 512 /* a proof reads all of one seal's */
#define SEAL_ENTRY_SIZE 48  /* of the table's `leaves`: id and hash */

struct seal {
    char origin[SEAL_ORIGIN_MAX]; /* [a-z0-9._-], which ledger */
    int64_t number;               /* 1, 2, 3, ... */
    size_t count;
    struct uuid after, through; /* after < ids <= through, and late ones */
    int64_t horizon;            /* PostgreSQL transactions before it were complete */
    struct merkle_hash root;
    struct merkle_hash previous; /* hash of the seal before; zeros for the first */
    int64_t at;                  /* Unix us */
};

struct checkpoint {
    char origin[SEAL_ORIGIN_MAX];
    int64_t seal;
    struct merkle_hash hash;
    int64_t at;
    bool is_signed;
    uint8_t key[CRYPTO_PUBLIC_SIZE];
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

bool seal_is_origin(const char *text); /* 1 to 63 of [a-z0-9._-]? */

struct merkle_hash seal_hash(const struct seal *seal);

/* The checkpoint of a seal, not signed yet. */
struct checkpoint seal_checkpoint(const struct seal *seal);

void seal_sign(struct checkpoint *checkpoint, const uint8_t seed[CRYPTO_SEED_SIZE]);
/* By the key it names. */
bool seal_is_signed_well(const struct checkpoint *checkpoint);

/* A checkpoint as JSON, one line without its end; and read back. False: that is none. */
void seal_write_checkpoint(const struct checkpoint *checkpoint, struct bytes *out);
bool seal_read_checkpoint(struct slice line, struct checkpoint *checkpoint);
bool seal_take_checkpoint(const struct json *value, struct checkpoint *checkpoint); /* NULL: no */

/* 64 hex digits of lower case and the like. False: `text` isn't exactly `length` bytes of it. */
bool seal_read_hex(struct slice text, void *out, size_t length);

#endif
