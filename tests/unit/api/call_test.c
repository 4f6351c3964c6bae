/* What every call is made of, without a loop: ids and queries, tagged and stored answers. */
#include "api/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "asked.h"

static void test_ids_in_paths(void **state)
{
    struct asked asked;
    struct uuid id;
    (void)state;
    asked_start(&asked, "/", NULL);
    asked.request.parameters[0] = SLICE("wal_01jb0000000000000000000001");
    id = call_path_id(&asked.call, 0, "wal_");
    assert_false(uuid_is_nil(&id));
    id = call_path_id(&asked.call, 0, "tx_");
    assert_true(uuid_is_nil(&id));
    asked.request.parameters[0] = SLICE("wal_01jb000000000000000000000");
    id = call_path_id(&asked.call, 0, "wal_");
    assert_true(uuid_is_nil(&id));
    asked_end(&asked);
}

static void test_no_query_is_known(void **state)
{
    struct asked asked;
    (void)state;
    asked_start(&asked, "/", NULL);
    assert_true(call_expect_no_query(&asked.call));
    asked.request.query = SLICE("x");
    assert_false(call_expect_no_query(&asked.call));
    assert_int_equal(asked.call.problem.code, PROBLEM_INVALID_REQUEST);
    asked_end(&asked);
}

static const struct slice *header(const struct asked *asked, const char *name)
{
    const struct response *response = &asked->request.response;
    for (size_t i = 0; i < response->header_count; i++)
        if (slice_equals(response->headers[i].name, name))
            return &response->headers[i].value;
    return NULL;
}

static int answer_tagged(struct asked *asked, const char *text)
{
    struct bytes body;
    memset(&asked->request.response, 0, sizeof asked->request.response);
    bytes_init(&body, &asked->request.arena);
    bytes_add_text(&body, text);
    assert_int_equal(call_answer_tagged(&asked->call, &body), FLOW_DONE);
    return asked->request.response.status;
}

static void test_tags_are_of_the_content(void **state)
{
    struct asked asked;
    (void)state;
    asked_start(&asked, "/", NULL);
    assert_int_equal(answer_tagged(&asked, "{\"a\":1}"), 200);
    asked.request.if_none_match = *header(&asked, "etag");
    assert_int_equal(asked.request.if_none_match.length, 34);
    assert_int_equal(answer_tagged(&asked, "{\"a\":1}"), 304);
    assert_int_equal(asked.request.response.body.length, 0);
    assert_true(slice_equal(*header(&asked, "etag"), asked.request.if_none_match));
    assert_int_equal(answer_tagged(&asked, "{\"a\":2}"), 200);
    assert_false(slice_equal(*header(&asked, "etag"), asked.request.if_none_match));
    asked_end(&asked);
}

static void test_stored_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        const char *type;
        const char *code;
    } answers[] = {
        {201, "{\"code\":\"internal\"}", "application/json", NULL},
        {200, "{}", "application/json", NULL},
        {422, "{\"x\":{\"code\":\"internal\"},\"code\":\"wallet_frozen\"}",
         "application/problem+json", "wallet_frozen"},
        {404, "{\"code\":\"no_such_code\"}", "application/problem+json", NULL},
        {422, "{\"code\":7}", "application/problem+json", NULL},
        {422, "broken", "application/problem+json", NULL},
        {204, "", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct asked asked;
        asked_start(&asked, "/", NULL);
        assert_int_equal(
            call_answer_stored(&asked.call, answers[i].status, slice_of(answers[i].body)),
            FLOW_DONE);
        const struct response *response = &asked.request.response;
        assert_int_equal(response->status, answers[i].status);
        assert_true(slice_equals(response->body, answers[i].body));
        if (answers[i].type != NULL)
            assert_string_equal(response->content_type, answers[i].type);
        if (answers[i].code != NULL)
            assert_string_equal(response->code, answers[i].code);
        else
            assert_null(response->code);
        asked_end(&asked);
    }
}

static void test_outcomes(void **state)
{
    struct asked asked;
    (void)state;
    asked_start(&asked, "/", NULL);
    call_refuse_outcome(&asked.call, PG_UNAVAILABLE);
    assert_int_equal(asked.call.problem.code, PROBLEM_DATABASE_UNAVAILABLE);
    call_refuse_outcome(&asked.call, PG_REFUSED);
    assert_int_equal(asked.call.problem.code, PROBLEM_INTERNAL);
    struct bytes body = {.failed = true};
    call_answer(&asked.call, 200, &body);
    assert_int_equal(asked.call.problem.code, PROBLEM_OVERLOADED);
    asked_end(&asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_in_paths),
        cmocka_unit_test(test_no_query_is_known),
        cmocka_unit_test(test_tags_are_of_the_content),
        cmocka_unit_test(test_stored_answers),
        cmocka_unit_test(test_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
