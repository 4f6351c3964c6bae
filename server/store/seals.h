/* Seals in PostgreSQL: what is ready to be sealed, the seals, and what proves a transaction. Only
 * statements, encoding and decoding: the order of events is the sealer's (store/sealer.h), who may
 * see what is api/'s. */
#ifndef STORE_SEALS_H
#define STORE_SEALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/leaf.h"
#include "ledger/seal.h"
#include "store/pg_pool.h"

struct arena;

/* On a pool of the sealer's own, one connection: the lock is a session's. */
extern const struct pg_statement *const seals_statements[];
extern const struct pg_statement seals_look;        /* (): seals_take_look */
extern const struct pg_statement seals_unlock;      /* () */
extern const struct pg_statement seals_news;        /* (number, limit): seals_take, from it on */
extern const struct pg_statement seals_late;        /* (since): ids; see seals_take_ids */
extern const struct pg_statement seals_rows;        /* (after, until, horizon, limit) */
extern const struct pg_statement seals_late_rows;   /* (ids) */
extern const struct pg_statement seals_system_legs; /* (from, to, behind, ahead) */
extern const struct pg_statement seals_insert;

/* On the common pool. */
extern const struct pg_statement *const seals_proof_statements[];

struct seals_head {
    bool is_ours;                 /* we have the lock */
    int64_t now;                  /* PostgreSQL's clock, before the snapshot */
    int64_t oldest_running, next; /* transactions: all before `oldest_running` are complete */
    struct uuid oldest_unsealed;  /* nil: all is sealed */
    bool is_empty;                /* no seal yet */
    struct seal seal;             /* the newest: number, through, at */
    struct merkle_hash hash;
};

struct seals_head seals_take_head(const struct pg_rows *rows);

/* A seal as it is stored, with its hash, and its checkpoint with the signature. */
struct seals_stored {
    struct seal seal;
    struct merkle_hash hash;
    struct checkpoint checkpoint; /* its hash is what the seal says, recomputed */
};
#define SEALS_COLUMNS                                                                        \
    "s.number, s.origin, s.after_id, s.through_id, s.horizon, s.count, s.root, s.previous, " \
    "s.at, s.hash, s.key, s.signature"
#define SEALS_COLUMN_COUNT 12
struct seals_stored seals_take(const struct pg_rows *rows, int row);

/* A transaction's row with the postings of its two accounts; texts into the arena, or with NULL as
 * they are in `rows`. False: out of memory. */
#define SEALS_LEAF_COLUMNS                                                                    \
    "t.id, t.kind, t.currency, t.amount, t.fee, t.from_account, t.to_account, t.created_at, " \
    "t.note, t.reference, t.bundle, t.pricing, t.caller, t.from_version, t.to_version, "      \
    "t.written_by::text::bigint, t.trace_id, t.facts"
bool seals_take_leaf(const struct pg_rows *rows, int row, struct arena *arena, struct leaf *leaf);
/* The same without postings. */
bool seals_take_columns(const struct pg_rows *rows, int row, struct arena *arena,
                        struct leaf *leaf);

/* A posting of whichever transaction. */
struct seals_leg {
    struct uuid transaction;
    struct leaf_posting posting;
};
#define SEALS_LEG_COLUMNS \
    "p.transaction_id, p.account, p.version, p.amount, p.hold, p.posted_after, p.held_after"
struct seals_leg seals_take_leg(const struct pg_rows *rows, int row);

/* What a seal's row holds beside the seal. */
struct seals_writing {
    const struct seal *seal;
    const struct checkpoint *checkpoint; /* its hash, and who signed it */
    const uint8_t *salt;                 /* LEAF_SALT_SIZE */
    const uint8_t *leaves;               /* SEAL_ENTRY_SIZE each */
    const struct uuid *late;
    size_t late_count;
    const struct seals_range {
        struct uuid account;
        int64_t first, last; /* versions; last < first: none of it */
        int64_t cursor;      /* the new one; 0: stays */
    } * ranges;
    size_t range_count;
};
bool seals_write(struct pg_pool *pool, struct arena *arena, const struct seals_writing *writing,
                 pg_answer *answer, void *owner);

/* GET /v1/transactions/{id}/proof, in three questions. */
struct seals_question {
    struct arena *arena;
    void (*done)(struct seals_question *question);
    enum pg_outcome outcome;
    bool found;                       /* what was asked for */
    struct leaf leaf;                 /* seals_find_leaf; seals_find_legs adds to it */
    struct uuid from_owner, to_owner; /* nil: none */
    struct seals_stored stored;       /* seals_find_seal */
    uint8_t salt[LEAF_SALT_SIZE];
    struct merkle_hash *leaves; /* as many as stored.seal.count */
    size_t index;               /* the transaction's */
};
bool seals_find_leaf(struct pg_pool *pool, const struct uuid *id, struct seals_question *q);
bool seals_find_seal(struct pg_pool *pool, struct seals_question *q); /* not found: not sealed */
bool seals_find_legs(struct pg_pool *pool, struct seals_question *q);

#endif
