/* Which addresses are the public internet's: all but what IANA's special-purpose registries
 * (https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry) keep
 * for something else, multicast, and the clouds' services for the machines inside them. */
#ifndef NET_PUBLIC_ADDRESS_H
#define NET_PUBLIC_ADDRESS_H

#include <stdbool.h>

#include "base/inet.h"

/* An IPv4 address counts as itself when it comes mapped into IPv6; other ways to hide one in an
 * IPv6 address (6to4, Teredo, NAT64) are not public. */
bool public_address_is(const struct inet *address);

#endif
