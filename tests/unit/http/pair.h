/* A session and an nghttp2 client that talk through memory, on a clock of the test's own. */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/problem.h"
#include "http/session.h"

#define PAIR_STREAMS 256
#define PAIR_START (1000 * (int64_t)CLOCK_SECOND)

struct pair_answer {
    int status;
    bool closed;
    uint32_t reset;
    struct bytes headers; /* "name: value\n"... */
    struct bytes body;
};

struct pair {
    struct session *session;
    nghttp2_session *client;
    int64_t now;
    bool open;          /* session_receive and session_expire have said true */
    bool keeps;         /* requests are kept instead of being answered */
    size_t answer_size; /* of a body, when they're answered at once */
    struct request *kept[PAIR_STREAMS];
    size_t kept_count;
    size_t served, woken, answered;
    struct pair_answer answers[2 * PAIR_STREAMS]; /* by stream id */
    bool goaway;
    uint32_t goaway_code;
    int32_t goaway_last;
    size_t piece; /* bytes go over in pieces of this size; 0: whole */
};

static inline void pair_answer_with(struct request *request, int status, size_t size)
{
    char *body = arena_alloc(&request->arena, size + 1);
    if (body == NULL) {
        problem_answer_code(request, PROBLEM_OVERLOADED, NULL);
        return;
    }
    memset(body, 'x', size);
    response_json(request, status, (struct slice){body, size});
    request_answer(request);
}

static inline void pair_serve(void *owner, struct request *request)
{
    struct pair *pair = owner;
    pair->served++;
    if (request->fault == REQUEST_HEADERS_TOO_LARGE)
        problem_answer_code(request, PROBLEM_HEADERS_TOO_LARGE, NULL);
    else if (request->fault == REQUEST_BODY_TOO_LARGE)
        problem_answer_code(request, PROBLEM_BODY_TOO_LARGE, NULL);
    else if (request->fault != REQUEST_FINE)
        problem_answer_code(request, PROBLEM_INVALID_REQUEST, NULL);
    else if (pair->keeps)
        pair->kept[pair->kept_count++] = request;
    else
        pair_answer_with(request, 200, pair->answer_size);
}

static inline void pair_wake(void *owner)
{
    ((struct pair *)owner)->woken++;
}

static inline void pair_answered(void *owner, const struct request *request)
{
    (void)request;
    ((struct pair *)owner)->answered++;
}

static inline int pair_on_header(nghttp2_session *ng, const nghttp2_frame *frame,
                                 const uint8_t *name, size_t name_length, const uint8_t *value,
                                 size_t value_length, uint8_t flags, void *user)
{
    struct pair_answer *answer = &((struct pair *)user)->answers[frame->hd.stream_id];
    (void)ng;
    (void)flags;
    if (name_length == 7 && memcmp(name, ":status", 7) == 0)
        answer->status = (int)strtol((const char *)value, NULL, 10);
    bytes_add(&answer->headers, name, name_length);
    bytes_add_text(&answer->headers, ": ");
    bytes_add(&answer->headers, value, value_length);
    bytes_add_text(&answer->headers, "\n");
    return 0;
}

static inline int pair_on_data(nghttp2_session *ng, uint8_t flags, int32_t stream,
                               const uint8_t *data, size_t length, void *user)
{
    (void)ng;
    (void)flags;
    bytes_add(&((struct pair *)user)->answers[stream].body, data, length);
    return 0;
}

static inline int pair_on_close(nghttp2_session *ng, int32_t stream, uint32_t code, void *user)
{
    struct pair_answer *answer = &((struct pair *)user)->answers[stream];
    (void)ng;
    answer->closed = true;
    answer->reset = code;
    return 0;
}

static inline int pair_on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct pair *pair = user;
    (void)ng;
    if (frame->hd.type != NGHTTP2_GOAWAY)
        return 0;
    pair->goaway = true;
    pair->goaway_code = frame->goaway.error_code;
    pair->goaway_last = frame->goaway.last_stream_id;
    return 0;
}

/* False: no memory for the session. `window`: the client's, per stream; it opens it again only when
 * it takes (pair->client's auto update is off when `holds`). */
static inline bool pair_open(struct pair *pair, const struct session_limits *limits,
                             uint32_t window, bool holds)
{
    const struct session_owner owner = {pair, pair_serve, pair_wake, {pair, pair_answered}};
    const struct inet address = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, 4711};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    bool keeps = pair->keeps;
    size_t answer_size = pair->answer_size;
    memset(pair, 0, sizeof *pair);
    pair->keeps = keeps;
    pair->answer_size = answer_size;
    pair->now = PAIR_START;
    pair->session = session_new(limits, &owner, &address, false, pair->now);
    if (pair->session == NULL)
        return false;
    pair->open = true;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, pair_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, pair_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, pair_on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, pair_on_frame);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, holds);
    nghttp2_session_client_new2(&pair->client, callbacks, pair, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(pair->client, 0, &settings, 1);
    return true;
}

/* Everything that waits in kept requests is answered; the client goes first. */
static inline void pair_close(struct pair *pair)
{
    session_free(pair->session);
    pair->session = NULL;
    while (pair->kept_count > 0)
        pair_answer_with(pair->kept[--pair->kept_count], 200, 10);
    if (pair->client != NULL)
        nghttp2_session_del(pair->client);
    pair->client = NULL;
    for (size_t i = 0; i < sizeof pair->answers / sizeof pair->answers[0]; i++) {
        bytes_release(&pair->answers[i].headers);
        bytes_release(&pair->answers[i].body);
    }
}

static inline bool pair_feed(struct pair *pair, const uint8_t *data, size_t length)
{
    while (length > 0 && pair->open) {
        size_t take = pair->piece == 0 || pair->piece > length ? length : pair->piece;
        pair->open = session_receive(pair->session, data, take, pair->now);
        data += take;
        length -= take;
    }
    return pair->open;
}

/* Client to server, as far as it has something to say. */
static inline bool pair_ask(struct pair *pair)
{
    const uint8_t *data;
    bool any = false;
    for (ssize_t n; pair->open && (n = nghttp2_session_mem_send(pair->client, &data)) > 0;
         any = true)
        pair_feed(pair, data, (size_t)n);
    return any;
}

/* Server to client. False: nothing came. */
static inline bool pair_hear(struct pair *pair)
{
    struct bytes out;
    bytes_init(&out, NULL);
    bool sent = session_send(pair->session, &out, 16384);
    pair->open = pair->open && sent;
    bool any = out.length > 0;
    if (any && nghttp2_session_mem_recv(pair->client, (uint8_t *)out.at, out.length) < 0)
        any = false;
    bytes_release(&out);
    return any;
}

/* Both ways, until neither says more. */
static inline void pair_run(struct pair *pair)
{
    bool asked, heard;
    do {
        asked = pair_ask(pair);
        heard = pair_hear(pair);
    } while (asked || heard);
}

static inline bool pair_expire(struct pair *pair, int64_t later)
{
    pair->now += later;
    pair->open = pair->open && session_expire(pair->session, pair->now);
    return pair->open;
}

static inline nghttp2_nv pair_field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static inline ssize_t pair_read_body(nghttp2_session *ng, int32_t stream, uint8_t *out,
                                     size_t length, uint32_t *flags, nghttp2_data_source *source,
                                     void *user)
{
    struct slice *left = source->ptr;
    size_t take = left->length < length ? left->length : length;
    (void)ng;
    (void)stream;
    (void)user;
    memcpy(out, left->at, take);
    left->at += take;
    left->length -= take;
    if (left->length == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)take;
}

/* Submit a request; `body` (kept by the caller, shrinks as it is sent) or NULL; `more`: further
 * fields, ended by a name of NULL, or NULL. Its stream. */
static inline int32_t pair_request(struct pair *pair, const char *method, const char *path,
                                   struct slice *body, const nghttp2_nv *more)
{
    nghttp2_nv fields[60] = {pair_field(":method", method), pair_field(":scheme", "https"),
                             pair_field(":authority", "localhost"), pair_field(":path", path)};
    nghttp2_data_provider provider = {.source.ptr = body, .read_callback = pair_read_body};
    size_t count = 4;
    while (more != NULL && more->name != NULL)
        fields[count++] = *more++;
    return nghttp2_submit_request(pair->client, NULL, fields, count,
                                  body == NULL ? NULL : &provider, NULL);
}

#endif
