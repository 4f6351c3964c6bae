#include "http/request.h"

#include <assert.h>

#include "base/memory.h"
#include "http/feed.h"

static size_t held; /* one worker, one thread */

struct request *request_new(void)
{
    struct request *request = memory_alloc(sizeof *request);
    if (request == NULL)
        return NULL;
    arena_init(&request->arena);
    bytes_init(&request->body, &request->arena);
    return request;
}

void request_free(struct request *request)
{
    assert(request->session == NULL);
    if (request->response.feed != NULL)
        feed_go(request->response.feed);
    held -= request->held;
    arena_release(&request->arena);
    memory_free(request);
}

void request_hold(struct request *request, size_t length)
{
    request->held += length;
    held += length;
}

void request_unhold(struct request *request, size_t length)
{
    assert(length <= request->held);
    request->held -= length;
    held -= length;
}

size_t request_held(void)
{
    return held;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decoded; '+' stays itself, as RFC 3986 has it. False: broken, or a NUL. */
static bool decode(struct slice text, struct arena *arena, struct slice *out)
{
    char *at = arena_room(arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; at != NULL && i < text.length; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.length ? hex_digit(text.at[i + 1]) : -1;
            int low = i + 2 < text.length ? hex_digit(text.at[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        at[length++] = c;
    }
    *out = (struct slice){at, length};
    return at != NULL;
}

bool request_query_next(struct request *request, size_t *at, struct slice *name,
                        struct slice *value, bool *bad)
{
    struct slice rest = {request->query.at + *at, request->query.length - *at};
    *bad = false;
    if (rest.length == 0)
        return false;
    const char *end = memchr(rest.at, '&', rest.length);
    size_t length = end == NULL ? rest.length : (size_t)(end - rest.at);
    const char *equals = length == 0 ? NULL : memchr(rest.at, '=', length);
    size_t name_length = equals == NULL ? length : (size_t)(equals - rest.at);
    struct slice raw = {rest.at + name_length + (equals != NULL),
                        length - name_length - (equals != NULL)};
    *at += length + (end != NULL);
    *bad = !decode((struct slice){rest.at, name_length}, &request->arena, name) ||
           !decode(raw, &request->arena, value);
    return true;
}

bool request_query(struct request *request, const char *name, struct slice *value, bool *bad)
{
    size_t at = 0;
    struct slice found;
    while (request_query_next(request, &at, &found, value, bad))
        if (*bad || slice_equals(found, name))
            return true;
    return false;
}

const char *request_method_name(enum request_method method)
{
    static const char *const names[] = {
        [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
        [METHOD_PATCH] = "PATCH",     [METHOD_PUT] = "PUT",     [METHOD_DELETE] = "DELETE",
        [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER",
    };
    return names[method];
}
