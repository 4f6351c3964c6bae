#include "store/seal_round.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "store/pg_rows.h"

static const char no_memory[] = "out of memory";

static void be_in_trouble(struct seal_round *round, const struct uuid *transaction,
                          const char *what)
{
    char id[UUID_TEXT_MAX];
    uuid_format(transaction, "tx_", id);
    snprintf(round->trouble_text, sizeof round->trouble_text, "%s %s", id, what);
    round->trouble = round->trouble_text;
}

void seal_round_take_late(struct seal_round *round, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    round->late = arena_array(round->arena, count, sizeof round->late[0]);
    if (round->late == NULL) {
        round->trouble = no_memory;
        return;
    }
    round->late_count = count;
    for (size_t i = 0; i < count; i++)
        round->late[i] = pg_rows_uuid(rows, (int)i, 0);
}

static int compare_ids(const void *a, const void *b)
{
    const struct leaf *left = a;
    const struct leaf *right = b;
    return uuid_compare(&left->id, &right->id);
}

void seal_round_take_rows(struct seal_round *round, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    round->leaves = arena_array(round->arena, count, sizeof round->leaves[0]);
    if (round->leaves == NULL) {
        round->trouble = no_memory;
        return;
    }
    round->count = count;
    for (size_t i = 0; i < count; i++)
        if (!seals_take_leaf(rows, (int)i, round->arena, &round->leaves[i]))
            round->trouble = no_memory;
    qsort(round->leaves, count, sizeof round->leaves[0], compare_ids);
}

static int compare_legs(const void *a, const void *b)
{
    const struct leaf_posting *left = &((const struct seals_leg *)a)->posting;
    const struct leaf_posting *right = &((const struct seals_leg *)b)->posting;
    int order = uuid_compare(&left->account, &right->account);
    return order != 0 ? order : (left->version > right->version) - (left->version < right->version);
}

/* To its transaction, if that is in this seal. */
static bool place_leg(struct seal_round *round, const struct seals_leg *leg)
{
    const struct leaf key = {.id = leg->transaction};
    struct leaf *leaf =
        bsearch(&key, round->leaves, round->count, sizeof round->leaves[0], compare_ids);
    if (leaf == NULL)
        return false;
    if (!leaf_add_posting(leaf, &leg->posting))
        be_in_trouble(round, &leaf->id, "has more postings than a seal knows");
    return true;
}

struct sorted_leg {
    struct seals_leg leg;
    int64_t cursor; /* its account's, before */
};

/* Those of one account, by version: which belong to this seal, and how far there is no gap. */
static size_t take_account(struct seal_round *round, const struct sorted_leg *legs, size_t count)
{
    struct seals_range *range = &round->ranges[round->range_count++];
    int64_t cursor = legs[0].cursor;
    size_t i = 0;
    *range =
        (struct seals_range){.account = legs[0].leg.posting.account, .first = INT64_MAX, .last = 0};
    for (; i < count && uuid_equal(&legs[i].leg.posting.account, &range->account); i++) {
        int64_t version = legs[i].leg.posting.version;
        cursor += version == cursor + 1;
        if (!place_leg(round, &legs[i].leg))
            continue;
        range->first = version < range->first ? version : range->first;
        range->last = version;
    }
    range->cursor = cursor > legs[0].cursor ? cursor : 0;
    return i;
}

void seal_round_take_legs(struct seal_round *round, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    struct sorted_leg *legs = arena_array(round->arena, count, sizeof legs[0]);
    round->ranges = arena_array(round->arena, count, sizeof round->ranges[0]);
    if (legs == NULL || round->ranges == NULL) {
        round->trouble = no_memory;
        return;
    }
    for (size_t i = 0; i < count; i++)
        legs[i] = (struct sorted_leg){seals_take_leg(rows, (int)i), pg_rows_int(rows, (int)i, 7)};
    _Static_assert(offsetof(struct sorted_leg, leg) == 0, "compare_legs");
    qsort(legs, count, sizeof legs[0], compare_legs);
    for (size_t i = 0; i < count;)
        i += take_account(round, legs + i, count - i);
}

/* False: trouble. */
static bool hash_leaf(struct seal_round *round, size_t i, struct bytes *space,
                      struct merkle_hash *hash)
{
    const struct leaf *leaf = &round->leaves[i];
    struct leaf_commitments commitments;
    if (!leaf_is_balanced(leaf)) {
        be_in_trouble(round, &leaf->id, "has postings that don't sum to zero");
        return false;
    }
    if (!leaf_commit(leaf, round->salt, space, &commitments) ||
        !leaf_hash(leaf, &commitments, space, hash)) {
        round->trouble = no_memory;
        return false;
    }
    memcpy(round->entries + i * SEAL_ENTRY_SIZE, leaf->id.bytes, sizeof leaf->id.bytes);
    memcpy(round->entries + i * SEAL_ENTRY_SIZE + 16, hash->bytes, sizeof hash->bytes);
    return true;
}

void seal_round_hash(struct seal_round *round)
{
    struct merkle_hash *hashes = arena_array(round->arena, round->count, sizeof hashes[0]);
    struct bytes space;
    round->entries = arena_alloc(round->arena, round->count * SEAL_ENTRY_SIZE);
    if (hashes == NULL || round->entries == NULL) {
        round->trouble = no_memory;
        return;
    }
    crypto_random(round->salt, sizeof round->salt);
    bytes_init(&space, NULL);
    bool good = round->trouble == NULL;
    for (size_t i = 0; good && i < round->count; i++)
        good = hash_leaf(round, i, &space, &hashes[i]);
    bytes_release(&space);
    if (good)
        round->seal.root = merkle_root(hashes, round->count);
}

struct seals_writing seal_round_writing(const struct seal_round *round)
{
    return (struct seals_writing){.seal = &round->seal,
                                  .checkpoint = &round->checkpoint,
                                  .salt = round->salt,
                                  .leaves = round->entries,
                                  .late = round->late,
                                  .late_count = round->late_count,
                                  .ranges = round->ranges,
                                  .range_count = round->range_count};
}
