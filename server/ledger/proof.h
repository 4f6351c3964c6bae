/* A proof that a transaction stands in the sealed ledger: its leaf, the path from it to a seal's
 * root, the seal, and the seal's signed checkpoint. A JSON document (docs/proof.md), written by
 * the server for a party of the transaction and checked by anybody who has the public key. */
#ifndef LEDGER_PROOF_H
#define LEDGER_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/leaf.h"
#include "ledger/seal.h"

struct arena;
struct bytes;

/* One of a leaf's postings as the reader may see it: with its fields, or only its commitment. */
struct proof_posting {
    bool is_shown;
    uint8_t blind[LEAF_BLIND_SIZE];
    struct leaf_posting posting;
};

struct proof {
    struct leaf leaf; /* everybody's fields; its postings are not looked at, those below are */
    struct leaf_commitments commitments;
    struct proof_posting postings[LEAF_POSTINGS_MAX]; /* as many as commitments.posting_count */
    struct merkle_hash leaf_hash;
    size_t index;
    struct merkle_path path;
    struct seal seal;
    struct merkle_hash seal_hash;
    struct checkpoint checkpoint; /* of an unsigned seal: is_signed is false */
};

void proof_write(const struct proof *proof, struct bytes *out);

/* Texts live in the arena. False: `what` says what is missing or no proof's ("/leaf/amount"). */
bool proof_read(struct slice text, struct arena *arena, struct proof *proof, char what[160]);

enum proof_verdict {
    PROOF_GOOD,
    PROOF_LEAF_DIFFERS,       /* the transaction's fields don't have the leaf's hash */
    PROOF_PATH_ASTRAY,        /* the leaf isn't under the seal's root */
    PROOF_SEAL_DIFFERS,       /* the seal's fields don't have its hash */
    PROOF_CHECKPOINT_DIFFERS, /* the checkpoint is of another seal */
    PROOF_UNSIGNED,
    PROOF_OTHER_KEY, /* signed by another key than ours */
    PROOF_FORGED     /* the signature is wrong */
};

enum proof_verdict proof_check(const struct proof *proof, const uint8_t key[CRYPTO_PUBLIC_SIZE]);
const char *proof_verdict_text(enum proof_verdict verdict); /* for people */
const char *proof_verdict_name(enum proof_verdict verdict); /* for machines: "good" ... */

/* Ids as documents have them: "wal_..." of a wallet, "sys_..." of the system's own accounts. */
void proof_format_account(const struct uuid *account, char text[UUID_TEXT_MAX]);

#endif
