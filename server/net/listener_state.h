/* What listener.c and connection.c share; nobody else includes this. */
#ifndef NET_LISTENER_STATE_H
#define NET_LISTENER_STATE_H

#include <ev.h>

#include "base/metrics.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/tls.h"

struct listener {
    struct ev_loop *loop;
    struct listener_settings settings;
    ev_io accept;
    ev_prepare flush;
    ev_timer sweep;
    ev_timer pause; /* out of descriptors: accepting again after it */
    struct connection *connections;
    struct connection *dirty;
    int count;
    bool draining;
};

/* There is output, or an end: look at it when the loop turn ends. */
void listener_mark(struct connection *connection);

void listener_count_handshake_failure(const struct listener *listener);

#endif
