/* Idempotency-Key as it may be written, and as it may not; answers given again. */
#include "api/idempotency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "asked.h"

static bool reads(const char *header, const char *expected)
{
    struct asked asked;
    struct slice key = {NULL, 0};
    asked_start(&asked, "/", NULL);
    asked.request.idempotency_key = slice_of(header);
    bool good = idempotency_read(&asked.call, true, &key);
    if (!good)
        assert_int_equal(asked.call.problem.code, PROBLEM_IDEMPOTENCY_KEY_INVALID);
    bool same = good && slice_equals(key, expected);
    asked_end(&asked);
    return same;
}

static void test_forms(void **state)
{
    char longest[300];
    char quoted[300];
    (void)state;
    memset(longest, 'k', sizeof longest);
    longest[256] = '\0';
    assert_false(reads(longest, longest));
    longest[255] = '\0';
    assert_true(reads(longest, longest));
    quoted[0] = '"';
    memcpy(quoted + 1, longest, 255);
    memcpy(quoted + 256, "\"", 2);
    assert_true(reads(quoted, longest));
    assert_true(reads("k", "k"));
    assert_true(reads("\"k\"", "k"));
    assert_true(reads("~!{}", "~!{}"));
    assert_true(reads("\"", "\""));
    static const char *const bad[] = {"",    "\"\"",        "a b",  " a",
                                      "a\t", "caf\xc3\xa9", "\x7f", "\x01"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(reads(bad[i], bad[i]));
}

static void test_absence(void **state)
{
    struct asked asked;
    struct slice key = {NULL, 0};
    (void)state;
    asked_start(&asked, "/", NULL);
    assert_true(idempotency_read(&asked.call, false, &key));
    assert_null(key.at);
    assert_false(asked.call.refused);
    assert_false(idempotency_read(&asked.call, true, &key));
    assert_int_equal(asked.call.problem.code, PROBLEM_IDEMPOTENCY_KEY_MISSING);
    /* without a key there is nothing to ask or to find */
    struct idempotency none = {.key = {NULL, 0}};
    assert_int_equal(idempotency_ask(&asked.call, &none), FLOW_NEXT);
    assert_int_equal(idempotency_check(&asked.call, &none), FLOW_NEXT);
    asked_end(&asked);
}

/* What was found decides; an answer goes out as it was stored. */
static void test_what_is_found(void **state)
{
    struct asked asked;
    struct idempotency found = {.key = SLICE("k"), .earlier = {.outcome = PG_OK}};
    (void)state;
    asked_start(&asked, "/", NULL);
    assert_int_equal(idempotency_check(&asked.call, &found), FLOW_NEXT);
    found.earlier.found = true;
    found.earlier.answer_status = 422;
    found.earlier.answer_body = SLICE("{\"code\":\"limit_exceeded\",\"x\":1}");
    assert_int_equal(idempotency_check(&asked.call, &found), FLOW_DONE);
    const struct response *response = &asked.request.response;
    assert_int_equal(response->status, 422);
    assert_string_equal(response->content_type, "application/problem+json");
    assert_string_equal(response->code, "limit_exceeded");
    assert_true(slice_equal(response->body, found.earlier.answer_body));
    assert_true(slice_equals(response->headers[0].name, "idempotency-replayed"));
    assert_string_equal(asked.request.log_kind, "replayed");
    found.earlier.key_reused = true;
    assert_int_equal(idempotency_check(&asked.call, &found), FLOW_DONE);
    assert_int_equal(asked.call.problem.code, PROBLEM_IDEMPOTENCY_KEY_REUSED);
    found.earlier.outcome = PG_UNAVAILABLE;
    assert_int_equal(idempotency_check(&asked.call, &found), FLOW_DONE);
    assert_int_equal(asked.call.problem.code, PROBLEM_DATABASE_UNAVAILABLE);
    asked_end(&asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_absence),
        cmocka_unit_test(test_what_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
