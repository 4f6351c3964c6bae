#include "ledger/leaf.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

/* The first byte of what is hashed says what it is: 0x00 and 0x01 are the tree's. */
enum { TAG_LEAF = 0x00, TAG_POSTING = 0x02, TAG_SEALED = 0x03, TAG_BLIND = 0x04 };
enum { FORMAT = 1 };

#define NULL_LENGTH UINT32_MAX

static int compare(const struct leaf_posting *a, const struct leaf_posting *b)
{
    int order = uuid_compare(&a->account, &b->account);
    return order != 0 ? order : (a->version > b->version) - (a->version < b->version);
}

bool leaf_add_posting(struct leaf *leaf, const struct leaf_posting *posting)
{
    size_t at = leaf->posting_count;
    while (at > 0 && compare(&leaf->postings[at - 1], posting) > 0)
        at--;
    if (at > 0 && compare(&leaf->postings[at - 1], posting) == 0)
        return true;
    if (leaf->posting_count == LEAF_POSTINGS_MAX)
        return false;
    memmove(&leaf->postings[at + 1], &leaf->postings[at],
            (leaf->posting_count - at) * sizeof leaf->postings[0]);
    leaf->postings[at] = *posting;
    leaf->posting_count++;
    return true;
}

void leaf_blind(const uint8_t salt[LEAF_SALT_SIZE], const struct uuid *id, size_t part,
                uint8_t blind[LEAF_BLIND_SIZE])
{
    uint8_t text[1 + LEAF_SALT_SIZE + sizeof id->bytes + 1] = {TAG_BLIND};
    uint8_t hash[CRYPTO_HASH_SIZE];
    assert(part <= LEAF_POSTINGS_MAX);
    memcpy(text + 1, salt, LEAF_SALT_SIZE);
    memcpy(text + 1 + LEAF_SALT_SIZE, id->bytes, sizeof id->bytes);
    text[sizeof text - 1] = (uint8_t)part;
    crypto_sha256((struct slice){(const char *)text, sizeof text}, hash);
    memcpy(blind, hash, LEAF_BLIND_SIZE);
}

static void put_be64(uint8_t *at, int64_t number)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
}

struct merkle_hash leaf_commit_posting(const struct leaf_posting *posting,
                                       const uint8_t blind[LEAF_BLIND_SIZE])
{
    const int64_t numbers[] = {posting->version, posting->amount, posting->hold,
                               posting->posted_after, posting->held_after};
    uint8_t text[1 + LEAF_BLIND_SIZE + 16 + sizeof numbers] = {TAG_POSTING};
    struct merkle_hash hash = {{0}};
    memcpy(text + 1, blind, LEAF_BLIND_SIZE);
    memcpy(text + 1 + LEAF_BLIND_SIZE, posting->account.bytes, 16);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        put_be64(text + 1 + LEAF_BLIND_SIZE + 16 + 8 * i, numbers[i]);
    crypto_sha256((struct slice){(const char *)text, sizeof text}, hash.bytes);
    return hash;
}

static void add_id(struct bytes *out, const struct uuid *id)
{
    bytes_add(out, id->bytes, sizeof id->bytes);
}

static void add_number(struct bytes *out, int64_t number)
{
    bytes_add_be64(out, (uint64_t)number);
}

static void add_text(struct bytes *out, struct slice text)
{
    bytes_add_be32(out, text.at == NULL ? NULL_LENGTH : (uint32_t)text.length);
    bytes_add_slice(out, text);
}

static void commit_sealed(const struct leaf *leaf, const uint8_t blind[LEAF_BLIND_SIZE],
                          struct bytes *space, struct merkle_hash *hash)
{
    bytes_clear(space);
    bytes_add_char(space, TAG_SEALED);
    bytes_add(space, blind, LEAF_BLIND_SIZE);
    add_id(space, &leaf->caller);
    add_number(space, leaf->from_version);
    add_number(space, leaf->to_version);
    add_number(space, leaf->written_by);
    add_text(space, leaf->trace_id);
    add_text(space, leaf->facts);
    crypto_sha256(bytes_view(space), hash->bytes);
}

bool leaf_commit(const struct leaf *leaf, const uint8_t salt[LEAF_SALT_SIZE], struct bytes *space,
                 struct leaf_commitments *commitments)
{
    uint8_t blind[LEAF_BLIND_SIZE];
    leaf_blind(salt, &leaf->id, 0, blind);
    commit_sealed(leaf, blind, space, &commitments->sealed);
    for (size_t i = 0; i < leaf->posting_count; i++) {
        leaf_blind(salt, &leaf->id, 1 + i, blind);
        commitments->postings[i] = leaf_commit_posting(&leaf->postings[i], blind);
    }
    commitments->posting_count = leaf->posting_count;
    return !space->failed;
}

bool leaf_hash(const struct leaf *leaf, const struct leaf_commitments *commitments,
               struct bytes *space, struct merkle_hash *hash)
{
    bytes_clear(space);
    bytes_add_char(space, TAG_LEAF);
    bytes_add_char(space, FORMAT);
    add_id(space, &leaf->id);
    bytes_add_be16(space, (uint16_t)leaf->kind);
    bytes_add_be32(space, leaf->currency);
    add_number(space, leaf->amount);
    add_number(space, leaf->fee);
    add_id(space, &leaf->from);
    add_id(space, &leaf->to);
    add_number(space, leaf->created_at);
    add_text(space, leaf->note);
    add_text(space, leaf->reference);
    add_text(space, leaf->bundle);
    add_text(space, leaf->pricing);
    bytes_add(space, commitments->sealed.bytes, MERKLE_HASH_SIZE);
    bytes_add_be32(space, (uint32_t)commitments->posting_count);
    for (size_t i = 0; i < commitments->posting_count; i++)
        bytes_add(space, commitments->postings[i].bytes, MERKLE_HASH_SIZE);
    if (space->failed)
        return false;
    *hash = merkle_leaf(bytes_view(space));
    return true;
}

bool leaf_is_balanced(const struct leaf *leaf)
{
    int64_t sum = 0;
    for (size_t i = 0; i < leaf->posting_count; i++)
        if (__builtin_add_overflow(sum, leaf->postings[i].amount, &sum))
            return false;
    return leaf->posting_count > 0 && sum == 0;
}
