/* Filling in a response. How it looks on the wire: request_answer_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/base/dies.h"
#include "tests/unit/http/offline.h"

static void add_one(void *request)
{
    response_header_add(request, "x", SLICE("y"));
}

static void test_headers_keep_their_order_and_number(void **state)
{
    struct request *request = offline_request(METHOD_GET, "/");
    (void)state;
    response_header_add(request, "etag", SLICE("\"1\""));
    response_header_add(request, "allow", SLICE("GET"));
    assert_int_equal(request->response.header_count, 2);
    assert_true(slice_equals(request->response.headers[0].name, "etag"));
    assert_true(slice_equals(request->response.headers[1].value, "GET"));
    while (request->response.header_count < RESPONSE_HEADERS_MAX)
        add_one(request);
    assert_true(dies(add_one, request));
    request_free(request);
}

static void test_json(void **state)
{
    struct request *request = offline_request(METHOD_GET, "/");
    (void)state;
    response_json(request, 201, SLICE("{}"));
    assert_int_equal(request->response.status, 201);
    assert_string_equal(request->response.content_type, "application/json");
    assert_true(slice_equals(request->response.body, "{}"));
    request_free(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_keep_their_order_and_number),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
