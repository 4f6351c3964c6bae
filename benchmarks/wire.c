#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "benchmarks/wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"

#define RECORD_SIZE (16 * 1024)
#define SOCKET_SIZE (64 * 1024)
#define ANSWER_MAX (1024 * 1024)

enum wire_state {
    WIRE_DOWN,
    WIRE_CONNECTING,
    WIRE_SHAKING,
    WIRE_OPEN,
    WIRE_ENDING /* no new calls */
};

struct wire_target {
    struct sockaddr_in address;
    WOLFSSL_CTX *context;
};

struct wire {
    struct ev_loop *loop;
    struct wire_target *target;
    struct wire_owner owner;
    enum wire_state state;
    int fd;
    ev_io io;
    ev_prepare flush;
    WOLFSSL *tls;
    nghttp2_session *session;
    struct bytes output; /* what TLS was offered: unchanged until it has taken it */
    size_t output_taken;
    bool dirty;
    bool broken; /* to be closed at the end of the loop turn */
    int streams;
    int in_flight;
    struct wire_call *calls; /* in flight */
};

/* Bytes of the one wire that is being read, on their way to wolfSSL: it would ask the socket for
 * each record's header, its rest, and then once more, and system calls are most of what a request
 * costs here. Whatever lies here is taken before the next wire reads. */
static struct {
    char bytes[SOCKET_SIZE];
    size_t start, end;
    bool empty; /* the socket had no more */
} incoming;

static int take_incoming(WOLFSSL *tls, char *out, int size, void *user)
{
    const struct wire *wire = user;
    (void)tls;
    if (incoming.start == incoming.end) {
        if (incoming.empty)
            return WOLFSSL_CBIO_ERR_WANT_READ;
        ssize_t got = recv(wire->fd, incoming.bytes, SOCKET_SIZE, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return WOLFSSL_CBIO_ERR_WANT_READ;
        if (got <= 0)
            return got == 0 ? WOLFSSL_CBIO_ERR_CONN_CLOSE : WOLFSSL_CBIO_ERR_GENERAL;
        incoming.start = 0;
        incoming.end = (size_t)got;
        incoming.empty = got < SOCKET_SIZE;
    }
    size_t left = incoming.end - incoming.start;
    size_t taken = (size_t)size < left ? (size_t)size : left;
    memcpy(out, incoming.bytes + incoming.start, taken);
    incoming.start += taken;
    return (int)taken;
}

uint64_t wire_hash(const void *data, size_t length, uint64_t so_far)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < length; i++)
        so_far = (so_far ^ at[i]) * UINT64_C(1099511628211);
    return so_far;
}

struct wire_target *wire_target_new(const char *host, int port, const char *ca_file, char *error,
                                    size_t size)
{
    struct wire_target *target = memory_alloc(sizeof *target);
    if (target == NULL)
        return NULL;
    wolfSSL_Init();
    target->address.sin_family = AF_INET;
    target->address.sin_port = htons((uint16_t)port);
    target->context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    if (inet_pton(AF_INET, host, &target->address.sin_addr) != 1)
        snprintf(error, size, "%s is no IPv4 address", host);
    else if (target->context == NULL)
        snprintf(error, size, "out of memory");
    else if (wolfSSL_CTX_load_verify_locations(target->context, ca_file, NULL) != WOLFSSL_SUCCESS)
        snprintf(error, size, "%s is not a readable PEM certificate", ca_file);
    else {
        wolfSSL_CTX_set_verify(target->context, WOLFSSL_VERIFY_PEER, NULL);
        wolfSSL_CTX_set_cipher_list(target->context, "TLS13-AES128-GCM-SHA256");
        return target;
    }
    wire_target_free(target);
    return NULL;
}

void wire_target_free(struct wire_target *target)
{
    if (target == NULL)
        return;
    if (target->context != NULL)
        wolfSSL_CTX_free(target->context);
    memory_free(target);
}

static void watch(struct wire *wire, int events)
{
    if (ev_is_active(&wire->io) && wire->io.events == events)
        return;
    ev_io_stop(wire->loop, &wire->io);
    ev_io_set(&wire->io, wire->fd, events);
    ev_io_start(wire->loop, &wire->io);
}

static void unlink_call(struct wire *wire, struct wire_call *call)
{
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        wire->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    wire->in_flight--;
}

static void end_call(struct wire *wire, struct wire_call *call)
{
    unlink_call(wire, call);
    call->answered = clock_monotonic();
    wire->owner.answered(wire->owner.owner, wire, call);
}

static void shut(struct wire *wire)
{
    ev_io_stop(wire->loop, &wire->io);
    ev_prepare_stop(wire->loop, &wire->flush);
    if (wire->session != NULL)
        nghttp2_session_del(wire->session);
    if (wire->tls != NULL)
        wolfSSL_free(wire->tls);
    if (wire->fd >= 0)
        close(wire->fd);
    wire->session = NULL;
    wire->tls = NULL;
    wire->fd = -1;
    wire->broken = wire->dirty = false;
    wire->output_taken = 0;
    bytes_clear(&wire->output);
    wire->state = WIRE_DOWN;
}

/* Everything in flight is lost. */
static void lose(struct wire *wire)
{
    shut(wire);
    while (wire->calls != NULL) {
        struct wire_call *call = wire->calls;
        call->status = 0;
        end_call(wire, call);
    }
    wire->owner.closed(wire->owner.owner, wire);
}

static struct wire_call *call_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    struct wire_call *call = call_of(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (call == NULL)
        return 0;
    if (name_length == 7 && value_length == 3 && memcmp(name, ":status", 7) == 0)
        call->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    if (name_length == 11 && memcmp(name, "retry-after", 11) == 0)
        call->has_retry_after = true;
    if (name_length == 12 && value_length < sizeof call->request_id &&
        memcmp(name, "x-request-id", 12) == 0) {
        memcpy(call->request_id, value, value_length);
        call->request_id[value_length] = '\0';
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t length, void *user)
{
    struct wire_call *call = call_of(session, stream);
    (void)flags;
    (void)user;
    if (call == NULL)
        return 0;
    call->hash = wire_hash(data, length, call->hash);
    if (call->length < WIRE_HEAD_MAX) {
        size_t room = WIRE_HEAD_MAX - call->length;
        memcpy(call->head + call->length, data, length < room ? length : room);
    }
    if (call->keep && call->length + length < ANSWER_MAX) {
        char *grown = memory_resize(call->answer, call->length + length + 1);
        if (grown == NULL)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        memcpy(grown + call->length, data, length);
        grown[call->length + length] = '\0';
        call->answer = grown;
    }
    call->length += (uint32_t)length;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct wire *wire = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY && wire->state == WIRE_OPEN)
        wire->state = WIRE_ENDING;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    struct wire_call *call = call_of(session, stream);
    if (call == NULL)
        return 0;
    if (code != NGHTTP2_NO_ERROR)
        call->status = 0;
    call->refused_stream = code == NGHTTP2_REFUSED_STREAM;
    end_call(user, call);
    return 0;
}

static bool start_session(struct wire *wire)
{
    nghttp2_session_callbacks *callbacks;
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    bool made = nghttp2_session_client_new(&wire->session, callbacks, wire) == 0;
    nghttp2_session_callbacks_del(callbacks);
    return made && nghttp2_submit_settings(wire->session, 0, settings, 2) == 0 &&
           nghttp2_session_set_local_window_size(wire->session, 0, 0, 1 << 24) == 0;
}

static void receive(struct wire *wire)
{
    static uint8_t buffer[RECORD_SIZE];
    while (!wire->broken) {
        int length = wolfSSL_read(wire->tls, buffer, sizeof buffer);
        if (length > 0) {
            wire->broken = nghttp2_session_mem_recv(wire->session, buffer, (size_t)length) < 0;
            continue;
        }
        int error = wolfSSL_get_error(wire->tls, length);
        wire->broken = error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE;
        break;
    }
    wire->dirty = true;
}

/* What came together with the handshake's end is taken with it. */
static void shake_hands(struct wire *wire)
{
    int done = wolfSSL_connect(wire->tls);
    if (done == WOLFSSL_SUCCESS) {
        wire->state = WIRE_OPEN;
        wire->dirty = true;
        wire->broken = !start_session(wire);
        watch(wire, EV_READ);
        if (!wire->broken)
            receive(wire);
        if (!wire->broken)
            wire->owner.open(wire->owner.owner, wire);
        return;
    }
    int error = wolfSSL_get_error(wire->tls, done);
    if (error == WOLFSSL_ERROR_WANT_READ)
        watch(wire, EV_READ);
    else if (error == WOLFSSL_ERROR_WANT_WRITE)
        watch(wire, EV_WRITE);
    else
        wire->broken = true;
}

static void connected(struct wire *wire)
{
    char protocols[] = "h2";
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    wire->tls = error == 0 ? wolfSSL_new(wire->target->context) : NULL;
    if (wire->tls == NULL) {
        wire->broken = true;
        return;
    }
    wolfSSL_check_domain_name(wire->tls, "localhost");
    wolfSSL_UseALPN(wire->tls, protocols, 2, WOLFSSL_ALPN_FAILED_ON_MISMATCH);
    wolfSSL_set_fd(wire->tls, wire->fd);
    wolfSSL_SSLSetIORecv(wire->tls, take_incoming);
    wolfSSL_SetIOReadCtx(wire->tls, wire);
    wolfSSL_set_using_nonblock(wire->tls, 1);
    wire->state = WIRE_SHAKING;
    shake_hands(wire);
}

/* Fill the output up to a record; false: there was nothing. */
static bool fill(struct wire *wire)
{
    const uint8_t *data;
    wire->output_taken = 0;
    bytes_clear(&wire->output);
    while (wire->output.length < RECORD_SIZE) {
        ssize_t length = nghttp2_session_mem_send(wire->session, &data);
        wire->broken = wire->broken || length < 0;
        if (length <= 0)
            break;
        bytes_add(&wire->output, data, (size_t)length);
    }
    wire->broken = wire->broken || wire->output.failed;
    return wire->output.length > 0 && !wire->broken;
}

static void send_output(struct wire *wire)
{
    while (wire->output_taken < wire->output.length || fill(wire)) {
        int sent = wolfSSL_write(wire->tls, wire->output.at + wire->output_taken,
                                 (int)(wire->output.length - wire->output_taken));
        if (sent <= 0) {
            int error = wolfSSL_get_error(wire->tls, sent);
            wire->broken = error != WOLFSSL_ERROR_WANT_WRITE && error != WOLFSSL_ERROR_WANT_READ;
            watch(wire, EV_READ | EV_WRITE);
            return;
        }
        wire->output_taken += (size_t)sent;
    }
    watch(wire, EV_READ);
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct wire *wire = watcher->data;
    (void)loop;
    incoming.start = incoming.end = 0;
    incoming.empty = false;
    switch (wire->state) {
    case WIRE_CONNECTING:
        connected(wire);
        break;
    case WIRE_SHAKING:
        shake_hands(wire);
        break;
    case WIRE_OPEN:
    case WIRE_ENDING:
        if ((events & EV_READ) != 0)
            receive(wire);
        wire->dirty = true;
        break;
    case WIRE_DOWN:
        break;
    }
}

/* The end of the loop turn. */
static void on_flush(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct wire *wire = watcher->data;
    (void)loop;
    (void)events;
    if (wire->dirty && !wire->broken && wire->session != NULL) {
        wire->dirty = false;
        send_output(wire);
    }
    bool ended = wire->state == WIRE_ENDING && wire->in_flight == 0;
    if (wire->broken || ended)
        lose(wire);
}

struct wire *wire_new(struct ev_loop *loop, struct wire_target *target, int streams,
                      const struct wire_owner *owner)
{
    struct wire *wire = memory_alloc(sizeof *wire);
    if (wire == NULL)
        return NULL;
    wire->loop = loop;
    wire->target = target;
    wire->owner = *owner;
    wire->streams = streams;
    wire->fd = -1;
    bytes_init(&wire->output, NULL);
    ev_init(&wire->io, on_io);
    ev_prepare_init(&wire->flush, on_flush);
    ev_set_priority(&wire->flush, EV_MINPRI);
    wire->io.data = wire->flush.data = wire;
    return wire;
}

void wire_free(struct wire *wire)
{
    if (wire == NULL)
        return;
    shut(wire);
    bytes_release(&wire->output);
    memory_free(wire);
}

void wire_connect(struct wire *wire)
{
    int on = 1;
    assert(wire->state == WIRE_DOWN);
    ev_prepare_start(wire->loop, &wire->flush);
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    wire->state = WIRE_CONNECTING;
    if (wire->fd < 0 || (connect(wire->fd, (struct sockaddr *)&wire->target->address,
                                 sizeof wire->target->address) != 0 &&
                         errno != EINPROGRESS)) {
        wire->broken = true;
        return;
    }
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(wire, EV_WRITE);
}

void wire_end(struct wire *wire)
{
    if (wire->state == WIRE_OPEN)
        wire->state = WIRE_ENDING;
    else if (wire->state != WIRE_DOWN)
        wire->broken = true;
}

int wire_in_flight(const struct wire *wire)
{
    return wire->in_flight;
}

int wire_room(const struct wire *wire)
{
    return wire->state == WIRE_OPEN && !wire->broken ? wire->streams - wire->in_flight : 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct wire_call *call = source->ptr;
    size_t take = call->unsent.length < length ? call->unsent.length : length;
    (void)session;
    (void)stream;
    (void)user;
    memcpy(buffer, call->unsent.at, take);
    call->unsent.at += take;
    call->unsent.length -= take;
    if (call->unsent.length == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)take;
}

static nghttp2_nv field(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.at, (uint8_t *)(uintptr_t)value.at, name.length,
                        value.length, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static size_t fill_headers(const struct wire_call *call, nghttp2_nv headers[8])
{
    size_t count = 0;
    headers[count++] = field(SLICE(":method"), slice_of(call->method));
    headers[count++] = field(SLICE(":scheme"), SLICE("https"));
    headers[count++] = field(SLICE(":authority"), SLICE("localhost"));
    headers[count++] = field(SLICE(":path"), call->path);
    if (call->authorization.length > 0)
        headers[count++] = field(SLICE("authorization"), call->authorization);
    if (call->key.length > 0)
        headers[count++] = field(SLICE("idempotency-key"), call->key);
    if (call->body.length > 0)
        headers[count++] = field(SLICE("content-type"), SLICE("application/json"));
    return count;
}

bool wire_begin(struct wire *wire, struct wire_call *call)
{
    nghttp2_nv headers[8];
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_body};
    if (wire_room(wire) <= 0)
        return false;
    call->status = 0;
    call->refused_stream = call->has_retry_after = false;
    call->hash = WIRE_HASH_START;
    call->length = 0;
    call->request_id[0] = '\0';
    call->answer = NULL;
    call->unsent = call->body;
    size_t count = fill_headers(call, headers);
    call->stream = nghttp2_submit_request(wire->session, NULL, headers, count,
                                          call->body.length > 0 ? &provider : NULL, call);
    if (call->stream < 0) { /* ids are used up: the connection has lived long enough */
        wire_end(wire);
        return false;
    }
    call->began = clock_monotonic();
    call->previous = NULL;
    call->next = wire->calls;
    if (wire->calls != NULL)
        wire->calls->previous = call;
    wire->calls = call;
    wire->in_flight++;
    wire->dirty = true;
    return true;
}
