/* What an answer looks like on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/base/dies.h"
#include "tests/unit/http/pair.h"

static struct pair pair;

static int set_up(void **state)
{
    (void)state;
    memset(&pair, 0, sizeof pair);
    pair.keeps = true;
    return pair_open(&pair, &session_limits_default, 65535, false) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pair_close(&pair);
    return 0;
}

static struct request *ask(const char *method)
{
    pair_request(&pair, method, "/", NULL, NULL);
    pair_run(&pair);
    return pair.kept[--pair.kept_count];
}

/* Its answer, once it's given. */
static const struct pair_answer *answer(struct request *request)
{
    int32_t id = request->stream_id;
    request_answer(request);
    pair_run(&pair);
    assert_true(pair.answers[id].closed);
    bytes_add_char(&pair.answers[id].headers, '\0');
    return &pair.answers[id];
}

static bool has(const struct pair_answer *given, const char *header)
{
    return strstr(given->headers.at, header) != NULL;
}

static void test_what_every_answer_says(void **state)
{
    char id[UUID_TEXT_MAX + 20] = "x-request-id: ";
    (void)state;
    struct request *request = ask("GET");
    uuid_format(&request->id, "req_", id + strlen(id));
    response_json(request, 200, SLICE("{\"a\":1}"));
    response_header_add(request, "etag", SLICE("\"1\""));
    const struct pair_answer *given = answer(request);
    assert_int_equal(given->status, 200);
    assert_true(has(given, id));
    assert_true(has(given, "\ncontent-type: application/json\n"));
    assert_true(has(given, "\ncontent-length: 7\n"));
    assert_true(has(given, "\ncache-control: no-store\n"));
    assert_true(has(given, "\nx-content-type-options: nosniff\n"));
    assert_true(has(given, "\netag: \"1\"\n"));
    assert_int_equal(given->body.length, 7);
    assert_memory_equal(given->body.at, "{\"a\":1}", 7);
}

static void test_caching_can_be_allowed(void **state)
{
    (void)state;
    struct request *request = ask("GET");
    response_json(request, 200, SLICE("{}"));
    response_header_add(request, "cache-control", SLICE("max-age=60"));
    const struct pair_answer *given = answer(request);
    assert_true(has(given, "cache-control: max-age=60"));
    assert_false(has(given, "no-store"));
}

static void test_head_has_the_length_but_no_body(void **state)
{
    (void)state;
    struct request *request = ask("HEAD");
    response_json(request, 200, SLICE("{\"a\":1}"));
    const struct pair_answer *given = answer(request);
    assert_true(has(given, "content-length: 7\n"));
    assert_int_equal(given->body.length, 0);
}

static void test_no_content_has_no_length(void **state)
{
    static const int statuses[] = {204, 304};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct request *request = ask("DELETE");
        request->response.status = statuses[i];
        const struct pair_answer *given = answer(request);
        assert_int_equal(given->status, statuses[i]);
        assert_false(has(given, "content-length"));
        assert_false(has(given, "\ncontent-type"));
    }
}

static void test_large_bodies_come_whole(void **state)
{
    static char text[1000000];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 13 + i / 251);
    struct request *request = ask("GET");
    response_json(request, 200, (struct slice){text, sizeof text});
    const struct pair_answer *given = answer(request);
    assert_int_equal(given->body.length, sizeof text);
    assert_memory_equal(given->body.at, text, sizeof text);
}

static void answer_twice(void *request)
{
    request_answer(request);
    request_answer(request);
}

static void test_exactly_once(void **state)
{
    (void)state;
    struct request *request = ask("GET");
    response_json(request, 200, SLICE("{}"));
    assert_true(dies(answer_twice, request));
    answer(request);
    assert_int_equal(pair.answered, 1);
}

/* The 503 of a deadline leaves alone what the flow has begun to fill in. */
static void test_timeout_keeps_the_flows_response(void **state)
{
    (void)state;
    struct request *request = ask("POST");
    int32_t id = request->stream_id;
    response_json(request, 201, SLICE("{}"));
    response_header_add(request, "etag", SLICE("\"1\""));
    request_answer_timeout(request);
    pair_ask(&pair);
    assert_int_equal(request->response.status, 201);
    assert_int_equal(request->response.header_count, 1);
    pair_run(&pair);
    assert_int_equal(pair.answers[id].status, 503);
    bytes_add_char(&pair.answers[id].headers, '\0');
    assert_true(has(&pair.answers[id], "retry-after: 1"));
    assert_true(has(&pair.answers[id], "application/problem+json"));
    assert_false(has(&pair.answers[id], "etag"));
    request_answer(request);
}

/* Whatever allocation fails, the stream ends; when even that can't be said, the connection does. */
static void test_no_memory_for_an_answer(void **state)
{
    bool failed = true;
    (void)state;
    for (long n = 0; failed; n++) {
        struct request *request = ask("GET");
        int32_t id = request->stream_id;
        response_json(request, 200, SLICE("{}"));
        memory_fail_after(n);
        request_answer(request);
        failed = memory_failed();
        memory_fail_never();
        pair_run(&pair);
        if (pair.answers[id].closed)
            assert_true(pair.answers[id].status == 200 ||
                        pair.answers[id].reset == NGHTTP2_INTERNAL_ERROR);
        else
            assert_false(pair_expire(&pair, 0));
        tear_down(NULL);
        set_up(NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_every_answer_says),           TEST(test_caching_can_be_allowed),
        TEST(test_head_has_the_length_but_no_body),  TEST(test_no_content_has_no_length),
        TEST(test_large_bodies_come_whole),          TEST(test_exactly_once),
        TEST(test_timeout_keeps_the_flows_response), TEST(test_no_memory_for_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
