#include "ledger/leaf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/crypto.h"

static uint8_t salt[LEAF_SALT_SIZE];
static const struct leaf_posting payer = {{{0}}, 3, -1050, -20, 8950, 5};
static const struct leaf_posting payee = {{{0}}, 1, 1000, 0, 1000, 0};
static const struct leaf_posting fees = {{{[15] = 7}}, 9, 50, 0, 50, 0};
static char bundle[32];
static char trace[16];

static struct leaf sample(void)
{
    struct leaf leaf = {
        .kind = 2,
        .currency = CURRENCY_ZAR,
        .amount = 1000,
        .fee = 50,
        .created_at = INT64_C(1764000000123456),
        .note = SLICE("n\xc3\xa9"),
        .reference = {NULL, 0},
        .bundle = {bundle, sizeof bundle},
        .pricing = SLICE(""),
        .from_version = 3,
        .to_version = 1,
        .written_by = 777,
        .trace_id = {trace, sizeof trace},
        .facts = SLICE("{\"tier\":0}"),
    };
    struct leaf_posting posting;
    memset(leaf.id.bytes, 1, 16);
    memset(leaf.from.bytes, 0x20, 16);
    memset(leaf.to.bytes, 0x30, 16);
    memset(leaf.caller.bytes, 0x40, 16);
    posting = payee;
    posting.account = leaf.to;
    assert_true(leaf_add_posting(&leaf, &posting));
    posting = payer;
    posting.account = leaf.from;
    assert_true(leaf_add_posting(&leaf, &posting));
    assert_true(leaf_add_posting(&leaf, &fees));
    assert_true(leaf_add_posting(&leaf, &fees)); /* there already */
    return leaf;
}

static int begin(void **state)
{
    (void)state;
    memset(bundle, 0x60, sizeof bundle);
    memset(trace, 0x50, sizeof trace);
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)i;
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

static struct merkle_hash hash_of(const struct leaf *leaf, const uint8_t *with_salt)
{
    struct leaf_commitments commitments;
    struct merkle_hash hash;
    struct bytes space;
    bytes_init(&space, NULL);
    assert_true(leaf_commit(leaf, with_salt, &space, &commitments));
    assert_true(leaf_hash(leaf, &commitments, &space, &hash));
    bytes_release(&space);
    return hash;
}

/* Computed from docs/proof.md by another program: the format is for ever. */
static void test_the_format(void **state)
{
    const struct leaf leaf = sample();
    struct leaf_commitments commitments;
    struct bytes space;
    (void)state;
    bytes_init(&space, NULL);
    assert_true(leaf_commit(&leaf, salt, &space, &commitments));
    bytes_release(&space);
    assert_int_equal(commitments.posting_count, 3);
    assert_hex(&commitments.sealed,
               "505778892079ce352dac20bc05e91556a9a412e070f54b5d00c7f5df06dceaaa");
    assert_hex(&commitments.postings[1],
               "f1c9a70810b200cc67c354d8556613d995a56c79d308fe94b1eb0bee37357c18");
    const struct merkle_hash hash = hash_of(&leaf, salt);
    assert_hex(&hash, "c7169539ef14accc33849ecfc4bac2ba32d36653c42ea50ea64cb150d32b810f");
}

static void assert_differs(const struct leaf *leaf)
{
    const struct leaf right = sample();
    const struct merkle_hash a = hash_of(&right, salt);
    const struct merkle_hash b = hash_of(leaf, salt);
    assert_memory_not_equal(&a, &b, sizeof a);
}

#define CHANGED(change)              \
    do {                             \
        struct leaf leaf = sample(); \
        leaf.change;                 \
        assert_differs(&leaf);       \
    } while (0)

/* Every field counts, and where one ends and the next begins. */
static void test_every_field_counts(void **state)
{
    (void)state;
    CHANGED(id.bytes[15] = 0);
    CHANGED(kind = 3);
    CHANGED(currency++);
    CHANGED(amount++);
    CHANGED(fee--);
    CHANGED(from.bytes[0] = 0);
    CHANGED(to.bytes[0] = 0);
    CHANGED(created_at++);
    CHANGED(note = SLICE("e"));
    CHANGED(reference = SLICE(""));
    CHANGED(bundle.length--);
    CHANGED(pricing.at = NULL);
    CHANGED(caller.bytes[3] = 0);
    CHANGED(from_version++);
    CHANGED(to_version++);
    CHANGED(written_by++);
    CHANGED(trace_id.length--);
    CHANGED(facts = SLICE("{\"tier\":1}"));
    CHANGED(posting_count--);
    for (size_t i = 0; i < 3; i++) {
        CHANGED(postings[i].account.bytes[7] ^= 1);
        CHANGED(postings[i].version++);
        CHANGED(postings[i].amount++);
        CHANGED(postings[i].hold++);
        CHANGED(postings[i].posted_after++);
        CHANGED(postings[i].held_after++);
    }
    struct leaf moved = sample();
    moved.note = SLICE("n\xc3");
    moved.reference = SLICE("\xa9");
    assert_differs(&moved);
}

/* The same posting under another salt, of another transaction or at another place has another
 * commitment: nothing can be looked up in a list. */
static void test_commitments_are_blind(void **state)
{
    const struct leaf leaf = sample();
    uint8_t blinds[4][LEAF_BLIND_SIZE];
    uint8_t other[LEAF_SALT_SIZE] = {9};
    struct uuid id = leaf.id;
    (void)state;
    id.bytes[0]++;
    leaf_blind(salt, &leaf.id, 1, blinds[0]);
    leaf_blind(salt, &leaf.id, 2, blinds[1]);
    leaf_blind(salt, &id, 1, blinds[2]);
    leaf_blind(other, &leaf.id, 1, blinds[3]);
    for (size_t a = 0; a < 4; a++)
        for (size_t b = 0; b < a; b++)
            assert_memory_not_equal(blinds[a], blinds[b], LEAF_BLIND_SIZE);
}

static void test_what_is_balanced(void **state)
{
    struct leaf leaf = sample();
    const struct leaf none = {.posting_count = 0};
    (void)state;
    assert_true(leaf_is_balanced(&leaf));
    assert_false(leaf_is_balanced(&none));
    leaf.postings[1].amount++;
    assert_false(leaf_is_balanced(&leaf));
    leaf.postings[0].amount = INT64_MAX;
    leaf.postings[1].amount = INT64_MAX;
    assert_false(leaf_is_balanced(&leaf));
}

static void test_postings_are_sorted_and_bounded(void **state)
{
    struct leaf leaf = {.posting_count = 0};
    (void)state;
    for (int i = 0; i < LEAF_POSTINGS_MAX; i++) {
        const struct leaf_posting posting = {.account = {{(uint8_t)(i * 7 % 5)}},
                                             .version = 20 - i};
        assert_true(leaf_add_posting(&leaf, &posting));
    }
    for (size_t i = 1; i < leaf.posting_count; i++) {
        const struct leaf_posting *a = &leaf.postings[i - 1];
        const struct leaf_posting *b = &leaf.postings[i];
        int order = uuid_compare(&a->account, &b->account);
        assert_true(order < 0 || (order == 0 && a->version < b->version));
    }
    const struct leaf_posting more = {.account = {{200}}, .version = 1};
    assert_false(leaf_add_posting(&leaf, &more));
    assert_int_equal(leaf.posting_count, LEAF_POSTINGS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_format),
        cmocka_unit_test(test_every_field_counts),
        cmocka_unit_test(test_commitments_are_blind),
        cmocka_unit_test(test_what_is_balanced),
        cmocka_unit_test(test_postings_are_sorted_and_bounded),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
