#include "base/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define MOST 70

static struct merkle_hash leaves[MOST];

static int begin(void **state)
{
    (void)state;
    for (int i = 0; i < MOST; i++) {
        char framed[8];
        int length = snprintf(framed + 1, sizeof framed - 1, "%d", i);
        framed[0] = 0;
        leaves[i] = merkle_leaf((struct slice){framed, (size_t)length + 1});
    }
    return crypto_start() ? 0 : -1;
}

static void assert_hex(const struct merkle_hash *hash, const char *expected)
{
    struct bytes hex;
    bytes_init(&hex, NULL);
    bytes_add_hex(&hex, hash->bytes, sizeof hash->bytes);
    bytes_add_char(&hex, '\0');
    assert_string_equal(hex.at, expected);
    bytes_release(&hex);
}

/* The reference tree of Certificate Transparency's implementations, of RFC 6962 and 9162. */
static void test_the_reference_tree(void **state)
{
    static const struct slice entries[] = {SLICE("\0"),         SLICE("\0\x00"),
                                           SLICE("\0\x10"),     SLICE("\0\x20\x21"),
                                           SLICE("\0\x30\x31"), SLICE("\0\x40\x41\x42\x43"),
                                           SLICE("\0PQRSTUVW"), SLICE("\0`abcdefghijklmno")};
    static const char *const roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct merkle_hash hashes[8];
    (void)state;
    for (size_t i = 0; i < 8; i++)
        hashes[i] = merkle_leaf(entries[i]);
    for (size_t count = 0; count <= 8; count++) {
        const struct merkle_hash root = merkle_root(hashes, count);
        assert_hex(&root, roots[count]);
    }
}

/* Of every size and leaf: the path found leads to the root, and nothing else does. */
static void test_paths_of_all_sizes(void **state)
{
    (void)state;
    for (size_t count = 1; count <= MOST; count++) {
        const struct merkle_hash root = merkle_root(leaves, count);
        for (size_t i = 0; i < count; i++) {
            struct merkle_path path;
            merkle_path_find(leaves, count, i, &path);
            assert_true(merkle_path_leads(&path, &leaves[i], i, count, &root));
            assert_false(merkle_path_leads(&path, &leaves[(i + 1) % MOST], i, count, &root));
            for (size_t other = 0; other <= count; other++)
                assert_int_equal(merkle_path_leads(&path, &leaves[i], other, count, &root),
                                 other == i);
        }
    }
}

static void test_a_changed_path_leads_nowhere(void **state)
{
    (void)state;
    for (size_t count = 1; count <= MOST; count += 3) {
        const struct merkle_hash root = merkle_root(leaves, count);
        struct merkle_hash other = root;
        struct merkle_path path;
        size_t index = count * 2 / 3;
        other.bytes[31] ^= 1;
        merkle_path_find(leaves, count, index, &path);
        assert_false(merkle_path_leads(&path, &leaves[index], index, count, &other));
        for (size_t i = 0; i < path.count; i++) {
            path.nodes[i].bytes[i % 32] ^= 0x80;
            assert_false(merkle_path_leads(&path, &leaves[index], index, count, &root));
            path.nodes[i].bytes[i % 32] ^= 0x80;
        }
        path.count++;
        path.nodes[path.count - 1] = root;
        assert_false(merkle_path_leads(&path, &leaves[index], index, count, &root));
        path.count -= 2;
        if (count > 1)
            assert_false(merkle_path_leads(&path, &leaves[index], index, count, &root));
    }
}

static void test_what_strangers_say(void **state)
{
    const struct merkle_path none = {.count = 0};
    const struct merkle_path endless = {.count = MERKLE_PATH_MAX + 1};
    (void)state;
    assert_true(merkle_path_leads(&none, &leaves[0], 0, 1, &leaves[0]));
    assert_false(merkle_path_leads(&none, &leaves[0], 0, 0, &leaves[0]));
    assert_false(merkle_path_leads(&none, &leaves[0], SIZE_MAX, SIZE_MAX, &leaves[0]));
    assert_false(merkle_path_leads(&none, &leaves[0], 0, SIZE_MAX, &leaves[0]));
    assert_false(merkle_path_leads(&endless, &leaves[0], 0, 2, &leaves[0]));
}

/* An inner node is no leaf: the tree of two, offered as a leaf of 64 bytes. */
static void test_nodes_and_leaves_are_hashed_apart(void **state)
{
    char framed[1 + 2 * MERKLE_HASH_SIZE] = {0};
    (void)state;
    memcpy(framed + 1, leaves[0].bytes, MERKLE_HASH_SIZE);
    memcpy(framed + 1 + MERKLE_HASH_SIZE, leaves[1].bytes, MERKLE_HASH_SIZE);
    const struct merkle_hash forged = merkle_leaf((struct slice){framed, sizeof framed});
    const struct merkle_hash root = merkle_root(leaves, 2);
    assert_memory_not_equal(&forged, &root, sizeof root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reference_tree),
        cmocka_unit_test(test_paths_of_all_sizes),
        cmocka_unit_test(test_a_changed_path_leads_nowhere),
        cmocka_unit_test(test_what_strangers_say),
        cmocka_unit_test(test_nodes_and_leaves_are_hashed_apart),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
