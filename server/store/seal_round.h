/* The material of one seal: transactions with their postings, brought together, hashed. Filled from
 * answers in the loop's thread, hashed on any. */
#ifndef STORE_SEAL_ROUND_H
#define STORE_SEAL_ROUND_H

#include "store/seals.h"

struct pg_rows;

struct seal_round {
    struct arena *arena;
    const char *trouble; /* what forbids to seal it; NULL: nothing */
    char trouble_text[120];
    struct leaf *leaves; /* by id */
    size_t count;
    struct uuid *late; /* these alone are sealed, when there are any */
    size_t late_count;
    struct seals_range *ranges;
    size_t range_count;
    struct seal seal; /* the sealer fills it but for the root */
    struct checkpoint checkpoint;
    uint8_t salt[LEAF_SALT_SIZE];
    uint8_t *entries; /* SEAL_ENTRY_SIZE each */
};

/* Answers of the statements of their names in store/seals.h. Out of memory is a trouble. */
void seal_round_take_late(struct seal_round *round, const struct pg_rows *rows);
void seal_round_take_rows(struct seal_round *round, const struct pg_rows *rows);
void seal_round_take_legs(struct seal_round *round, const struct pg_rows *rows);

/* A new salt, the leaves' hashes, the root. */
void seal_round_hash(struct seal_round *round);

struct seals_writing seal_round_writing(const struct seal_round *round);

#endif
