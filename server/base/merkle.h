/* Merkle trees of SHA-256 as in RFC 9162 (Certificate Transparency), section 2.1: leaves and inner
 * nodes are hashed apart (0x00, 0x01), so that no node passes for a leaf. */
#ifndef BASE_MERKLE_H
#define BASE_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define MERKLE_HASH_SIZE 32
#define MERKLE_PATH_MAX 32 /* leaves are at most 2^31 */

struct merkle_hash {
    uint8_t bytes[MERKLE_HASH_SIZE];
};

/* `framed` begins with a byte that is the leaf's 0x00: so nothing is copied. */
struct merkle_hash merkle_leaf(struct slice framed);

/* Of no leaves: the hash of nothing. */
struct merkle_hash merkle_root(const struct merkle_hash *leaves, size_t count);

struct merkle_path {
    struct merkle_hash nodes[MERKLE_PATH_MAX]; /* from the leaf up */
    size_t count;
};

/* The nodes that lead from leaf `index` to the root. */
void merkle_path_find(const struct merkle_hash *leaves, size_t count, size_t index,
                      struct merkle_path *path);

/* Does the path lead from that leaf to that root? Asserts nothing: all of it may be a stranger's.
 */
bool merkle_path_leads(const struct merkle_path *path, const struct merkle_hash *leaf, size_t index,
                       size_t count, const struct merkle_hash *root);

#endif
