#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/memory.h"

struct tls_server {
    WOLFSSL_CTX *context;
    int references; /* one of whoever made it, one per connection: all in one thread */
};

struct tls_stream {
    WOLFSSL *tls;
    struct tls_server *server;
    int fd;
    int error;
    bool drained;       /* the socket had no more when it was last read */
    struct bytes ahead; /* bytes of the socket that wolfSSL hasn't asked for yet */
    size_t ahead_taken;
    bool no_h2;           /* the client asked for no protocol, or another */
    bool has_certificate; /* the client's, verified */
};

bool tls_start(void)
{
    return wolfSSL_Init() == WOLFSSL_SUCCESS;
}

static bool say(char *error, size_t size, const char *file, const char *what)
{
    snprintf(error, size, "%s: %s", file, what);
    return false;
}

/* A private key that others may read is no secret. */
static bool key_is_private(const char *file, char *error, size_t size)
{
    struct stat status;
    if (stat(file, &status) != 0)
        return say(error, size, file, "cannot be read: check tls.key in the configuration");
    if ((status.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0)
        return say(error, size, file, "others may read this key: chmod 600 it");
    return true;
}

/* A new CTX verifies nobody and allows old versions: each setting on purpose. */
static bool restrict_context(WOLFSSL_CTX *context, bool allow_tls12)
{
    static const char tls13[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"
                                "TLS13-CHACHA20-POLY1305-SHA256";
    static const char tls12[] =
        "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
    int lowest = allow_tls12 ? WOLFSSL_TLSV1_2 : WOLFSSL_TLSV1_3;
    wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF);
    return wolfSSL_CTX_SetMinVersion(context, lowest) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_cipher_list(context, allow_tls12 ? tls12 : tls13) == WOLFSSL_SUCCESS;
}

/* Called for every certificate of the client's chain, good or bad (wolfSSL is built to); and for
 * an empty chain, which is "verified", too: whoever shows nothing has shown nothing. */
static int note_certificate(int verified, WOLFSSL_X509_STORE_CTX *store)
{
    struct tls_stream *stream = store->userCtx;
    if (stream != NULL && store->error_depth == 0)
        stream->has_certificate = verified == 1 && store->totalCerts > 0;
    return verified;
}

static bool load_files(WOLFSSL_CTX *context, const struct tls_settings *settings, char *error,
                       size_t size)
{
    const char *key = settings->key_file;
    if (!key_is_private(key, error, size))
        return false;
    if (wolfSSL_CTX_use_certificate_chain_file(context, settings->certificate_file) !=
        WOLFSSL_SUCCESS)
        return say(error, size, settings->certificate_file,
                   "is not a readable PEM certificate chain");
    if (wolfSSL_CTX_use_PrivateKey_file(context, key, WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS)
        return say(error, size, key, "is not a readable PEM private key");
    if (wolfSSL_CTX_check_private_key(context) != WOLFSSL_SUCCESS)
        return say(error, size, key, "does not belong to the certificate");
    if (settings->client_ca_file == NULL)
        return true;
    if (wolfSSL_CTX_load_verify_locations(context, settings->client_ca_file, NULL) !=
        WOLFSSL_SUCCESS)
        return say(error, size, settings->client_ca_file, "is not a readable PEM certificate");
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, note_certificate);
    return true;
}

struct tls_server *tls_server_new(const struct tls_settings *settings, char *error, size_t size)
{
    struct tls_server *server = memory_alloc(sizeof *server);
    snprintf(error, size, "out of memory");
    if (server == NULL)
        return NULL;
    server->references = 1;
    server->context = wolfSSL_CTX_new(settings->allow_tls12 ? wolfTLS_server_method()
                                                            : wolfTLSv1_3_server_method());
    if (server->context == NULL) {
        memory_free(server);
        return NULL;
    }
    wolfSSL_CTX_set_verify(server->context, WOLFSSL_VERIFY_NONE, NULL);
    if (!restrict_context(server->context, settings->allow_tls12)) {
        snprintf(error, size, "wolfSSL refuses our cipher list: was it built by ci/deps?");
    } else if (load_files(server->context, settings, error, size)) {
        error[0] = '\0';
        return server;
    }
    tls_server_release(server);
    return NULL;
}

void tls_server_retain(struct tls_server *server)
{
    server->references++;
}

void tls_server_release(struct tls_server *server)
{
    if (server == NULL || --server->references > 0)
        return;
    wolfSSL_CTX_free(server->context);
    memory_free(server);
}

/* What one call into wolfSSL reads from a socket at once. It asks for a record's head, then for its
 * body: a system call each, and a third to see that there is no more. One worker, one thread:
 * shared by all connections; what is left at the call's end is put `ahead`. */
static struct {
    char room[16384 + 512]; /* the largest record */
    size_t taken, length;
} inlet;

static int fill_inlet(struct tls_stream *stream)
{
    if (stream->drained) { /* the loop tells when there is more */
        stream->drained = false;
        return WOLFSSL_CBIO_ERR_WANT_READ;
    }
    ssize_t length = recv(stream->fd, inlet.room, sizeof inlet.room, 0);
    if (length > 0) {
        inlet.taken = 0;
        inlet.length = (size_t)length;
        stream->drained = inlet.length < sizeof inlet.room;
        return 0;
    }
    if (length == 0)
        return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    if (errno == EAGAIN || errno == EINTR)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    return errno == ECONNRESET ? WOLFSSL_CBIO_ERR_CONN_RST : WOLFSSL_CBIO_ERR_GENERAL;
}

static int take_from(const char *from, size_t *taken, size_t length, char *to, int wanted)
{
    size_t left = length - *taken;
    size_t take = left < (size_t)wanted ? left : (size_t)wanted;
    memcpy(to, from + *taken, take);
    *taken += take;
    return (int)take;
}

static int on_wanted(WOLFSSL *tls, char *to, int wanted, void *owner)
{
    struct tls_stream *stream = owner;
    (void)tls;
    if (stream->ahead_taken < stream->ahead.length)
        return take_from(stream->ahead.at, &stream->ahead_taken, stream->ahead.length, to, wanted);
    if (inlet.taken == inlet.length) {
        int failed = fill_inlet(stream);
        if (failed != 0)
            return failed;
    }
    return take_from(inlet.room, &inlet.taken, inlet.length, to, wanted);
}

/* After each call that may have read. False: out of memory. */
static bool put_ahead(struct tls_stream *stream)
{
    size_t left = inlet.length - inlet.taken;
    if (stream->ahead_taken == stream->ahead.length) {
        bytes_release(&stream->ahead);
        stream->ahead_taken = 0;
    }
    assert(left == 0 || stream->ahead.length == 0); /* what is ahead is taken first */
    if (left > 0)
        bytes_add(&stream->ahead, inlet.room + inlet.taken, left);
    inlet.taken = inlet.length = 0;
    return !stream->ahead.failed;
}

struct tls_stream *tls_stream_new(struct tls_server *server, int fd)
{
    char protocols[] = "h2";
    struct tls_stream *stream = memory_alloc(sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->tls = wolfSSL_new(server->context);
    if (stream->tls == NULL) {
        memory_free(stream);
        return NULL;
    }
    stream->server = server;
    server->references++;
    wolfSSL_SetCertCbCtx(stream->tls, stream);
    stream->fd = fd;
    bytes_init(&stream->ahead, NULL);
    wolfSSL_set_fd(stream->tls, fd);
    wolfSSL_SSLSetIORecv(stream->tls, on_wanted);
    wolfSSL_SetIOReadCtx(stream->tls, stream);
    wolfSSL_set_using_nonblock(stream->tls, 1);
    if (wolfSSL_UseALPN(stream->tls, protocols, 2, WOLFSSL_ALPN_FAILED_ON_MISMATCH) !=
        WOLFSSL_SUCCESS) {
        tls_stream_free(stream);
        return NULL;
    }
    return stream;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (stream == NULL)
        return;
    wolfSSL_free(stream->tls);
    bytes_release(&stream->ahead);
    tls_server_release(stream->server);
    memory_free(stream);
}

static enum tls_result result_of(struct tls_stream *stream, int returned)
{
    stream->error = wolfSSL_get_error(stream->tls, returned);
    switch (stream->error) {
    case WOLFSSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case WOLFSSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case WOLFSSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return TLS_FAILED;
    }
}

/* A client that offers no ALPN at all gets through wolfSSL's check: refused here. */
static bool speaks_h2(struct tls_stream *stream)
{
    char *name = NULL;
    unsigned short length = 0;
    return wolfSSL_ALPN_GetProtocol(stream->tls, &name, &length) == WOLFSSL_SUCCESS &&
           length == 2 && memcmp(name, "h2", 2) == 0;
}

enum tls_result tls_stream_handshake(struct tls_stream *stream)
{
    int returned = wolfSSL_accept(stream->tls);
    if (!put_ahead(stream))
        return TLS_FAILED;
    if (returned != WOLFSSL_SUCCESS)
        return result_of(stream, returned);
    stream->drained = false; /* who reads now may find what came since */
    if (speaks_h2(stream))
        return TLS_OK;
    stream->no_h2 = true;
    return TLS_FAILED;
}

enum tls_result tls_stream_read(struct tls_stream *stream, void *data, size_t *length)
{
    int returned = wolfSSL_read(stream->tls, data, (int)*length);
    *length = returned > 0 ? (size_t)returned : 0;
    if (!put_ahead(stream))
        return TLS_FAILED;
    return returned > 0 ? TLS_OK : result_of(stream, returned);
}

void tls_stream_pause(struct tls_stream *stream)
{
    stream->drained = true;
}

bool tls_stream_is_pending(const struct tls_stream *stream)
{
    return wolfSSL_pending(stream->tls) > 0 || stream->ahead_taken < stream->ahead.length;
}

enum tls_result tls_stream_write(struct tls_stream *stream, const void *data, size_t *length)
{
    int returned = wolfSSL_write(stream->tls, data, (int)*length);
    *length = returned > 0 ? (size_t)returned : 0;
    if (!put_ahead(stream))
        return TLS_FAILED;
    return returned > 0 ? TLS_OK : result_of(stream, returned);
}

void tls_stream_close(struct tls_stream *stream)
{
    wolfSSL_shutdown(stream->tls);
    put_ahead(stream);
}

bool tls_stream_has_client_certificate(const struct tls_stream *stream)
{
    return stream->has_certificate;
}

const char *tls_stream_error(const struct tls_stream *stream)
{
    if (stream->no_h2)
        return "the client does not speak h2";
    return wolfSSL_ERR_reason_error_string((unsigned long)(long)stream->error);
}
