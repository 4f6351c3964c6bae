/* Routes: which path and method finds which, and what is answered when none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "http/router.h"
#include "tests/unit/http/offline.h"
#include "tests/unit/http/pair.h"

static void serve(void *owner, struct request *request)
{
    struct slice *said = owner;
    *said = slice_of(request->route->pattern);
    response_json(request, 200, SLICE("{}"));
    request_answer(request);
}

static const struct route routes[] = {
    {METHOD_GET, "/v1/me", serve},
    {METHOD_PATCH, "/v1/me", serve},
    {METHOD_DELETE, "/v1/sessions/current", serve},
    {METHOD_DELETE, "/v1/sessions/{id}", serve},
    {METHOD_GET, "/v1/sessions", serve},
    {METHOD_POST, "/v1/sessions", serve},
    {METHOD_GET, "/v1/wallets/{id}/transactions/{id}", serve},
    {METHOD_OTHER, NULL, NULL},
};

static void test_paths_find_their_route(void **state)
{
    static const struct {
        enum request_method method;
        const char *path;
        int route; /* index; -1: none */
        const char *allow;
    } cases[] = {
        {METHOD_GET, "/v1/me", 0, ""},
        {METHOD_HEAD, "/v1/me", 0, ""},
        {METHOD_PATCH, "/v1/me", 1, ""},
        {METHOD_POST, "/v1/me", -1, "GET, PATCH"},
        {METHOD_OPTIONS, "/v1/me", -1, "GET, PATCH"},
        {METHOD_OTHER, "/v1/sessions", -1, "GET, POST"},
        {METHOD_DELETE, "/v1/sessions/current", 2, ""},
        {METHOD_DELETE, "/v1/sessions/currents", 3, ""},
        {METHOD_GET, "/v1/sessions/x", -1, "DELETE"},
        {METHOD_GET, "/v1/wallets/a/transactions/b", 6, ""},
        {METHOD_GET, "/v1/wallets/a/transactions/", -1, ""},
        {METHOD_GET, "/v1/wallets//transactions/b", -1, ""},
        {METHOD_GET, "/v1/wallets/a/transactions/b/", -1, ""},
        {METHOD_GET, "/v1/wallets/a/transactions/b/c", -1, ""},
        {METHOD_GET, "/v1/me/", -1, ""},
        {METHOD_GET, "//v1/me", -1, ""},
        {METHOD_GET, "/v1//me", -1, ""},
        {METHOD_GET, "/V1/me", -1, ""},
        {METHOD_GET, "/v1/m%65", -1, ""},
        {METHOD_GET, "/v1", -1, ""},
        {METHOD_GET, "/", -1, ""},
        {METHOD_GET, "", -1, ""},
        {METHOD_OPTIONS, "*", -1, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request *request = offline_request(cases[i].method, cases[i].path);
        struct slice allow;
        const struct route *route = router_find(routes, request, &allow);
        const struct route *expected = cases[i].route < 0 ? NULL : &routes[cases[i].route];
        if (route != expected)
            print_error("%s\n", cases[i].path);
        assert_ptr_equal(route, expected);
        assert_ptr_equal(request->route, expected);
        if (route == NULL)
            assert_true(slice_equals(allow, cases[i].allow));
        request_free(request);
    }
}

static void test_parameters_are_taken(void **state)
{
    struct slice allow;
    (void)state;
    struct request *request = offline_request(METHOD_GET, "/v1/wallets/wal_1/transactions/tx_%32");
    assert_non_null(router_find(routes, request, &allow));
    assert_true(slice_equals(request->parameters[0], "wal_1"));
    assert_true(slice_equals(request->parameters[1], "tx_%32"));
    request_free(request);
}

/* Through a session, so that the answers can be seen. */
static struct pair pair;
static struct slice said;

static void ask(const char *method, const char *path, enum request_fault fault)
{
    pair.keeps = true;
    assert_true(pair_open(&pair, &session_limits_default, 65535, false));
    pair_request(&pair, method, path, NULL, NULL);
    pair_run(&pair);
    struct request *request = pair.kept[--pair.kept_count];
    request->fault = fault;
    said = (struct slice){NULL, 0};
    router_serve(routes, &said, request);
    pair_run(&pair);
    bytes_add_char(&pair.answers[1].headers, '\0');
    bytes_add_char(&pair.answers[1].body, '\0');
}

static void test_what_is_answered(void **state)
{
    static const struct {
        const char *method, *path;
        enum request_fault fault;
        int status;
        const char *says, *header;
    } cases[] = {
        {"GET", "/v1/me", REQUEST_FINE, 200, "{}", "content-length: 2"},
        {"GET", "/v1/you", REQUEST_FINE, 404, "\"not_found\"", "problem+json"},
        {"PUT", "/v1/me", REQUEST_FINE, 405, "\"method_not_allowed\"", "allow: GET, PATCH"},
        {"OPTIONS", "/v1/me", REQUEST_FINE, 204, "", "allow: GET, PATCH"},
        {"GET", "/v1/me", REQUEST_HEADERS_TOO_LARGE, 431, "headers_too_large", "problem+json"},
        {"GET", "/v1/me", REQUEST_BODY_TOO_LARGE, 413, "body_too_large", "problem+json"},
        {"GET", "/v1/me", REQUEST_MALFORMED, 400, "invalid_request", "problem+json"},
        {"GET", "/v1/me", REQUEST_NO_MEMORY, 503, "overloaded", "retry-after: 1"},
        /* a fault comes before everything else */
        {"PUT", "/v1/you", REQUEST_BODY_TOO_LARGE, 413, "body_too_large", "problem+json"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(cases[i].method, cases[i].path, cases[i].fault);
        assert_int_equal(pair.answers[1].status, cases[i].status);
        assert_non_null(strstr(pair.answers[1].body.at, cases[i].says));
        assert_non_null(strstr(pair.answers[1].headers.at, cases[i].header));
        assert_int_equal(said.length > 0, cases[i].status == 200);
        pair_close(&pair);
    }
}

static void test_no_memory_for_allow(void **state)
{
    struct slice allow;
    (void)state;
    struct request *request = offline_request(METHOD_PUT, "/v1/me");
    memory_fail_after(0);
    assert_null(router_find(routes, request, &allow));
    memory_fail_never();
    assert_int_equal(allow.length, 0);
    request_free(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_find_their_route),
        cmocka_unit_test(test_parameters_are_taken),
        cmocka_unit_test(test_what_is_answered),
        cmocka_unit_test(test_no_memory_for_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
