/* Answers on their way out: request_answer and the body's bytes. */
#include <assert.h>
#include <stdio.h>

#include "http/feed.h"
#include "http/problem.h"
#include "http/session_state.h"

#define HEADERS_OUT_MAX (RESPONSE_HEADERS_MAX + 8)

static nghttp2_nv field(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.at, (uint8_t *)(uintptr_t)value.at, name.length,
                        value.length, NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_body(nghttp2_session *ng, int32_t stream_id, uint8_t *out, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct session *session = user;
    struct request *request = source->ptr;
    size_t take = request->unsent.length < length ? request->unsent.length : length;
    (void)ng;
    (void)stream_id;
    if (take > 0)
        memcpy(out, request->unsent.at, take);
    request->unsent.at += take;
    request->unsent.length -= take;
    session->output_bytes -= take;
    if (request->unsent.length > 0)
        return (ssize_t)take;
    if (request->feed == NULL || feed_take(request->feed))
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (take == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)take;
}

static bool has_header(const struct response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (slice_equals(response->headers[i].name, name))
            return true;
    return false;
}

/* What headers are made from; nghttp2 copies them. */
struct header_texts {
    char id[UUID_TEXT_MAX];
    char status[12];
    char length[24];
};

static size_t make_headers(const struct request *request, struct header_texts *texts,
                           nghttp2_nv headers[HEADERS_OUT_MAX])
{
    const struct response *response = &request->response;
    size_t count = 0;
    uuid_format(&request->id, "req_", texts->id);
    snprintf(texts->status, sizeof texts->status, "%d", response->status);
    snprintf(texts->length, sizeof texts->length, "%zu", response->body.length);
    headers[count++] = field(SLICE(":status"), slice_of(texts->status));
    if (response->content_type != NULL)
        headers[count++] = field(SLICE("content-type"), slice_of(response->content_type));
    if (response->status != 204 && response->status != 304 && response->feed == NULL)
        headers[count++] = field(SLICE("content-length"), slice_of(texts->length));
    if (!has_header(response, "cache-control"))
        headers[count++] = field(SLICE("cache-control"), SLICE("no-store"));
    headers[count++] = field(SLICE("x-request-id"), slice_of(texts->id));
    headers[count++] = field(SLICE("x-content-type-options"), SLICE("nosniff"));
    for (size_t i = 0; i < response->header_count; i++)
        headers[count++] = field(response->headers[i].name, response->headers[i].value);
    return count;
}

/* False: there is none. */
static bool begin_body(struct session *session, struct request *request)
{
    const struct response *response = &request->response;
    if (request->method == METHOD_HEAD || (response->feed == NULL && response->body.length == 0))
        return false;
    if (response->feed != NULL) {
        feed_open(response->feed);
        return true;
    }
    request->unsent = response->body;
    session->output_bytes += request->unsent.length;
    request_hold(request, request->unsent.length);
    return true;
}

static void submit(struct session *session, struct request *request)
{
    nghttp2_nv headers[HEADERS_OUT_MAX];
    struct header_texts texts;
    nghttp2_data_provider provider = {.source.ptr = request, .read_callback = read_body};
    size_t count = make_headers(request, &texts, headers);
    bool has_body = begin_body(session, request);
    request->expires = session_unread_deadline(request);
    if (nghttp2_submit_response(session->ng, request->stream_id, headers, count,
                                has_body ? &provider : NULL) != 0 &&
        nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, request->stream_id,
                                  NGHTTP2_INTERNAL_ERROR) != 0)
        request->expires = session->now; /* nothing can be said: the connection ends instead */
    session->owner.wake(session->owner.owner);
}

/* The first answer counts: the flow's, or the deadline's. */
static void give(struct request *request)
{
    struct session *session = request->session;
    request->answered = true;
    request->log.answered(request->log.owner, request);
    if (session != NULL)
        submit(session, request);
}

void request_answer(struct request *request)
{
    assert(request->served && !request->finished);
    request->finished = true;
    if (!request->answered)
        give(request);
    if (request->session == NULL)
        request_free(request);
}

void request_answer_timeout(struct request *request)
{
    const struct problem problem = {
        .code = PROBLEM_OVERLOADED,
        .detail = "This took too long. It may still come about: ask again with the same "
                  "Idempotency-Key, the answer tells.",
    };
    struct response kept = request->response; /* what the flow may have begun to fill in */
    struct bytes body;
    assert(request->served && !request->answered);
    bytes_init(&body, &request->arena);
    problem_write(&problem, &request->id, &body);
    request->response = (struct response){.status = problem_status(problem.code),
                                          .content_type = "application/problem+json",
                                          .code = problem_name(problem.code)};
    if (!body.failed)
        request->response.body = bytes_view(&body);
    response_header_add(request, "retry-after", SLICE("1"));
    give(request);
    request->response = kept;
}
