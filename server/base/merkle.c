#include "base/merkle.h"

#include <assert.h>
#include <string.h>

#include "base/crypto.h"

_Static_assert(MERKLE_HASH_SIZE == CRYPTO_HASH_SIZE, "SHA-256");

struct merkle_hash merkle_leaf(struct slice framed)
{
    struct merkle_hash hash = {{0}};
    assert(framed.length > 0 && framed.at[0] == 0);
    crypto_sha256(framed, hash.bytes);
    return hash;
}

static struct merkle_hash node_of(const struct merkle_hash *left, const struct merkle_hash *right)
{
    struct merkle_hash hash = {{0}};
    uint8_t text[1 + 2 * MERKLE_HASH_SIZE] = {0x01};
    memcpy(text + 1, left->bytes, MERKLE_HASH_SIZE);
    memcpy(text + 1 + MERKLE_HASH_SIZE, right->bytes, MERKLE_HASH_SIZE);
    crypto_sha256((struct slice){(const char *)text, sizeof text}, hash.bytes);
    return hash;
}

/* The largest power of two below `count`: so many leaves are on the left. */
static size_t left_of(size_t count)
{
    size_t left = 1;
    while (left * 2 < count)
        left *= 2;
    return left;
}

struct merkle_hash merkle_root(const struct merkle_hash *leaves, size_t count)
{
    if (count == 1)
        return leaves[0];
    if (count == 0) {
        struct merkle_hash nothing = {{0}};
        crypto_sha256((struct slice){NULL, 0}, nothing.bytes);
        return nothing;
    }
    size_t left = left_of(count);
    const struct merkle_hash a = merkle_root(leaves, left);
    const struct merkle_hash b = merkle_root(leaves + left, count - left);
    return node_of(&a, &b);
}

void merkle_path_find(const struct merkle_hash *leaves, size_t count, size_t index,
                      struct merkle_path *path)
{
    struct merkle_hash down[MERKLE_PATH_MAX]; /* from the root down */
    size_t depth = 0;
    assert(index < count);
    while (count > 1) {
        size_t left = left_of(count);
        bool is_left = index < left;
        assert(depth < MERKLE_PATH_MAX);
        down[depth++] =
            is_left ? merkle_root(leaves + left, count - left) : merkle_root(leaves, left);
        leaves += is_left ? 0 : left;
        index -= is_left ? 0 : left;
        count = is_left ? left : count - left;
    }
    path->count = depth;
    for (size_t i = 0; i < depth; i++)
        path->nodes[i] = down[depth - 1 - i];
}

/* RFC 9162, 2.1.3.2. */
bool merkle_path_leads(const struct merkle_path *path, const struct merkle_hash *leaf, size_t index,
                       size_t count, const struct merkle_hash *root)
{
    struct merkle_hash hash = *leaf;
    size_t at = index;
    size_t last = count - 1;
    if (index >= count || path->count > MERKLE_PATH_MAX)
        return false;
    for (size_t i = 0; i < path->count; i++) {
        if (last == 0)
            return false;
        if ((at & 1) == 0 && at != last) {
            hash = node_of(&hash, &path->nodes[i]);
        } else {
            hash = node_of(&path->nodes[i], &hash);
            for (; (at & 1) == 0 && at != 0; last >>= 1)
                at >>= 1;
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && memcmp(hash.bytes, root->bytes, sizeof hash.bytes) == 0;
}
