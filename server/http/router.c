#include "http/router.h"

#include "http/problem.h"

#define ALLOW_MAX 80

/* The next segment of a path, without its slash; false at the end. */
static bool next_segment(struct slice *path, struct slice *segment)
{
    if (path->length == 0 || path->at[0] != '/')
        return false;
    const char *from = path->at + 1;
    size_t left = path->length - 1;
    const char *slash = left == 0 ? NULL : memchr(from, '/', left);
    segment->at = from;
    segment->length = slash == NULL ? left : (size_t)(slash - from);
    path->at = from + segment->length;
    path->length = left - segment->length;
    return true;
}

/* Most patterns differ from a path before their first parameter. */
static bool begins_alike(const char *pattern, struct slice path)
{
    size_t i = 0;
    while (pattern[i] != '\0' && pattern[i] != '{' && i < path.length && pattern[i] == path.at[i])
        i++;
    return pattern[i] == '\0' || pattern[i] == '{';
}

static bool matches(const char *pattern, struct slice path,
                    struct slice parameters[REQUEST_PARAMETERS_MAX])
{
    struct slice rest = slice_of(pattern);
    struct slice expected;
    struct slice got;
    size_t count = 0;
    while (next_segment(&rest, &expected)) {
        if (!next_segment(&path, &got) || got.length == 0)
            return false;
        bool is_parameter = expected.length > 0 && expected.at[0] == '{';
        if (!is_parameter && !slice_equal(expected, got))
            return false;
        if (is_parameter && count < REQUEST_PARAMETERS_MAX)
            parameters[count++] = got;
    }
    return path.length == 0;
}

static void add_method(char *allow, size_t *length, enum request_method method)
{
    const char *name = request_method_name(method);
    if (strstr(allow, name) != NULL)
        return;
    int written =
        snprintf(allow + *length, ALLOW_MAX - *length, "%s%s", *length == 0 ? "" : ", ", name);
    *length += (size_t)written;
}

/* Tables put a literal before the {id} it could be taken for, so the first match is the one. */
const struct route *router_find(const struct route *routes, struct request *request,
                                struct slice *allow)
{
    enum request_method method = request->method == METHOD_HEAD ? METHOD_GET : request->method;
    char *methods = NULL;
    size_t length = 0;
    *allow = (struct slice){NULL, 0};
    for (const struct route *route = routes; route->pattern != NULL; route++) {
        if (!begins_alike(route->pattern, request->path) ||
            !matches(route->pattern, request->path, request->parameters))
            continue;
        if (route->method == method) {
            request->route = route;
            return route;
        }
        if (methods == NULL)
            methods = arena_alloc(&request->arena, ALLOW_MAX);
        if (methods != NULL)
            add_method(methods, &length, route->method);
    }
    *allow = (struct slice){methods, length};
    return NULL;
}

static bool answer_fault(struct request *request)
{
    switch (request->fault) {
    case REQUEST_FINE:
        return false;
    case REQUEST_HEADERS_TOO_LARGE:
        problem_answer_code(request, PROBLEM_HEADERS_TOO_LARGE, NULL);
        return true;
    case REQUEST_BODY_TOO_LARGE:
        problem_answer_code(request, PROBLEM_BODY_TOO_LARGE, NULL);
        return true;
    case REQUEST_MALFORMED:
        problem_answer_code(request, PROBLEM_INVALID_REQUEST,
                            "Authorization, Idempotency-Key and Content-Type may be given once "
                            "each");
        return true;
    case REQUEST_NO_MEMORY:
        problem_answer_code(request, PROBLEM_OVERLOADED, NULL);
        return true;
    }
    return false;
}

void router_serve(const struct route *routes, void *owner, struct request *request)
{
    struct slice allow;
    const struct route *route = router_find(routes, request, &allow);
    if (answer_fault(request))
        return;
    if (route != NULL) {
        route->serve(owner, request);
        return;
    }
    if (allow.length == 0) {
        problem_answer_code(request, PROBLEM_NOT_FOUND, NULL);
        return;
    }
    response_header_add(request, "allow", allow);
    if (request->method == METHOD_OPTIONS) {
        request->response.status = 204;
        request_answer(request);
        return;
    }
    problem_answer_code(request, PROBLEM_METHOD_NOT_ALLOWED, NULL);
}
