/* What a request becomes: methods, paths, headers, trace ids, bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
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

static struct request *ask(const char *method, const char *path, struct slice *body,
                           const nghttp2_nv *more)
{
    size_t before = pair.kept_count;
    pair_request(&pair, method, path, body, more);
    pair_run(&pair);
    assert_int_equal(pair.kept_count, before + 1);
    return pair.kept[before];
}

static void test_methods(void **state)
{
    static const struct {
        const char *text;
        enum request_method method;
    } methods[] = {
        {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},   {"POST", METHOD_POST},
        {"PATCH", METHOD_PATCH},     {"PUT", METHOD_PUT},     {"DELETE", METHOD_DELETE},
        {"OPTIONS", METHOD_OPTIONS}, {"get", METHOD_OTHER},   {"GETS", METHOD_OTHER},
        {"PROPFIND", METHOD_OTHER},  {"OTHER", METHOD_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_int_equal(ask(methods[i].text, "/", NULL, NULL)->method, methods[i].method);
}

static void test_path_and_query(void **state)
{
    static const struct {
        const char *whole, *path, *query;
    } paths[] = {
        {"/", "/", ""},          {"/a/b", "/a/b", ""},        {"/a?", "/a", ""},
        {"/a?b=c", "/a", "b=c"}, {"/a?b=c?d", "/a", "b=c?d"}, {"/%41?%42", "/%41", "%42"},
        {"/?a", "/", "a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct request *request = ask("GET", paths[i].whole, NULL, NULL);
        assert_true(slice_equals(request->path, paths[i].path));
        assert_true(slice_equals(request->query, paths[i].query));
    }
    assert_true(slice_equals(ask("OPTIONS", "*", NULL, NULL)->path, "*"));
}

static void test_headers_that_count_are_kept(void **state)
{
    const nghttp2_nv more[] = {pair_field("content-type", "application/json"),
                               pair_field("authorization", "Bearer abc"),
                               pair_field("idempotency-key", "k-1"),
                               pair_field("if-none-match", "\"7\""),
                               pair_field("last-event-id", "12"),
                               pair_field("moolah-version", "2026-12-01"),
                               pair_field("user-agent", "test"),
                               pair_field("x-unknown", "ignored"),
                               {0}};
    (void)state;
    struct request *request = ask("POST", "/", NULL, more);
    assert_true(slice_equals(request->content_type, "application/json"));
    assert_true(slice_equals(request->authorization, "Bearer abc"));
    assert_true(slice_equals(request->idempotency_key, "k-1"));
    assert_true(slice_equals(request->if_none_match, "\"7\""));
    assert_true(slice_equals(request->last_event_id, "12"));
    assert_true(slice_equals(request->moolah_version, "2026-12-01"));
    assert_true(slice_equals(request->user_agent, "test"));
    assert_int_equal(request->fault, REQUEST_FINE);
    assert_int_equal(request->client.bytes[12], 10);
    assert_int_equal(request->arrived, pair.now);
    assert_int_equal(request->deadline, pair.now + session_limits_default.request_timeout_us);
    assert_false(request->has_client_certificate);
}

static void test_headers_that_count_come_once(void **state)
{
    static const char *const names[] = {"authorization", "idempotency-key", "content-type"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        /* an empty one is one, too */
        const nghttp2_nv more[] = {pair_field(names[i], ""), pair_field(names[i], "b"), {0}};
        int32_t id = pair_request(&pair, "POST", "/", NULL, more);
        pair_run(&pair);
        assert_int_equal(pair.answers[id].status, 400);
    }
    const nghttp2_nv twice[] = {pair_field("user-agent", "a"), pair_field("user-agent", "b"), {0}};
    assert_true(slice_equals(ask("GET", "/", NULL, twice)->user_agent, "b"));
}

static bool has_trace(const char *text, uint8_t first, uint8_t last)
{
    const nghttp2_nv more[] = {pair_field("traceparent", text), {0}};
    const struct request *request = ask("GET", "/", NULL, more);
    return request->trace_id[0] == first && request->trace_id[15] == last;
}

static void test_traceparent(void **state)
{
    (void)state;
    assert_true(has_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 0x0a, 0x9c));
    /* made here when it's missing or no good; that it is the same by accident takes 2^16 tries */
    assert_false(has_trace("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 0x0a, 0x9c));
    assert_false(has_trace("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 0x0a, 0x9c));
    assert_false(has_trace("00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01", 0x0a, 0x9c));
    assert_false(has_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", 0x0a, 0x9c));
    assert_false(has_trace("00-00000000000000000000000000000000-b7ad6b7169203331-01", 0, 0));
}

static void test_ids_differ(void **state)
{
    (void)state;
    struct request *one = ask("GET", "/", NULL, NULL);
    struct request *two = ask("GET", "/", NULL, NULL);
    assert_memory_not_equal(&one->id, &two->id, sizeof one->id);
    assert_memory_not_equal(one->trace_id, two->trace_id, sizeof one->trace_id);
}

static void test_bodies_come_whole(void **state)
{
    static char text[65536];
    static const size_t sizes[] = {0, 1, 127, 128, 16384, 16385, 65535, 65536};
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct slice body = {text, sizes[i]};
        struct request *request = ask("POST", "/", &body, NULL);
        assert_int_equal(request->body.length, sizes[i]);
        if (sizes[i] > 0)
            assert_memory_equal(request->body.at, text, sizes[i]);
    }
}

/* Headers are counted as RFC 9113, 6.5.2 says: name, value and 32 each. */
static void test_the_header_limit_is_exact(void **state)
{
    static char value[16384];
    size_t fixed = 4 * 32 + 7 + 3 + 7 + 5 + 10 + 9 + 5 + 1; /* what pair_request sends with GET / */
    size_t room = session_limits_default.header_bytes_max - fixed - 32 - 1;
    (void)state;
    memset(value, 'v', room);
    const nghttp2_nv more[] = {pair_field("x", value), {0}};
    ask("GET", "/", NULL, more);
    value[room] = 'v';
    const nghttp2_nv too_many[] = {pair_field("x", value), {0}};
    int32_t id = pair_request(&pair, "GET", "/", NULL, too_many);
    pair_run(&pair);
    assert_int_equal(pair.answers[id].status, 431);
}

/* A body that can't be kept is our trouble, not the client's. */
static void test_no_memory_for_a_body(void **state)
{
    static char text[60000];
    int unlike = 0;
    (void)state;
    for (long n = 0; n < 60; n++) {
        struct slice body = {text, sizeof text};
        pair_request(&pair, "POST", "/", &body, NULL);
        memory_fail_after(n);
        pair_ask(&pair);
        memory_fail_never();
        pair_run(&pair);
        for (size_t i = 0; i < 2 * PAIR_STREAMS; i++)
            unlike += pair.answers[i].status == 413;
        tear_down(NULL);
        set_up(NULL);
    }
    assert_int_equal(unlike, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_methods),
        TEST(test_path_and_query),
        TEST(test_headers_that_count_are_kept),
        TEST(test_headers_that_count_come_once),
        TEST(test_traceparent),
        TEST(test_ids_differ),
        TEST(test_bodies_come_whole),
        TEST(test_the_header_limit_is_exact),
        TEST(test_no_memory_for_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
