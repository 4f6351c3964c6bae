/* Requests to a real server of somebody else, which is slow, gone, lying, or where nobody may go.
 *
 * Covers: server/net/outbound.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "net/outbound.h"
#include "support/receiver.h"
#include "support/scratch.h"

static struct receiver tls, plain;
static struct ev_loop *loop;
static struct inet_network loopback;

/* A transfer with what it was told. */
struct asked {
    struct outbound_transfer transfer;
    char url[300];
    char answer[4096];
    char retry_after[32];
    bool done;
};

static void done(struct outbound_transfer *transfer)
{
    struct asked *asked = (struct asked *)(void *)transfer;
    assert_false(asked->done);
    asked->done = true;
    snprintf(asked->answer, sizeof asked->answer, "%.*s", (int)transfer->answer.length,
             transfer->answer.length == 0 ? "" : transfer->answer.at);
    if (!outbound_answer_header(transfer, "Retry-After", asked->retry_after,
                                sizeof asked->retry_after))
        asked->retry_after[0] = '\0';
}

static struct outbound *with(bool allowed, bool allow_http, const char *ca, int most)
{
    const struct outbound_settings settings = {.ca_file = ca,
                                               .allowed = &loopback,
                                               .allowed_count = allowed,
                                               .allow_http = allow_http,
                                               .transfers_max = most};
    struct outbound *outbound = outbound_new(loop, &settings);
    assert_non_null(outbound);
    return outbound;
}

static void prepare(struct asked *asked, const char *url)
{
    memset(asked, 0, sizeof *asked);
    snprintf(asked->url, sizeof asked->url, "%s", url);
    asked->transfer = (struct outbound_transfer){.method = "GET",
                                                 .url = asked->url,
                                                 .connect_timeout_us = 10 * CLOCK_SECOND,
                                                 .timeout_us = 10 * CLOCK_SECOND,
                                                 .answer_max = 1000,
                                                 .done = done};
}

static void ask(struct outbound *outbound, struct asked *asked)
{
    assert_true(outbound_start(outbound, &asked->transfer));
    assert_false(asked->done);
    assert_true(scratch_await_flag(loop, &asked->done));
}

static enum outbound_result ask_url(struct outbound *outbound, struct asked *asked,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));
static enum outbound_result ask_url(struct outbound *outbound, struct asked *asked,
                                    const char *format, ...)
{
    char url[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(url, sizeof url, format, arguments);
    va_end(arguments);
    prepare(asked, url);
    ask(outbound, asked);
    return asked->transfer.result;
}

static void test_answers(void **state)
{
    struct outbound *outbound = with(true, false, tls.ca, 4);
    struct asked asked;
    char url[300];
    (void)state;
    assert_int_equal(
        ask_url(outbound, &asked, "https://localhost:%d/status/503?retry_after=7", tls.port),
        OUTBOUND_ANSWERED);
    assert_int_equal(asked.transfer.status, 503);
    assert_string_equal(asked.answer, "so be it");
    assert_string_equal(asked.retry_after, "7");
    assert_string_equal(asked.transfer.error, "");
    assert_true(asked.transfer.maybe_sent);

    snprintf(url, sizeof url, "https://localhost:%d/echo", tls.port);
    prepare(&asked, url);
    asked.transfer.method = "POST";
    asked.transfer.body = SLICE("{\"a\":1}");
    asked.transfer.headers[0] = (struct outbound_header){"content-type", SLICE("application/json")};
    asked.transfer.headers[1] = (struct outbound_header){"x-empty", {NULL, 0}};
    asked.transfer.header_count = 2;
    ask(outbound, &asked);
    assert_int_equal(asked.transfer.status, 200);
    assert_non_null(strstr(asked.answer, "\"method\": \"POST\""));
    assert_non_null(strstr(asked.answer, "application/json"));
    assert_non_null(strstr(asked.answer, "{\\\"a\\\":1}"));
    assert_null(strstr(asked.answer, "x-empty"));
    assert_null(strstr(asked.answer, "Accept-Encoding"));
    assert_null(strstr(asked.answer, "Expect"));
    outbound_free(outbound);
}

/* Neither by name nor by number, however it is written; and no redirect leads there. */
static void test_private_addresses(void **state)
{
    static const char *const hosts[] = {
        "localhost", "127.0.0.1",          "2130706433", "0x7f.1", "0177.0.0.1", "[::1]",
        "0.0.0.0",   "[::ffff:127.0.0.1]", "[::]",       "127.1",  "10.0.0.1",   "169.254.169.254",
    };
    struct outbound *outbound = with(false, false, tls.ca, 4);
    struct asked asked;
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        int result = ask_url(outbound, &asked, "https://%s:%d/echo", hosts[i], tls.port);
        if (result != OUTBOUND_REFUSED_ADDRESS)
            print_error("%s: %s %s\n", hosts[i], outbound_result_name(result),
                        asked.transfer.error);
        assert_int_equal(result, OUTBOUND_REFUSED_ADDRESS);
        assert_false(asked.transfer.maybe_sent);
        assert_string_not_equal(asked.transfer.error, "");
    }
    outbound_free(outbound);

    outbound = with(true, false, tls.ca, 4);
    assert_int_equal(
        ask_url(outbound, &asked, "https://localhost:%d/redirect?to=https://10.0.0.1/", tls.port),
        OUTBOUND_ANSWERED);
    assert_int_equal(asked.transfer.status, 302);
    outbound_free(outbound);
}

/* The same before anything is asked, as far as the URL says it. */
static void test_may_ask(void **state)
{
    static const char *const inner[] = {"https://127.0.0.1/",
                                        "https://127.1:8443/x",
                                        "https://2130706433/",
                                        "https://0x7f000001/",
                                        "https://0177.0.0.1/",
                                        "https://10.1.2.3/",
                                        "https://169.254.169.254/",
                                        "https://[::1]/",
                                        "https://[::ffff:10.0.0.1]/",
                                        "https://[fd00:ec2::254]/a?b",
                                        "https://",
                                        "https://[::1/"};
    static const char *const good[] = {"https://example.com/", "https://93.184.216.34/",
                                       "https://[2606:2800:220:1::1]:443/", "https://10.example/"};
    struct outbound *strict = with(false, false, NULL, 1);
    struct outbound *open = with(true, false, NULL, 1);
    (void)state;
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        if (outbound_may_ask(strict, inner[i]))
            fail_msg("%s", inner[i]);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!outbound_may_ask(strict, good[i]))
            fail_msg("%s", good[i]);
    assert_true(outbound_may_ask(open, "https://127.1:8443/x"));
    assert_false(outbound_may_ask(open, "https://10.1.2.3/"));
    outbound_free(open);
    outbound_free(strict);
}

static void test_urls(void **state)
{
    struct outbound *outbound = with(true, false, tls.ca, 4);
    struct asked asked;
    (void)state;
    assert_int_equal(ask_url(outbound, &asked, "http://localhost:%d/echo", plain.port),
                     OUTBOUND_BAD_URL);
    assert_int_equal(ask_url(outbound, &asked, "file:///etc/passwd"), OUTBOUND_BAD_URL);
    assert_int_equal(ask_url(outbound, &asked, "gopher://localhost:%d/", plain.port),
                     OUTBOUND_BAD_URL);
    assert_int_equal(ask_url(outbound, &asked, "https://me:secret@localhost:%d/echo", tls.port),
                     OUTBOUND_BAD_URL);
    assert_int_equal(ask_url(outbound, &asked, "https://"), OUTBOUND_BAD_URL);
    assert_int_equal(ask_url(outbound, &asked, "https://nobody.invalid/"), OUTBOUND_DNS);
    assert_false(asked.transfer.maybe_sent);
    outbound_free(outbound);

    outbound = with(true, true, tls.ca, 4);
    assert_int_equal(ask_url(outbound, &asked, "http://localhost:%d/echo", plain.port),
                     OUTBOUND_ANSWERED);
    outbound_free(outbound);
}

/* Somebody we don't know, somebody who isn't who was asked for, and no TLS at all. */
static void test_certificates(void **state)
{
    struct asked asked;
    struct outbound *outbound = with(true, false, NULL, 4);
    (void)state;
    assert_int_equal(ask_url(outbound, &asked, "https://localhost:%d/echo", tls.port),
                     OUTBOUND_TLS);
    assert_false(asked.transfer.maybe_sent);
    outbound_free(outbound);

    outbound = with(true, false, tls.ca, 4);
    assert_int_equal(ask_url(outbound, &asked, "https://127.0.0.1:%d/echo", tls.port),
                     OUTBOUND_TLS);
    assert_int_equal(ask_url(outbound, &asked, "https://localhost:%d/echo", plain.port),
                     OUTBOUND_TLS);
    outbound_free(outbound);
}

/* A proxy or a .netrc of the environment changes nothing. */
static void test_environment(void **state)
{
    struct asked asked;
    (void)state;
    setenv("https_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    struct outbound *outbound = with(true, false, tls.ca, 4);
    assert_int_equal(ask_url(outbound, &asked, "https://localhost:%d/echo", tls.port),
                     OUTBOUND_ANSWERED);
    assert_null(strstr(asked.answer, "Authorization"));
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    outbound_free(outbound);
}

static int closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void test_bounds(void **state)
{
    struct outbound *outbound = with(true, false, tls.ca, 4);
    struct asked asked;
    char url[300];
    (void)state;
    snprintf(url, sizeof url, "https://localhost:%d/drip", tls.port);
    prepare(&asked, url);
    asked.transfer.timeout_us = 300000;
    ask(outbound, &asked);
    assert_int_equal(asked.transfer.result, OUTBOUND_TIMEOUT);
    assert_true(asked.transfer.maybe_sent);
    assert_in_range(asked.transfer.took_us, 250000, 9000000);

    assert_int_equal(ask_url(outbound, &asked, "https://localhost:%d/large/1000", tls.port),
                     OUTBOUND_ANSWERED);
    assert_int_equal(ask_url(outbound, &asked, "https://localhost:%d/large/1001", tls.port),
                     OUTBOUND_TOO_LARGE);
    assert_int_equal(asked.transfer.status, 200); /* for who doesn't want the body */
    assert_int_equal(ask_url(outbound, &asked, "https://localhost:%d/gone", tls.port),
                     OUTBOUND_BROKEN);
    assert_true(asked.transfer.maybe_sent);
    assert_int_equal(ask_url(outbound, &asked, "https://localhost:%d/", closed_port()),
                     OUTBOUND_CONNECT);
    assert_false(asked.transfer.maybe_sent);
    outbound_free(outbound);
}

static bool all_done(void *what)
{
    const struct asked *asked = what;
    return asked[0].done && asked[1].done;
}

/* So many at once, and no more; what is cancelled is never told; what is free can be used. */
static void test_many(void **state)
{
    struct outbound *outbound = with(true, false, tls.ca, 3);
    struct asked asked[4];
    char url[300];
    (void)state;
    snprintf(url, sizeof url, "https://localhost:%d/slow/0.3", tls.port);
    for (int i = 0; i < 4; i++) {
        prepare(&asked[i], url);
        assert_int_equal(outbound_start(outbound, &asked[i].transfer), i < 3);
    }
    assert_int_equal(outbound_running(outbound), 3);
    outbound_cancel(&asked[2].transfer);
    assert_int_equal(outbound_running(outbound), 2);
    assert_true(scratch_await(loop, all_done, asked));
    assert_false(asked[2].done);
    assert_int_equal(outbound_running(outbound), 0);
    ask(outbound, &asked[3]);
    assert_int_equal(asked[3].transfer.result, OUTBOUND_ANSWERED);

    prepare(&asked[0], url);
    assert_true(outbound_start(outbound, &asked[0].transfer));
    outbound_free(outbound); /* and the one that runs is cancelled */
    assert_false(asked[0].done);
}

static int group_setup(void **state)
{
    (void)state;
    assert_true(outbound_prepare());
    assert_true(inet_parse_network(SLICE("127.0.0.0/8"), &loopback));
    receiver_start(&tls, false);
    receiver_start(&plain, true);
    loop = ev_default_loop(EVFLAG_AUTO);
    return loop == NULL;
}

static int group_teardown(void **state)
{
    (void)state;
    receiver_stop(&tls);
    receiver_stop(&plain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_private_addresses),
        cmocka_unit_test(test_may_ask),      cmocka_unit_test(test_urls),
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_bounds),       cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
