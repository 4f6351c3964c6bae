#include "http/session.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/feed.h"
#include "http/intake.h"
#include "http/problem.h"
#include "http/session_state.h"

#define GLITCHES_PER_SECOND 20 /* what the budget gets back */
#define DRAIN_ROUND_TRIP_US CLOCK_SECOND
#define HPACK_TABLE_SIZE 4096 /* in each direction */
#define FRAME_SIZE 16384
#define CONNECTION_WINDOW (1 << 20)

/* Known again by its acknowledgement: the peer has seen the shutdown notice. */
const uint8_t session_drain_ping[8] = {'m', 'o', 'o', 'l', 'a', 'h', '-', '1'};
static const uint8_t silence_ping[8] = {'m', 'o', 'o', 'l', 'a', 'h', '-', '2'};

const struct session_limits session_limits_default = {
    .streams_max = 100,
    .header_bytes_max = 16 * 1024,
    .body_bytes_max = 64 * 1024,
    .output_max = 1024 * 1024,
    .held_max = 128UL * 1024 * 1024,
    .header_timeout_us = 10L * CLOCK_SECOND,
    .body_timeout_us = 20L * CLOCK_SECOND,
    .request_timeout_us = 10L * CLOCK_SECOND,
    .unread_timeout_us = 30L * CLOCK_SECOND,
    .silence_us = 60L * CLOCK_SECOND,
    .idle_timeout_us = 300L * CLOCK_SECOND,
    .glitches_max = 400,
};

static void *ng_malloc(size_t size, void *user)
{
    (void)user;
    return memory_alloc(size);
}

static void ng_free(void *block, void *user)
{
    (void)user;
    memory_free(block);
}

static void *ng_calloc(size_t count, size_t size, void *user)
{
    size_t total;
    (void)user;
    return __builtin_mul_overflow(count, size, &total) ? NULL : memory_alloc(total);
}

static void *ng_realloc(void *old, size_t size, void *user)
{
    (void)user;
    return memory_resize(old, size);
}

/* Each limit of a hostile peer that nghttp2 can keep for us. */
static nghttp2_option *make_options(void)
{
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0)
        return NULL;
    nghttp2_option_set_stream_reset_rate_limit(option, 200, 20);
    nghttp2_option_set_max_continuations(option, 8);
    nghttp2_option_set_max_outbound_ack(option, 100);
    nghttp2_option_set_max_settings(option, 32);
    nghttp2_option_set_max_send_header_block_length(option, 16UL * 1024);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, HPACK_TABLE_SIZE);
    return option;
}

static bool submit_settings(struct session *session)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, session->limits.streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, session->limits.header_bytes_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, session->limits.body_bytes_max + 1},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, HPACK_TABLE_SIZE},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_SIZE},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    return nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof settings[0]) == 0 &&
           nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0,
                                                 CONNECTION_WINDOW) == 0;
}

static bool make_nghttp2(struct session *session)
{
    nghttp2_mem memory = {NULL, ng_malloc, ng_free, ng_calloc, ng_realloc};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option = make_options();
    bool made = false;
    if (option == NULL)
        return false;
    if (nghttp2_session_callbacks_new(&callbacks) == 0) {
        intake_set_callbacks(callbacks);
        made = nghttp2_session_server_new3(&session->ng, callbacks, session, option, &memory) == 0;
        nghttp2_session_callbacks_del(callbacks);
    }
    nghttp2_option_del(option);
    return made && submit_settings(session);
}

struct session *session_new(const struct session_limits *limits, const struct session_owner *owner,
                            const struct inet *client, bool has_client_certificate, int64_t now)
{
    struct session *session = memory_alloc(sizeof *session);
    if (session == NULL)
        return NULL;
    session->limits = *limits;
    session->owner = *owner;
    session->client = *client;
    session->has_client_certificate = has_client_certificate;
    session->now = now;
    session->began = session->heard_at = session->idle_since = session->glitches_at = now;
    if (!make_nghttp2(session)) {
        session_free(session);
        return NULL;
    }
    return session;
}

void session_link(struct session *session, struct request *request)
{
    request->session = session;
    request->previous = NULL;
    request->next = session->requests;
    if (session->requests != NULL)
        session->requests->previous = request;
    session->requests = request;
    session->open_count++;
}

/* The stream is gone. The request goes too, unless a flow still has it. */
void session_unlink(struct session *session, struct request *request)
{
    assert(request->session == session);
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        session->requests = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    session->open_count--;
    session->feeds -= request->feed != NULL;
    session->output_bytes -= request->unsent.length;
    session->idle_since = session->now;
    request->unsent = (struct slice){NULL, 0};
    request->session = NULL;
    request->next = request->previous = NULL;
    if (!request->served || request->finished)
        request_free(request);
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    if (session->ng != NULL)
        nghttp2_session_del(session->ng);
    while (session->requests != NULL)
        session_unlink(session, session->requests);
    memory_free(session);
}

/* A leaky budget for what a peer may do but seldom needs to. */
void session_glitch(struct session *session, unsigned cost)
{
    int64_t returned = (session->now - session->glitches_at) * GLITCHES_PER_SECOND / CLOCK_SECOND;
    if (returned > 0) {
        session->glitches = session->glitches > returned ? session->glitches - returned : 0;
        session->glitches_at = session->now;
    }
    session->glitches += cost;
    if (session->glitches > session->limits.glitches_max)
        session_break(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

void session_break(struct session *session, uint32_t code)
{
    if (session->broken)
        return;
    session->broken = true;
    nghttp2_session_terminate_session(session->ng, code);
}

/* Requests that have come whole while nghttp2 was at work: serve them now that it has returned.
 * Too much output: they wait until it's taken. */
static bool serve_ready(struct session *session)
{
    bool any = false;
    while (session->ready > 0 && !session->broken &&
           session->output_bytes < session->limits.output_max) {
        struct request *request = session->requests;
        struct request *oldest = NULL;
        for (; request != NULL; request = request->next)
            if (request->complete && !request->served)
                oldest = request; /* the list is newest first */
        assert(oldest != NULL);
        session->ready--;
        oldest->served = true;
        oldest->deadline = session->now + session->limits.request_timeout_us;
        oldest->expires = oldest->deadline;
        session->owner.serve(session->owner.owner, oldest);
        any = true;
    }
    return any;
}

bool session_receive(struct session *session, const void *data, size_t length, int64_t now)
{
    session->now = session->heard_at = now;
    if (session->broken)
        return false;
    ssize_t used = nghttp2_session_mem_recv(session->ng, data, length);
    if (used == NGHTTP2_ERR_NOMEM)
        session->broken = true; /* even a GOAWAY might not come about */
    else if (used < 0)
        session_break(session, used == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                                                                    : NGHTTP2_ENHANCE_YOUR_CALM);
    serve_ready(session);
    return !session->broken;
}

/* What nghttp2 has, up to about `max` bytes. */
static bool take_output(struct session *session, struct bytes *out, size_t max)
{
    while (out->length < max) {
        const uint8_t *data;
        ssize_t length = nghttp2_session_mem_send(session->ng, &data);
        if (length < 0)
            return false;
        if (length == 0)
            return true;
        bytes_add(out, data, (size_t)length);
        if (out->failed)
            return false;
    }
    return true;
}

bool session_send(struct session *session, struct bytes *out, size_t max)
{
    do {
        if (!take_output(session, out, max))
            return false;
    } while (serve_ready(session) && out->length < max);
    return true;
}

bool session_wants_read(const struct session *session)
{
    return !session->broken && nghttp2_session_want_read(session->ng) != 0;
}

bool session_wants_write(const struct session *session)
{
    return nghttp2_session_want_write(session->ng) != 0;
}

bool session_is_done(const struct session *session)
{
    return nghttp2_session_want_read(session->ng) == 0 &&
           nghttp2_session_want_write(session->ng) == 0;
}

int64_t session_unread_deadline(const struct request *request)
{
    int64_t kib = (int64_t)(request->unsent.length / 1024);
    return request->session->now + request->session->limits.unread_timeout_us + kib * CLOCK_SECOND;
}

/* A feed that nobody reads is one stream's trouble: the connection's others go on. Should the reset
 * not get through either, it's the connection's. */
static bool cut_feed(struct session *session, struct request *request)
{
    feed_give_up(request->feed);
    nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, request->stream_id, NGHTTP2_CANCEL);
    request->expires = session->now + session->limits.unread_timeout_us;
    session->owner.wake(session->owner.owner);
    return true;
}

/* What runs out of time: half a body is reset, and the rest of one that was answered already; a
 * request whose flow takes too long is answered 503
 * (the flow goes on). Half a header block keeps everything else of its connection from coming, an
 * answer that nobody reads keeps memory: false, they end the connection. */
static bool expire_request(struct session *session, struct request *request)
{
    if (request->feed != NULL && request->feed->state != FEED_UNREAD && !request->sent)
        return cut_feed(session, request);
    if (request->served && !request->answered) {
        request_answer_timeout(request);
        return true;
    }
    if (!request->sent && (request->answered || request->arrived == 0))
        return false;
    if (!request->sent)
        session_glitch(session, 10);
    nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, request->stream_id,
                              request->sent ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    request->expires = INT64_MAX;
    session->owner.wake(session->owner.owner);
    return true;
}

static bool expire_requests(struct session *session)
{
    struct request *next;
    for (struct request *request = session->requests; request != NULL; request = next) {
        next = request->next;
        if (request->expires <= session->now && !expire_request(session, request))
            return false;
    }
    return true;
}

/* Whoever only listens to a feed needn't say anything: so it is asked whether it's still there. */
static bool is_gone(struct session *session)
{
    int64_t silent = session->now - session->heard_at;
    if (session->feeds == 0 || silent < session->limits.silence_us)
        return false;
    if (session->pinged_at > session->heard_at)
        return session->pinged_at + session->limits.silence_us <= session->now;
    session->pinged_at = session->now;
    nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, silence_ping);
    session->owner.wake(session->owner.owner);
    return false;
}

bool session_expire(struct session *session, int64_t now)
{
    session->now = now;
    if (session->draining && !session->drained && session->drain_at <= now)
        session_finish_drain(session);
    if (session->open_count == 0 && session->idle_since + session->limits.idle_timeout_us <= now &&
        !session->idle_said) {
        session->idle_said = true;
        nghttp2_session_terminate_session(session->ng, NGHTTP2_NO_ERROR);
        session->owner.wake(session->owner.owner);
    }
    bool greeting_late =
        !session->greeted && session->began + session->limits.header_timeout_us <= now;
    if (greeting_late || is_gone(session) || !expire_requests(session))
        session_break(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return !session->broken;
}

void session_finish_drain(struct session *session)
{
    if (session->drained)
        return;
    session->drained = true;
    nghttp2_submit_goaway(session->ng, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session->ng), NGHTTP2_NO_ERROR,
                          NULL, 0);
    session->owner.wake(session->owner.owner);
}

void session_drain(struct session *session, int64_t now)
{
    session->now = now;
    if (session->draining)
        return;
    session->draining = true;
    session->drain_at = now + DRAIN_ROUND_TRIP_US;
    for (struct request *request = session->requests; request != NULL; request = request->next)
        if (request->feed != NULL)
            feed_end(request->feed);
    nghttp2_submit_shutdown_notice(session->ng);
    nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, session_drain_ping);
    session->owner.wake(session->owner.owner);
}
