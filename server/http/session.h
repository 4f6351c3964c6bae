/* The HTTP/2 session of one connection: bytes in, requests out; responses in, bytes out. No socket
 * and no clock of its own, so it's unit-tested and fuzzed. The only user of nghttp2. Every limit of
 * a hostile peer is set here on purpose (docs/threat-model.md): see session_limits.
 *
 *   session_receive -> complete requests are handed to `serve` AFTER nghttp2 has returned, never
 * from its callbacks request_answer  -> the session takes the response and calls `wake`: there is
 * output session_send    -> bytes for the transport
 */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "http/request.h"

struct session;

struct session_limits {
    uint32_t streams_max;      /* 100 */
    uint32_t header_bytes_max; /* 16 KiB decoded, per request; past it 431, past 8 times that
                                  the connection ends */
    uint32_t body_bytes_max;   /* 64 KiB; past it 413 */
    const char *large_path;    /* what is posted to this path may be larger; NULL: nothing */
    uint32_t large_bytes_max;
    uint32_t output_max; /* response bytes of all streams that wait to be sent; past it complete
                            requests wait to be served. Reading goes on: the peer's window updates
                            are what lets the answers out */
    size_t held_max;     /* of all sessions together, bodies and answers: past it no new
                            request begins (REFUSED_STREAM), no body grows (503) */
    int64_t header_timeout_us;  /* first byte of a header block until its end */
    int64_t body_timeout_us;    /* headers until END_STREAM */
    int64_t request_timeout_us; /* complete request until its answer: 503 then, the flow goes on */
    int64_t unread_timeout_us;  /* an answer until the peer has taken it, and 1 s more per KiB of
                                   its body: reckoned once, so taking a byte now and then wins no
                                   time. Past it the connection ends */
    int64_t silence_us;      /* a peer that has feeds and says nothing for so long gets a PING; for
                                so long again, and it is gone (a phone that changed networks) */
    int64_t idle_timeout_us; /* no stream open; the peer's first SETTINGS have header_timeout */
    uint32_t glitches_max;   /* resets we had to send, empty frames, PINGs, SETTINGS...: a leaky
                                budget, then GOAWAY ENHANCE_YOUR_CALM */
};

extern const struct session_limits session_limits_default;

/* What the owner (net/connection) gives the session. */
struct session_owner {
    void *owner;
    void (*serve)(void *owner, struct request *request); /* a complete request: begin its flow */
    void (*wake)(void *owner); /* there is output now, flush at the end of this loop turn */
    struct request_log log;    /* hears of every answer; outlives the session */
};

/* NULL: no memory. `client` goes into each request. */
struct session *session_new(const struct session_limits *limits, const struct session_owner *owner,
                            const struct inet *client, bool has_client_certificate, int64_t now);

/* The connection is gone. Requests that wait live on until their flow ends. */
void session_free(struct session *session);

/* False: the peer broke the protocol or spent its glitches: send what session_send still has
 * (GOAWAY), then close. `now`: monotonic us. */
bool session_receive(struct session *session, const void *data, size_t length, int64_t now);

/* Append up to about `max` bytes of output; then serves what had to wait for room (output_max).
 * False: out of memory or protocol end, close. */
bool session_send(struct session *session, struct bytes *out, size_t max);

bool session_wants_read(const struct session *session);
bool session_wants_write(const struct session *session);
bool session_is_done(const struct session *session); /* nothing more to come either way: close */

/* Deadlines; also tells the session what time it is: call it a few times a second. Half a request
 * is reset, a request whose flow takes too long is answered 503. False: the connection is over:
 * send what session_send still has, then close. */
bool session_expire(struct session *session, int64_t now);

/* Graceful end (drain): shutdown notice now; after a round trip (a second call, made by session
 * itself on the PING's answer or by session_expire after 1 s) the final GOAWAY; finish what runs.
 */
void session_drain(struct session *session, int64_t now);

#endif
