#include "net/listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/listener_state.h"

#define ACCEPTS_PER_TURN 64
#define SWEEP_S 0.25
#define PAUSE_S 0.1

static struct {
    metric open, open_operators;
    metric accepted;
    metric refused;
    metric handshakes_failed;
} metrics;

void listener_register_metrics(void)
{
    metrics.open = metrics_register(METRIC_GAUGE, "moolah_connections_open", "listener=\"public\"",
                                    "Connections open now");
    metrics.open_operators = metrics_register(METRIC_GAUGE, "moolah_connections_open",
                                              "listener=\"operators\"", "Connections open now");
    metrics.accepted = metrics_register(METRIC_COUNTER, "moolah_connections_accepted_total", "",
                                        "Connections accepted");
    metrics.refused = metrics_register(METRIC_COUNTER, "moolah_connections_refused_total", "",
                                       "Connections closed at once: too many, or out of memory");
    metrics.handshakes_failed = metrics_register(
        METRIC_COUNTER, "moolah_tls_handshakes_failed_total", "", "TLS handshakes that failed");
}

void listener_mark(struct connection *connection)
{
    struct listener *listener = connection->listener;
    if (connection->dirty)
        return;
    connection->dirty = true;
    connection->next_dirty = listener->dirty;
    listener->dirty = connection;
}

void listener_count_handshake_failure(const struct listener *listener)
{
    (void)listener;
    metrics_add(metrics.handshakes_failed, 1);
}

static void set_count(struct listener *listener, int count)
{
    bool public = strcmp(listener->settings.name, "public") == 0;
    listener->count = count;
    metrics_set(public ? metrics.open : metrics.open_operators, count);
}

static void link_connection(struct listener *listener, struct connection *connection)
{
    connection->next = listener->connections;
    if (listener->connections != NULL)
        listener->connections->previous = connection;
    listener->connections = connection;
    set_count(listener, listener->count + 1);
}

static void drop_connection(struct listener *listener, struct connection *connection)
{
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        listener->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    set_count(listener, listener->count - 1);
    connection_free(connection);
}

static void take_connection(struct listener *listener, int fd, const struct sockaddr *address)
{
    struct inet client;
    int on = 1;
    if (listener->count >= listener->settings.connections_max ||
        !inet_from_socket(address, &client)) {
        metrics_add(metrics.refused, 1);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *connection = connection_new(listener, fd, &client);
    if (connection == NULL) {
        metrics_add(metrics.refused, 1);
        return;
    }
    metrics_add(metrics.accepted, 1);
    link_connection(listener, connection);
}

/* Out of descriptors: the queue waits a moment, instead of the loop spinning. */
static void pause_accepting(struct listener *listener, int error)
{
    log_message(LOG_ERROR, "accept_failed", "%s: raise the limit on open files (ulimit -n)",
                strerror(error));
    ev_io_stop(listener->loop, &listener->accept);
    ev_timer_stop(listener->loop, &listener->pause);
    ev_timer_set(&listener->pause, PAUSE_S, 0.);
    ev_timer_start(listener->loop, &listener->pause);
}

static void on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct listener *listener = watcher->data;
    (void)loop;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        int fd = accept4(listener->settings.fd, (struct sockaddr *)&address, &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(listener, fd, (struct sockaddr *)&address);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(listener, errno);
        return;
    }
}

static void on_pause_over(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct listener *listener = watcher->data;
    (void)events;
    if (!listener->draining)
        ev_io_start(loop, &listener->accept);
}

/* What was marked in this turn; whatever that marks anew is for the next one. */
static void on_flush(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct listener *listener = watcher->data;
    struct connection *connection = listener->dirty;
    (void)loop;
    (void)events;
    listener->dirty = NULL;
    while (connection != NULL) {
        struct connection *next = connection->next_dirty;
        bool closed = connection_flush(connection);
        connection->dirty = false;
        if (closed)
            drop_connection(listener, connection);
        connection = next;
    }
}

static void on_sweep(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct listener *listener = watcher->data;
    int64_t now = clock_monotonic();
    (void)loop;
    (void)events;
    for (struct connection *c = listener->connections; c != NULL; c = c->next)
        connection_expire(c, now);
}

struct listener *listener_new(struct ev_loop *loop, const struct listener_settings *settings)
{
    struct listener *listener = memory_alloc(sizeof *listener);
    if (listener == NULL)
        return NULL;
    listener->loop = loop;
    listener->settings = *settings;
    listener->settings.tls = NULL;
    listener_set_tls(listener, settings->tls);
    ev_io_init(&listener->accept, on_accept, settings->fd, EV_READ);
    ev_prepare_init(&listener->flush, on_flush);
    ev_timer_init(&listener->sweep, on_sweep, SWEEP_S, SWEEP_S);
    ev_init(&listener->pause, on_pause_over);
    listener->accept.data = listener->flush.data = listener;
    listener->sweep.data = listener->pause.data = listener;
    ev_io_start(loop, &listener->accept);
    ev_prepare_start(loop, &listener->flush);
    ev_timer_start(loop, &listener->sweep);
    return listener;
}

void listener_set_tls(struct listener *listener, struct tls_server *tls)
{
    tls_server_retain(tls);
    tls_server_release(listener->settings.tls);
    listener->settings.tls = tls;
}

void listener_set_limits(struct listener *listener, const struct listener_settings *settings)
{
    listener->settings.limits = settings->limits;
    listener->settings.connections_max = settings->connections_max;
    listener->settings.handshake_timeout_us = settings->handshake_timeout_us;
    listener->settings.proxies = settings->proxies;
    listener->settings.proxy_count = settings->proxy_count;
}

void listener_drain(struct listener *listener)
{
    int64_t now = clock_monotonic();
    listener->draining = true;
    ev_io_stop(listener->loop, &listener->accept);
    for (struct connection *c = listener->connections; c != NULL; c = c->next)
        connection_drain(c, now);
}

int listener_connections(const struct listener *listener)
{
    return listener->count;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    ev_io_stop(listener->loop, &listener->accept);
    ev_prepare_stop(listener->loop, &listener->flush);
    ev_timer_stop(listener->loop, &listener->sweep);
    ev_timer_stop(listener->loop, &listener->pause);
    while (listener->connections != NULL)
        drop_connection(listener, listener->connections);
    tls_server_release(listener->settings.tls);
    memory_free(listener);
}
