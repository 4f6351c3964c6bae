/* One TCP connection: PROXY header, TLS handshake, HTTP/2, close. Its state moves in one function. Output of a loop
 * turn leaves in one flush at its end: one TLS record per flush, not one per frame. */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/inet.h"

struct connection;
struct listener;

enum connection_state {
    CONNECTION_PROXY,     /* waiting for the PROXY header */
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_CLOSING,   /* last bytes go out, nothing is read */
    CONNECTION_CLOSED     /* torn down at the end of the loop turn */
};

#endif
