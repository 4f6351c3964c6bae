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
#define RECORD_SIZE (16UL * 1024)
#define FLUSH_MAX (256UL * 1024) /* per turn and connection */
#define OUTPUT_KEPT 4096         /* a larger buffer is given back when it's empty */
#define CLOSING_US (2L * CLOCK_SECOND)

static void connection_enter(struct connection *c, enum connection_state state)
{
    static const unsigned from[] = {
        [CONNECTION_PROXY] = 0,
        [CONNECTION_HANDSHAKE] = 1U << CONNECTION_PROXY,
        [CONNECTION_OPEN] = 1U << CONNECTION_HANDSHAKE,
        [CONNECTION_CLOSING] = 1U << CONNECTION_OPEN,
        [CONNECTION_LINGERING] = 1U << CONNECTION_OPEN | 1U << CONNECTION_CLOSING,
        [CONNECTION_CLOSED] = 1U << CONNECTION_PROXY | 1U << CONNECTION_HANDSHAKE |
                              1U << CONNECTION_OPEN | 1U << CONNECTION_CLOSING |
                              1U << CONNECTION_LINGERING,
    };
    assert((from[state] & 1U << c->state) != 0);
    c->state = state;
    if (state == CONNECTION_CLOSING || state == CONNECTION_LINGERING)
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

static void read_input(struct connection *c);

static void session_serve(void *owner, struct request *request)
{
    struct connection *c = owner;
    c->listener->settings.serve(c->listener->settings.owner, request);
}

static void session_wake(void *owner)
{
    listener_mark(owner);
}

static void start_session(struct connection *c)
{
    const struct listener_settings *settings = &c->listener->settings;
    const struct session_owner owner = {
        c, session_serve, session_wake, {settings->owner, settings->answered}};
    int64_t now = clock_monotonic();
    c->session = session_new(&settings->limits, &owner, &c->client,
                             tls_stream_has_client_certificate(c->tls), now);
    if (c->session == NULL) {
        connection_enter(c, CONNECTION_CLOSED);
        return;
    }
    connection_enter(c, CONNECTION_OPEN);
    watch(c, EV_READ);
    if (c->listener->draining)
        session_drain(c->session, now);
    if (tls_stream_is_pending(c->tls)) /* came with the handshake's last bytes: no event tells */
        read_input(c);
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

/* Take just the header, as it comes: what follows it is TLS's. */
static enum proxy_protocol_result take_proxy_header(struct connection *c)
{
    enum proxy_protocol_result result;
    size_t wanted = 0;
    while ((result = proxy_protocol_parse(c->proxy_header.at, c->proxy_header.length, &wanted,
                                          &c->client)) == PROXY_PROTOCOL_MORE) {
        char data[PROXY_PROTOCOL_MAX];
        assert(wanted > c->proxy_header.length && wanted <= sizeof data);
        ssize_t length = recv(c->fd, data, wanted - c->proxy_header.length, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return PROXY_PROTOCOL_MORE;
        if (length <= 0)
            return PROXY_PROTOCOL_INVALID;
        bytes_add(&c->proxy_header, data, (size_t)length);
        if (c->proxy_header.failed)
            return PROXY_PROTOCOL_INVALID;
    }
    return result;
}

static void read_proxy_header(struct connection *c)
{
    switch (take_proxy_header(c)) {
    case PROXY_PROTOCOL_MORE:
        return;
    case PROXY_PROTOCOL_DONE:
        bytes_release(&c->proxy_header);
        connection_enter(c, CONNECTION_HANDSHAKE);
        shake_hands(c);
        return;
    case PROXY_PROTOCOL_INVALID:
        log_message(LOG_WARN, "proxy_header_invalid", "a configured proxy sent no PROXY v2 header");
        connection_enter(c, CONNECTION_CLOSED);
        return;
    }
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
    case TLS_WANT_WRITE: /* an answer to a key update, say */
        c->read_waits = true;
        return false;
    case TLS_CLOSED:
    case TLS_FAILED:
        connection_enter(c, CONNECTION_CLOSED);
        return false;
    }
    return false;
}

/* The rest comes in the next turn: others have theirs. Bytes that only TLS knows of can't wait. */
static void read_input(struct connection *c)
{
    c->read_waits = false;
    for (int i = 0; i < READS_PER_TURN || tls_stream_is_pending(c->tls); i++) {
        if (i == READS_PER_TURN)
            tls_stream_pause(c->tls);
        if (!session_wants_read(c->session) || !read_once(c))
            break;
    }
    listener_mark(c);
}

/* Bytes that nobody will read. */
static void throw_away(struct connection *c)
{
    static char data[READ_SIZE];
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t length = recv(c->fd, data, sizeof data, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (length <= 0) {
            connection_enter(c, CONNECTION_CLOSED);
            return;
        }
    }
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
        if ((events & EV_READ) != 0 || c->read_waits)
            read_input(c);
        return;
    case CONNECTION_CLOSING:
        listener_mark(c);
        return;
    case CONNECTION_LINGERING:
        throw_away(c);
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
    bytes_init(&c->proxy_header, NULL);
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

/* Everything is said: tell the peer so, and let it go first. */
static void linger(struct connection *c)
{
    tls_stream_close(c->tls);
    shutdown(c->fd, SHUT_WR);
    connection_enter(c, CONNECTION_LINGERING);
    session_free(c->session);
    c->session = NULL;
    bytes_release(&c->output);
    watch(c, EV_READ);
}

bool connection_flush(struct connection *c)
{
    if (c->state != CONNECTION_OPEN && c->state != CONNECTION_CLOSING)
        return c->state == CONNECTION_CLOSED;
    bool empty = write_output(c);
    if (c->state == CONNECTION_CLOSED)
        return true;
    if (empty && (c->state == CONNECTION_CLOSING || session_is_done(c->session))) {
        linger(c);
        return false;
    }
    bool reads = c->state == CONNECTION_OPEN && !c->read_waits && session_wants_read(c->session);
    watch(c, (reads ? EV_READ : 0) | (empty && !c->read_waits ? 0 : EV_WRITE));
    return false;
}

void connection_expire(struct connection *c, int64_t now)
{
    if (c->state == CONNECTION_OPEN) {
        if (!session_expire(c->session, now))
            connection_enter(c, CONNECTION_CLOSING);
    } else if (c->state != CONNECTION_CLOSED && c->deadline <= now) {
        connection_enter(c, CONNECTION_CLOSED);
    }
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
    bytes_release(&c->proxy_header);
    bytes_release(&c->output);
    close(c->fd);
    memory_free(c);
}
