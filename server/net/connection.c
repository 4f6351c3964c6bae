#include "net/connection.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/session.h"
#include "net/listener_state.h"
#include "net/proxy_protocol.h"

#define READ_SIZE (16 * 1024)
#define READS_PER_TURN 8 /* then others have their turn */
#define RECORD_SIZE (16 * 1024)
#define FLUSH_MAX (256 * 1024) /* per turn and connection */
#define OUTPUT_KEPT 4096       /* a larger buffer is given back when it's empty */
#define CLOSING_US (2 * CLOCK_SECOND)

static void connection_enter(struct connection *c, enum connection_state state)
{
    static const unsigned from[] = {
        [CONNECTION_PROXY] = 0,
        [CONNECTION_HANDSHAKE] = 1U << CONNECTION_PROXY,
        [CONNECTION_OPEN] = 1U << CONNECTION_HANDSHAKE,
        [CONNECTION_CLOSING] = 1U << CONNECTION_OPEN,
        [CONNECTION_CLOSED] = 1U << CONNECTION_PROXY | 1U << CONNECTION_HANDSHAKE |
                              1U << CONNECTION_OPEN | 1U << CONNECTION_CLOSING,
    };
    assert((from[state] & 1U << c->state) != 0);
    c->state = state;
    if (state == CONNECTION_CLOSING)
        c->deadline = clock_monotonic() + CLOSING_US;
    if (state == CONNECTION_CLOSED)
        ev_io_stop(c->listener->loop, &c->io);
    listener_mark(c);
}

static void watch(struct connection *c, int events)
{
    if (c->state == CONNECTION_CLOSED || (ev_is_active(&c->io) && c->io.events == events))
        return;
    ev_io_stop(c->listener->loop, &c->io);
    if (events == 0)
        return;
    ev_io_set(&c->io, c->fd, events);
    ev_io_start(c->listener->loop, &c->io);
}

static void session_serve(void *owner, struct request *request)
{
    struct connection *c = owner;
    c->listener->settings.serve(c->listener->settings.owner, request);
}

static void session_wake(void *owner)
{
    listener_mark(owner);
}

static void session_answered(void *owner, const struct request *request)
{
    struct connection *c = owner;
    c->listener->settings.answered(c->listener->settings.owner, request);
}

static void start_session(struct connection *c)
{
    const struct session_owner owner = {c, session_serve, session_wake, session_answered};
    int64_t now = clock_monotonic();
    c->session = session_new(&c->listener->settings.limits, &owner, &c->client,
                             tls_stream_has_client_certificate(c->tls), now);
    if (c->session == NULL) {
        connection_enter(c, CONNECTION_CLOSED);
        return;
    }
    connection_enter(c, CONNECTION_OPEN);
    watch(c, EV_READ);
    if (c->listener->draining)
        session_drain(c->session, now);
}

static void shake_hands(struct connection *c)
{
    switch (tls_stream_handshake(c->tls)) {
    case TLS_OK:
        start_session(c);
        return;
    case TLS_WANT_READ:
        watch(c, EV_READ);
        return;
    case TLS_WANT_WRITE:
        watch(c, EV_WRITE);
        return;
    case TLS_CLOSED:
    case TLS_FAILED:
        listener_count_handshake_failure(c->listener);
        log_message(LOG_DEBUG, "handshake_failed", "%s", tls_stream_error(c->tls));
        connection_enter(c, CONNECTION_CLOSED);
        return;
    }
}

/* Look first, then take just the header: what follows it is TLS's. */
static void read_proxy_header(struct connection *c)
{
    char data[PROXY_PROTOCOL_MAX];
    size_t used = 0;
    ssize_t length = recv(c->fd, data, sizeof data, MSG_PEEK);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    enum proxy_protocol_result result =
        length <= 0 ? PROXY_PROTOCOL_INVALID
                    : proxy_protocol_parse(data, (size_t)length, &used, &c->client);
    switch (result) {
    case PROXY_PROTOCOL_MORE: /* peeking again at once would spin: the deadline bounds it */
        return;
    case PROXY_PROTOCOL_DONE:
        if (recv(c->fd, data, used, 0) == (ssize_t)used) {
            connection_enter(c, CONNECTION_HANDSHAKE);
            shake_hands(c);
            return;
        }
        break;
    case PROXY_PROTOCOL_INVALID:
        break;
    }
    log_message(LOG_WARN, "proxy_header_invalid", "a configured proxy sent no PROXY v2 header");
    connection_enter(c, CONNECTION_CLOSED);
}

/* False: nothing more to read now. */
static bool read_once(struct connection *c)
{
    static char data[READ_SIZE]; /* one worker, one thread: shared by all connections */
    size_t length = sizeof data;
    switch (tls_stream_read(c->tls, data, &length)) {
    case TLS_OK:
        if (!session_receive(c->session, data, length, clock_monotonic()))
            connection_enter(c, CONNECTION_CLOSING);
        return c->state == CONNECTION_OPEN;
    case TLS_WANT_READ:
        return false;
    case TLS_WANT_WRITE:
        watch(c, EV_READ | EV_WRITE);
        return false;
    case TLS_CLOSED:
    case TLS_FAILED:
        connection_enter(c, CONNECTION_CLOSED);
        return false;
    }
    return false;
}

static void read_input(struct connection *c)
{
    for (int i = 0; i < READS_PER_TURN; i++) {
        if (!session_wants_read(c->session)) {
            listener_mark(c);
            return;
        }
        if (!read_once(c)) {
            listener_mark(c);
            return;
        }
    }
    ev_feed_event(c->listener->loop, &c->io,
                  EV_READ); /* TLS may hold bytes the socket doesn't show */
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct connection *c = watcher->data;
    (void)loop;
    switch (c->state) {
    case CONNECTION_PROXY:
        read_proxy_header(c);
        return;
    case CONNECTION_HANDSHAKE:
        shake_hands(c);
        return;
    case CONNECTION_OPEN:
        if ((events & EV_WRITE) != 0)
            listener_mark(c);
        if ((events & EV_READ) != 0)
            read_input(c);
        return;
    case CONNECTION_CLOSING:
        listener_mark(c);
        return;
    case CONNECTION_CLOSED:
        return;
    }
}

static bool is_proxy(const struct listener_settings *settings, const struct inet *client)
{
    for (size_t i = 0; i < settings->proxy_count; i++)
        if (inet_in_network(client, &settings->proxies[i]))
            return true;
    return false;
}

struct connection *connection_new(struct listener *listener, int fd, const struct inet *client)
{
    struct connection *c = memory_alloc(sizeof *c);
    struct tls_stream *tls = c == NULL ? NULL : tls_stream_new(listener->settings.tls, fd);
    if (tls == NULL) {
        memory_free(c);
        close(fd);
        return NULL;
    }
    c->listener = listener;
    c->fd = fd;
    c->client = *client;
    c->tls = tls;
    c->deadline = clock_monotonic() + listener->settings.handshake_timeout_us;
    c->state = is_proxy(&listener->settings, client) ? CONNECTION_PROXY : CONNECTION_HANDSHAKE;
    bytes_init(&c->output, NULL);
    ev_io_init(&c->io, on_io, fd, EV_READ);
    c->io.data = c;
    ev_io_start(listener->loop, &c->io);
    return c;
}

/* Offer TLS one record's worth. False: it takes no more now, or it's over. */
static bool write_once(struct connection *c)
{
    size_t left = c->output.length - c->output_taken;
    switch (tls_stream_write(c->tls, c->output.at + c->output_taken, &left)) {
    case TLS_OK:
        c->output_taken += left;
        return true;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        return false;
    case TLS_CLOSED:
    case TLS_FAILED:
        connection_enter(c, CONNECTION_CLOSED);
        return false;
    }
    return false;
}

static void reuse_output(struct connection *c)
{
    c->output_taken = 0;
    if (c->output.capacity > OUTPUT_KEPT)
        bytes_release(&c->output);
    else
        bytes_clear(&c->output);
}

/* True: all output there was is gone. */
static bool write_output(struct connection *c)
{
    for (size_t sent = 0; sent < FLUSH_MAX && c->state != CONNECTION_CLOSED;) {
        if (c->output_taken == c->output.length) {
            reuse_output(c);
            if (!session_send(c->session, &c->output, RECORD_SIZE)) {
                connection_enter(c, CONNECTION_CLOSED);
                return false;
            }
            if (c->output.length == 0)
                return true;
        }
        size_t before = c->output_taken;
        if (!write_once(c))
            return false;
        sent += c->output_taken - before;
    }
    return false;
}

bool connection_flush(struct connection *c)
{
    if (c->state != CONNECTION_OPEN && c->state != CONNECTION_CLOSING)
        return c->state == CONNECTION_CLOSED;
    bool empty = write_output(c);
    if (c->state == CONNECTION_CLOSED)
        return true;
    if (empty && (c->state == CONNECTION_CLOSING || session_is_done(c->session))) {
        tls_stream_close(c->tls);
        connection_enter(c, CONNECTION_CLOSED);
        return true;
    }
    bool reads = c->state == CONNECTION_OPEN && session_wants_read(c->session);
    watch(c, (reads ? EV_READ : 0) | (empty ? 0 : EV_WRITE));
    return false;
}

void connection_expire(struct connection *c, int64_t now)
{
    if (c->state != CONNECTION_OPEN) {
        if (c->state != CONNECTION_CLOSED && c->deadline <= now)
            connection_enter(c, CONNECTION_CLOSED);
        return;
    }
    if (session_deadline(c->session) <= now && !session_expire(c->session, now))
        connection_enter(c, CONNECTION_CLOSED);
}

void connection_drain(struct connection *c, int64_t now)
{
    if (c->state == CONNECTION_OPEN)
        session_drain(c->session, now);
}

void connection_free(struct connection *c)
{
    ev_io_stop(c->listener->loop, &c->io);
    ev_clear_pending(c->listener->loop, &c->io);
    session_free(c->session);
    tls_stream_free(c->tls);
    bytes_release(&c->output);
    close(c->fd);
    memory_free(c);
}
