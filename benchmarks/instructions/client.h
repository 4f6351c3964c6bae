/* The bytes that a client sends: a connection's beginning, then POST /v1/transfers after another,
 * each in an HTTP/2 stream of its own. */
#ifndef INSTRUCTIONS_CLIENT_H
#define INSTRUCTIONS_CLIENT_H

#include <stdbool.h>

#include "base/bytes.h"

#define CLIENT_REQUESTS 16

struct client_bytes {
    struct bytes start; /* preface, SETTINGS, and a first request */
    struct bytes requests[CLIENT_REQUESTS];
};

/* False: out of memory. */
bool client_write(struct client_bytes *bytes);

#endif
