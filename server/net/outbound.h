/* Outbound HTTPS for webhooks and suppliers: a question to somebody else's server, the answer
 * later, on the loop. The only user of libcurl (its multi_socket interface; names are looked up by
 * libcurl's threads, so that DNS never holds up the loop).
 *
 * Strangers say where to, so:
 * - The certificate is verified always: against the system's authorities and, if configured, one
 *   file more. http: is refused unless configured. TLS 1.2 at least.
 * - Addresses are looked at when the socket is made, behind any name, number or mapping: what is
 *   checked is what is connected to, and no later DNS answer counts. Only the public internet's are
 *   (public_address.h), and the configured networks'. A name that has a public address beside
 * others is reached there.
 * - No redirects, proxies (the environment's neither), cookies, .netrc, user names in URLs, or
 *   decompression. Answers, times and transfers are bounded.
 *
 * Connections are kept and used again. libcurl sends a request a second time, on a new connection,
 * when a kept one turns out to be dead before a byte of the answer came: say in the request what
 * makes it idempotent. */
#ifndef NET_OUTBOUND_H
#define NET_OUTBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/inet.h"

struct ev_loop;
struct outbound;

struct outbound_settings {
    const char *ca_file;                /* PEM, trusted beside the system's; NULL: none. Borrowed */
    const struct inet_network *allowed; /* besides public addresses; borrowed */
    size_t allowed_count;
    bool allow_http;
    int transfers_max; /* at once */
};

enum outbound_result {
    OUTBOUND_ANSWERED,        /* any status, its body whole */
    OUTBOUND_BAD_URL,         /* malformed, or not https */
    OUTBOUND_REFUSED_ADDRESS, /* nowhere we may go */
    OUTBOUND_DNS,             /* no such name, or nobody tells */
    OUTBOUND_CONNECT,
    OUTBOUND_TLS,
    OUTBOUND_TIMEOUT,
    OUTBOUND_TOO_LARGE, /* answered, but more than answer_max */
    OUTBOUND_BROKEN     /* the connection broke, or what came isn't HTTP */
};

#define OUTBOUND_HEADERS_MAX 12
#define OUTBOUND_ERROR_MAX 128

struct outbound_header {
    const char *name;   /* a literal */
    struct slice value; /* without line ends; empty: not sent */
};

/* Embed one; all of the question stays where it is until `done`. */
struct outbound_transfer {
    const char *method; /* "GET", "POST", ... */
    const char *url;
    struct outbound_header headers[OUTBOUND_HEADERS_MAX];
    size_t header_count;
    struct slice body;                                /* {NULL,0}: none */
    int64_t connect_timeout_us;                       /* for name, connection and TLS */
    int64_t timeout_us;                               /* for all of it */
    size_t answer_max;                                /* bytes of the body */
    void (*done)(struct outbound_transfer *transfer); /* once, never from inside outbound_start */

    enum outbound_result result;
    bool maybe_sent;     /* false: nothing of the request has left, for sure */
    int status;          /* of OUTBOUND_ANSWERED and _TOO_LARGE; else 0 */
    struct bytes answer; /* the body; released after `done` */
    int64_t took_us;
    char error[OUTBOUND_ERROR_MAX]; /* for log and people; "" when answered */

    struct outbound_work *work; /* our own */
};

bool outbound_prepare(void); /* once per process, before threads; false: don't start */
void outbound_register_metrics(void);

struct outbound *outbound_new(struct ev_loop *loop, const struct outbound_settings *settings);
void outbound_free(struct outbound *outbound); /* transfers that run are cancelled */

/* False: too many at once, or out of memory; `done` isn't called. */
bool outbound_start(struct outbound *outbound, struct outbound_transfer *transfer);

/* No `done` any more. Only of one that was started and isn't done. */
void outbound_cancel(struct outbound_transfer *transfer);

/* Inside `done`, when answered (too much, too): a header's value, cut to `size`; false: it wasn't
 * there. */
bool outbound_answer_header(const struct outbound_transfer *transfer, const char *name, char *value,
                            size_t size);

int outbound_running(const struct outbound *outbound);

/* "refused_address", ...: for logs, metrics and partners. */
const char *outbound_result_name(enum outbound_result result);

/* False: it's no URL, or its host is an address that nobody may have asked. What a name leads to is
 * only known when it's asked. */
bool outbound_may_ask(const struct outbound *outbound, const char *url);

#endif
