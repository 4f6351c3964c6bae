/* PROXY protocol v2 (haproxy's doc/proxy-protocol.txt): the binary header a load balancer puts in
 * front of a connection. Accepted only from configured peers; from those it's required. Sans-I/O:
 * give it what has arrived. */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include <stddef.h>

#include "base/inet.h"

enum proxy_protocol_result {
    PROXY_PROTOCOL_MORE,   /* incomplete: read on until *used bytes are there, and no further: what
                              comes behind the header is TLS's */
    PROXY_PROTOCOL_DONE,   /* *used bytes consumed, *client set (unless LOCAL, then untouched) */
    PROXY_PROTOCOL_INVALID /* close */
};

#define PROXY_PROTOCOL_MAX 536 /* header with TLVs we accept at most */

enum proxy_protocol_result proxy_protocol_parse(const void *data, size_t length, size_t *used,
                                                struct inet *client);

#endif
