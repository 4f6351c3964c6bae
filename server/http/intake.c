#include "http/intake.h"

#include <assert.h>

#include "base/clock.h"
#include "http/session_state.h"

static struct request *request_of(struct session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session->ng, stream_id);
}

/* A frame that comes for a stream already reset is no fault of the peer's: it couldn't know. */
static void note_reset(struct session *session, int32_t stream_id)
{
    if (stream_id > session->reset_id)
        session->reset_id = stream_id;
}

/* Streams are opened in rising order and not again after their end (RFC 9113, 5.1 and 5.1.1).
 * nghttp2 ignores such HEADERS, because it can't tell them from late ones; reset_id can. */
static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
    struct session *session = user;
    if (hd->type != NGHTTP2_HEADERS || hd->stream_id % 2 == 0)
        return 0;
    if (hd->stream_id > session->newest_id) {
        session->newest_id = hd->stream_id;
        return 0;
    }
    nghttp2_stream *stream = nghttp2_session_find_stream(ng, hd->stream_id);
    nghttp2_stream_proto_state state =
        stream == NULL ? NGHTTP2_STREAM_STATE_IDLE : nghttp2_stream_get_state(stream);
    bool over = state == NGHTTP2_STREAM_STATE_IDLE || state == NGHTTP2_STREAM_STATE_CLOSED;
    if (over && hd->stream_id > session->reset_id)
        session_break(session, state == NGHTTP2_STREAM_STATE_IDLE ? NGHTTP2_PROTOCOL_ERROR
                                                                  : NGHTTP2_STREAM_CLOSED);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct session *session = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct request *request = request_held() > session->limits.held_max ? NULL : request_new();
    if (request == NULL) /* unprocessed, so it may be sent again */
        return nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_REFUSED_STREAM) == 0
                   ? 0
                   : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    request->stream_id = frame->hd.stream_id;
    request->client = session->client;
    request->log = session->owner.log;
    request->has_client_certificate = session->has_client_certificate;
    request->id = uuid_new(clock_now());
    request->method = METHOD_OTHER;
    request->body.limit = session->limits.body_bytes_max;
    request->expires = session->now + session->limits.header_timeout_us;
    uuid_random(request->trace_id, sizeof request->trace_id);
    session_link(session, request);
    nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, request);
    return 0;
}

static enum request_method parse_method(struct slice text)
{
    for (int method = METHOD_GET; method < METHOD_OTHER; method++)
        if (slice_equals(text, request_method_name((enum request_method)method)))
            return (enum request_method)method;
    return METHOD_OTHER;
}

static void take_path(struct request *request, struct slice path)
{
    const char *mark = path.length == 0 ? NULL : memchr(path.at, '?', path.length);
    request->path = path;
    if (mark == NULL)
        return;
    request->path.length = (size_t)(mark - path.at);
    request->query = (struct slice){mark + 1, path.length - request->path.length - 1};
}

/* traceparent, version 00: 00-<32 hex>-<16 hex>-<2 hex>, the trace id not all zero (W3C Trace
 * Context). */
static void take_traceparent(struct request *request, struct slice text)
{
    uint8_t id[16];
    uint8_t any = 0;
    if (text.length != 55 || memcmp(text.at, "00-", 3) != 0 || text.at[35] != '-' ||
        text.at[52] != '-')
        return;
    for (size_t i = 0; i < 32; i++) {
        char c = text.at[3 + i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return;
        id[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : id[i / 2] | digit);
        any |= (uint8_t)digit;
    }
    if (any != 0)
        memcpy(request->trace_id, id, sizeof id);
}

/* Lines of one header are one list (RFC 9110, 5.3). False: out of memory. */
static bool take_list(struct request *request, struct slice *field, struct slice value)
{
    struct bytes all;
    bytes_init(&all, &request->arena);
    bytes_add_slice(&all, *field);
    if (field->at != NULL)
        bytes_add_text(&all, ", ");
    bytes_add_slice(&all, value);
    *field = bytes_view(&all);
    return !all.failed;
}

static void take_once(struct request *request, struct slice *field, struct slice value)
{
    if (field->at != NULL)
        request->fault = REQUEST_MALFORMED;
    *field = value;
}

#define NAMED(literal)                 \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

/* The headers that mean something here; all others are only counted. */
static const struct {
    struct slice name;
    size_t offset;
    bool once;
} wanted[] = {
    {NAMED("content-type"), offsetof(struct request, content_type), true},
    {NAMED("authorization"), offsetof(struct request, authorization), true},
    {NAMED("idempotency-key"), offsetof(struct request, idempotency_key), true},
    {NAMED("last-event-id"), offsetof(struct request, last_event_id), false},
    {NAMED("moolah-version"), offsetof(struct request, moolah_version), false},
    {NAMED("accept"), offsetof(struct request, accept), false},
    {NAMED("user-agent"), offsetof(struct request, user_agent), false},
};

static bool take_header(struct request *request, struct slice name, struct slice value)
{
    if (slice_equals(name, ":method")) {
        request->method = parse_method(value);
        return true;
    }
    if (slice_equals(name, "traceparent")) {
        take_traceparent(request, value);
        return true;
    }
    if (slice_equals(name, "if-none-match"))
        return take_list(request, &request->if_none_match, value);
    bool path = slice_equals(name, ":path");
    size_t at = 0;
    while (!path && at < sizeof wanted / sizeof wanted[0] && !slice_equal(name, wanted[at].name))
        at++;
    if (!path && at == sizeof wanted / sizeof wanted[0])
        return true;
    struct slice copy = arena_copy(&request->arena, value);
    if (copy.at == NULL)
        return false;
    if (path) {
        take_path(request, copy);
        return true;
    }
    struct slice *field = (struct slice *)(void *)((char *)request + wanted[at].offset);
    if (wanted[at].once)
        take_once(request, field, copy);
    else
        *field = copy;
    return true;
}

/* Every header's name and value, and 32 more as RFC 9113 counts, trailers too: a few bytes of HPACK
 * can stand for many. False: past the limit. */
static bool count_header(struct session *session, struct request *request, size_t length)
{
    uint32_t limit = session->limits.header_bytes_max;
    request->header_bytes += (uint32_t)length + 32;
    if (request->header_bytes <= limit)
        return true;
    if (request->fault != REQUEST_HEADERS_TOO_LARGE)
        session_glitch(session, 5);
    request->fault = REQUEST_HEADERS_TOO_LARGE;
    if (request->header_bytes > 8 * limit)
        session_break(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    struct session *session = user;
    struct request *request = request_of(session, frame->hd.stream_id);
    (void)ng;
    (void)flags;
    if (request == NULL)
        return 0;
    if (!count_header(session, request, name_length + value_length))
        return session->broken ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers */
    bool taken = take_header(request, (struct slice){(const char *)name, name_length},
                             (struct slice){(const char *)value, value_length});
    return taken ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 would leave out a field with characters it may not have; RFC 9113, 8.2.1 calls the whole
 * request malformed. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_length, const uint8_t *value, size_t value_length,
                             uint8_t flags, void *user)
{
    (void)ng;
    (void)frame;
    (void)name;
    (void)name_length;
    (void)value;
    (void)value_length;
    (void)flags;
    (void)user;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void complete(struct session *session, struct request *request)
{
    if (request->complete)
        return;
    request->complete = true;
    request->expires = INT64_MAX; /* waits for our answers to be read: those have deadlines */
    session->ready++;
}

/* Bodies of all sessions together are bounded by held_max, whatever one may be. */
static size_t body_limit(const struct session *session, const struct request *request)
{
    const struct session_limits *limits = &session->limits;
    bool large = limits->large_path != NULL && request->method == METHOD_POST &&
                 slice_equals(request->path, limits->large_path);
    return large ? limits->large_bytes_max : limits->body_bytes_max;
}

static void take_frame(struct session *session, const nghttp2_frame *frame)
{
    struct request *request = request_of(session, frame->hd.stream_id);
    bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (request == NULL)
        return;
    if (frame->hd.type == NGHTTP2_HEADERS && !request->complete) {
        request->arrived = session->now;
        request->body.limit = body_limit(session, request);
        request->expires = session->now + session->limits.body_timeout_us;
    }
    if (ended || request->fault == REQUEST_HEADERS_TOO_LARGE)
        complete(session, request);
}

static void take_ping(struct session *session, const nghttp2_frame *frame)
{
    bool ours = memcmp(frame->ping.opaque_data, session_drain_ping, 8) == 0;
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
        session_glitch(session, 1);
    else if (session->draining && ours)
        session_finish_drain(session);
}

/* Frames cost the peer nothing and us something: what is legal but seldom needed is counted. */
static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct session *session = user;
    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        take_frame(session, frame);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.length == 0 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
            session_glitch(session, 1);
        take_frame(session, frame);
        break;
    case NGHTTP2_PING:
        take_ping(session, frame);
        break;
    case NGHTTP2_SETTINGS:
        session->greeted = true;
        session_glitch(session, 1);
        break;
    case NGHTTP2_PRIORITY:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_GOAWAY:
        session_glitch(session, 1);
        break;
    default:
        break;
    }
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t length, void *user)
{
    struct session *session = user;
    struct request *request = request_of(session, stream_id);
    (void)flags;
    if (request == NULL)
        return 0;
    if (request->complete) {
        request->discarded += (uint32_t)length;
        if (request->sent && request->discarded > session->limits.body_bytes_max)
            nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
        return 0;
    }
    bool fits = length <= request->body.limit - request->body.length;
    bool room = request_held() + length <= session->limits.held_max;
    if (fits && room) {
        bytes_add(&request->body, data, length);
        request_hold(request, length);
    }
    if (!fits || !room || request->body.failed) {
        request->fault = fits ? REQUEST_NO_MEMORY : REQUEST_BODY_TOO_LARGE;
        complete(session, request);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t stream_id, uint32_t code, void *user)
{
    struct session *session = user;
    struct request *request = request_of(session, stream_id);
    (void)ng;
    (void)code;
    if (request == NULL)
        return 0;
    if (request->complete && !request->served)
        session->ready--;
    session_unlink(session, request);
    return 0;
}

/* What the peer made us refuse: CVE-2025-8671 is about peers that make servers reset. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    struct request *request = request_of(user, frame->hd.stream_id);
    (void)ng;
    (void)error;
    if (request != NULL)
        request->refused = true;
    note_reset(user, frame->hd.stream_id);
    session_glitch(user, 5);
    return 0;
}

/* SETTINGS that push a stream's window past 2^31 - 1 are a connection error (RFC 9113, 6.9.2). For
 * nghttp2 it's the stream's, and the only sign is this reset, which no frame on the stream is to
 * blame for. */
static void look_at_reset(struct session *session, const nghttp2_rst_stream *frame)
{
    const struct request *request = request_of(session, frame->hd.stream_id);
    note_reset(session, frame->hd.stream_id);
    if (frame->error_code != NGHTTP2_NO_ERROR && frame->error_code != NGHTTP2_REFUSED_STREAM)
        session_glitch(session, 2);
    if (frame->error_code == NGHTTP2_FLOW_CONTROL_ERROR && request != NULL && !request->refused)
        session_break(session, NGHTTP2_FLOW_CONTROL_ERROR);
}

/* Answered before the request had ended: the peer needn't send the rest, and a reset without an
 * error says so (RFC 9113, 8.1). Not at once: some clients (curl 7.88) lose the answer to a reset
 * that comes together with it. */
static void note_sent(struct session *session, int32_t stream_id)
{
    struct request *request = request_of(session, stream_id);
    if (request == NULL || nghttp2_session_get_stream_remote_close(session->ng, stream_id) != 0)
        return;
    request->sent = true;
    request->expires = session->now + CLOCK_SECOND;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    bool answers = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    (void)ng;
    if (answers && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        note_sent(user, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        look_at_reset(user, &frame->rst_stream);
    return 0;
}

void intake_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}
