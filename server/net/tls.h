/* TLS 1.3 (1.2 with AEAD optional) with ALPN h2 and nothing else. A struct tls_server is one
 * certificate with its settings; a new certificate is a new one, connections keep theirs until they
 * end (reference counted). The only user of wolfSSL's TLS. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct tls_server;
struct tls_stream; /* one connection's TLS state */

struct tls_settings {
    const char *certificate_file; /* PEM, chain in order */
    const char *key_file;         /* PEM; refused when others may read it */
    const char *client_ca_file;   /* NULL: no client certificates asked for */
    bool allow_tls12;
};

bool tls_start(void); /* once per process */

/* NULL: `error` says what is wrong with which file and what to do. */
struct tls_server *tls_server_new(const struct tls_settings *settings, char *error, size_t size);
void tls_server_retain(struct tls_server *server);
void tls_server_release(struct tls_server *server); /* freed with its last connection */

enum tls_result { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

struct tls_stream *tls_stream_new(struct tls_server *server, int fd);
void tls_stream_free(struct tls_stream *stream);

enum tls_result tls_stream_handshake(struct tls_stream *stream);
/* *length: in: room, out: bytes read. Call until TLS_WANT_READ, or as long as
 * tls_stream_is_pending: libev does not fire for bytes buffered inside. The socket is read once per
 * TLS_WANT_READ as a rule: what came since, the (level-triggered) loop tells. */
enum tls_result tls_stream_read(struct tls_stream *stream, void *data, size_t *length);
/* Read nothing more from the socket now: reading goes on to TLS_WANT_READ with what is inside. */
void tls_stream_pause(struct tls_stream *stream);
bool tls_stream_is_pending(
    const struct tls_stream *stream); /* bytes wait inside: nothing tells of them */
/* *length: in: bytes offered, out: taken. After TLS_WANT_WRITE offer the same bytes again. */
enum tls_result tls_stream_write(struct tls_stream *stream, const void *data, size_t *length);
void tls_stream_close(struct tls_stream *stream); /* close_notify, best effort */

bool tls_stream_has_client_certificate(
    const struct tls_stream *stream);                          /* verified against client_ca_file */
const char *tls_stream_error(const struct tls_stream *stream); /* for the log */

#endif
