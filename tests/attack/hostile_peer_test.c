/* Peers that flood, dawdle, hold on to memory or lie about who they are, against a real server with
 * short limits. Each is ended or limited in time, the worker's memory stays bounded, and others are
 * served meanwhile. What stops whom: docs/threat-model.md.
 *
 * Covers: server/net/connection.c server/net/listener.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/client.h"
#include "support/peer.h"
#include "support/second.h"
#include "support/stack.h"

static struct stack *stack;
static struct second server; /* with short limits, one worker */

#define LIMIT_S 2    /* of handshake, headers, body, unread answers */
#define IDLE_S 4     /* of a connection without requests */
#define PATIENCE_S 6 /* a machine that has other things to do */

static bool is_served(int port)
{
    struct client_call call = {0};
    struct client *client = client_open(port, stack->ca);
    if (client == NULL)
        return false;
    int status = client_do(client, &call, "GET", "/nowhere", NULL, NULL, NULL);
    client_call_clear(&call);
    client_close(client);
    return status == 404;
}

/* Of the worker, in KiB. */
static long resident(void)
{
    char path[64];
    long pages[2] = {0, 0};
    snprintf(path, sizeof path, "/proc/%d/statm", (int)second_worker(&server, 0));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &pages[0], &pages[1]), 2);
    fclose(file);
    return pages[1] * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- floods: as much as goes through, until the server has had enough */

static struct bytes out;
static uint32_t next_stream;

static void add_pings(void)
{
    frames_add(&out, FRAME_PING, 0, 0, SLICE("12345678"));
}

static void add_settings(void)
{
    frames_add_setting(&out, 4, 70000);
}

static void add_priorities(void)
{
    frames_add(&out, FRAME_PRIORITY, 0, 1, SLICE("\0\0\0\3\1"));
}

static void add_empty_data(void)
{
    if (next_stream == 1) {
        frames_add_headers(&out, 1, 0, "POST", "/nowhere");
        next_stream = 3;
    }
    frames_add(&out, FRAME_DATA, 0, 1, SLICE(""));
}

static void add_continuations(void)
{
    if (next_stream == 1) {
        frames_add(&out, FRAME_HEADERS, END_STREAM, 1, SLICE("\x82"));
        next_stream = 3;
    }
    frames_add(&out, FRAME_CONTINUATION, 0, 1, SLICE(""));
}

/* CVE-2023-44487 */
static void add_resets(void)
{
    frames_add_headers(&out, next_stream, END_STREAM, "GET", "/nowhere");
    frames_add_u32(&out, FRAME_RST_STREAM, next_stream, CANCEL);
    next_stream += 2;
}

/* CVE-2025-8671: the server resets, so the peer's own reset limit never counts. */
static void add_overflows(void)
{
    frames_add_headers(&out, next_stream, 0, "POST", "/nowhere");
    frames_add_u32(&out, FRAME_WINDOW_UPDATE, next_stream, 0x7fffffff);
    next_stream += 2;
}

static void add_short_bodies(void)
{
    struct bytes block;
    bytes_init(&block, NULL);
    frames_add_request(&block, "POST", "/nowhere");
    frames_add_text_field(&block, "content-length", "5");
    frames_add(&out, FRAME_HEADERS, END_HEADERS, next_stream, bytes_view(&block));
    frames_add(&out, FRAME_DATA, END_STREAM, next_stream, SLICE("x"));
    bytes_release(&block);
    next_stream += 2;
}

static void add_malformed(void)
{
    frames_add_headers(&out, next_stream, END_STREAM, "GET", "no slash");
    next_stream += 2;
}

/* 3,000 bytes in the table, then 2 MiB of headers from 700 bytes more. */
static void add_bombs(void)
{
    static char value[3000];
    struct bytes block;
    bytes_init(&block, NULL);
    frames_add_request(&block, "GET", "/nowhere");
    memset(value, 'v', sizeof value);
    bytes_add_char(&block, 0x40);
    frames_add_string(&block, SLICE("bomb"));
    frames_add_string(&block, (struct slice){value, sizeof value});
    for (int i = 0; i < 700; i++)
        bytes_add_char(&block, (char)0xbe);
    frames_add(&out, FRAME_HEADERS, END_STREAM | END_HEADERS, next_stream, bytes_view(&block));
    bytes_release(&block);
    next_stream += 2;
}

/* Just over the limit, from a few bytes: each gets its 431, but not for ever. */
static void add_big_headers(void)
{
    static char value[3000];
    struct bytes block;
    bytes_init(&block, NULL);
    frames_add_request(&block, "GET", "/nowhere");
    memset(value, 'v', sizeof value);
    bytes_add_char(&block, 0x40);
    frames_add_string(&block, SLICE("big"));
    frames_add_string(&block, (struct slice){value, sizeof value});
    for (int i = 0; i < 6; i++)
        bytes_add_char(&block, (char)0xbe);
    frames_add(&out, FRAME_HEADERS, END_STREAM | END_HEADERS, next_stream, bytes_view(&block));
    bytes_release(&block);
    next_stream += 2;
}

static void add_garbage(void)
{
    for (int i = 0; i < 100; i++)
        bytes_add_char(&out, (char)(i * 37 + 200));
}

struct flood {
    const char *name;
    void (*add)(void);
};

/* Send until the connection has ended; the last GOAWAY's code, -1: none came. `count`: how many of
 * them were sent. */
static int flood(const struct flood *what, int *count)
{
    struct peer *peer = peer_open(server.port);
    struct frame frame;
    int code = -1;
    int64_t deadline = clock_monotonic() + 10 * CLOCK_SECOND;
    enum peer_event event = PEER_QUIET;
    assert_non_null(peer);
    next_stream = 1;
    for (*count = 0; event != PEER_ENDED; *count += 50) {
        assert_true(clock_monotonic() < deadline);
        bytes_clear(&out);
        for (int i = 0; i < 50; i++)
            what->add();
        bool gone = !peer_send(peer, bytes_view(&out));
        while ((event = peer_next(peer, &frame, gone ? 1000 : 0)) == PEER_FRAME)
            if (frame.type == FRAME_GOAWAY)
                code = (int)frames_u32(frame.payload + 4);
    }
    peer_close(peer);
    return code;
}

static void test_floods(void **state)
{
    static const struct flood floods[] = {
        {"PING", add_pings},
        {"SETTINGS", add_settings},
        {"PRIORITY", add_priorities},
        {"empty DATA", add_empty_data},
        {"empty CONTINUATION", add_continuations},
        {"rapid reset", add_resets},
        {"made you reset: window overflow", add_overflows},
        {"made you reset: short bodies", add_short_bodies},
        {"malformed requests", add_malformed},
        {"HPACK bombs", add_bombs},
        {"headers over the limit", add_big_headers},
        {"garbage", add_garbage},
    };
    (void)state;
    assert_true(is_served(server.port));
    long before = resident();
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        int count;
        int code = flood(&floods[i], &count);
        printf("  %s: GOAWAY %d within %d\n", floods[i].name, code, count);
        assert_true(code > 0);
        assert_true(is_served(server.port));
    }
    printf("  the worker grew by %ld KiB\n", resident() - before);
    assert_true(resident() - before < 16 * 1024);
}

/* ---- slow peers, all at once */

struct slow {
    const char *name;
    void (*begin)(struct slow *);
    void (*drip)(struct slow *); /* every 200 ms; NULL: says no more */
    int most_s;                  /* ended by then */
    bool resets;                 /* the stream ends in time, the connection later */
    struct peer *peer;
    int64_t began;
    int64_t ended; /* 0: not yet */
    int reset;
};

static void say(struct slow *slow)
{
    peer_send_some(slow->peer, bytes_view(&out));
    bytes_clear(&out);
}

static void begin_tcp(struct slow *slow)
{
    slow->peer = peer_connect(server.port, 0);
}

static void begin_tls(struct slow *slow)
{
    begin_tcp(slow);
    assert_true(peer_shake_hands(slow->peer, "h2", false));
}

static void begin_http2(struct slow *slow)
{
    slow->peer = peer_open(server.port);
    assert_non_null(slow->peer);
}

/* The first bytes of a ClientHello's record. */
static void begin_half_hello(struct slow *slow)
{
    begin_tcp(slow);
    bytes_add_slice(&out, SLICE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"));
    say(slow);
}

static void drip_a_byte(struct slow *slow)
{
    bytes_add_char(&out, 0);
    say(slow);
}

static void begin_preface(struct slow *slow)
{
    begin_tls(slow);
    bytes_add_slice(&out, SLICE("PRI * HTTP/2.0\r\n"));
    say(slow);
}

static void begin_headers(struct slow *slow)
{
    begin_http2(slow);
    frames_add(&out, FRAME_HEADERS, END_STREAM, 1, SLICE("\x82"));
    say(slow);
}

/* The frame says 16,000 bytes, and they come one by one. */
static void begin_long_headers(struct slow *slow)
{
    begin_http2(slow);
    frames_add_head(&out, 16000, FRAME_HEADERS, END_STREAM | END_HEADERS, 1);
    bytes_add_slice(&out, SLICE("\x82\x00\x7f\xf0\x7c"));
    say(slow);
}

static void drip_a_letter(struct slow *slow)
{
    bytes_add_char(&out, 'a');
    say(slow);
}

static void begin_body(struct slow *slow)
{
    begin_http2(slow);
    frames_add_headers(&out, 1, 0, "POST", "/nowhere");
    say(slow);
}

static void drip_data(struct slow *slow)
{
    frames_add(&out, FRAME_DATA, 0, 1, SLICE("x"));
    say(slow);
}

static void begin_shut_window(struct slow *slow)
{
    begin_http2(slow);
    frames_add_setting(&out, 4, 0);
    frames_add_headers(&out, 1, END_STREAM, "GET", "/nowhere");
    say(slow);
}

static void drip_window(struct slow *slow)
{
    frames_add_u32(&out, FRAME_WINDOW_UPDATE, 1, 1);
    say(slow);
}

static void drip_pings(struct slow *slow)
{
    add_pings();
    say(slow);
}

/* Requests without end, and not one answer is read: neither by HTTP/2's window nor by TCP's. */
static void begin_deaf(struct slow *slow)
{
    slow->peer = peer_connect(server.port, 4096);
    assert_true(peer_shake_hands(slow->peer, "h2", false));
    frames_add_preface(&out);
    for (uint32_t i = 0; i < 90; i++)
        frames_add_headers(&out, 2 * i + 1, END_STREAM, "GET", "/nowhere");
    say(slow);
    slow->reset = 181;
}

static void drip_requests(struct slow *slow)
{
    for (int i = 0; i < 60; i++) {
        frames_add_headers(&out, (uint32_t)slow->reset, END_STREAM, "GET", "/nowhere");
        slow->reset += 2;
    }
    say(slow);
}

/* What has come; `deaf` ones only notice that the connection has gone when sending fails. */
static void listen_to(struct slow *slow)
{
    struct frame frame;
    enum peer_event event = PEER_QUIET;
    if (slow->drip == drip_requests) {
        bytes_clear(&out);
        add_pings();
        event = peer_send_some(slow->peer, bytes_view(&out)) < 0 ? PEER_ENDED : PEER_QUIET;
        bytes_clear(&out);
    } else {
        while ((event = peer_next(slow->peer, &frame, 0)) == PEER_FRAME)
            if (frame.type == FRAME_RST_STREAM)
                slow->reset = (int)frames_u32(frame.payload);
    }
    if (event == PEER_ENDED || (slow->resets && slow->reset >= 0))
        slow->ended = clock_monotonic();
}

static void turn(struct slow *slow)
{
    if (slow->ended != 0)
        return;
    if (slow->drip != NULL)
        slow->drip(slow);
    listen_to(slow);
    int64_t waited = clock_monotonic() - slow->began;
    if (slow->ended == 0 && waited > (slow->most_s + PATIENCE_S) * (int64_t)CLOCK_SECOND)
        print_error("%s goes on for ever\n", slow->name);
    assert_true(slow->ended != 0 || waited <= (slow->most_s + PATIENCE_S) * (int64_t)CLOCK_SECOND);
}

static void test_slow_peers(void **state)
{
    struct slow peers[] = {
        {"silent", begin_tcp, NULL, LIMIT_S, .reset = -1},
        {"half a ClientHello", begin_half_hello, drip_a_byte, LIMIT_S, .reset = -1},
        {"nothing behind TLS", begin_tls, NULL, LIMIT_S, .reset = -1},
        {"half a preface", begin_preface, NULL, LIMIT_S, .reset = -1},
        {"half a header block", begin_headers, NULL, LIMIT_S, .reset = -1},
        {"headers dripped", begin_long_headers, drip_a_letter, LIMIT_S, .reset = -1},
        {"no body", begin_body, NULL, LIMIT_S, .resets = true, .reset = -1},
        {"body dripped", begin_body, drip_data, LIMIT_S, .resets = true, .reset = -1},
        {"window shut", begin_shut_window, NULL, LIMIT_S, .reset = -1},
        {"window dripped", begin_shut_window, drip_window, LIMIT_S, .reset = -1},
        {"idle", begin_http2, NULL, IDLE_S, .reset = -1},
        {"idle, pinging", begin_http2, drip_pings, IDLE_S, .reset = -1},
        {"deaf", begin_deaf, drip_requests, 15, .reset = -1},
    };
    enum { COUNT = sizeof peers / sizeof peers[0] };
    int left = COUNT;
    (void)state;
    long before = resident();
    for (int i = 0; i < COUNT; i++) {
        peers[i].began = clock_monotonic();
        bytes_clear(&out);
        peers[i].begin(&peers[i]);
    }
    while (left > 0) {
        left = 0;
        for (int i = 0; i < COUNT; i++) {
            turn(&peers[i]);
            left += peers[i].ended == 0;
        }
        assert_true(is_served(server.port));
        usleep(200000); /* the pace of the dripping, nothing is awaited */
    }
    for (int i = 0; i < COUNT; i++) {
        double took = (double)(peers[i].ended - peers[i].began) / CLOCK_SECOND;
        printf("  %s: ended after %.1f s\n", peers[i].name, took);
        assert_true(took > 1); /* each had its time */
        if (peers[i].resets)
            assert_int_equal(peers[i].reset, CANCEL);
        peer_close(peers[i].peer);
    }
    assert_true(resident() - before < 16 * 1024);
}

/* ---- memory */

/* As many bodies as a connection may have under way, each as large as it may be, none ended. */
static void test_unfinished_bodies_are_bounded(void **state)
{
    static char zeros[16384];
    (void)state;
    long before = resident();
    struct peer *peer = peer_open(server.port);
    assert_non_null(peer);
    bytes_clear(&out);
    for (uint32_t i = 0; i < 100; i++) {
        frames_add_headers(&out, 2 * i + 1, 0, "POST", "/nowhere");
        for (int k = 0; k < 3; k++)
            frames_add(&out, FRAME_DATA, 0, 2 * i + 1, (struct slice){zeros, sizeof zeros});
    }
    assert_true(peer_send(peer, bytes_view(&out)));
    bytes_clear(&out);
    add_pings();
    assert_true(peer_send(peer, bytes_view(&out)));
    struct frame frame;
    do
        assert_int_equal(peer_next(peer, &frame, 5000), PEER_FRAME);
    while (frame.type != FRAME_PING);
    printf("  100 bodies of 48 KiB: the worker grew by %ld KiB\n", resident() - before);
    assert_true(resident() - before < 24 * 1024);
    assert_true(is_served(server.port));
    peer_close(peer);
}

/* One that never stops talking has its turn, and no more: others are served beside it. */
static void test_loud_peers_leave_others_their_turn(void **state)
{
    enum { LOUD = 3 };
    static char zeros[16384];
    pid_t children[LOUD];
    (void)state;
    for (int i = 0; i < LOUD; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        struct peer *peer = peer_open(server.port);
        bytes_clear(&out); /* unknown frames: legal, and thrown away */
        for (int k = 0; k < 16; k++)
            frames_add(&out, 0xfa, 0, 0, (struct slice){zeros, sizeof zeros});
        while (peer != NULL && peer_send(peer, bytes_view(&out)))
            ;
        _exit(0);
    }
    int64_t slowest = 0;
    for (int i = 0; i < 20; i++) {
        int64_t began = clock_monotonic();
        assert_true(is_served(server.port));
        int64_t took = clock_monotonic() - began;
        slowest = took > slowest ? took : slowest;
    }
    for (int i = 0; i < LOUD; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    printf("  beside %d loud ones: connected and answered in %lld ms at most\n", LOUD,
           (long long)slowest / 1000);
    assert_true(slowest < 3 * CLOCK_SECOND); /* in turn: 0.04 s; after them: 6 s */
}

/* ---- TLS */

static void expect_no_tls(const char *alpn, bool tls12, int alert)
{
    struct peer *peer = peer_connect(server.port, 0);
    bool shook = peer_shake_hands(peer, alpn, tls12);
    if (alert > 0) {
        assert_false(shook);
        assert_int_equal(peer_alert(peer), alert);
    }
    assert_true(peer_await_end(peer, PATIENCE_S * 1000));
    peer_close(peer);
    assert_true(is_served(server.port));
}

static void test_wrong_tls(void **state)
{
    (void)state;
    expect_no_tls("h2", true, 70);         /* protocol_version */
    expect_no_tls("http/1.1", false, 120); /* no_application_protocol */
    expect_no_tls("h2c", false, 120);
    expect_no_tls(NULL, false, 0); /* found out at its end: no answer to any request */
    struct peer *peer = peer_connect(server.port, 0);
    assert_true(peer_send(peer, SLICE("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    assert_true(peer_await_end(peer, PATIENCE_S * 1000));
    peer_close(peer);
    assert_true(is_served(server.port));
}

/* ---- PROXY v2, on a server where everybody on this machine is a configured proxy */

static struct second behind;

static void add_proxy_header(const char *address, uint16_t port)
{
    unsigned part[4];
    bytes_clear(&out);
    bytes_add(&out, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16);
    assert_int_equal(sscanf(address, "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]), 4);
    for (int i = 0; i < 4; i++)
        bytes_add_char(&out, (char)part[i]);
    bytes_add(&out, "\x7f\0\0\1", 4);
    bytes_add_be16(&out, port);
    bytes_add_be16(&out, 443);
}

/* A whole request behind a header that comes in pieces of `piece` bytes: its status. */
static int status_behind_proxy(const char *address, size_t piece)
{
    struct peer *peer = peer_connect(behind.port, 0);
    struct frame frame;
    int status = -1;
    add_proxy_header(address, 4711);
    for (size_t at = 0; at < out.length; at += piece) {
        size_t length = out.length - at < piece ? out.length - at : piece;
        assert_true(peer_send(peer, (struct slice){out.at + at, length}));
        usleep(piece < 28 ? 3000 : 0); /* so that the pieces arrive as such */
    }
    assert_true(peer_shake_hands(peer, "h2", false));
    bytes_clear(&out);
    frames_add_preface(&out);
    frames_add_headers(&out, 1, END_STREAM, "GET", "/v1/me");
    assert_true(peer_send(peer, bytes_view(&out)));
    while (status < 0 && peer_next(peer, &frame, 10000) == PEER_FRAME)
        status = frame.type == FRAME_HEADERS ? peer_status(peer, &frame) : -1;
    peer_close(peer);
    return status;
}

static void test_proxy_header_in_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 28; piece += 9)
        assert_int_equal(status_behind_proxy("192.0.2.1", piece), 401);
}

static void expect_end_without_header(struct slice said, int most_s)
{
    struct peer *peer = peer_connect(behind.port, 0);
    int64_t began = clock_monotonic();
    if (said.length > 0)
        assert_true(peer_send(peer, said));
    assert_true(peer_await_end(peer, (most_s + PATIENCE_S) * 1000));
    if (most_s > 0)
        assert_true(clock_monotonic() - began > CLOCK_SECOND);
    peer_close(peer);
}

/* User and system time of the worker, in ticks. */
static long worker_ticks(void)
{
    char path[64];
    long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)second_worker(&behind, 0));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(
        fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system),
        2);
    fclose(file);
    return user + system;
}

static void test_proxy_header_missing_or_wrong(void **state)
{
    (void)state;
    expect_end_without_header(SLICE("PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n"), 0);
    expect_end_without_header(SLICE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 0); /* TLS */
    expect_end_without_header(SLICE("\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c"), 0);
    expect_end_without_header(SLICE("\r\n\r\n\0\r\nQUIT\n\x21\x11\x7f\xff"), 0);
    /* half a header has its time, and takes no more of the worker's than sleeping does */
    long before = worker_ticks();
    expect_end_without_header(SLICE("\r\n\r\n\0\r\nQU"), LIMIT_S);
    expect_end_without_header(SLICE("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02"), LIMIT_S);
    long ticks = worker_ticks() - before;
    printf("  waiting for half a header took %ld ms of CPU\n", ticks * 1000 / sysconf(_SC_CLK_TCK));
    assert_true(ticks < LIMIT_S * sysconf(_SC_CLK_TCK) / 2);
}

/* The limit per address is the client's, not the proxy's. */
static void test_rate_limits_go_by_the_named_client(void **state)
{
    int limited = 0;
    (void)state;
    for (int i = 0; i < 12; i++)
        limited += status_behind_proxy("192.0.2.2", 28) == 429;
    assert_true(limited >= 4); /* 5 at once, then one every 100 s */
    assert_int_equal(status_behind_proxy("192.0.2.3", 28), 401);
}

static void test_connections_are_bounded(void **state)
{
    enum { MOST = 20, MORE = 30 };
    struct peer *peers[MORE];
    int ended = 0;
    struct frame frame;
    (void)state;
    for (int i = 0; i < MORE; i++)
        peers[i] = peer_connect(behind.port, 0);
    /* those beyond the limit are closed at once, long before a deadline */
    for (int i = MOST; i < MORE; i++)
        ended += peer_next(peers[i], &frame, 1000) == PEER_ENDED;
    assert_int_equal(ended, MORE - MOST);
    for (int i = 0; i < MORE; i++)
        peer_close(peers[i]);
    int status = 0;
    for (int tries = 0; status != 401 && tries < 100; tries++)
        status = is_served(server.port) ? status_behind_proxy("192.0.2.4", 28) : 0;
    assert_int_equal(status, 401);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    bytes_init(&out, NULL);
    stack = stack_start(NULL);
    second_start(&server, stack, stack->port + 10, 1,
                 "s/^return {/return { limits = { handshake_s = 2, headers_s = 2, body_s = 2, "
                 "unread_s = 2, idle_s = 4 },/");
    second_start(&behind, stack, stack->port + 20, 1,
                 "s/^return {/return { limits = { handshake_s = 2, connections = 20 },/; "
                 "s/listen = {/listen = { proxies = { \"127.0.0.0\\/8\" },/; "
                 "s/ip_per_second = 50000, ip_burst = 100000/ip_per_second = 0.01, ip_burst = 5/");
    return 0;
}

static int tear_down(void **state)
{
    int codes = second_stop(&server) + second_stop(&behind);
    (void)state;
    bytes_release(&out);
    stack_stop(stack);
    return codes;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_slow_peers),
        cmocka_unit_test(test_unfinished_bodies_are_bounded),
        cmocka_unit_test(test_loud_peers_leave_others_their_turn),
        cmocka_unit_test(test_wrong_tls),
        cmocka_unit_test(test_proxy_header_in_pieces),
        cmocka_unit_test(test_proxy_header_missing_or_wrong),
        cmocka_unit_test(test_rate_limits_go_by_the_named_client),
        cmocka_unit_test(test_connections_are_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
