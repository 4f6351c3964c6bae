#include "ledger/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"

#define LEAVES 5
#define INDEX 3

static const uint8_t seed[CRYPTO_SEED_SIZE] = {1, 2, 3};
static uint8_t key[CRYPTO_PUBLIC_SIZE];
static const uint8_t salt[LEAF_SALT_SIZE] = {7};
static struct proof sample;
static struct bytes document;

static void make_leaf(struct leaf *leaf, struct bytes *space)
{
    const struct leaf_posting postings[] = {
        {.account = {{1, 2}}, .version = 4, .amount = -1050, .posted_after = 10},
        {.account = {{3, 4}}, .version = 1, .amount = 1000, .hold = 3, .posted_after = 1000},
        {.account = {{[10] = 2}}, .version = 9, .amount = 50, .posted_after = 50},
    };
    *leaf = (struct leaf){.id = {{0, 1, 2}},
                          .kind = 2,
                          .currency = CURRENCY_ZAR,
                          .amount = 1000,
                          .fee = 50,
                          .from = postings[0].account,
                          .to = postings[1].account,
                          .created_at = 1764000000123456,
                          .note = SLICE("rent \"\xc3\xa9\"\n"),
                          .bundle = SLICE("01234567890123456789012345678901"),
                          .pricing = SLICE("[{\"rule\":\"a@1\"}]"),
                          .facts = SLICE("{}"),
                          .trace_id = SLICE("trace")};
    for (size_t i = 0; i < 3; i++)
        assert_true(leaf_add_posting(leaf, &postings[i]));
    assert_true(leaf_commit(leaf, salt, space, &sample.commitments));
}

static int begin(void **state)
{
    struct merkle_hash leaves[LEAVES] = {{{1}}, {{2}}, {{3}}, {{0}}, {{5}}};
    struct bytes space;
    (void)state;
    if (!crypto_start())
        return -1;
    bytes_init(&space, NULL);
    make_leaf(&sample.leaf, &space);
    assert_true(leaf_hash(&sample.leaf, &sample.commitments, &space, &sample.leaf_hash));
    bytes_release(&space);
    leaves[INDEX] = sample.leaf_hash;
    sample.index = INDEX;
    merkle_path_find(leaves, LEAVES, INDEX, &sample.path);
    sample.postings[2] =
        (struct proof_posting){.is_shown = true, .posting = sample.leaf.postings[2]};
    leaf_blind(salt, &sample.leaf.id, 3, sample.postings[2].blind);
    sample.seal = (struct seal){.origin = "demo",
                                .number = 12,
                                .count = LEAVES,
                                .horizon = 5,
                                .root = merkle_root(leaves, LEAVES),
                                .at = 1764000001000000};
    sample.seal_hash = seal_hash(&sample.seal);
    sample.checkpoint = seal_checkpoint(&sample.seal);
    seal_sign(&sample.checkpoint, seed);
    crypto_ed25519_public(seed, key);
    bytes_init(&document, NULL);
    proof_write(&sample, &document);
    return document.failed ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    bytes_release(&document);
    return 0;
}

static enum proof_verdict verdict_of(struct slice text, const uint8_t *with)
{
    struct arena arena;
    struct proof proof;
    char what[160] = "";
    arena_init(&arena);
    if (!proof_read(text, &arena, &proof, what))
        fail_msg("%s", what);
    enum proof_verdict verdict = proof_check(&proof, with);
    arena_release(&arena);
    return verdict;
}

static void test_there_and_back(void **state)
{
    struct arena arena;
    struct proof back;
    struct bytes again;
    char what[160];
    (void)state;
    arena_init(&arena);
    assert_true(proof_read(bytes_view(&document), &arena, &back, what));
    assert_int_equal(proof_check(&back, key), PROOF_GOOD);
    bytes_init(&again, NULL);
    proof_write(&back, &again);
    assert_true(slice_equal(bytes_view(&again), bytes_view(&document)));
    bytes_release(&again);
    arena_release(&arena);
}

/* The document with one piece of text put in another's place. */
static void write_changed(const char *from, const char *to, struct bytes *text)
{
    const char *end = document.at + document.length;
    const char *at = memmem(document.at, document.length, from, strlen(from));
    if (at == NULL)
        fail_msg("%s is not in it", from);
    bytes_init(text, NULL);
    bytes_add(text, document.at, (size_t)(at - document.at));
    bytes_add_text(text, to);
    bytes_add(text, at + strlen(from), (size_t)(end - at) - strlen(from));
}

static enum proof_verdict changed(const char *from, const char *to)
{
    struct bytes text;
    write_changed(from, to, &text);
    enum proof_verdict verdict = verdict_of(bytes_view(&text), key);
    bytes_release(&text);
    return verdict;
}

static void test_what_was_changed_is_found(void **state)
{
    static const struct {
        const char *from, *to;
        enum proof_verdict verdict;
    } changes[] = {
        {"\"amount\":1000,\"fee\"", "\"amount\":1001,\"fee\"", PROOF_LEAF_DIFFERS},
        {"\"fee\":50", "\"fee\":0", PROOF_LEAF_DIFFERS},
        {"\"kind\":2", "\"kind\":1", PROOF_LEAF_DIFFERS},
        {"\"ZAR\"", "\"USD\"", PROOF_LEAF_DIFFERS},
        {"rent", "loan", PROOF_LEAF_DIFFERS},
        {"\"reference\":null", "\"reference\":\"\"", PROOF_LEAF_DIFFERS},
        {"2025-11-24T16:00:00.123456Z", "2025-11-24T16:00:00.123457Z", PROOF_LEAF_DIFFERS},
        {"a@1", "a@2", PROOF_LEAF_DIFFERS},
        {"\"hold\":3", "\"hold\":4", PROOF_LEAF_DIFFERS},
        {"\"posted_after\":1000", "\"posted_after\":2000", PROOF_LEAF_DIFFERS},
        {"\"index\":3", "\"index\":2", PROOF_PATH_ASTRAY},
        {"\"count\":5", "\"count\":6", PROOF_SEAL_DIFFERS},
        {"\"path\":[\"",
         "\"path\":[\"0000000000000000000000000000000000000000000000000000000000000"
         "000\",\"",
         PROOF_PATH_ASTRAY},
        {"\"number\":12", "\"number\":13", PROOF_SEAL_DIFFERS},
        {"\"horizon\":5", "\"horizon\":6", PROOF_SEAL_DIFFERS},
        {"\"origin\":\"demo\",\"number\"", "\"origin\":\"live\",\"number\"", PROOF_SEAL_DIFFERS},
        {"\"origin\":\"demo\",\"seal\"", "\"origin\":\"live\",\"seal\"", PROOF_CHECKPOINT_DIFFERS},
        {"\"seal\":12", "\"seal\":11", PROOF_CHECKPOINT_DIFFERS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (changed(changes[i].from, changes[i].to) != changes[i].verdict)
            fail_msg("%s -> %s: %s", changes[i].from, changes[i].to,
                     proof_verdict_name(changed(changes[i].from, changes[i].to)));
}

/* Sixteen bits of a kind are hashed: one that is another in the bits above isn't the same. */
static void test_a_kind_that_is_too_large(void **state)
{
    static const char *const kinds[] = {"\"kind\":65538", "\"kind\":-65534", "\"kind\":4294967298"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct arena arena;
        struct bytes text;
        struct proof proof;
        char what[160] = "";
        write_changed("\"kind\":2", kinds[i], &text);
        arena_init(&arena);
        assert_false(proof_read(bytes_view(&text), &arena, &proof, what));
        assert_string_equal(what, "/leaf/kind is not what it must be");
        arena_release(&arena);
        bytes_release(&text);
    }
}

/* No byte of it can be another without being no proof any more. */
static void test_no_byte_can_be_another(void **state)
{
    struct slice text = bytes_view(&document);
    char *copy = malloc(text.length);
    (void)state;
    assert_non_null(copy);
    for (size_t i = 0; i < text.length; i++) {
        struct arena arena;
        struct proof proof;
        char what[160];
        memcpy(copy, text.at, text.length);
        copy[i] = copy[i] == '1' ? '2' : '1';
        arena_init(&arena);
        if (proof_read((struct slice){copy, text.length}, &arena, &proof, what))
            assert_int_not_equal(proof_check(&proof, key), PROOF_GOOD);
        else
            assert_true(strlen(what) > 0);
        arena_release(&arena);
    }
    free(copy);
}

static void test_keys(void **state)
{
    uint8_t other[CRYPTO_PUBLIC_SIZE];
    struct proof proof = sample;
    (void)state;
    memcpy(other, key, sizeof other);
    other[0] ^= 1;
    assert_int_equal(verdict_of(bytes_view(&document), other), PROOF_OTHER_KEY);
    proof.checkpoint.signature[3] ^= 1;
    assert_int_equal(proof_check(&proof, key), PROOF_FORGED);
    proof.checkpoint = seal_checkpoint(&proof.seal);
    assert_int_equal(proof_check(&proof, key), PROOF_UNSIGNED);
}

/* A seal without signature is told as such, and read back. */
static void test_unsigned(void **state)
{
    struct proof proof = sample;
    struct bytes text;
    (void)state;
    proof.checkpoint.is_signed = false;
    bytes_init(&text, NULL);
    proof_write(&proof, &text);
    assert_non_null(memmem(text.at, text.length, "\"checkpoint\":null", 17));
    assert_int_equal(verdict_of(bytes_view(&text), key), PROOF_UNSIGNED);
    bytes_release(&text);
}

static void test_what_is_no_proof(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"format\":\"moolah proof 2\"}",
        "{\"format\":\"moolah proof 1\",\"leaf\":[]}",
        "{\"format\":\"moolah proof 1\",\"leaf\":{},\"path\":{},\"index\":-1,\"seal\":null}",
        "{\"format\":\"moolah proof 1\",\"leaf\":{\"kind\":1,\"postings\":[1,null]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena;
        struct proof proof;
        char what[160] = "";
        arena_init(&arena);
        assert_false(proof_read(slice_of(texts[i]), &arena, &proof, what));
        assert_true(strlen(what) > 0);
        arena_release(&arena);
    }
    for (int i = PROOF_GOOD; i <= PROOF_FORGED; i++)
        assert_true(strlen(proof_verdict_text((enum proof_verdict)i)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_was_changed_is_found),
        cmocka_unit_test(test_a_kind_that_is_too_large),
        cmocka_unit_test(test_no_byte_can_be_another),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_what_is_no_proof),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
