#include "support/peer.h"

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_MS 10000

struct peer {
    int fd;
    WOLFSSL_CTX *context;
    WOLFSSL *tls; /* NULL: plain so far */
    nghttp2_hd_inflater *inflater;
    struct bytes input;
    size_t seen; /* of the input: handed out already */
    bool ended;
};

struct peer *peer_connect(int port, int receive_buffer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct peer *peer = calloc(1, sizeof *peer);
    int on = 1;
    assert(peer != NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(peer->fd >= 0);
    if (receive_buffer > 0)
        setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int connected = connect(peer->fd, (struct sockaddr *)&address, sizeof address);
    assert(connected == 0);
    fcntl(peer->fd, F_SETFL, fcntl(peer->fd, F_GETFL) | O_NONBLOCK);
    bytes_init(&peer->input, NULL);
    nghttp2_hd_inflate_new(&peer->inflater);
    return peer;
}

void peer_close(struct peer *peer)
{
    if (peer == NULL)
        return;
    if (peer->tls != NULL)
        wolfSSL_free(peer->tls);
    if (peer->context != NULL)
        wolfSSL_CTX_free(peer->context);
    nghttp2_hd_inflate_del(peer->inflater);
    bytes_release(&peer->input);
    close(peer->fd);
    free(peer);
}

static bool await(const struct peer *peer, short events, int timeout_ms)
{
    struct pollfd fd = {.fd = peer->fd, .events = events};
    return poll(&fd, 1, timeout_ms) > 0;
}

bool peer_shake_hands(struct peer *peer, const char *alpn, bool tls12)
{
    int64_t deadline = clock_monotonic() + PATIENCE_MS * 1000;
    peer->context =
        wolfSSL_CTX_new(tls12 ? wolfTLSv1_2_client_method() : wolfTLSv1_3_client_method());
    assert(peer->context != NULL);
    wolfSSL_CTX_set_verify(peer->context, WOLFSSL_VERIFY_NONE, NULL);
    peer->tls = wolfSSL_new(peer->context);
    assert(peer->tls != NULL);
    wolfSSL_set_fd(peer->tls, peer->fd);
    wolfSSL_set_using_nonblock(peer->tls, 1);
    if (alpn != NULL) {
        char *list = strdup(alpn);
        wolfSSL_UseALPN(peer->tls, list, (unsigned)strlen(list), WOLFSSL_ALPN_CONTINUE_ON_MISMATCH);
        free(list);
    }
    for (int done; (done = wolfSSL_connect(peer->tls)) != WOLFSSL_SUCCESS;) {
        int error = wolfSSL_get_error(peer->tls, done);
        if ((error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE) ||
            clock_monotonic() > deadline)
            return false;
        await(peer, error == WOLFSSL_ERROR_WANT_READ ? POLLIN : POLLOUT, 100);
    }
    return true;
}

int peer_alert(const struct peer *peer)
{
    WOLFSSL_ALERT_HISTORY alerts;
    if (wolfSSL_get_alert_history(peer->tls, &alerts) != WOLFSSL_SUCCESS)
        return -1;
    return alerts.last_rx.code;
}

ssize_t peer_send_some(struct peer *peer, struct slice data)
{
    if (peer->tls == NULL) {
        ssize_t sent = send(peer->fd, data.at, data.length, MSG_NOSIGNAL);
        return sent < 0 && errno == EAGAIN ? 0 : sent;
    }
    int sent = wolfSSL_write(peer->tls, data.at, (int)data.length);
    if (sent > 0)
        return sent;
    int error = wolfSSL_get_error(peer->tls, sent);
    return error == WOLFSSL_ERROR_WANT_WRITE || error == WOLFSSL_ERROR_WANT_READ ? 0 : -1;
}

bool peer_send(struct peer *peer, struct slice data)
{
    while (data.length > 0) {
        ssize_t sent = peer_send_some(peer, data);
        if (sent < 0 || (sent == 0 && !await(peer, POLLOUT, PATIENCE_MS)))
            return false;
        data.at += sent;
        data.length -= (size_t)sent;
    }
    return true;
}

/* What has arrived, if anything. */
static void receive(struct peer *peer)
{
    char data[16384];
    ssize_t length;
    if (peer->tls == NULL) {
        length = recv(peer->fd, data, sizeof data, 0);
        peer->ended = length == 0 || (length < 0 && errno != EAGAIN);
    } else {
        length = wolfSSL_read(peer->tls, data, sizeof data);
        int error = length > 0 ? 0 : wolfSSL_get_error(peer->tls, (int)length);
        peer->ended =
            length <= 0 && error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE;
    }
    if (length > 0)
        bytes_add(&peer->input, data, (size_t)length);
}

enum peer_event peer_next(struct peer *peer, struct frame *frame, int timeout_ms)
{
    int64_t deadline = clock_monotonic() + (int64_t)timeout_ms * 1000;
    bytes_consume(&peer->input, peer->seen);
    peer->seen = 0;
    for (;;) {
        struct slice rest = bytes_view(&peer->input);
        if (frames_next(&rest, frame)) {
            peer->seen = peer->input.length - rest.length;
            return PEER_FRAME;
        }
        if (peer->ended)
            return PEER_ENDED;
        size_t before = peer->input.length;
        receive(peer);
        if (peer->ended || peer->input.length > before)
            continue;
        int64_t left = deadline - clock_monotonic();
        if (left <= 0)
            return PEER_QUIET;
        await(peer, POLLIN, (int)(left / 1000) + 1);
    }
}

bool peer_await_end(struct peer *peer, int timeout_ms)
{
    int64_t deadline = clock_monotonic() + (int64_t)timeout_ms * 1000;
    struct frame frame;
    while (clock_monotonic() < deadline)
        if (peer_next(peer, &frame, (int)((deadline - clock_monotonic()) / 1000) + 1) == PEER_ENDED)
            return true;
    return false;
}

static bool greet(struct peer *peer)
{
    struct bytes out;
    struct frame frame;
    int settings = 0;
    bytes_init(&out, NULL);
    frames_add_preface(&out);
    frames_add(&out, FRAME_SETTINGS, ACK, 0, SLICE(""));
    bool good = peer_send(peer, bytes_view(&out));
    bytes_release(&out);
    while (good && settings < 2) {
        good = peer_next(peer, &frame, PATIENCE_MS) == PEER_FRAME;
        settings += good && frame.type == FRAME_SETTINGS;
    }
    return good;
}

struct peer *peer_open(int port)
{
    struct peer *peer = peer_connect(port, 0);
    if (peer_shake_hands(peer, "h2", false) && greet(peer))
        return peer;
    peer_close(peer);
    return NULL;
}

int peer_status(struct peer *peer, const struct frame *frame)
{
    const uint8_t *at = frame->payload;
    size_t left = frame->length;
    int status = -1;
    int flags = 0;
    while (frame->type == FRAME_HEADERS && (flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(peer->inflater, &field, &flags, at, left, 1);
        if (used < 0)
            return -1;
        at += used;
        left -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && field.namelen == 7 &&
            memcmp(field.name, ":status", 7) == 0)
            status = (int)strtol((const char *)field.value, NULL, 10);
    }
    nghttp2_hd_inflate_end_headers(peer->inflater);
    return status;
}
