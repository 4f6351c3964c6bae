/* Whole requests through session, router and steps in one process, as far as they go without
 * PostgreSQL and Redis: parsing, paths, methods, the operators' calls; their log lines and metrics;
 * and all of it with the n-th allocation failing. The client is nghttp2's own. */
#include "api/service.h"

#include <ev.h>
#include <nghttp2/nghttp2.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "http/session.h"
#include "posting/posting.h"

struct question {
    bool operators;
    const char *method;
    const char *path;
    const char *name, *value; /* one more header; NULL: none */
    const char *body;         /* NULL: none */
    int status;
    const char *code; /* NULL: no problem */
};

struct exchange {
    const struct question *question;
    nghttp2_session *client;
    struct session *session;
    size_t sent;
    int status;
    char answer[300000];
    size_t length;
    bool closed;
};

static struct service service = {.settings = {.currency = CURRENCY_ZAR,
                                              .currencies = (const currency[]){CURRENCY_ZAR, 0},
                                              .has_operator_token = true}};

static struct ev_loop *loop;

static int on_header(nghttp2_session *client, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    struct exchange *e = user;
    (void)client, (void)frame, (void)flags, (void)value_length;
    if (name_length == 7 && memcmp(name, ":status", 7) == 0)
        e->status = (int)strtol((const char *)value, NULL, 10);
    return 0;
}

static int on_data(nghttp2_session *client, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t length, void *user)
{
    struct exchange *e = user;
    (void)client, (void)flags, (void)stream;
    assert_true(e->length + length < sizeof e->answer);
    memcpy(e->answer + e->length, data, length);
    e->length += length;
    return 0;
}

static int on_close(nghttp2_session *client, int32_t stream, uint32_t code, void *user)
{
    (void)client, (void)stream, (void)code;
    ((struct exchange *)user)->closed = true;
    return 0;
}

static ssize_t read_body(nghttp2_session *client, int32_t stream, uint8_t *out, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct exchange *e = user;
    size_t left = strlen(e->question->body) - e->sent;
    size_t take = left < length ? left : length;
    (void)client, (void)stream, (void)source;
    memcpy(out, e->question->body + e->sent, take);
    e->sent += take;
    if (take == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)take;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void begin(struct exchange *e)
{
    const struct question *q = e->question;
    nghttp2_session_callbacks *callbacks;
    nghttp2_nv headers[7] = {field(":method", q->method), field(":scheme", "https"),
                             field(":authority", "localhost"), field(":path", q->path)};
    const nghttp2_data_provider provider = {.read_callback = read_body};
    size_t count = 4;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_client_new(&e->client, callbacks, e);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(e->client, 0, NULL, 0);
    if (q->body != NULL)
        headers[count++] = field("content-type", "application/json");
    if (q->name != NULL)
        headers[count++] = field(q->name, q->value);
    nghttp2_submit_request(e->client, NULL, headers, count, q->body == NULL ? NULL : &provider,
                           NULL);
}

static void wake(void *owner)
{
    (void)owner;
}

/* Bytes both ways until neither side has any. */
static void exchange_bytes(struct exchange *e)
{
    struct bytes out;
    const uint8_t *data;
    ssize_t length;
    bool open = true;
    bool moved = true;
    bytes_init(&out, NULL);
    while (open && moved) {
        moved = false;
        while (open && (length = nghttp2_session_mem_send(e->client, &data)) > 0) {
            open = session_receive(e->session, data, (size_t)length, clock_monotonic());
            moved = true;
        }
        bytes_clear(&out);
        open = session_send(e->session, &out, 65536) && open;
        moved = moved || out.length > 0;
        if (out.length > 0)
            nghttp2_session_mem_recv(e->client, (const uint8_t *)out.at, out.length);
    }
    bytes_release(&out);
}

/* One question on a connection of its own, `fail_after` allocations (-1: all succeed). True: none
 * failed. */
static bool ask(struct exchange *e, const struct question *question, long fail_after)
{
    const struct session_owner owner = {&service,
                                        question->operators ? service_serve_operator
                                                            : service_serve,
                                        wake,
                                        {&service, service_answered}};
    const struct inet client = {{0}, 0};
    memset(e, 0, sizeof *e);
    e->question = question;
    begin(e);
    if (fail_after >= 0)
        memory_fail_after(fail_after);
    e->session = session_new(&session_limits_default, &owner, &client, false, clock_monotonic());
    if (e->session != NULL)
        exchange_bytes(e);
    session_free(e->session);
    bool good = !memory_failed();
    memory_fail_never();
    nghttp2_session_del(e->client);
    e->answer[e->length] = '\0';
    return good;
}

static const struct question questions[] = {
    {true, "GET", "/livez", NULL, NULL, NULL, 200, NULL},
    {true, "HEAD", "/livez", NULL, NULL, NULL, 200, NULL},
    {true, "GET", "/metrics", NULL, NULL, NULL, 401, "unauthenticated"},
    {true, "GET", "/metrics", "authorization", "Bearer nonsense", NULL, 401, "unauthenticated"},
    {true, "GET", "/metrics", "authorization", "bEaReR operator", NULL, 200, NULL},
    {true, "GET", "/v1/me", NULL, NULL, NULL, 404, "not_found"},
    {false, "GET", "/livez", NULL, NULL, NULL, 404, "not_found"},
    {false, "PUT", "/v1/me", NULL, NULL, "{}", 405, "method_not_allowed"},
    {false, "OPTIONS", "/v1/wallets", NULL, NULL, NULL, 204, NULL},
    {false, "POST", "/v1/users", NULL, NULL, NULL, 415, "unsupported_media_type"},
    {false, "POST", "/v1/users", NULL, NULL, "{", 400, "malformed_json"},
    {false, "POST", "/v1/users?x=1", NULL, NULL, "{}", 400, "invalid_request"},
    {false, "POST", "/v1/sessions", "idempotency-key", "a b", "{}", 400, "idempotency_key_invalid"},
    {false, "POST", "/v1/transfers", NULL, NULL, "{}", 400, "idempotency_key_missing"},
    {false, "POST", "/v1/transfers", "idempotency-key", "k",
     "{\"from\":\"wal_x\",\"to\":{\"phone\":\"1\"},\"amount\":1.5,\"note\":\"\",\"tip\":7}", 400,
     "invalid_request"},
    {false, "POST", "/v1/deposits", "idempotency-key", "k", "{\"a\":1,\"a\":2}", 400,
     "malformed_json"},
    {false, "POST", "/v1/wallets", NULL, NULL, "{\"currency\":\"JPY\",\"label\":\"Yen\"}", 400,
     "invalid_request"},
    {false, "GET", "/v1/wallets/wal_x/transactions?limit=0&kind=theft&x=1&reference=%00", NULL,
     NULL, NULL, 400, "invalid_request"},
    {false, "GET", "/v1/me", "moolah-version", "1999-01-01", NULL, 400, "invalid_request"},
};

enum { QUESTIONS = sizeof questions / sizeof questions[0] };

static void expect(const struct exchange *e)
{
    const struct question *q = e->question;
    char code[80];
    snprintf(code, sizeof code, "\"code\":\"%s\"", q->code == NULL ? "" : q->code);
    if (e->status != q->status || !e->closed ||
        (q->code != NULL && strstr(e->answer, code) == NULL))
        fail_msg("%s %s: %d %s", q->method, q->path, e->status, e->answer);
}

static void test_answers(void **state)
{
    static struct exchange e;
    (void)state;
    for (int i = 0; i < QUESTIONS; i++) {
        assert_true(ask(&e, &questions[i], -1));
        expect(&e);
    }
}

/* The n-th allocation fails: the answer, 503, or a stream or connection that ends; never a crash,
 * nothing leaks, and nobody hears that it was their fault when it wasn't. */
static void test_memory_runs_out(void **state)
{
    static struct exchange e;
    (void)state;
    for (int i = 0; i < QUESTIONS; i++) {
        bool good = false;
        long n = 0;
        for (; !good; n++) {
            good = ask(&e, &questions[i], n);
            if (e.status != 0 && e.status != 503 && e.status != questions[i].status)
                fail_msg("%s %s: %d without memory (%ld): %s", questions[i].method,
                         questions[i].path, e.status, n, e.answer);
            if (e.status == questions[i].status && questions[i].code != NULL && e.closed &&
                e.length > 0)
                expect(&e);
        }
        expect(&e);
        assert_true(n > 10);
    }
}

static void test_log_lines_and_metrics(void **state)
{
    static struct exchange e;
    static char text[65536];
    static const char *const lines[] = {
        "\"event\":\"request\"",
        "\"method\":\"GET\",\"route\":\"none\",\"status\":404,\"code\":\"not_found\"",
        "\"method\":\"POST\",\"route\":\"/v1/transfers\",\"status\":400,\"code\":"
        "\"idempotency_key_missing\",\"duration_us\":",
        "\"steps_us\":{\"admit\":",
        "\"method\":\"GET\",\"route\":\"/v1/wallets/{id}/transactions\",\"status\":400",
    };
    static const char *const samples[] = {
        "moolah_http_requests_total{method=\"GET\",route=\"/livez\",code=\"200\"} ",
        "moolah_http_requests_total{method=\"POST\",route=\"/v1/transfers\",code=\"400\"} 2\n",
        "moolah_http_requests_total{method=\"POST\",route=\"/v1/transfers\",code=\"201\"} 0\n",
        "moolah_http_requests_total{method=\"PATCH\",route=\"/v1/me\",code=\"200\"} 0\n",
        "moolah_http_request_duration_seconds_count{method=\"POST\",route=\"/v1/transfers\"} 2\n",
    };
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    metrics_stop();
    assert_true(metrics_start(2));
    service_register_metrics();
    log_start(ends[1], LOG_INFO, 0);
    for (int i = 0; i < QUESTIONS; i++)
        assert_true(ask(&e, &questions[i], -1));
    assert_true(log_flush());
    ssize_t length = read(ends[0], text, sizeof text - 1);
    assert_true(length > 0);
    text[length] = '\0';
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("no %s in %s", lines[i], text);
    assert_null(strstr(text, "theft")); /* routes, never paths */
    assert_true(ask(&e, &questions[4], -1));
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        if (strstr(e.answer, samples[i]) == NULL)
            fail_msg("no %s", samples[i]);
    close(ends[0]);
    close(ends[1]);
}

static int set_up(void **state)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const struct posting_settings settings = {.conninfo = "host=/none",
                                              .lanes = 1,
                                              .batch_max = 1,
                                              .queue_max = 1,
                                              .currencies = service.settings.currencies};
    (void)state;
    loop = ev_loop_new(EVFLAG_AUTO); /* never turned: posting only says that its line is short */
    crypto_sha256(SLICE("operator"), service.settings.operator_token_hash);
    log_start(nowhere, LOG_INFO, 0);
    assert_true(metrics_start(2));
    service_register_metrics();
    service.posting = posting_new(loop, &settings);
    return crypto_start() && service.posting != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    posting_free(service.posting);
    ev_loop_destroy(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_log_lines_and_metrics),
    };
    return cmocka_run_group_tests(tests, set_up, end);
}
