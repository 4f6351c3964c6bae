/* Covers: server/store/gate_token.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/gate.h"

static const struct uuid somebody = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}};

static void test_tokens_say_who_they_claim_to_be(void **state)
{
    static const enum gate_caller kinds[] = {GATE_USER, GATE_PARTNER};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char token[GATE_TOKEN_MAX];
        char other[GATE_TOKEN_MAX];
        uint8_t hash[32];
        uint8_t other_hash[32];
        struct uuid id = {{0}};
        gate_token_new(kinds[i], &somebody, token);
        gate_token_new(kinds[i], &somebody, other);
        assert_string_not_equal(token, other);
        assert_int_equal(gate_token_parse(slice_of(token), &id), kinds[i]);
        assert_true(uuid_equal(&id, &somebody));
        gate_token_hash(slice_of(token), hash);
        gate_token_hash(slice_of(other), other_hash);
        assert_memory_not_equal(hash, other_hash, 32);
    }
}

/* Each byte of it matters: spoiled, it is no token or another one. */
static void test_what_is_no_token(void **state)
{
    char token[GATE_TOKEN_MAX];
    struct uuid id = {{0}};
    (void)state;
    gate_token_new(GATE_USER, &somebody, token);
    size_t length = strlen(token);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(gate_token_parse((struct slice){token, cut}, &id), GATE_NOBODY);
    for (size_t i = 0; i < length; i++) {
        static const char spoilers[] = " \"=+/.\n";
        for (size_t s = 0; s < sizeof spoilers; s++) {
            char spoiled[GATE_TOKEN_MAX];
            memcpy(spoiled, token, sizeof spoiled);
            spoiled[i] = spoilers[s];
            assert_int_equal(gate_token_parse((struct slice){spoiled, length}, &id), GATE_NOBODY);
        }
    }
    memcpy(token + length, "A", 2);
    assert_int_equal(gate_token_parse(slice_of(token), &id), GATE_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_say_who_they_claim_to_be),
        cmocka_unit_test(test_what_is_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
