/* TLS against a real wolfSSL client over a socket pair: what is let in and what isn't. */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "net/tls.h"

static char folder[] = "/tmp/moolah-tls-XXXXXX";
static char error[512];

/* The files are made once, by openssl: a CA, a server's certificate, a client's, and a stranger's
 * that another CA has signed. */
static int make_files(void **state)
{
    static const char script[] =
        "set -e; cd %s; new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        "-nodes -days 30 -subj \"/CN=$1\" -keyout $1.key -out $1.pem; }; "
        "sign() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj \"/CN=$1\" "
        "-keyout $1.key -out $1.csr; printf 'subjectAltName=DNS:localhost' >ext; "
        "openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 30 "
        "-extfile ext -out $1.pem; }; "
        "{ new ca; new other; sign server ca; sign client ca; sign stranger other; } 2>/dev/null; "
        "chmod 600 *.key";
    char command[1000];
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(command, sizeof command, script, folder);
    return tls_start() ? system(command) : -1;
}

static int remove_files(void **state)
{
    char command[80];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *file(const char *name)
{
    static char paths[4][80];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static struct tls_server *new_server(bool client_ca, bool allow_tls12)
{
    const struct tls_settings settings = {file("server.pem"), file("server.key"),
                                          client_ca ? file("ca.pem") : NULL, allow_tls12};
    return tls_server_new(&settings, error, sizeof error);
}

/* What a client is like. */
struct who {
    int lowest, highest; /* WOLFSSL_TLSV1_x */
    const char *ciphers; /* NULL: all it has */
    const char *alpn;    /* NULL: none offered */
    const char *certificate;
    bool client_ca, allow_tls12; /* the server's */
};

static const struct who usual = {WOLFSSL_TLSV1_3, WOLFSSL_TLSV1_3, NULL, "h2", NULL, false, false};

static WOLFSSL_CTX *client_context;
static WOLFSSL *client;
static struct tls_server *server;
static struct tls_stream *stream;
static int ends[2];
static int client_error;

static void make_client(const struct who *who)
{
    char name[40];
    client_context = wolfSSL_CTX_new(who->highest == WOLFSSL_TLSV1_2 ? wolfTLSv1_2_client_method()
                                                                     : wolfTLS_client_method());
    assert_non_null(client_context);
    assert_int_equal(wolfSSL_CTX_SetMinVersion(client_context, who->lowest), WOLFSSL_SUCCESS);
    if (who->ciphers != NULL)
        assert_int_equal(wolfSSL_CTX_set_cipher_list(client_context, who->ciphers),
                         WOLFSSL_SUCCESS);
    assert_int_equal(wolfSSL_CTX_load_verify_locations(client_context, file("ca.pem"), NULL),
                     WOLFSSL_SUCCESS);
    if (who->certificate != NULL) {
        snprintf(name, sizeof name, "%s.pem", who->certificate);
        assert_int_equal(
            wolfSSL_CTX_use_certificate_file(client_context, file(name), WOLFSSL_FILETYPE_PEM),
            WOLFSSL_SUCCESS);
        snprintf(name, sizeof name, "%s.key", who->certificate);
        assert_int_equal(
            wolfSSL_CTX_use_PrivateKey_file(client_context, file(name), WOLFSSL_FILETYPE_PEM),
            WOLFSSL_SUCCESS);
    }
    client = wolfSSL_new(client_context);
    assert_non_null(client);
    if (who->alpn != NULL) {
        snprintf(name, sizeof name, "%s", who->alpn);
        wolfSSL_UseALPN(client, name, (unsigned)strlen(name), WOLFSSL_ALPN_CONTINUE_ON_MISMATCH);
    }
    wolfSSL_set_fd(client, ends[1]);
    wolfSSL_set_using_nonblock(client, 1);
}

/* Both sides take turns until the server has decided. */
static enum tls_result shake_hands(const struct who *who)
{
    enum tls_result result = TLS_WANT_READ;
    int done = 0;
    server = new_server(who->client_ca, who->allow_tls12);
    assert_non_null(server);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    stream = tls_stream_new(server, ends[0]);
    assert_non_null(stream);
    make_client(who);
    client_error = 0;
    for (int turn = 0; turn < 20 && result == TLS_WANT_READ; turn++) {
        done = wolfSSL_connect(client);
        client_error = done == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(client, done);
        result = tls_stream_handshake(stream);
    }
    if (done != WOLFSSL_SUCCESS) {
        done = wolfSSL_connect(client);
        client_error = done == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(client, done);
    }
    return result;
}

static void hang_up(void)
{
    wolfSSL_free(client);
    wolfSSL_CTX_free(client_context);
    tls_stream_free(stream);
    tls_server_release(server);
    close(ends[0]);
    close(ends[1]);
}

static enum tls_result try(const struct who *who)
{
    enum tls_result result = shake_hands(who);
    hang_up();
    return result;
}

static void test_tls13_with_h2(void **state)
{
    (void)state;
    assert_int_equal(shake_hands(&usual), TLS_OK);
    assert_string_equal(wolfSSL_get_version(client), "TLSv1.3");
    assert_false(tls_stream_has_client_certificate(stream));
    hang_up();
}

static void test_only_named_ciphers(void **state)
{
    static const struct {
        const char *ciphers;
        int version;
        bool allow_tls12, good;
    } cases[] = {
        {"TLS13-AES128-GCM-SHA256", WOLFSSL_TLSV1_3, false, true},
        {"TLS13-AES256-GCM-SHA384", WOLFSSL_TLSV1_3, false, true},
        {"TLS13-CHACHA20-POLY1305-SHA256", WOLFSSL_TLSV1_3, false, true},
        {"ECDHE-ECDSA-AES128-GCM-SHA256", WOLFSSL_TLSV1_2, false, false},
        {"ECDHE-ECDSA-AES128-GCM-SHA256", WOLFSSL_TLSV1_2, true, true},
        {"ECDHE-ECDSA-AES256-GCM-SHA384", WOLFSSL_TLSV1_2, true, true},
        {"ECDHE-ECDSA-CHACHA20-POLY1305", WOLFSSL_TLSV1_2, true, true},
        /* no AEAD: forbidden by RFC 9113, appendix A */
        {"ECDHE-ECDSA-AES128-SHA256", WOLFSSL_TLSV1_2, true, false},
        {"ECDHE-ECDSA-AES256-SHA384", WOLFSSL_TLSV1_2, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct who who = usual;
        who.ciphers = cases[i].ciphers;
        who.lowest = who.highest = cases[i].version;
        who.allow_tls12 = cases[i].allow_tls12;
        bool good = try(&who) == TLS_OK;
        if (good != cases[i].good)
            print_error("%s\n", cases[i].ciphers);
        assert_int_equal(good, cases[i].good);
    }
}

static void test_old_versions(void **state)
{
    struct who who = usual;
    (void)state;
    who.lowest = who.highest = WOLFSSL_TLSV1_2;
    assert_int_equal(try(&who), TLS_FAILED);
    who.allow_tls12 = true;
    assert_int_equal(try(&who), TLS_OK);
    /* who can do better does */
    who.highest = WOLFSSL_TLSV1_3;
    assert_int_equal(shake_hands(&who), TLS_OK);
    assert_string_equal(wolfSSL_get_version(client), "TLSv1.3");
    hang_up();
}

static void test_only_h2(void **state)
{
    static const struct {
        const char *alpn;
        bool good;
    } cases[] = {{"h2", true},   {"http/1.1,h2", true}, {"h2,http/1.1", true}, {"http/1.1", false},
                 {"h2c", false}, {"H2", false},         {"h", false},          {NULL, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct who who = usual;
        who.alpn = cases[i].alpn;
        enum tls_result result = shake_hands(&who);
        assert_int_equal(result, cases[i].good ? TLS_OK : TLS_FAILED);
        /* a mismatch is refused in the handshake, with the alert RFC 7301 names */
        if (!cases[i].good && cases[i].alpn != NULL) {
            WOLFSSL_ALERT_HISTORY alerts;
            wolfSSL_get_alert_history(client, &alerts);
            assert_int_equal(alerts.last_rx.code, 120);
        }
        if (!cases[i].good)
            assert_non_null(tls_stream_error(stream));
        hang_up();
    }
}

static void test_client_certificates(void **state)
{
    static const struct {
        const char *certificate;
        bool client_ca;
        enum tls_result result;
        bool verified;
    } cases[] = {
        {NULL, false, TLS_OK, false},
        {NULL, true, TLS_OK, false}, /* an operator may come with a token instead */
        {"client", true, TLS_OK, true},
        {"client", false, TLS_OK, false}, /* never asked for */
        {"stranger", true, TLS_FAILED, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct who who = usual;
        who.certificate = cases[i].certificate;
        who.client_ca = cases[i].client_ca;
        enum tls_result result = shake_hands(&who);
        assert_int_equal(result, cases[i].result);
        assert_int_equal(tls_stream_has_client_certificate(stream), cases[i].verified);
        hang_up();
    }
}

static void test_plain_text(void **state)
{
    char text[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    (void)state;
    server = new_server(false, true);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    stream = tls_stream_new(server, ends[0]);
    assert_int_equal(tls_stream_handshake(stream), TLS_WANT_READ);
    assert_int_equal(write(ends[1], text, sizeof text), sizeof text);
    assert_int_equal(tls_stream_handshake(stream), TLS_FAILED);
    tls_stream_free(stream);
    tls_server_release(server);
    close(ends[0]);
    close(ends[1]);
}

/* More than the socket takes: after TLS_WANT_WRITE the same bytes again, and nothing is lost,
 * doubled or mixed up. */
static void test_a_full_socket(void **state)
{
    enum { TOTAL = 3 * 1000 * 1000 };
    static uint8_t out[TOTAL], in[TOTAL];
    size_t written = 0, received = 0;
    bool was_full = false;
    (void)state;
    for (size_t i = 0; i < TOTAL; i++)
        out[i] = (uint8_t)(i * 31 + i / 255);
    assert_int_equal(shake_hands(&usual), TLS_OK);
    while (received < TOTAL) {
        size_t length = TOTAL - written < 40000 ? TOTAL - written : 40000;
        enum tls_result result =
            length == 0 ? TLS_WANT_WRITE : tls_stream_write(stream, out + written, &length);
        written += result == TLS_OK ? length : 0;
        if (result == TLS_OK)
            continue;
        assert_int_equal(result, TLS_WANT_WRITE);
        was_full = true;
        int got;
        while ((got = wolfSSL_read(client, in + received, (int)(TOTAL - received))) > 0)
            received += (size_t)got;
    }
    assert_true(was_full);
    assert_memory_equal(in, out, TOTAL);
    hang_up();
}

static void test_bytes_that_wait_inside(void **state)
{
    char data[10];
    (void)state;
    assert_int_equal(shake_hands(&usual), TLS_OK);
    assert_int_equal(wolfSSL_write(client, "0123456789abcdef", 16), 16);
    size_t length = sizeof data;
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_OK);
    assert_int_equal(length, 10);
    assert_true(tls_stream_is_pending(stream)); /* the socket has nothing more to show */
    length = sizeof data;
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_OK);
    assert_int_equal(length, 6);
    assert_false(tls_stream_is_pending(stream));
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_WANT_READ);
    hang_up();
}

/* Three records and a piece of a fourth come together: one look at the socket takes them all. */
static void test_records_that_come_together(void **state)
{
    char data[100], rest[300];
    size_t length = sizeof data;
    (void)state;
    assert_int_equal(shake_hands(&usual), TLS_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(wolfSSL_write(client, "abc" + i, 1), 1);
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_OK);
    assert_int_equal(data[0], 'a');
    assert_int_equal(recv(ends[0], rest, sizeof rest, MSG_PEEK), -1);
    for (int i = 1; i < 3; i++) {
        assert_true(tls_stream_is_pending(stream));
        length = sizeof data;
        assert_int_equal(tls_stream_read(stream, data, &length), TLS_OK);
        assert_int_equal(length, 1);
        assert_int_equal(data[0], 'a' + i);
    }
    assert_false(tls_stream_is_pending(stream));
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_WANT_READ);
    /* byte by byte: a half record waits inside wolfSSL, not ahead of it */
    assert_int_equal(wolfSSL_write(client, "d", 1), 1);
    ssize_t size = recv(ends[0], rest, sizeof rest, 0);
    assert_true(size > 0);
    for (ssize_t i = 0; i < size; i++) {
        assert_int_equal(send(ends[1], rest + i, 1, 0), 1);
        length = sizeof data;
        enum tls_result result = tls_stream_read(stream, data, &length);
        while (i + 1 < size && tls_stream_is_pending(stream))
            result = tls_stream_read(stream, data, &length);
        assert_int_equal(result, i + 1 < size ? TLS_WANT_READ : TLS_OK);
        assert_false(tls_stream_is_pending(stream));
    }
    assert_int_equal(data[0], 'd');
    hang_up();
}

/* A peer that never stops sending doesn't keep us reading for ever. */
static void test_a_pause(void **state)
{
    static char zeros[16000], data[16000];
    size_t length = sizeof data;
    long before = 0, after = 0;
    (void)state;
    assert_int_equal(shake_hands(&usual), TLS_OK);
    for (int reads = 0;; reads++) {
        while (wolfSSL_write(client, zeros, sizeof zeros) > 0)
            before++;
        if (reads == 3)
            tls_stream_pause(stream);
        length = sizeof data;
        enum tls_result result = tls_stream_read(stream, data, &length);
        if (result == TLS_WANT_READ)
            break;
        assert_int_equal(result, TLS_OK);
        assert_true(reads < 100);
        after += reads >= 3;
    }
    assert_true(before > 4 && after <= 2);
    assert_false(tls_stream_is_pending(stream));
    length = sizeof data;
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_OK); /* and then it goes on */
    hang_up();
}

static void test_ends(void **state)
{
    char data[10];
    size_t length = sizeof data;
    (void)state;
    assert_int_equal(shake_hands(&usual), TLS_OK);
    wolfSSL_shutdown(client);
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_CLOSED);
    hang_up();
    assert_int_equal(shake_hands(&usual), TLS_OK);
    tls_stream_close(stream);
    assert_int_equal(wolfSSL_read(client, data, 10), 0);
    assert_int_equal(wolfSSL_get_error(client, 0), WOLFSSL_ERROR_ZERO_RETURN);
    hang_up();
}

static void expect_refusal(const struct tls_settings *settings, const char *with)
{
    assert_null(tls_server_new(settings, error, sizeof error));
    if (strstr(error, with) == NULL)
        print_error("%s\n", error);
    assert_non_null(strstr(error, with));
}

static void test_files_that_are_no_good(void **state)
{
    struct tls_settings settings = {file("server.pem"), file("server.key"), NULL, false};
    (void)state;
    settings.certificate_file = "/nowhere.pem";
    expect_refusal(&settings, "/nowhere.pem: is not a readable");
    settings.certificate_file = file("client.pem");
    expect_refusal(&settings, "does not belong to the certificate");
    settings.certificate_file = file("server.pem");
    settings.key_file = "/nowhere.key";
    expect_refusal(&settings, "/nowhere.key: cannot be read");
    settings.key_file = file("ca.pem");
    chmod(settings.key_file, 0600);
    expect_refusal(&settings, "is not a readable PEM private key");
    settings.key_file = file("server.key");
    settings.client_ca_file = "/nowhere.pem";
    expect_refusal(&settings, "/nowhere.pem: is not a readable");
    settings.client_ca_file = NULL;
    chmod(settings.key_file, 0644);
    expect_refusal(&settings, "others may read this key");
    chmod(settings.key_file, 0600);
}

/* A stream keeps its certificate while the server has a new one already. */
static void test_a_stream_outlives_its_server(void **state)
{
    char data[10];
    size_t length = sizeof data;
    (void)state;
    assert_int_equal(shake_hands(&usual), TLS_OK);
    tls_server_release(server);
    server = new_server(false, false);
    assert_int_equal(wolfSSL_write(client, "abc", 3), 3);
    assert_int_equal(tls_stream_read(stream, data, &length), TLS_OK);
    assert_int_equal(length, 3);
    hang_up();
}

static void test_no_memory(void **state)
{
    (void)state;
    memory_fail_after(0);
    assert_null(new_server(false, false));
    memory_fail_never();
    assert_string_equal(error, "out of memory");
    server = new_server(false, false);
    memory_fail_after(0);
    assert_null(tls_stream_new(server, 0));
    memory_fail_never();
    tls_server_release(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls13_with_h2),
        cmocka_unit_test(test_only_named_ciphers),
        cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_only_h2),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_plain_text),
        cmocka_unit_test(test_a_full_socket),
        cmocka_unit_test(test_bytes_that_wait_inside),
        cmocka_unit_test(test_records_that_come_together),
        cmocka_unit_test(test_a_pause),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_files_that_are_no_good),
        cmocka_unit_test(test_a_stream_outlives_its_server),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
