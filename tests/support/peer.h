/* A peer that says what it likes: TCP, TLS and bytes, each step by itself and none of them checked.
 * For tests of what a well-behaved client (client.h) would never do. */
#ifndef SUPPORT_PEER_H
#define SUPPORT_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "tests/support/frames.h"

struct peer;

/* Connect to 127.0.0.1:port. `receive_buffer`: of the socket, 0: the system's. Never NULL. */
struct peer *peer_connect(int port, int receive_buffer);
void peer_close(struct peer *peer);

/* TLS 1.3, or 1.2; `alpn` is a list, NULL: none. False: the server refused. */
bool peer_shake_hands(struct peer *peer, const char *alpn, bool tls12);

/* The alert the server has ended the handshake with; -1: none. */
int peer_alert(const struct peer *peer);

/* All of it, over TLS once the handshake is through; waits up to 10 s for the server to take it.
 * False: the connection has ended, or the server takes no more. */
bool peer_send(struct peer *peer, struct slice data);

/* As much as can be sent at once: how much that was; -1: the connection has ended. */
ssize_t peer_send_some(struct peer *peer, struct slice data);

enum peer_event {
    PEER_FRAME, /* *frame is valid until the next call */
    PEER_QUIET, /* nothing within timeout_ms */
    PEER_ENDED  /* close_notify, EOF or a reset */
};

enum peer_event peer_next(struct peer *peer, struct frame *frame, int timeout_ms);

/* Wait until the server has ended the connection, throwing away what comes. False: it hasn't. */
bool peer_await_end(struct peer *peer, int timeout_ms);

/* peer_connect, peer_shake_hands, preface, SETTINGS and their acknowledgements. NULL: refused. */
struct peer *peer_open(int port);

/* Of a HEADERS frame just received (in order, none left out): its :status; -1: no such thing. */
int peer_status(struct peer *peer, const struct frame *frame);

#endif
