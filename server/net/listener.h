/* A listener: one listening socket (made by the master, one per worker slot with SO_REUSEPORT),
 * TLS, and the connections accepted on it. Accepts in small bursts, refuses beyond connections_max
 * (closes at once, counted). */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/inet.h"
#include "http/session.h"

struct ev_loop;
struct listener;
struct tls_server;

struct listener_settings {
    const char *name;       /* "public" or "operators": label in metrics and log */
    int fd;                 /* listening, non-blocking; stays the caller's */
    struct tls_server *tls; /* a reference is taken */
    struct session_limits limits;
    int connections_max; /* per worker */
    int64_t handshake_timeout_us;
    const struct inet_network *proxies; /* peers that speak PROXY v2; borrowed */
    size_t proxy_count;
    void *owner;
    void (*serve)(void *owner, struct request *request);          /* see router_serve */
    void (*answered)(void *owner, const struct request *request); /* for log and metrics */
};

/* Register metrics; in the master, once. */
void listener_register_metrics(void);

struct listener *listener_new(struct ev_loop *loop, const struct listener_settings *settings);

/* New connections get this certificate from now on. */
void listener_set_tls(struct listener *listener, struct tls_server *tls);

/* New connections get these limits, deadlines and proxies from now on; the rest of the settings
 * stays. */
void listener_set_limits(struct listener *listener, const struct listener_settings *settings);

/* Stop accepting, GOAWAY to all; listener_connections falls to 0 as they finish. */
void listener_drain(struct listener *listener);
int listener_connections(const struct listener *listener);

/* Closes what is left. Requests that wait live on until their flows end. */
void listener_free(struct listener *listener);

#endif
