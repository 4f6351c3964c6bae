/* One TCP connection: PROXY header, TLS handshake, HTTP/2, close. Its state moves in one function.
 * Output of a loop turn leaves in one flush at its end: one TLS record per flush, not one per
 * frame. Only net/ includes this. */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/inet.h"

struct listener;
struct session;
struct tls_stream;

enum connection_state {
    CONNECTION_PROXY, /* waiting for the PROXY header */
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_CLOSING,   /* last bytes go out, nothing is read */
    CONNECTION_LINGERING, /* all is said; what still comes is thrown away until the peer has gone:
                             closing with unread bytes would reset the connection, and the peer
                             might never see our last words */
    CONNECTION_CLOSED     /* torn down at the end of the loop turn */
};

struct connection {
    struct listener *listener;
    ev_io io;
    int fd;
    enum connection_state state;
    struct inet client;
    struct tls_stream *tls;
    struct session *session;
    struct bytes proxy_header; /* as far as it has come; nothing is kept once it's whole */
    struct bytes output;       /* what TLS was offered: never changed until it has taken it */
    size_t output_taken;
    int64_t deadline; /* of proxy header, handshake, closing and lingering; monotonic us */
    bool dirty;       /* on the listener's list to flush */
    bool read_waits;  /* TLS has to write before it can read on */
    struct connection *next_dirty;
    struct connection *next;
    struct connection *previous;
};

/* Take over `fd`. NULL: out of memory; fd is closed then, too. */
struct connection *connection_new(struct listener *listener, int fd, const struct inet *client);

/* At the end of the loop turn. True: it's closed and may be freed. */
bool connection_flush(struct connection *connection);

/* Deadlines; called about once a second. */
void connection_expire(struct connection *connection, int64_t now);

void connection_drain(struct connection *connection, int64_t now);

void connection_free(struct connection *connection);

#endif
