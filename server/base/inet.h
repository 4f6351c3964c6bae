/* An IP address as 16 bytes (IPv4 mapped into IPv6), for logs, rate limits and PROXY headers. */
#ifndef BASE_INET_H
#define BASE_INET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct sockaddr;

#define INET_TEXT_MAX 46

struct inet {
    uint8_t bytes[16];
    uint16_t port;
};

/* A network: the first `bits` of `address` count (IPv4: 96 + prefix). */
struct inet_network {
    struct inet address;
    uint8_t bits;
};

bool inet_from_socket(const struct sockaddr *address, struct inet *out);
void inet_text(const struct inet *address,
               char text[INET_TEXT_MAX]); /* without port; IPv4 dotted */

/* "127.0.0.1:8443", "[::1]:8443", "*:8443" (all addresses, IPv6 and IPv4). */
bool inet_parse_listen(struct slice text, struct inet *out);
bool inet_parse_network(struct slice text, struct inet_network *out); /* "10.0.0.0/8", "::1" */
bool inet_in_network(const struct inet *address, const struct inet_network *network);

#endif
